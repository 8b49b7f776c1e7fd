#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Deadlocks through the kernel's own locks, made by gridlock_scenario.ko."""

import json
import re

from gltest import (Case, KERNEL_LOCKS, RT, Report, Scenario, Skipped, claim_silent, claim,
                    gridlock, need_both, ring, run, silent)
from together import twins

MUTEX = "rtmutex" if RT else "mutex"
# A writer that waits for a writer waits for the rt_mutex inside.
RWSEM_W = "rtmutex|rwlock-rt:W" if RT else "rwsem:W"
RWSEM_R = "rtmutex|rwlock-rt:R" if RT else "rwsem:R"

KMUTEX_5, KMUTEX_5_EDGES = ring(5, "kmutex")

CASES = [
    Case("mutex_abba",
         ["p1: kmutex:0 sync !kmutex:1", "p2: kmutex:1 sync !kmutex:0"],
         ["p1: kmutex:0 sync kmutex:1", "p2: sync !kmutex:0 kmutex:1"],
         "p1>p2 p2>p1", MUTEX),
    Case("mutex_ring", KMUTEX_5, ring(5, "kmutex", last=True)[0], KMUTEX_5_EDGES, MUTEX),
    Case("mutex_abba_of_threads",
         ["t1: kmutex:0 sync !kmutex:1", "t2: kmutex:1 sync !kmutex:0"],
         ["t1: kmutex:0 sync kmutex:1", "t2: sync !kmutex:0 kmutex:1"],
         "t1>t2 t2>t1", MUTEX, threads=True),
    Case("rwsem_writers_abba",
         ["p1: krwsem-w:0 sync !krwsem-w:1", "p2: krwsem-w:1 sync !krwsem-w:0"],
         ["p1: krwsem-w:0 sync krwsem-w:1", "p2: sync !krwsem-w:0 krwsem-w:1"],
         "p1>p2 p2>p1", RWSEM_W),
    Case("rwsem_reader_behind_writer_abba",
         ["p1: krwsem-w:0 sync !krwsem-r:1", "p2: krwsem-w:1 sync !krwsem-w:0"],
         ["p1: krwsem-w:0 sync krwsem-r:1", "p2: sync !krwsem-w:0 krwsem-w:1"],
         "p1>p2 p2>p1", f"{RWSEM_R} {RWSEM_W}"),
    Case("rtmutex_abba",
         ["p1: krtmutex:0 sync !krtmutex:1", "p2: krtmutex:1 sync !krtmutex:0"],
         ["p1: krtmutex:0 sync krtmutex:1", "p2: sync !krtmutex:0 krtmutex:1"],
         "p1>p2 p2>p1", "rtmutex"),
    Case("rtmutex_and_mutex",
         ["p1: krtmutex:0 sync !krtmutex:1", "p2: krtmutex:1 sync !kmutex:2",
          "p3: kmutex:2 sync !krtmutex:0"],
         ["p1: krtmutex:0 sync krtmutex:1", "p2: sync !krtmutex:0",
          "p3: kmutex:2 sync !krtmutex:0"],
         "p1>p2 p2>p3 p3>p1", f"rtmutex {MUTEX} rtmutex"),
    Case("mutex_and_rwsem",
         ["p1: kmutex:0 sync !krwsem-w:0", "p2: krwsem-w:0 sync !kmutex:0"],
         ["p1: kmutex:0 sync krwsem-w:0", "p2: sync !kmutex:0 krwsem-w:0"],
         "p1>p2 p2>p1", f"{RWSEM_W} {MUTEX}"),
    Case("victim_behind_mutex_abba",
         ["p1: kmutex:0 sync !kmutex:1", "p2: kmutex:1 sync !kmutex:0", "late: sync !kmutex:0"],
         ["p1: kmutex:0 sync kmutex:1", "p2: sync !kmutex:0 kmutex:1", "late: sync !kmutex:0"],
         "p1>p2 p2>p1", MUTEX, victims="late"),
    Case("flock_futex_mutex_and_pipe",
         ["p1: flock:0 sync !shm:1", "p2: shm:1 sync !kmutex:2", "p3: kmutex:2 sync !read:0",
          "p4: wend:0 sync !flock:0"],
         ["p1: flock:0 shm:1 sync", "p2: sync !shm:1 kmutex:2", "p3: kmutex:2 sync !read:0",
          "p4: wend:0 sync !flock:0"],
         "p1>p2 p2>p3 p3>p4 p4>p1", f"futex {MUTEX} pipe:R flock"),
]

