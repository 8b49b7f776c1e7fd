#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""measure.py instructions|throughput PERF [ROUNDS] - the benchmarks, in a guest.

instructions: what the probes of one contention (a begin and its end) cost, in
instructions; the machine must count them. throughput: how much work threads
get done that fight for one pipe. Both with nothing loaded, with gridlock, and
with `perf lock contention -b`; PERF is a perf that has its BPF programs. Tables
in Markdown go to stdout.
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

# What gridlock may take at most, as a share of what `perf lock contention -ab` takes.
MOST_OF_PERF = 1 / 5

THREADS, MSECS = 4, 2000


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
def gridlock():
    with module(os.environ["GRIDLOCK_KO"]):
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


def instructions(perf):
    """Each figure is the median less that of nothing loaded, which is the loop itself."""
    tools = [("nothing loaded", nothing, FEW), ("gridlock, 10 locks", gridlock, FEW),
             ("gridlock, 64,000 locks", gridlock, MANY),
             ("gridlock, 10 locks, 10,000 waiters", waiters, FEW),
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


def throughput(perf, rounds):
    """The tools take turns, forwards and backwards; each is compared with its own round."""
    tools = {"nothing loaded": nothing, "gridlock": gridlock,
             "perf lock contention -ab": perf_prefix(perf)}
    ops = {name: [] for name in tools}
    for turn in range(rounds):
        for name in list(tools) if turn % 2 == 0 else reversed(tools):
            with tools[name]() as prefix:
                out = command(*prefix, LOAD, "pipe", THREADS, MSECS, stderr=subprocess.DEVNULL)
            ops[name].append(float(re.search(r"^\d+$", out, re.M)[0]))
    rows = []
    for name, values in ops.items():
        ratios = sorted(a / b for a, b in zip(values, ops["nothing loaded"]))
        low, median, high = statistics.quantiles(ratios, n=4)
        rows.append([name, f"{statistics.median(values):.0f}", f"{median:.2f}",
                     f"{low:.2f} to {high:.2f}", f"{ratios[0]:.2f} to {ratios[-1]:.2f}"])
    table([f"{THREADS} threads on one pipe, {rounds} rounds", "operations/s", "median ratio",
           "middle half", "all"], rows)


def main():
    if len(sys.argv) < 3 or sys.argv[1] not in ("instructions", "throughput"):
        sys.exit(__doc__)
    if sys.argv[1] == "instructions":
        instructions(sys.argv[2])
    else:
        throughput(sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 10)


if __name__ == "__main__":
    main()
