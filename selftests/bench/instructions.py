# SPDX-License-Identifier: GPL-2.0
"""What locks cost in instructions; the machine's clock must count them.

A contention (a begin and its end), by the median and one by one; a lock that nobody
else wants; and a file lock, whose calls all pass a probe.
"""

import contextlib
import sys

from tools import (BENCH_KO, FEW, KINDS, LOAD, MANY, command, cost_of, gridlock, median_cost,
                   module, nothing, perf_prefix, progress, stat, table, waiters)

WAITERS = 10000
GROUPS = [f"by_{what}=1" for what in ("task", "owner", "cgroup", "caller")]

# What gridlock may take at most, as a share of what `perf lock contention -ab` takes.
MOST_OF_PERF = 1 / 5

# One contention may take so many: 10 us of a CPU that does one in a nanosecond.
MOST_OF_ONE = 10000
SINGLES = 64000

# File locks that nobody else wants pass a probe, too: what that may add to a call.
FILE_LOCKS = ("flock", "posix")
FILE_PAIRS = 20000
MOST_OF_CALL = 1 / 20

# So many times it is looked whether a lock without contention passes a probe: that of
# another task may.
TRIES = 5
LONE_PAIRS = 20000


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


LONE = {
    "kernel mutex": lambda: cost_of([], "alone", f"mutex {LONE_PAIRS}")[1],
    "kernel spinlock": lambda: cost_of([], "alone", f"spinlock {LONE_PAIRS}")[1],
    "pthread mutex": lambda: float(command(LOAD, "mutex", LONE_PAIRS).split()[1]),
}


def probes_passed(take):
    """How many begins and ends the module saw at least, while a lock was taken so often."""
    least = LONE_PAIRS
    for _ in range(TRIES):
        before = stat("events.begins") + stat("events.ends")
        take()
        least = min(least, stat("events.begins") + stat("events.ends") - before)
        if not least:
            break
    return least


def lone_locks():
    """Taking and giving back a lock that nobody else wants: no probe is in the way."""
    cost, hits = {}, {}
    with module(BENCH_KO):
        for tool in (nothing, gridlock):
            with tool():
                for kind, take in LONE.items():
                    cost[tool, kind] = take()
                    hits[kind] = probes_passed(take) if tool == gridlock else 0
    rows = [[name] + [f"{cost[tool, kind]:.2f} ({cost[tool, kind] / cost[nothing, kind]:.3f})"
                      for kind in LONE]
            for name, tool in (("nothing loaded", nothing), ("gridlock", gridlock))]
    rows.append(["probes passed with gridlock"] + [str(hits[kind]) for kind in LONE])
    table(["instructions per lock without contention (of nothing loaded)", *LONE], rows)
    for kind in LONE:
        if cost[gridlock, kind] != cost[nothing, kind] or hits[kind]:
            sys.exit(f"measure: {kind}: gridlock is in the way of a lock without contention")


@contextlib.contextmanager
def beside_waiters():
    with gridlock() as prefix, waiters(WAITERS):
        yield prefix


def contentions(perf):
    """Each figure is the median less that of nothing loaded, which is the loop itself."""
    tools = [("nothing loaded", nothing, FEW), ("gridlock, 10 locks", gridlock, FEW),
             ("gridlock, 64,000 locks", gridlock, MANY),
             ("gridlock, 10 locks, 10,000 waiters", beside_waiters, FEW),
             ("gridlock by_task=1, 10 locks", lambda: gridlock(GROUPS[0]), FEW),
             ("gridlock with all by_*, 10 locks", lambda: gridlock(*GROUPS), FEW),
             ("gridlock holds=1, 10 locks", lambda: gridlock("holds=1"), FEW),
             ("perf lock contention -ab, 10 locks", perf_prefix(perf), FEW),
             ("perf lock contention -ab, 64,000 locks", perf_prefix(perf), MANY),
             ("perf lock contention -abl, 10 locks", perf_prefix(perf, "-l"), FEW),
             ("perf lock contention -abl, 64,000 locks", perf_prefix(perf, "-l"), MANY)]
    cost, rows = {}, []
    for name, tool, locks in tools:
        cells = [name]
        for kind in KINDS:
            with tool() as prefix:
                median = median_cost(prefix, kind, locks)
            cost[name, kind] = net = median - cost.get(("nothing loaded", kind), 0)
            base = cost.get(("gridlock, 10 locks", kind), 0)
            cells.append(f"{net:.0f}" + (f" ({net / base:.2f})" if base else ""))
        rows.append(cells)
        progress(*cells)
    table(["instructions per contention (of gridlock's)", *KINDS], rows)
    for kind in KINDS:
        share = cost["gridlock, 10 locks", kind] / cost["perf lock contention -ab, 10 locks", kind]
        if share > MOST_OF_PERF:
            sys.exit(f"measure: {kind}: gridlock takes {share:.2f} of what perf takes")


def dearest():
    """Contentions one by one: with interrupts off nothing else is in the figures. The
    module times one probe in 64 itself, and keeps the longest.
    """
    rows, most = [], 0
    for name, tool, locks in (("nothing loaded", nothing, FEW), ("10 locks", gridlock, FEW),
                              ("64,000 locks", gridlock, MANY),
                              ("10 locks, 10,000 waiters", beside_waiters, FEW)):
        cells = [name]
        for flags in KINDS.values():
            with tool() as prefix:
                costs = cost_of(prefix, "run", f"{flags:x} {locks} {SINGLES} 1 1")[1:]
                longest = stat("cost.longest_ns") if tool != nothing else 0
            most = max(most, *costs)
            cells += [f"{cost:.0f}" for cost in costs] + [f"{longest}"]
        rows.append(cells)
        progress(*cells)
    table(["instructions of one contention, its loop included"] +
          [f"{kind} {part}" for kind in KINDS for part in ("p50", "p99.9", "most", "longest_ns")],
          rows)
    if most > MOST_OF_ONE:
        sys.exit(f"measure: a contention took {most:.0f} instructions")


def measure(perf, _rounds):
    file_locks()
    lone_locks()
    with module(BENCH_KO):
        dearest()
        contentions(perf)
