#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Turns at the kernel's own locks: counted by task, and past whom, to the number; and
starvation of a task that asks for one again and again and has few of them.

What is counted of a lock stays for a while: tests that go by numbers have one each.
"""

import time

from gltest import ON_FIRST, RT, claim, need_both, run, same_everywhere, wait_until
from counters import DEBUGFS, read_waits
from passers import PASSED, Thief, Turns, ask_always, claim_gets_little, look_in_vain
from puppets import Puppets
from together import once

# Of a wait that has lasted so long turns are counted: 1 ms.
LEAST_NS = 1000000


def read_turns(p, res_id):
    """Turns at the lock by puppet, as (turns, overtaken); how many tasks; who has waited."""
    with open(f"{DEBUGFS}/turns", encoding="ascii") as file:
        next(file)
        rows = [line.split() for line in file]
    names = p.tids()
    ours = {names.get(int(row[0])): row for row in rows if int(row[2], 16) == res_id}
    return ({name: (int(row[4]), int(row[5])) for name, row in ours.items()},
            {int(row[3]) for row in ours.values()},
            {name for name, row in ours.items() if int(row[6])})


def claim_turns(p, res_id, **want):
    turns, nr_tasks, waited = read_turns(p, res_id)
    claim(turns == want, f"turns are {turns}, not {want}")
    claim(nr_tasks == {len(want)}, f"{nr_tasks} tasks, not {len(want)}")
    ended = {name for name, (had, _) in want.items() if had}
    claim(waited == ended, f"{waited} have waited, and {ended} had it")


def be_watched(p, name):
    """Somebody looks, and finds that it has waited. Return: the lock's identity."""
    turns, _, _ = read_turns(p, 0)
    claim(not turns, f"{turns} of no lock")
    wait = read_waits(p[name].tid)[0]
    wait_until(lambda: time.monotonic_ns() > wait.begin_ns + LEAST_NS, "the wait lasts")
    read_waits()
    turns, _, _ = read_turns(p, wait.res)
    claim(not turns, f"{turns} of waits that began before anybody looked")
    return wait.res


@same_everywhere
def turns_past_a_waiter_are_told_to_the_number():
    """The first wait began before anybody looked, and is not counted."""
    with Puppets("a", "b", "polite") as p:
        turns = Turns(p, "rtmutex", number=1)
        p["polite"].begin_wait("lock rtmutex 1")
        lock = be_watched(p, "polite")
        turns.let_in("polite")
        claim_turns(p, lock, a=(1, 0), polite=(0, 0))
        turns.take(7)
        claim_turns(p, lock, a=(4, 0), b=(4, 0), polite=(0, 0))
        turns.let_in("polite")
        # b had it, and waits for the polite one to drop it.
        claim_turns(p, lock, a=(4, 0), b=(5, 0), polite=(1, 7))


@same_everywhere
def turns_of_those_who_came_first_are_past_nobody():
    with Puppets("a", "b", "elder", "polite") as p:
        turns = Turns(p, "rtmutex", number=2)
        p["elder"].begin_wait("lock rtmutex 2")
        lock = be_watched(p, "elder")
        turns.let_in("elder")
        p["polite"].begin_wait("lock rtmutex 2")
        turns.take(3)
        p[turns.has].do("unlock rtmutex 2")
        p["elder"].answer()
        p["elder"].do("unlock rtmutex 2")
        p["polite"].answer()
        claim_turns(p, lock, a=(2, 0), b=(2, 0), elder=(1, 3), polite=(1, 3))


# --- one that always asks ---

class Urgent(Turns):
    """Two more urgent ones have it in turn."""

    def __init__(self, p, lock, number):
        super().__init__(p, lock, "one", "two", number)

    def pass_often(self, number):
        self.take(number)

    def let_in(self, name="polite"):
        super().let_in(name)


class MutexThief(Thief):
    """A mutex is handed to who has looked in vain once: until then it can be stolen."""

    def pass_often(self, number):
        look_in_vain(self.p["polite"],
                     lambda: self.p["one"].do(f"relock {self.lock} {self.number} {number}"))


def claim_shares(told):
    """What each had is told, and adds up."""
    polite, others = told["tasks"][0], told["by"]
    claim(polite["turns"] and polite["waited_s"] > 0, f"nothing of what it had: {told}")
    claim(others and all(other["turns"] > 0 for other in others), f"others had nothing: {told}")
    share = polite["turns"] / (polite["turns"] + told["overtaken"])
    claim(abs(share - told["share"]) < 0.001, f"the share is {told['share']}, not {share}")
    # The first look may have found it in a wait past which others had turns already.
    had = sum(other["turns"] for other in others)
    claim(had + PASSED >= told["overtaken"], f"past it were more turns than there were: {told}")


@once
def asked():
    return ask_always({"mutex": Urgent if RT else MutexThief,
                       **({"rtmutex": Urgent} if ON_FIRST else {})})


def claim_told(lock):
    told, seven = asked()[lock]
    claim_gets_little(told, seven, "likely")
    claim_shares(told)


@same_everywhere
def one_that_always_asks_for_an_rtmutex_and_gets_little_is_starvation():
    claim_told("rtmutex")


def one_that_always_asks_for_a_mutex_and_gets_little_is_starvation():
    claim_told("mutex")


TESTS = [
    turns_past_a_waiter_are_told_to_the_number, turns_of_those_who_came_first_are_past_nobody,
    one_that_always_asks_for_an_rtmutex_and_gets_little_is_starvation,
    one_that_always_asks_for_a_mutex_and_gets_little_is_starvation,
]

if __name__ == "__main__":
    run([(test.__name__, test) for test in TESTS], need_both)
