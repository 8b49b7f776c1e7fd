#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The module comes late, or not at all: user space's deadlocks are found all the same."""

import contextlib
import functools
import os
import subprocess

from gltest import (SLOW, TRIES, Report, Scenario, Skipped, brief, claim, gridlock, module_loaded,
                    need_kernel_locks, run)

ABBA = {
    "mutexes": (["p1: shm:0 sync !shm:1", "p2: shm:1 sync !shm:0"], False),
    "private_mutexes": (["t1: mtx:0 sync !mtx:1", "t2: mtx:1 sync !mtx:0"], True),
    "flocks": (["p1: flock:0 sync !flock:1", "p2: flock:1 sync !flock:0"], False),
    "pipes": (["p1: rend:1 !fill:0", "p2: rend:0 !fill:1"], False),
    "sockets": (["p1: !stream-a-recv:0", "p2: !stream-b-recv:0"], False),
    "connections": (["p1: !tcp-a-recv:0", "p2: !tcp-b-recv:0"], False),
    "polls": (["p1: stream-a:0 !poll", "p2: stream-b:0 !epoll"], False),
    "semaphores": (["p1: sysv:0 sync !sysv:1", "p2: sysv:1 sync !sysv:0"], False),
    "vforks": (["p1: rend:0 wend:0 !vfork:c1", "c1: !read:0"], False),
    "children": (["p1: wend:0 rend:0 fork:c1 !wait:c1", "c1: !read:0"], False),
}


def unload():
    if module_loaded():
        subprocess.run(["rmmod", "gridlock"], check=True)


def load():
    if not module_loaded():
        subprocess.run(["insmod", os.environ["GRIDLOCK_KO"]], check=True)


@functools.cache
def found(older_than_module):
    """Members of the findings while all of ABBA stand, and the members of each by name."""
    unload()
    with contextlib.ExitStack() as stack:
        members = {name: set(stack.enter_context(Scenario(*abba)).tid.values())
                   for name, abba in ABBA.items()}
        if older_than_module:
            load()
        for times in TRIES:
            report = Report(window=1.0 * SLOW * times)
            deadlocks = [{task["tid"] for task in finding["tasks"]}
                         for finding in report.of_type("deadlock")]
            if len(deadlocks) >= len(ABBA):
                break
    claim(report.json["module"] is older_than_module, f"module is {report.json['module']}")
    others = {finding["type"] for finding in report.findings} - {"deadlock", "long-wait"}
    claim(not others, brief(report.findings))
    return deadlocks, members


def claim_found(name, older_than_module):
    deadlocks, members = found(older_than_module)
    claim(deadlocks.count(members[name]) == 1, f"{members[name]} is not one of {deadlocks}")
    strangers = [tids for tids in deadlocks if tids not in members.values()]
    claim(not strangers, f"{strangers} are none of {members}")


def found_without_module(name):
    return f"{name}_are_found_without_module", lambda: claim_found(name, False)


def found_when_older_than_module(name):
    return f"{name}_older_than_module_are_found", lambda: claim_found(name, True)


def kernel_locks_older_than_module_are_not_guessed():
    """Found where the kernel keeps what a task is blocked on; else nothing is said of them."""
    need_kernel_locks()
    unload()
    with Scenario(["p1: kmutex:0 sync !kmutex:1", "p2: kmutex:1 sync !kmutex:0"]) as scenario:
        load()
        report = Report()
        for finding in report.findings:
            members = {task["tid"] for task in finding["tasks"]}
            claim((finding["type"], members) == ("deadlock", scenario.tids("p1 p2")),
                  brief(report.findings))


def without_module_it_says_what_is_unseen():
    unload()
    status, out, err = gridlock("check", "--for", "0.3")
    claim(status == 0, f"check exits {status}: {err}")
    claim("module" in out + err, f"no word of the module: {out}{err}")


def healthy_without_module_is_silent():
    unload()
    with Scenario(["p1: shm:0 sync shm:1", "p2: sync !shm:0 shm:1"]):
        report = Report()
        claim(report.status == 0, brief(report.findings))


def need_module_file():
    if not os.path.exists(os.environ.get("GRIDLOCK_KO", "")):
        raise Skipped("GRIDLOCK_KO names no module")


if __name__ == "__main__":
    was_loaded = module_loaded()
    try:
        run([found_without_module(name) for name in ABBA] +
            [found_when_older_than_module(name) for name in ABBA] +
            [(test.__name__, test) for test in (
                kernel_locks_older_than_module_are_not_guessed,
                without_module_it_says_what_is_unseen, healthy_without_module_is_silent)],
            need_module_file)
    finally:
        (load if was_loaded else unload)()
