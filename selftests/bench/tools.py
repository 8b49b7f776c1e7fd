# SPDX-License-Identifier: GPL-2.0
"""What the benchmarks share: what may be loaded, what is run, and how tables look."""

import contextlib
import os
import re
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
LOAD = os.path.join(HERE, "load")
BENCH_KO = os.path.join(HERE, "gridlock_bench.ko")
BENCH = "/sys/module/gridlock_bench/parameters"
FILES = "/sys/kernel/debug/gridlock"

# LCB_F_* of contention_begin.
KINDS = {"spinlock": 0x1, "mutex": 0x20}
FEW, MANY = 10, 64000
PAIRS = 64000


def command(*args, **kwargs):
    done = subprocess.run([str(arg) for arg in args], stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, check=False, **kwargs)
    if done.returncode:
        sys.exit(f"measure: {' '.join(map(str, args))} exits {done.returncode}")
    return done.stdout


def read_text(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


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


def stat(name):
    """One of the module's own counters."""
    return int(re.search(rf"^{name} (\d+)$", read_text(f"{FILES}/stats"), re.M)[1])


def claim_asleep(number):
    """The threads have started; that they wait is what the module says."""
    for _ in range(100):
        asleep = sum(line.startswith("futex ") for line in read_text(f"{FILES}/waits").splitlines())
        if asleep >= number:
            return
        time.sleep(1)
    sys.exit(f"measure: {asleep} of {number} threads wait")


@contextlib.contextmanager
def waiters(number):
    """So many threads that all wait, while the module is loaded."""
    start = time.monotonic()
    with subprocess.Popen([LOAD, "waiters", str(number)], text=True, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as process:
        if process.stdout.readline() != "ready\n":
            sys.exit("measure: the waiters do not get ready")
        progress(number, "waiters made", time.monotonic() - start)
        claim_asleep(number)
        progress(number, "waiters asleep", time.monotonic() - start)
        yield
        process.stdin.close()


def cost_of(prefix, parameter, what):
    """What gridlock_bench says of a pair: the least, the median, p99.9 and the most."""
    out = command(*prefix, "sh", "-c", f"echo '{what}' >{BENCH}/{parameter} && "
                  f"echo cost $(cat {BENCH}/{parameter})", stderr=subprocess.DEVNULL)
    return [float(number) for number in re.search(r"^cost (.*)$", out, re.M)[1].split()]


def median_cost(prefix, kind, locks):
    return cost_of(prefix, "run", f"{KINDS[kind]:x} {locks} {PAIRS}")[1]


def table(head, rows):
    widths = [max(len(row[i]) for row in [head] + rows) for i in range(len(head))]
    for row in [head, ["-" * width for width in widths]] + rows:
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |")
    print(flush=True)


def progress(*cells):
    print("#", *cells, file=sys.stderr, flush=True)
