#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""A minute of healthy contention of all kinds at once: check after check finds nothing.
A crowd of threads: check looks at all of them, and finds the two that are stuck.

GL_SECONDS is how long (default 60), GL_THREADS how many (default 3000).
"""

import os
import resource
import subprocess
import time

import gltest
from gltest import (Report, Scenario, brief, claim, need_kernel_locks, need_module, run)

SECONDS = float(os.environ.get("GL_SECONDS", 60))
THREADS = int(os.environ.get("GL_THREADS", 3000))
CROWD_READY_SECS = 60 + THREADS / 50

LOCKERS = [f"p{i}*: shm:0 shm:1 shm:2" for i in range(8)]
CROWD = (["long: mtx:0 sync"] + [f"q{i}: sync !mtx:0" for i in range(8)] +
         [f"c{i}: !cond:1" for i in range(4)] + [f"s{i}: !sem:2" for i in range(4)] +
         ["z1: !sleep", "z2: !sleep"])
KERNEL = [f"k{i}*: kmutex:0 krwsem-w:1 flock:2" for i in range(4)]


def check_all_the_time():
    checks = 0
    end = time.monotonic() + SECONDS
    while time.monotonic() < end or not checks:
        report = Report(window=2.0)
        checks += 1
        claim(report.status == 0, f"check {checks}: {brief(report.findings)}")
    print(f"# {checks} checks")


def contention_has_no_finding():
    with Scenario(LOCKERS), Scenario(CROWD, threads=True), Scenario(KERNEL):
        check_all_the_time()


def make_room():
    """A small machine allows for less threads than this."""
    limit = "/proc/sys/kernel/threads-max"
    with open(limit, encoding="ascii") as file:
        allowed = int(file.read())
    if allowed < 2 * THREADS:
        with open(limit, "w", encoding="ascii") as file:
            file.write(str(2 * THREADS))


class Crowd:
    """Threads of one process; tid is the first one's."""

    def __init__(self, shape):
        self.command = [os.path.join(gltest.HERE, "scenario", "crowd"), shape, str(THREADS)]

    def __enter__(self):
        make_room()
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        line = gltest.read_line(self.process.stdout, CROWD_READY_SECS).split()
        claim(line[:1] == ["ready"], f"the crowd did not get ready: {line}")
        self.tid = int(line[2])
        gltest.wait_until(lambda: "futex" in gltest.wchan(self.tid), "the first one waits")
        return self

    def __exit__(self, *_):
        self.process.communicate()


def look_at(crowd):
    """One check, which has to see every thread; says what it took."""
    began = time.monotonic()
    report = Report(window=2.0)
    took = time.monotonic() - began
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(f"# {crowd.command[1]} of {THREADS} threads: check took {took:.1f} s, {peak} KiB")
    claim(report.json["complete"], f"not all were seen: {report.out[:400]}")
    return report


def two_stuck_in_a_crowd_are_found():
    with Crowd("knot") as crowd:
        report = look_at(crowd)
        found = [f for f in report.findings if f["type"] != "long-wait"]
        claim([(f["type"], f["verdict"]) for f in found] == [("deadlock", "confirmed")],
              f"{len(found)} findings")
        tids = {task["tid"] for task in found[0]["tasks"]}
        claim(len(tids) == 2 and crowd.tid in tids, f"members are {tids}")


def crowd_that_waits_its_turn_is_silent():
    with Crowd("queue") as crowd:
        report = look_at(crowd)
        claim(report.status == 0, f"{len(report.findings)} findings")


def need_both():
    need_module()
    need_kernel_locks()


if __name__ == "__main__":
    run([(test.__name__, test) for test in (
        two_stuck_in_a_crowd_are_found, crowd_that_waits_its_turn_is_silent,
        contention_has_no_finding)], need_both)