# The most locks of one kind that a case takes.
MOST_LOCKS = 5


def apart(cases):
    """The kernel's locks are the same ones for all scenarios: each case gets its own."""
    for number, case in enumerate(cases):
        for actors in (case.actors, case.twin):
            actors[:] = [re.sub(r"\b(k[a-z-]+):(\d+)", lambda lock: f"{lock[1]}:"
                                f"{int(lock[2]) + number * MOST_LOCKS}", actor)
                         for actor in actors]
    return cases


# A semaphore knows no owner; the readers of a lock cannot be told: no guesses.
SILENT = [
    silent("semaphore_pair", ["p1: ksem:0 sync !ksem:1", "p2: ksem:1 sync !ksem:0"]),
    silent("queue_of_writers",
           ["p0: krwsem-w:0 sync"] + [f"p{i}: sync !krwsem-w:0" for i in range(1, 9)]),
    silent("writer_behind_readers",
           ["p1: krwsem-r:0 sync", "p2: krwsem-r:0 sync", "w: sync !krwsem-w:0"]),
    silent("ordered_lockers", [f"p{i}*: kmutex:0 krwsem-w:1 kmutex:2" for i in range(8)]),
    silent("mutex_storm", [f"p{i}*: kmutex:0" for i in range(8)]),
]


def nobody_is_left_when_killed():
    """The scenario module unwinds: after the circle is killed, its locks are free."""
    with Scenario(["p1: kmutex:0 sync !kmutex:1", "p2: kmutex:1 sync !kmutex:0"]):
        pass
    with open(KERNEL_LOCKS, "w", encoding="ascii", buffering=1) as locks:
        for number in range(2):
            locks.write(f"lock mutex {number}\n")
            locks.flush()
    claim_silent(Report())


def waits_shows_the_owner():
    with Scenario(["p1: kmutex:0 sync", "p2: sync !kmutex:0"]) as scenario:
        status, out, err = gridlock("waits")
        claim(status == 0, f"waits exits {status}: {err}")
        line = [line for line in out.splitlines() if str(scenario.tid["p2"]) in line]
        claim(line and str(scenario.tid["p1"]) in line[0], f"no line with both: {out}")


def graph_edges(scenario, name):
    """Of one actor, whom it waits for by the graph: pairs (TID, is it a soft edge)."""
    status, out, err = gridlock("graph", "--json")
    claim(status == 0, f"graph exits {status}: {err}")
    graph = json.loads(out)
    tid = {node["id"]: node["tid"] for node in graph["nodes"] if node["type"] == "task"}
    wanted = [edge["to"] for edge in graph["edges"]
              if tid.get(edge["from"]) == scenario.tid[name]]
    return {(tid[edge["to"]], edge.get("soft", False)) for edge in graph["edges"]
            if edge["from"] in wanted}


def reader_waits_for_the_writer_ahead():
    """Readers have it, unknown ones; the next one's turn comes after the writer's."""
    if RT:
        raise Skipped("on PREEMPT_RT the rwsem is another lock")
    with Scenario(["r: krwsem-r:0 sync !sleep", "w: sync !krwsem-w:0",
                   "n: sync settle !krwsem-r:0"]) as scenario:
        edges = graph_edges(scenario, "n")
        claim(edges == {(scenario.tid["w"], True)}, f"{edges} of {scenario.tid}")
        _, dot, _ = gridlock("graph")
        claim('style="dashed"' in dot, f"no dashed edge: {dot}")
        claim_silent(Report())


def reader_does_not_wait_for_the_writer_behind():
    if RT:
        raise Skipped("on PREEMPT_RT the rwsem is another lock")
    with Scenario(["h: krwsem-w:0 sync !sleep", "n: sync !krwsem-r:0",
                   "w: sync settle !krwsem-w:0"]) as scenario:
        edges = graph_edges(scenario, "n")
        claim(edges == {(scenario.tid["h"], False)}, f"{edges} of {scenario.tid}")
        _, dot, _ = gridlock("graph")
        claim('style="dashed"' not in dot, f"a dashed edge: {dot}")
        claim_silent(Report())


EXTRA = [nobody_is_left_when_killed, waits_shows_the_owner, reader_waits_for_the_writer_ahead,
         reader_does_not_wait_for_the_writer_behind]


if __name__ == "__main__":
    run(twins(apart(CASES)) + SILENT + [(test.__name__, test) for test in EXTRA], need_both)
