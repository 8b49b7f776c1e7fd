#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""measure.py instructions|throughput PERF [ROUNDS] - the benchmarks, in a guest.

instructions: what the probes of one contention (a begin and its end) cost, in
instructions, and what a file lock without contention does; the machine must count
them. throughput: how much work threads get done that fight for a pipe, for their
memory's map, for a folder, for a mutex, and how long messages between many tasks
take. Both with nothing loaded, with gridlock, and with `perf lock contention -b`;
PERF is a perf that has its BPF programs. Tables in Markdown go to stdout.
"""

import contextlib
import os
import re
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
LOAD = os.path.join(HERE, "load")
RUN = "/sys/module/gridlock_bench/parameters/run"

# LCB_F_* of contention_begin.
KINDS = {"spinlock": 0x1, "mutex": 0x20}
FEW, MANY = 10, 64000
PAIRS = 64000
WAITERS = 10000
GROUPS = [f"by_{what}=1" for what in ("task", "owner", "cgroup", "caller")]

# What gridlock may take at most, as a share of what `perf lock contention -ab` takes.
MOST_OF_PERF = 1 / 5

# File locks that nobody else wants pass a probe, too: what that may add to a call.
FILE_LOCKS = ("flock", "posix")
FILE_PAIRS = 20000
MOST_OF_CALL = 1 / 20

THREADS, MSECS = 4, 2000
WORKS = ("pipe", "mmap", "rename", "futex")


def command(*args, **kwargs):
    done = subprocess.run([str(arg) for arg in args], stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, check=False, **kwargs)
    if done.returncode:
        sys.exit(f"measure: {' '.join(map(str, args))} exits {done.returncode}")
    return done.stdout


@contextlib.contextmanager
def module(path, *parameters):
    command("insmod", path, *parameters)
    try:
        yield
    finally:
        command("rmmod", os.path.basename(path).removesuffix(".ko"))


@contextlib.contextmanager
def gridlock(*parameters):
    with module(os.environ["GRIDLOCK_KO"], *parameters):
        yield []


@contextlib.contextmanager
def nothing():
    yield []


def perf_prefix(perf, *options):
    @contextlib.contextmanager
    def prefix():
        yield [perf, "lock", "contention", "-a", "-b", "-E", "1", *options, "--"]
    return prefix


def claim_asleep(number):
    """The threads have started; that they wait is what the module says."""
    for _ in range(100):
        with open("/sys/kernel/debug/gridlock/waits", encoding="utf-8") as file:
            asleep = sum(line.startswith("futex ") for line in file)
        if asleep >= number:
            return
        time.sleep(1)
    sys.exit(f"measure: {asleep} of {number} threads wait")


@contextlib.contextmanager
def waiters():
    with gridlock() as prefix, subprocess.Popen([LOAD, "waiters", str(WAITERS)], text=True,
                                                stdin=subprocess.PIPE,
                                                stdout=subprocess.PIPE) as process:
        if process.stdout.readline() != "ready\n":
            sys.exit("measure: the waiters do not get ready")
        claim_asleep(WAITERS)
        yield prefix
        process.stdin.close()


def pair_cost(prefix, kind, locks):
    """The least and the median cost of a pair."""
    out = command(*prefix, "sh", "-c", f"echo '{KINDS[kind]:x} {locks} {PAIRS}' >{RUN} && "
                  f"echo cost $(cat {RUN})", stderr=subprocess.DEVNULL)
    least, median = map(float, re.search(r"^cost (\S+) (\S+)$", out, re.M).groups())
    return least, median


def table(head, rows):
    widths = [max(len(row[i]) for row in [head] + rows) for i in range(len(head))]
    for row in [head, ["-" * width for width in widths]] + rows:
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |")
    print(flush=True)


def file_locks():
    """Taking and giving back a file lock without contention: the whole of both calls."""
    cost = {}
    for tool in (nothing, gridlock):
        with tool():
            for kind in FILE_LOCKS:
                cost[tool, kind] = int(command(LOAD, kind, FILE_PAIRS).split()[1])
    rows = [[name] + [f"{cost[tool, kind]} ({cost[tool, kind] / cost[nothing, kind]:.3f})"
                      for kind in FILE_LOCKS]
            for name, tool in (("nothing loaded", nothing), ("gridlock", gridlock))]
    table(["instructions per uncontended file lock (of nothing loaded)", *FILE_LOCKS], rows)
    for kind in FILE_LOCKS:
        if cost[gridlock, kind] > (1 + MOST_OF_CALL) * cost[nothing, kind]:
            sys.exit(f"measure: {kind}: gridlock adds more than {MOST_OF_CALL:.0%}")


def contentions(perf):
    """Each figure is the median less that of nothing loaded, which is the loop itself."""
    tools = [("nothing loaded", nothing, FEW), ("gridlock, 10 locks", gridlock, FEW),
             ("gridlock, 64,000 locks", gridlock, MANY),
             ("gridlock, 10 locks, 10,000 waiters", waiters, FEW),
             ("gridlock by_task=1, 10 locks", lambda: gridlock(GROUPS[0]), FEW),
             ("gridlock with all by_*, 10 locks", lambda: gridlock(*GROUPS), FEW),
             ("perf lock contention -ab, 10 locks", perf_prefix(perf), FEW),
             ("perf lock contention -ab, 64,000 locks", perf_prefix(perf), MANY),
             ("perf lock contention -abl, 10 locks", perf_prefix(perf, "-l"), FEW),
             ("perf lock contention -abl, 64,000 locks", perf_prefix(perf, "-l"), MANY)]
    cost, rows = {}, []
    with module(os.path.join(HERE, "gridlock_bench.ko")):
        for name, tool, locks in tools:
            cells = [name]
            for kind in KINDS:
                with tool() as prefix:
                    _, median = pair_cost(prefix, kind, locks)
                cost[name, kind] = net = median - cost.get(("nothing loaded", kind), 0)
                base = cost.get(("gridlock, 10 locks", kind), 0)
                cells.append(f"{net:.0f}" + (f" ({net / base:.2f})" if base else ""))
            rows.append(cells)
            print("#", *cells, file=sys.stderr, flush=True)
    table(["instructions per contention (of gridlock's)", *KINDS], rows)
    for kind in KINDS:
        share = cost["gridlock, 10 locks", kind] / cost["perf lock contention -ab, 10 locks", kind]
        if share > MOST_OF_PERF:
            sys.exit(f"measure: {kind}: gridlock takes {share:.2f} of what perf takes")


def operations(work):
    """A command that does it, and how to read from what it prints how fast it went."""
    def read(out):
        return float(re.search(r"^\d+$", out, re.M)[0])
    return [LOAD, work, THREADS, MSECS], read


def messages(perf):
    def read(out):
        return 1 / float(re.search(r"Total time: +(\S+)", out)[1])
    return [perf, "bench", "sched", "messaging", "-g", "2", "-l", "100"], read


def throughput(perf, rounds):
    """The tools take turns, forwards and backwards; each is compared with its own round."""
    tools = {"nothing loaded": nothing, "gridlock": gridlock,
             "perf lock contention -ab": perf_prefix(perf)}
    works = {work: operations(work) for work in WORKS} | {"messaging": messages(perf)}
    for work, (load, read) in works.items():
        speeds = {name: [] for name in tools}
        for turn in range(rounds):
            for name in list(tools) if turn % 2 == 0 else reversed(tools):
                with tools[name]() as prefix:
                    speeds[name].append(read(command(*prefix, *load, stderr=subprocess.DEVNULL)))
        compare(f"{work}, {rounds} rounds", speeds)


def compare(what, speeds):
    rows = []
    for name, values in speeds.items():
        ratios = sorted(a / b for a, b in zip(values, speeds["nothing loaded"]))
        low, median, high = statistics.quantiles(ratios, n=4)
        rows.append([name, f"{statistics.median(values):.4g}", f"{median:.3f}",
                     f"{low:.3f} to {high:.3f}", f"{ratios[0]:.3f} to {ratios[-1]:.3f}"])
    table([what, "a second", "median ratio", "middle half", "all"], rows)


def main():
    if len(sys.argv) < 3 or sys.argv[1] not in ("instructions", "throughput"):
        sys.exit(__doc__)
    if sys.argv[1] == "instructions":
        file_locks()
        contentions(sys.argv[2])
    else:
        throughput(sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 10)


if __name__ == "__main__":
    main()
