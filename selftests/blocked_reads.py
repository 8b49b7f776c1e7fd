#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The reader never hangs on what hangs, and counts the reads that it gave up.

Report() itself fails when check takes longer than its window and 5 s.
"""

from gltest import Report, Scenario, brief, claim, need_both, run

# p1 waits under its own mmap_lock; what p1 waits for is held by p2, which waits
# for a page that only its child p3 could bring, and p3 waits for p1.
UNDER_MMAP_LOCK = ["p1: kmutex:0 sync !kmmap:1",
                   "p2: kmutex:1 uffd fork:p3 sync drop !touch",
                   "p3: sync !kmutex:0"]

# One process: to read who owns what t1 waits for takes the lock that t2 waits under.
MEMORY_LOCKED = ["t1: kmutex:1 sync !mtx:0", "t2: mtx:0 sync !kmmap:1"]


def claim_only_these(report, tids):
    """A finding that there is must be about the scenario's own tasks."""
    for finding in report.findings:
        claim({task["tid"] for task in finding["tasks"]} <= tids, brief([finding]))


def stuck_under_own_mmap_lock_and_in_userfault():
    with Scenario(UNDER_MMAP_LOCK) as scenario:
        claim_only_these(Report(), set(scenario.tid.values()))


def lock_words_behind_the_own_mmap_lock():
    with Scenario(MEMORY_LOCKED, threads=True) as scenario:
        report = Report()
        claim(report.json["unseen"]["blocked_reads"] >= 1, f"unseen: {report.json['unseen']}")
        claim_only_these(report, set(scenario.tid.values()))


def circle_under_own_mmap_lock_is_found():
    """The module's rows come first: no read that blocks is needed for the circle."""
    with Scenario(["p1: kmutex:0 sync !kmmap:1", "p2: kmutex:1 sync !kmutex:0"]) as scenario:
        report = Report()
        deadlocks = report.of_type("deadlock")
        claim(len(deadlocks) == 1, brief(report.findings))
        members = {task["tid"] for task in deadlocks[0]["tasks"]}
        claim(members == scenario.tids("p1 p2"), brief(deadlocks))


def lock_words_behind_a_userfault():
    """The mutexes' own page is gone: to read who owns them blocks."""
    with Scenario(["t1: mtx:0 sync !mtx:1", "t2: mtx:1 sync !mtx:0", "t3: uffd settle drop"],
                  threads=True) as scenario:
        report = Report()
        claim(report.json["unseen"]["blocked_reads"] >= 1, f"unseen: {report.json['unseen']}")
        claim_only_these(report, set(scenario.tid.values()))


def nothing_blocks_on_a_healthy_machine():
    with Scenario(["p1: kmutex:0 sync", "p2: sync !kmmap:1"]):
        report = Report()
        claim(report.json["unseen"]["blocked_reads"] == 0, f"unseen: {report.json['unseen']}")
        claim(report.status == 0, brief(report.findings))


TESTS = [stuck_under_own_mmap_lock_and_in_userfault, lock_words_behind_the_own_mmap_lock,
         circle_under_own_mmap_lock_is_found, lock_words_behind_a_userfault,
         nothing_blocks_on_a_healthy_machine]


if __name__ == "__main__":
    run([(test.__name__, test) for test in TESTS], need_both)
