# SPDX-License-Identifier: GPL-2.0
"""Tasks that pass a lock on among themselves, past one who waits for it; and such as
always ask for one and are let in now and then.
"""

import contextlib

from gltest import claim, wait_until
from puppets import Puppets, pass_looks, switches
from watch import Watch

# Rounds that a watch looks for before it may say so, and then some.
ROUNDS = 16

# Turns past it for each of its own.
PASSED = 28

# Of kernel locks, which are the same ones for all.
FIRST_OF_ASKERS = 6


class Turns:
    """a has the lock; b and a are to have it in turn, before any that is polite."""

    def __init__(self, p, lock, has="a", asks="b", number=0):
        self.p, self.lock, self.has, self.asks = p, f"{lock} {number}", has, asks
        for name in (has, asks):
            p[name].do("policy rr 5")
        p[has].do(f"lock {self.lock}")

    def take(self, number):
        for _ in range(number):
            self.p[self.asks].begin_wait(f"lock {self.lock}")
            self.p[self.has].do(f"unlock {self.lock}")
            self.p[self.asks].answer()
            self.has, self.asks = self.asks, self.has

    def let_in(self, name):
        """Nobody else asks: it is given the lock, asks again, and waits again."""
        self.p[self.has].do(f"unlock {self.lock}")
        self.p[name].answer()
        self.p[self.has].begin_wait(f"lock {self.lock}")
        self.p[name].do(f"unlock {self.lock}")
        self.p[self.has].answer()
        self.p[name].begin_wait(f"lock {self.lock}")


def look_in_vain(polite, act):
    """The polite one is woken by that, and sleeps again."""
    before = switches(polite.tid)
    act()
    wait_until(lambda: switches(polite.tid) > before and polite.asleep(),
               "the polite one looked in vain")


class Others:
    """Those that have the lock, and pass it on among themselves. mode is how they take it."""

    mode = ""

    def __init__(self, p, lock, number=0):
        self.p, self.lock, self.number, self.has = p, lock, number, "one"
        self.prepare()
        p["one"].do(f"lock {lock}{self.mode} {number}")

    def prepare(self):
        pass

    def pass_over(self):
        look_in_vain(self.p["polite"], self.turn)

    def pass_often(self, number):
        for _ in range(number):
            self.pass_over()

    def let_in(self):
        p, lock, number = self.p, self.lock, self.number
        p[self.has].do(f"unlock {lock} {number}")
        p["polite"].answer()
        p[self.has].begin_wait(f"lock {lock}{self.mode} {number}")
        p["polite"].do(f"unlock {lock} {number}")
        p[self.has].answer()
        p["polite"].begin_wait(f"lock {lock} {number}")


class Readers(Others):
    """Two read in turn, so that one of them always does, and a writer is let in by neither.
    Whoever looks at file locks makes those wait who take and drop them: a lock that is
    dropped and taken again by one task alone may well go to another one meanwhile.
    """

    mode = "-r"
    comes = "two"

    def turn(self):
        self.p[self.comes].do(f"lock {self.lock}-r {self.number}")
        self.p[self.has].do(f"unlock {self.lock} {self.number}")
        self.has, self.comes = self.comes, self.has


class Thief(Others):
    """Takes it again before the one who waits can run: they have one CPU."""

    def prepare(self):
        self.p["one"].do("cpu 0", "policy rr 50")
        self.p["polite"].do("cpu 0")

    def turn(self):
        self.p["one"].do(f"relock {self.lock} {self.number}")


class Asker:
    """One that always asks: after each look it is let in once, and passed over so often. No
    single wait lasts long enough to be told.
    """

    def __init__(self, stack, kind, lock, number, passed):
        self.p = stack.enter_context(Puppets("one", "two", "polite"))
        self.others, self.passed = kind(self.p, lock, number), passed
        self.p["polite"].begin_wait(f"lock {lock} {number}")
        self.told = None

    def ask(self):
        self.others.let_in()
        self.others.pass_often(self.passed)

    def hear(self, event):
        """The finding about it, the first one."""
        told = event.get("finding", {"type": ""})
        # Within one wait nothing is got: on a slow machine one may last too long.
        if (not self.told and told["type"] == "starvation" and event["event"] != "end" and
                told["share"] and [task["tid"] for task in told["tasks"]] ==
                [self.p["polite"].tid]):
            self.told = told


def ask_always(kinds):
    """For each lock, as others take it, two that ask: one that gets little, and one that has
    one turn in seven. Return: for each lock both findings, None where there is none.
    """
    with contextlib.ExitStack() as stack:
        watch = stack.enter_context(Watch("--json", "--starvation", "3"))
        askers = {lock: [Asker(stack, kind, lock, number, passed)
                         for number, passed in ((FIRST_OF_ASKERS, PASSED),
                                                (FIRST_OF_ASKERS + 1, 6))]
                  for lock, kind in kinds.items()}
        for number in range(5 * ROUNDS):
            if number >= ROUNDS and all(little.told for little, _ in askers.values()):
                break
            pass_looks(1, watch)
            for asker in sum(askers.values(), []):
                if not asker.told:
                    asker.ask()
            while watch.says_more():
                event = watch.event()
                for asker in sum(askers.values(), []):
                    asker.hear(event)
        return {lock: [asker.told for asker in both] for lock, both in askers.items()}


def claim_gets_little(told, seven, verdict):
    """Of three at most, less than one turn in 24 is less than an eighth of the fair share."""
    claim(told, "it is not told")
    claim(told["verdict"] == verdict, f"the verdict is {told['verdict']}")
    claim(0 < told["share"] < told["fair_share"] / 8 and told["fair_share"] >= 0.33, f"{told}")
    claim(not seven, f"of one that has one turn in seven it is told: {seven}")
