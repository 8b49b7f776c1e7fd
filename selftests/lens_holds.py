#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The lens: for how long locks were held, against a program that measures that
itself: the count is exact, and the times are between what it measured.
"""

import json
import os
import subprocess
import time

from gltest import (HERE, READY_SECS, SLOW, claim, gridlock, need_module, read_line, run,
                    same_everywhere)
from puppets import WITHOUT_PRELOAD, Beside, Look

HOLDER = os.path.join(HERE, "scenario", "holder")

SECS = 5 * SLOW
TIMES = 200

# Looks, until one lost nothing and was long enough: so many times as long.
LONGER = (1, 2, 4)


class Holder(Beside):
    """A thread that holds a lock TIMES times when it is told to."""

    def __init__(self, way):
        super().__init__(*WITHOUT_PRELOAD, HOLDER, way, TIMES, stdin=subprocess.PIPE)
        claim(read_line(self.process.stdout, READY_SECS) == "ready\n", "holder is not ready")

    def go(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        words = read_line(self.process.stdout, READY_SECS).split()
        claim(words[:1] == ["held"], f"holder says {words}")
        self.inner, self.outer, self.longest, self.lock, self.holds = map(int, words[1:])


def seen(way):
    """What the lens tells of a holder that holds while it looks. Where it has two threads,
    one may come in between while the other one's call is looked at: that one is lost.
    """
    for times in LONGER:
        lens, holder, in_time = seen_once(way, SECS * times)
        if in_time and not lens["lost"]:
            break
    claim(in_time, "the look is over before the holder is")
    claim(lens["lost"] == 0 and lens["holds_lost"] == 0, f"the lens lost events: {lens}")
    return lens, holder


def seen_once(way, secs):
    """And was it over before the look can have been, which began later than this?"""
    begin = time.monotonic()
    with Holder(way) as holder, Look("--lens", holder.pid, secs=secs) as beside:
        beside.looked(1)
        holder.go()
        in_time = time.monotonic() < begin + secs
        lens = json.loads(beside.process.communicate(timeout=READY_SECS)[0])["lens"]
    return lens, holder, in_time


def is_measured(way, kind="pthread mutex", mode="exclusive"):
    lens, holder = seen(way)
    claim(lens["locks_held"] == len(lens["holds"]) == 1, f"it says {lens}")
    hold = lens["holds"][0]
    claim(hold["count"] == holder.holds, f"{holder.holds} times, but it says {hold}")
    claim(hold["mode"] == mode, f"it is held {hold['mode']}")
    claim(hold["pid"] == holder.pid, f"it is of {hold['pid']}")
    claim(hold["name"] == f"{kind} {holder.lock:#x}", f"it is {hold['name']}")
    claim(hold["longest_at"].startswith("holder+0x"), f"it is held at {hold['longest_at']}")
    total = round(hold["total_s"] * 1e9)
    claim(holder.inner <= total <= holder.outer,
          f"{total} ns, where {holder.inner} to {holder.outer} were measured")
    longest = round(hold["max_s"] * 1e9)
    claim(holder.inner / holder.holds <= longest <= holder.longest,
          f"{longest} ns, where {holder.longest} were measured")
    slots = hold["histogram"]
    claim(sum(slot["count"] for slot in slots) == holder.holds, f"it says {slots}")
    claim(hold["p50_s"] <= hold["p99_s"] <= hold["max_s"] < slots[-1]["below_s"], f"{hold}")


def mutex_is_measured():
    is_measured("mutex")


def mutex_that_is_tried_for_is_measured():
    is_measured("try")


def mutex_that_is_taken_again_is_held_once():
    is_measured("deep")


def reader_is_measured():
    is_measured("read", "pthread rwlock", "shared")


@same_everywhere
def writer_is_measured():
    is_measured("write", "pthread rwlock")


def mutex_is_not_held_while_its_thread_waits_for_a_condition():
    """Two threads who never had it both: in all, no longer than it took."""
    is_measured("wait")


def mutex_is_held_while_its_thread_sleeps():
    is_measured("asleep")


def semaphore_with_one_unit_is_measured():
    is_measured("sem", "semaphore")


def semaphore_with_two_is_not_held():
    is_not_held("units")


def no_lock_is_not_held():
    is_not_held("none")


def is_not_held(way):
    lens, _ = seen(way)
    claim(not lens["holds"] and not lens["locks_held"], f"it says {lens}")


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
    what_began_before_is_not_counted, text_tells_them_when_asked,
]


if __name__ == "__main__":
    run([(test.__name__, test) for test in TESTS], need_module)
