#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The lens: for how long locks were held, against a program that measures that
itself: the count is exact, and the times are between what it measured.
"""

import contextlib
import json
import os
import subprocess
import time

from gltest import (HERE, READY_SECS, SLOW, claim, gridlock, need_module, read_line, run,
                    same_everywhere)
from puppets import WITHOUT_PRELOAD, Beside, Look
from together import once

HOLDER = os.path.join(HERE, "scenario", "holder")

SECS = 5 * SLOW
TIMES = 200

# Processes under one lens.
MANY = 8

# Looks, until one lost nothing and was long enough: so many times as long.
LONGER = (1, 2, 4)


class Held:
    """What a holder measured itself."""

    def __init__(self, words):
        claim(words[:1] == ["held"], f"holder says {words}")
        self.inner, self.outer, self.longest, self.lock, self.holds = map(int, words[1:])


class Holder(Beside):
    """A thread for each way, that holds a lock TIMES times when it is told to."""

    def __init__(self, *ways):
        super().__init__(*WITHOUT_PRELOAD, HOLDER, TIMES, *ways, stdin=subprocess.PIPE)
        claim(read_line(self.process.stdout, READY_SECS) == "ready\n", "holder is not ready")

    def go(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return Held(read_line(self.process.stdout, READY_SECS).split())


class Seen:
    """What the lens tells of a process that holds while it looks, in each way. Where two
    threads hold by turns, one may come in between while the other one's call is looked at:
    that one is lost.
    """

    def __init__(self, *ways):
        for times in LONGER:
            in_time = self.look(ways, (SECS + len(ways)) * times)
            if in_time and not self.lens["lost"]:
                break
        claim(in_time, "the look is over before the holder is")
        claim(self.lens["lost"] == 0 and self.lens["holds_lost"] == 0,
              f"the lens lost events: {self.lens}")
        claim(self.lens["locks_held"] == len(self.lens["holds"]), f"it says {self.lens}")

    def look(self, ways, secs):
        """Was it over before the look can have been, which began later than this?"""
        begin = time.monotonic()
        with Holder(*ways) as holder, Look("--lens", holder.pid, secs=secs) as beside:
            beside.looked(1)
            self.pid = holder.pid
            self.held = {way: holder.go() for way in ways}
            in_time = time.monotonic() < begin + secs
            self.lens = json.loads(beside.process.communicate(timeout=READY_SECS)[0])["lens"]
        return in_time

    def holds(self, way):
        """Those of its lock."""
        lock = f" {self.held[way].lock:#x}"
        return [hold for hold in self.lens["holds"] if hold["name"].endswith(lock)]


# Those in which one thread holds; and nobody does in the last ones.
HELD = ("mutex", "try", "deep", "read", "write", "sem")
NOT_HELD = ("units", "none")


@once
def by_one_thread():
    return Seen(*HELD, *NOT_HELD)


def is_measured(seen, way, kind="pthread mutex", mode="exclusive"):
    holds, held = seen.holds(way), seen.held[way]
    claim(len(holds) == 1, f"it says {seen.lens}")
    hold = holds[0]
    claim(hold["count"] == held.holds, f"{held.holds} times, but it says {hold}")
    claim(hold["mode"] == mode, f"it is held {hold['mode']}")
    claim(hold["pid"] == seen.pid, f"it is of {hold['pid']}")
    claim(hold["name"] == f"{kind} {held.lock:#x}", f"it is {hold['name']}")
    claim(hold["longest_at"].startswith("holder+0x"), f"it is held at {hold['longest_at']}")
    total = round(hold["total_s"] * 1e9)
    claim(held.inner <= total <= held.outer,
          f"{total} ns, where {held.inner} to {held.outer} were measured")
    longest = round(hold["max_s"] * 1e9)
    claim(held.inner / held.holds <= longest <= held.longest,
          f"{longest} ns, where {held.longest} were measured")
    slots = hold["histogram"]
    claim(sum(slot["count"] for slot in slots) == held.holds, f"it says {slots}")
    claim(hold["p50_s"] <= hold["p99_s"] <= hold["max_s"] < slots[-1]["below_s"], f"{hold}")


def mutex_is_measured():
    is_measured(by_one_thread(), "mutex")


def mutex_that_is_tried_for_is_measured():
    is_measured(by_one_thread(), "try")


def mutex_that_is_taken_again_is_held_once():
    is_measured(by_one_thread(), "deep")


def reader_is_measured():
    is_measured(by_one_thread(), "read", "pthread rwlock", "shared")


def writer_is_measured():
    is_measured(by_one_thread(), "write", "pthread rwlock")


def of_two_threads(way):
    """No other lock is held."""
    seen = Seen(way)
    claim(len(seen.lens["holds"]) == 1, f"it says {seen.lens}")
    is_measured(seen, way)


def mutex_is_not_held_while_its_thread_waits_for_a_condition():
    """Two threads who never had it both: in all, no longer than it took."""
    of_two_threads("wait")


def mutex_is_held_while_its_thread_sleeps():
    of_two_threads("asleep")


def semaphore_with_one_unit_is_measured():
    is_measured(by_one_thread(), "sem", "semaphore")


def semaphore_with_two_is_not_held():
    holds = by_one_thread().holds("units")
    claim(not holds, f"it says {holds}")


def no_lock_is_not_held():
    """No more are than those that are measured."""
    lens = by_one_thread().lens
    claim(lens["locks_held"] == len(HELD), f"it says {lens}")


@same_everywhere
def each_of_many_processes_is_measured():
    """On the first kernel it takes seconds to set all of their probes: none is stuck for that."""
    with contextlib.ExitStack() as stack:
        holders = [stack.enter_context(Holder("mutex")) for _ in range(MANY)]
        options = [word for holder in holders for word in ("--lens", holder.pid)]
        with Look(*options, secs=4 * SECS) as beside:
            beside.looked(1)
            want = {holder.pid: holder.go().holds for holder in holders}
            lens = beside.report()["lens"]
    claim({hold["pid"]: hold["count"] for hold in lens["holds"]} == want, f"it says {lens}")


def what_began_before_is_not_counted():
    """All of it was before; what it does now is wait for its input."""
    with Holder("mutex") as holder:
        holder.go()
        status, out, err = gridlock("check", "--json", "--for", "1", "--lens", str(holder.pid))
        claim(status in (0, 1), f"{status}: {err}")
        claim(not json.loads(out)["lens"]["holds"], f"it says {out}")


def text_tells_them_when_asked():
    with Holder("mutex") as holder:
        for option, told in (("-v", True), (None, False)):
            args = ["check", "--for", "1", "--lens", str(holder.pid)] + [option] * told
            status, out, err = gridlock(*args)
            claim(status in (0, 1), f"{status}: {err}")
            claim(("locks held, the longest in all first: 0 of 0" in out) == told, f"it says {out}")


TESTS = [
    mutex_is_measured, mutex_that_is_tried_for_is_measured,
    mutex_that_is_taken_again_is_held_once, reader_is_measured, writer_is_measured,
    mutex_is_not_held_while_its_thread_waits_for_a_condition,
    mutex_is_held_while_its_thread_sleeps,
    semaphore_with_one_unit_is_measured, semaphore_with_two_is_not_held, no_lock_is_not_held,
    each_of_many_processes_is_measured, what_began_before_is_not_counted,
    text_tells_them_when_asked,
]


if __name__ == "__main__":
    run([(test.__name__, test) for test in TESTS], need_module)
