# SPDX-License-Identifier: GPL-2.0
"""What it costs to read everything at once: 65,536 waits and 65,536 locks, taken by the
module and decoded by the reader, while threads fight for a pipe.
"""

import os
import statistics
import subprocess
import sys
import time

from tools import (BENCH, BENCH_KO, HERE, LOAD, PAIRS, command, gridlock, module, progress,
                   stat, table, waiters)

ROWS = 65536
# Of the locks some find no place on their CPU, as the table is a hash.
LEAST_ROWS = 65000
TIMES = 5

LIMITS = {"kernel/pid_max": 4 * ROWS, "kernel/threads-max": 4 * ROWS}

# The writers are stopped before that, on the slowest machine.
WRITERS_MS = 3600000


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(str(text))


def begins_a_second(secs):
    before, start = stat("events.begins"), time.monotonic()
    time.sleep(secs)
    return (stat("events.begins") - before) / (time.monotonic() - start)


def ns_of_contention():
    start = time.monotonic()
    write(f"{BENCH}/run", f"20 10 {PAIRS}")
    return (time.monotonic() - start) * 1e9 / PAIRS


def read_while_busy(what):
    """Return: what is printed of it."""
    contention = ns_of_contention()
    with subprocess.Popen([LOAD, "pipe", "4", str(WRITERS_MS)],
                          stdout=subprocess.DEVNULL) as writers:
        try:
            undisturbed = begins_a_second(2)
            out = command(os.path.join(HERE, "reading"), what, TIMES)
            if writers.poll() is not None:
                sys.exit("measure: the writers have ended before the reader has")
        finally:
            writers.kill()
    looks = [[int(word) for word in line.split()] for line in out.splitlines()]
    progress(what, looks)
    if min(look[0] for look in looks) < LEAST_ROWS:
        sys.exit(f"measure: only {looks} {what}")
    if min(look[3] for look in looks) < 1:
        sys.exit("measure: nobody waited while a snapshot was read")
    taken, decoded = (statistics.median(look[i] / look[0] for look in looks) for i in (1, 2))
    rate = statistics.median(look[3] * 1e9 / (look[1] + look[2]) for look in looks)
    return [what, str(looks[-1][0]), f"{taken / contention:.2f}", f"{decoded / contention:.2f}",
            f"{min(look[3] for look in looks)}", f"{rate / undisturbed:.2f}"]


def measure(_perf, _rounds):
    for name, value in LIMITS.items():
        write(f"/proc/sys/{name}", value)
    rows = []
    with module(BENCH_KO):
        with gridlock(f"max_locks={ROWS}"):
            # Each CPU has a half of them.
            write(f"{BENCH}/run", f"1 {ROWS} 100 2")
            rows.append(read_while_busy("locks"))
        with gridlock(), waiters(ROWS):
            rows.append(read_while_busy("waits"))
            # The end of so many takes as long as their begin.
            table(["all at once", "rows", "taken and read, a row, in contentions", "decoded",
                   "begun meanwhile, at least", "a second, of those without a reader"], rows)
