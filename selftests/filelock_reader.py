#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What the reader tells of file locks by the module's word: since when a task waits,
and that tasks refuse each other what they ask for, over and over: a livelock.
"""

import contextlib
import fcntl
import json
import os
import struct
import threading
import time

from counters import reload
from filelocks import File
from gltest import Report, claim, gridlock, need_module, run, wait_until, wchan
from takers import F_OFD_SETLK, TAKE, Child, children, holds, taker
from together import once

# What the reader prints is rounded.
ROUNDED_SECS = 0.001


def told_since(tid):
    """Since when the reader says that a task waits; and when it was asked, and had answered."""
    asked = time.monotonic()
    status, out, err = gridlock("waits", "--json")
    answered = time.monotonic()
    claim(status == 0, f"waits exits {status}: {err}")
    told = [wait["waits_for"]["since_s"] for wait in json.loads(out)["waits"] if wait["tid"] == tid]
    claim(len(told) == 1, f"{len(told)} waits are told of one task")
    return asked, told[0], answered


def reader_tells_since_when(kind):
    with File() as file:
        holder = holds(kind)(file.path)
        before = time.monotonic()
        with children(1, taker(file.path, kind)) as (waiter,):
            file.wait_for(kind, 1)
            asleep = time.monotonic()
            asked, since, answered = told_since(waiter.pid)
            claim(since is not None, "it is not told since when it waits")
            claim(asked - asleep - ROUNDED_SECS <= since <= answered - before + ROUNDED_SECS,
                  f"since {since} s, not from {asked - asleep} to {answered - before} s")
            holder.kill()
            holder.end()


def reader_knows_no_begin_without_the_probes():
    reload("filelock=0")
    with File() as file:
        holder = holds("flock")(file.path)
        with children(1, taker(file.path, "flock")) as (waiter,):
            wait_until(lambda: "lock" in wchan(waiter.pid), "it waits")
            _, since, _ = told_since(waiter.pid)
            claim(since is None, f"since {since} s, which nobody saw")
            holder.kill()
            holder.end()
    reload()


# --- livelock ---

# Nobody has it for long.
FREE_BYTE = 9

# Far more than the 1.5 s and 20 attempts that make one.
LOOK_SECS = 6

# As often each has to be refused.
LEAST_ATTEMPTS = 20


def let_go(fd, kind):
    """By unlocking: to close() alone is not enough, while somebody looks at the file."""
    if kind == "flock":
        fcntl.flock(fd, fcntl.LOCK_UN)
    elif kind == "posix":
        fcntl.lockf(fd, fcntl.LOCK_UN)
    else:
        lock = struct.pack("hhqqi4x", fcntl.F_UNLCK, os.SEEK_SET, 0, 0, 0)
        fcntl.fcntl(fd, F_OFD_SETLK, lock)


def contender(paths, kind):
    """Does as it is told: asks for one after the other, and lets go of them all."""
    def function(order, report):
        while True:
            with contextlib.ExitStack() as stack:
                files = [os.open(path, os.O_RDWR) for path in paths]
                for fd in files:
                    stack.callback(os.close, fd)
                    stack.callback(let_go, fd, kind)
                for fd in files:
                    if order() != b"x":
                        return
                    try:
                        TAKE[kind](fd, False)
                        report("taken")
                    except BlockingIOError:
                        report("refused")
                order()
            report("released")
    return function


class Ring:
    """Each of these has a file, and asks for the next one's without waiting.

    Their steps are told them one after another: all take their own, all ask, all let
    go. With gives_way, in each so many rounds the first one lets go before the last
    one asks; with asks, only so many ask for more than their own.
    """

    def __init__(self, stack, kind, number, gives_way=0, asks=None):
        files = [stack.enter_context(File()) for _ in range(number)]
        self.asks, self.gives_way, self.rounds = asks or number, gives_way, 0
        self.members = []
        for i in range(number):
            wanted = [files[i].path, files[(i + 1) % number].path]
            child = Child(contender(wanted if i < self.asks else wanted[:1], kind))
            stack.callback(child.end)
            stack.callback(child.kill)
            self.members.append(child)
        self.tell(self.members, "taken")

    @staticmethod
    def tell(members, answer):
        for member in members:
            member.order()
        for member in members:
            said = member.report()
            claim(said == answer, f"a contender says {said!r}, not {answer!r}")

    def round(self):
        """All have their own before and after it."""
        self.rounds += 1
        if self.gives_way and not self.rounds % self.gives_way:
            self.tell(self.members[:-1], "refused")
            self.tell(self.members[:1], "released")
            self.tell(self.members[-1:], "taken")
            self.tell(self.members[1:], "released")
        else:
            self.tell(self.members[:self.asks], "refused")
            self.tell(self.members, "released")
        self.tell(self.members, "taken")

    def tids(self):
        return {member.pid for member in self.members}


def livelocks_of(*groups):
    """What a check says of groups that go on all the while, each in rounds of its own."""
    over = threading.Event()
    failed = []

    def drive(rings):
        try:
            while not over.is_set():
                for ring in rings:
                    ring.round()
        except BaseException as error:  # pylint: disable=broad-except
            failed.append(error)

    threads = [threading.Thread(target=drive, args=(rings,)) for rings in groups]
    for thread in threads:
        thread.start()
    try:
        report = Report(window=LOOK_SECS)
    finally:
        over.set()
        for thread in threads:
            thread.join()
    claim(not failed, f"a ring stops: {failed}")
    return report.of_type("livelock")


def claim_livelock(finding, ring):
    claim(finding["verdict"] == "likely", f"the verdict is {finding['verdict']}")
    for task in finding["tasks"]:
        claim(LEAST_ATTEMPTS <= task["attempts"] == task["failures"] <= ring.rounds,
              f"{task} in {ring.rounds} rounds")
        claim(not task["successes"], f"{task}")
        i = [member.pid for member in ring.members].index(task["tid"])
        following = ring.members[(i + 1) % len(ring.members)].pid
        claim(task["refused_by"] == str(following), f"{task}: not refused by {following}")


def rings_of_refusals_are_livelock():
    with contextlib.ExitStack() as stack:
        rings = [Ring(stack, "flock", 2), Ring(stack, "posix", 3), Ring(stack, "ofd", 2)]
        found = livelocks_of(rings)
        for ring in rings:
            of_it = [f for f in found if {task["tid"] for task in f["tasks"]} & ring.tids()]
            claim(len(of_it) == 1 and {task["tid"] for task in of_it[0]["tasks"]} == ring.tids(),
                  f"of {ring.tids()} it says {of_it}")
            claim_livelock(of_it[0], ring)


class Bystanders:
    """Each is refused what a third has, and takes other bytes of the other's file."""

    def __init__(self, stack):
        files = [stack.enter_context(File()) for _ in range(2)]
        self.members, self.rounds = [], 0
        for file in files:
            holder = holds("posix")(file.path)
            stack.callback(holder.end)
            stack.callback(holder.kill)
        for wanted, other in (files, reversed(files)):
            child = Child(self.ask(wanted.path, other.path))
            stack.callback(child.end)
            stack.callback(child.kill)
            self.members.append(child)

    @staticmethod
    def ask(wanted, other):
        def function(order, report):
            mine, others = (os.open(path, os.O_RDWR) for path in (wanted, other))
            while order() == b"x":
                TAKE["posix"](others, False, FREE_BYTE)
                try:
                    TAKE["posix"](mine, False)
                    report("taken")
                except BlockingIOError:
                    report("refused")
                fcntl.lockf(others, fcntl.LOCK_UN, 1, FREE_BYTE)
        return function

    def round(self):
        self.rounds += 1
        for member in self.members:
            Ring.tell([member], "refused")

    def tids(self):
        return {member.pid for member in self.members}


