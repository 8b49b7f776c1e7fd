#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Situations in which many wait and none is stuck: no finding but long-wait."""

import json
import re

from gltest import Report, Scenario, brief, claim, claim_silent, gridlock, run, silent
from together import quiet, tests_of

CHAIN = 20
CHAIN_ACTORS = (["p0: shm:0 sync"] +
                [f"p{i}: shm:{i} sync !shm:{i - 1}" for i in range(1, CHAIN)])

TESTS = [
    quiet("pool_on_condition", [f"t{i}: !cond:0" for i in range(8)], threads=True),
    quiet("pool_on_semaphore", [f"p{i}: !sem:0" for i in range(8)]),
    quiet("sleepers", [f"p{i}: !sleep" for i in range(4)]),
    silent("queue_of_200", ["p0: shm:0 sync"] + [f"p{i}: sync !shm:0" for i in range(1, 201)]),
    silent("queue_of_200_threads",
           ["p0: mtx:0 sync"] + [f"p{i}: sync !mtx:0" for i in range(1, 201)], threads=True),
    quiet("chain_of_20", CHAIN_ACTORS),
    quiet("flock_queue", ["p0: flock:0 sync"] + [f"p{i}: sync !flock:0" for i in range(1, 9)]),
    quiet("pipe_end_held_by_a_third", ["p1: rend:1 !fill:0", "p2: rend:0 !fill:1", "p3: rend:1"]),
    quiet("flock_held_by_a_child_too",
          ["p1: flock:0 fork:c1 sync !flock:1", "c1: sync", "p2: flock:1 sync !flock:0"]),
    quiet("readers_and_a_writer", ["p1: rd:0 sync", "p2: rd:0 sync", "w: sync !wr:0"]),
    quiet("reader_behind_a_queued_writer",
          ["p1: rd-last:0 sync !sleep", "w: sync !wr-first:0", "r: sync settle !rd-last:0"]),
    silent("ordered_lockers", [f"p{i}*: shm:0 shm:1 shm:2" for i in range(8)]),
    silent("ordered_file_lockers", [f"p{i}*: flock:0 posix:1 ofd:2" for i in range(4)]),
]


def long_hold_is_a_long_wait():
    """One root, named; exit status 0."""
    with Scenario(["p0: shm:0 sync", "p1: sync !shm:0"]) as scenario:
        report = Report("--long-wait", "0.1")
        waits = report.of_type("long-wait")
        claim(len(waits) == 1, brief(report.findings))
        claim([task["tid"] for task in waits[0]["tasks"]] == [scenario.tid["p1"]], brief(waits))
        claim(waits[0]["root"]["tid"] == scenario.tid["p0"], f"root is {waits[0]['root']}")
        claim_silent(report)


def chain_shows_all_20():
    """`chain` goes from the last waiter to the root, whatever the length."""
    with Scenario(CHAIN_ACTORS) as scenario:
        last = scenario.tid[f"p{CHAIN - 1}"]
        status, out, err = gridlock("chain", last)
        claim(status == 0, f"chain exits {status}: {err}")
        places = [re.search(rf"\b{tid}\b", out) for tid in scenario.tid.values()]
        claim(all(places), f"not all of {scenario.tid} are in the chain: {out}")
        order = [place.start() for place in places]
        claim(order == sorted(order, reverse=True), f"not in wait order: {out}")
        status, out, err = gridlock("chain", last, "--json")
        claim(status == 0 and json.loads(out), f"chain --json exits {status}: {err}")


if __name__ == "__main__":
    run(tests_of(TESTS) +
        [(test.__name__, test) for test in (long_hold_is_a_long_wait, chain_shows_all_20)])
