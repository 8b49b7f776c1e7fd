#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Deadlocks of user space: each is found in a second, with exactly its members;
of its twin, in which one actor takes the same in another order, nothing is said.
"""

from gltest import Case, Report, Scenario, brief, claim, ring, run
from together import twins

POSIX_13, POSIX_13_EDGES = ring(13, "posix")
OFD_3, OFD_3_EDGES = ring(3, "ofd")
FLOCK_5, FLOCK_5_EDGES = ring(5, "flock")
SHM_20, SHM_20_EDGES = ring(20, "shm")

RWLOCK_3, RWLOCK_3_EDGES = ring(3, "wr")

LATE = [f"late{i}" for i in range(50)]

CASES = [
    Case("shared_mutex_abba",
         ["p1: shm:0 sync !shm:1", "p2: shm:1 sync !shm:0"],
         ["p1: shm:0 sync shm:1", "p2: sync !shm:0 shm:1"],
         "p1>p2 p2>p1", "futex"),
    Case("private_mutex_abba",
         ["t1: mtx:0 sync !mtx:1", "t2: mtx:1 sync !mtx:0"],
         ["t1: mtx:0 sync mtx:1", "t2: sync !mtx:0 mtx:1"],
         "t1>t2 t2>t1", "futex", threads=True),
    Case("late_comer_behind_abba",
         ["p1: shm:0 sync !shm:1", "p2: shm:1 sync !shm:0", "late: sync !shm:0"],
         ["p1: shm:0 sync shm:1", "p2: sync !shm:0 shm:1", "late: sync !shm:0"],
         "p1>p2 p2>p1", "futex", victims="late"),
    Case("crowd_behind_abba",
         ["p1: shm:0 sync !shm:1", "p2: shm:1 sync !shm:0"] + [f"{late}: sync !shm:0" for late in LATE],
         ["p1: shm:0 sync shm:1", "p2: sync !shm:0 shm:1"] + [f"{late}: sync !shm:0" for late in LATE],
         "p1>p2 p2>p1", "futex", victims=" ".join(LATE)),
    Case("self_deadlock",
         ["p1: shm:0 !shm:0"],
         ["p1: shm:0 !shm:1"],
         "p1>p1", "futex"),
    Case("mutex_ring_of_20", SHM_20, ring(20, "shm", last=True)[0], SHM_20_EDGES, "futex"),
    # The kernel refuses the last of them to wait, who sleeps for ever then.
    Case("pi_mutexes",
         ["p1: pi:0 sync !pi:1", "p2: pi:1 sync !pi:0"],
         ["p1: pi:0 sync", "p2: pi:1 sync !pi:0"],
         "p1>p2 p2>p1", "futex-pi", verdict="likely"),
    Case("pi_and_plain_mutexes",
         ["p1: pi:0 sync !pi:1", "p2: pi:1 sync !shm:0", "p3: shm:0 sync !pi:0"],
         ["p1: pi:0 sync", "p2: pi:1 sync !shm:0", "p3: shm:0 sync !pi:0"],
         "p1>p2 p2>p3 p3>p1", "futex-pi futex futex-pi"),
    Case("rwlock_writers_abba",
         ["p1: wr:0 sync !wr:1", "p2: wr:1 sync !wr:0"],
         ["p1: wr:0 sync wr:1", "p2: sync !wr:0 wr:1"],
         "p1>p2 p2>p1", "futex"),
    Case("rwlock_ring_of_3", RWLOCK_3, ring(3, "wr", last=True)[0], RWLOCK_3_EDGES, "futex"),
    Case("reader_behind_writer_abba",
         ["p1: wr:0 sync !rd:1", "p2: wr:1 sync !rd:0"],
         ["p1: wr:0 sync rd:1", "p2: sync !rd:0 wr:1"],
         "p1>p2 p2>p1", "futex"),
    Case("flock_abba",
         ["p1: flock:0 sync !flock:1", "p2: flock:1 sync !flock:0"],
         ["p1: flock:0 sync flock:1", "p2: sync !flock:0 flock:1"],
         "p1>p2 p2>p1", "flock"),
    Case("flock_ring", FLOCK_5, ring(5, "flock", last=True)[0], FLOCK_5_EDGES, "flock"),
    Case("ofd_ring", OFD_3, ring(3, "ofd", last=True)[0], OFD_3_EDGES, "ofd"),
    # The kernel looks 10 locks far for a circle, and lets this one sleep.
    Case("posix_ring_of_13", POSIX_13, ring(13, "posix", last=True)[0], POSIX_13_EDGES, "posix"),
    Case("flock_through_children",
         ["p1: flock:0 fork:c1 !wait:c1", "c1: sync !flock:1",
          "p2: flock:1 fork:c2 !wait:c2", "c2: sync !flock:0"],
         ["p1: flock:0 fork:c1 !wait:c1", "c1: sync flock:1",
          "p2: fork:c2 !wait:c2", "c2: sync !flock:0 flock:1"],
         "p1>c1 c1>p2,c2 p2>c2 c2>p1,c1", "child flock child flock"),
    Case("pipes_both_full",
         ["p1: rend:1 !fill:0", "p2: rend:0 !fill:1"],
         ["p1: rend:1 !fill:0", "p2: rend:0 wend:1"],
         "p1>p2 p2>p1", "pipe:W"),
    Case("pipes_both_empty",
         ["p1: wend:0 !read:1", "p2: wend:1 !read:0"],
         ["p1: wend:0 !read:1", "p2: wend:1 rend:0"],
         "p1>p2 p2>p1", "pipe:R"),
    Case("pipes_in_a_ring_of_4",
         ["p1: wend:0 !read:3", "p2: wend:1 !read:0", "p3: wend:2 !read:1", "p4: wend:3 !read:2"],
         ["p1: wend:0 !read:3", "p2: wend:1 !read:0", "p3: wend:2 !read:1", "p4: wend:3 rend:2"],
         "p1>p4 p2>p1 p3>p2 p4>p3", "pipe:R"),
    Case("parent_waits_child_reads",
         ["p1: wend:0 rend:0 fork:c1 !wait:c1", "c1: !read:0"],
         ["p1: wend:0 rend:0 fork:c1", "c1: !read:0"],
         "p1>c1 c1>p1", "child pipe:R"),
    Case("join_and_mutex",
         ["t1: mtx:0 sync !join:t2", "t2: sync !mtx:0"],
         ["t1: mtx:0 sync", "t2: sync !mtx:0"],
         "t1>t2 t2>t1", "join futex", threads=True),
    Case("mutexes_with_ceilings",
         ["p1: protect:0 sync !protect:1", "p2: protect:1 sync !shm:0", "p3: shm:0 sync !protect:0"],
         ["p1: protect:0 sync", "p2: protect:1 sync !shm:0", "p3: shm:0 sync !protect:0"],
         "p1>p2 p2>p3 p3>p1", "futex"),
    Case("robust_mutexes_abba",
         ["p1: robust:0 sync !robust:1", "p2: robust:1 sync !robust:0"],
         ["p1: robust:0 sync robust:1", "p2: sync !robust:0 robust:1"],
         "p1>p2 p2>p1", "futex"),
    Case("flock_mutex_and_pipe",
         ["p1: flock:0 sync !shm:1", "p2: shm:1 sync !read:0", "p3: wend:0 sync !flock:0"],
         ["p1: flock:0 shm:1 sync", "p2: sync !shm:1 read:0", "p3: wend:0 sync !flock:0"],
         "p1>p2 p2>p3 p3>p1", "futex pipe:R flock"),
    Case("five_mechanisms",
         ["p1: flock:0 sync !shm:0", "p2: shm:0 sync !read:0", "p3: wend:0 sync !posix:1",
          "p4: posix:1 sync !ofd:2", "p5: ofd:2 sync !flock:0"],
         ["p1: flock:0 sync !shm:0", "p2: shm:0 sync !read:0", "p3: wend:0 sync !posix:1",
          "p4: posix:1 sync !ofd:2", "p5: ofd:2 sync"],
         "p1>p2 p2>p3 p3>p4 p4>p5 p5>p1", "futex pipe:R posix ofd flock"),
    Case("killed_owner",
         ["p1: shm:0 sync exit", "p2: sync !shm:0"],
         ["p1: shm:0 sync", "p2: sync !shm:0"],
         "p2>", "futex", type="orphaned-lock"),
    # Their process is a forked one: its first thread could have inherited the mutex.
    Case("owner_thread_gone",
         ["t1: mtx:0 sync exit", "t2: sync !mtx:0"],
         ["t1: mtx:0 sync", "t2: sync !mtx:0"],
         "t2>", "futex", type="orphaned-lock", verdict="likely", threads=True),
    Case("timed_abba",
         ["p1: shm:0 sync !timed:1", "p2: shm:1 sync !shm:0"],
         ["p1: shm:0 sync timed:1", "p2: sync !shm:0"],
         "p1>p2 p2>p1", "futex", type="transient-cycle"),
]


def two_circles_are_two_findings():
    with Scenario(["a1: shm:0 sync !shm:1", "a2: shm:1 sync !shm:0",
                   "b1: flock:0 sync !flock:1", "b2: flock:1 sync !flock:0"]) as scenario:
        report = Report()
        members = sorted(sorted(task["comm"] for task in finding["tasks"])
                         for finding in report.of_type("deadlock"))
        claim(members == [["a1", "a2"], ["b1", "b2"]], brief(report.findings))
        claim(all(not finding["victims"] for finding in report.findings), brief(report.findings))
        claim(len(scenario.tid) == 4, "four actors")


def word_copied_by_fork_is_no_edge():
    """The child's copy of the mutex names the parent, which cannot unlock it."""
    with Scenario(["p1: mtx:0 fork:c1 !wait:c1", "c1: !mtx:0"]) as scenario:
        report = Report()
        claim(not report.of_type("deadlock"), brief(report.findings))
        for finding in report.of_type("orphaned-lock"):
            members = {task["tid"] for task in finding["tasks"]}
            claim(members == scenario.tids("c1"), brief([finding]))


def robust_mutex_is_handed_on():
    with Scenario(["p1: robust:0 sync exit", "p2: sync robust:0"]):
        report = Report()
        claim(report.status == 0, brief(report.findings))


EXTRA = [two_circles_are_two_findings, word_copied_by_fork_is_no_edge, robust_mutex_is_handed_on]

if __name__ == "__main__":
    run(twins(CASES) + [(test.__name__, test) for test in EXTRA])