def said_of(*groups):
    """Of each group; had they got nothing all the while, there would be enough to be told."""
    found = livelocks_of(*groups)
    rounds = [ring.rounds for rings in groups for ring in rings]
    claim(min(rounds) >= LEAST_ATTEMPTS, f"too few to be told of anyhow: {rounds} rounds")
    return [[f for f in found if {task["tid"] for task in f["tasks"]} &
             set().union(*(ring.tids() for ring in rings))] for rings in groups]


def rings_that_give_way_are_silent():
    """One of them gets what it asks for now and then: in each tenth round."""
    with contextlib.ExitStack() as stack:
        said = said_of([Ring(stack, kind, number, gives_way=10)
                        for kind, number in (("flock", 2), ("posix", 3), ("ofd", 2))])
        claim(said == [[]], f"it says {said}")


@once
def refused_by_none_of_their_own():
    """One that asks alone, and two that are refused by a third."""
    with contextlib.ExitStack() as stack:
        return said_of([Ring(stack, "flock", 2, asks=1)], [Bystanders(stack)])


def lone_one_that_asks_is_silent():
    said = refused_by_none_of_their_own()[0]
    claim(not said, f"it says {said}")


def refused_by_a_third_is_silent():
    said = refused_by_none_of_their_own()[1]
    claim(not said, f"it says {said}")


TESTS = [(f"{reader_tells_since_when.__name__}_{kind}",
          lambda kind=kind: reader_tells_since_when(kind)) for kind in TAKE]
TESTS += [(test.__name__, test) for test in (
    reader_knows_no_begin_without_the_probes, rings_of_refusals_are_livelock,
    rings_that_give_way_are_silent, lone_one_that_asks_is_silent, refused_by_a_third_is_silent)]


if __name__ == "__main__":
    run(TESTS, need_module)
