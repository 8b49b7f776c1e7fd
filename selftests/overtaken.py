#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""How often a waiter is overtaken, to the number: a lock changes hands past it so
many times, one event after the other, and `gridlock watch` tells just that number.
Beside it one looks for once more, and is silent. Where a turn passes no tracepoint
the number is a lower bound, and that is claimed as well.
"""

import select

from gltest import RT, Skipped, claim, need_both, run, same_everywhere, wait_until
from puppets import Puppets, pass_looks, switches
from watch import Watch

# The default threshold.
NUMBER = 8


class Counter(Watch):
    """A watch for waits past which others were served so many times."""

    def __init__(self, number, *options):
        super().__init__("--json", "--starvation", "0.001", "--overtaken", str(number), *options)
        self.found = {}

    def looked(self):
        pass_looks(self.process.pid, self.resting, "watch", 2)

    def told(self, p):
        """Whom of the puppets it has told of, and the number, once it has seen what is."""
        self.looked()
        while self.rest or select.select([self.process.stdout], [], [], 0)[0]:
            event = self.event()
            if event["event"] == "begin" and event["finding"]["type"] == "starvation":
                for task in event["finding"]["tasks"]:
                    self.found[p.tids().get(task["tid"])] = event["finding"]["overtaken"]
        self.found.pop(None, None)
        return self.found


class Counters:
    """One for the number, and one for the next."""

    def __init__(self, number, *options):
        self.reached, self.beyond = Counter(number, *options), Counter(number + 1, *options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.reached.__exit__()
        self.beyond.__exit__()

    def looked(self):
        self.reached.looked()
        self.beyond.looked()

    def expect(self, p, want, want_beyond=None):
        told = [self.reached.told(p), self.beyond.told(p)]
        claim(told == [want, want_beyond or {}], f"overtaken: {told}, not {want}")


# --- those more urgent take turns: each of them waits, and all is counted ---

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


def turns_are_counted(lock):
    with Puppets("a", "b", "polite") as p, Counters(NUMBER) as counters:
        turns = Turns(p, lock)
        p["polite"].begin_wait(f"lock {lock} 0")
        counters.looked()
        turns.take(NUMBER - 1)
        counters.expect(p, {})
        turns.take(1)
        counters.expect(p, {"polite": NUMBER})


def turns_at_an_rtmutex_are_counted():
    turns_are_counted("rtmutex")


def turns_at_a_lock_that_is_an_rtmutex_are_counted():
    """On PREEMPT_RT these have one inside; elsewhere they serve whoever comes first."""
    if not RT:
        raise Skipped("mutexes and rwsems are not made of an rtmutex on this kernel")
    for lock in ("mutex", "rwsem-w"):
        turns_are_counted(lock)


@same_everywhere
def one_turn_is_allowed_to_who_came_first():
    with Puppets("a", "b", "elder", "polite") as p, Counters(NUMBER) as counters:
        turns = Turns(p, "rtmutex")
        p["elder"].begin_wait("lock rtmutex 0")
        p["polite"].begin_wait("lock rtmutex 0")
        counters.looked()
        turns.take(NUMBER)
        counters.expect(p, {"elder": NUMBER})
        turns.take(1)
        counters.expect(p, {"elder": NUMBER, "polite": NUMBER}, {"elder": NUMBER + 1})


@same_everywhere
def count_begins_afresh_with_each_wait():
    with Puppets("a", "b", "polite") as p, Counters(NUMBER) as counters:
        turns = Turns(p, "rtmutex")
        p["polite"].begin_wait("lock rtmutex 0")
        counters.looked()
        turns.take(NUMBER - 1)
        turns.let_in("polite")
        counters.looked()
        turns.take(NUMBER - 1)
        counters.expect(p, {})
        turns.take(1)
        counters.expect(p, {"polite": NUMBER})


# --- one does not let others in: they have one CPU, and it is the more urgent ---

def look_in_vain(polite, act):
    """The polite one is woken by that, and sleeps again."""
    before = switches(polite.tid)
    act()
    wait_until(lambda: switches(polite.tid) > before and polite.asleep(),
               "the polite one looked in vain")


def steal(p, lock, number):
    """Drop it and take it, so many times, before the one who waits can run."""
    look_in_vain(p["polite"], lambda: p["greedy"].do(f"relock {lock} 0 {number}"))


def stolen(lock, act, *numbers):
    """What is told is one of these numbers; 0: nothing. Once more is never told."""
    with Puppets("greedy", "polite") as p, Counters(NUMBER) as counters:
        p["greedy"].do("cpu 0", "policy rr 50", f"lock {lock} 0")
        p["polite"].do("cpu 0")
        # Of futexes the module counts only once somebody looks.
        counters.looked()
        p["polite"].begin_wait(f"lock {lock} 0")
        counters.looked()
        act(p)
        told, beyond = counters.reached.told(p), counters.beyond.told(p)
        claim(told.get("polite", 0) in numbers, f"overtaken: {told}, not {numbers}")
        claim(not beyond, f"overtaken: {beyond}")


def mutex(number, want):
    """A mutex with waiters is taken in the slow path; on PREEMPT_RT it is an rtmutex."""
    stolen("mutex", lambda p: steal(p, "mutex", number), 0 if RT else want)


def mutex_stolen_eight_times_is_counted():
    mutex(NUMBER, NUMBER)


def mutex_stolen_seven_times_is_silent():
    mutex(NUMBER - 1, 0)


def rtmutex_that_is_stolen_passes_no_tracepoint():
    stolen("rtmutex", lambda p: steal(p, "rtmutex", 5 * NUMBER), 0)


def rwsem_stolen_eight_times_counts_no_more():
    """A writer that spins for it, or finds it free, passes no tracepoint."""
    stolen("rwsem-w", lambda p: steal(p, "rwsem-w", NUMBER), 0, NUMBER)


def rwsem_stolen_seven_times_is_silent():
    stolen("rwsem-w", lambda p: steal(p, "rwsem-w", NUMBER - 1), 0)


def looks_in_vain(number, thefts=1):
    """At a pthread mutex the waiter itself finds, each time it runs, that it was passed."""
    def act(p):
        for _ in range(number):
            steal(p, "shm", thefts)
    return act


@same_everywhere
def pthread_mutex_found_taken_eight_times_is_counted():
    stolen("shm", looks_in_vain(NUMBER), NUMBER)


@same_everywhere
def pthread_mutex_found_taken_seven_times_is_silent():
    stolen("shm", looks_in_vain(NUMBER - 1), 0)


@same_everywhere
def pthread_mutex_stolen_meanwhile_counts_once():
    """Between two looks of the waiter it takes no system call: a lower bound."""
    stolen("shm", looks_in_vain(NUMBER - 1, thefts=3), 0)
    stolen("shm", looks_in_vain(NUMBER, thefts=3), NUMBER)


@same_everywhere
def file_lock_let_go_of_in_vain_is_silent():
    """The waiter is woken by one reader after the other, the oldest first, as it is the
    oldest that it waits for; none of them was given the lock since it waits.
    """
    readers = [f"r{i}" for i in range(NUMBER + 2)]
    with Puppets("polite", *readers) as p, Counters(NUMBER) as counters:
        for name in readers:
            p[name].do("lock flock-r 0")
        counters.looked()
        p["polite"].begin_wait("lock flock 0")
        for name in readers[:-1]:
            look_in_vain(p["polite"], lambda name=name: p[name].do("unlock flock 0"))
        counters.expect(p, {})


class Others:
    """Those that have the lock, and pass it on among themselves. mode is how they take it."""

    mode = ""

    def __init__(self, p, lock):
        self.p, self.lock, self.has = p, lock, "one"
        self.prepare()
        p["one"].do(f"lock {lock}{self.mode} 0")

    def prepare(self):
        pass

    def pass_over(self):
        look_in_vain(self.p["polite"], self.turn)

    def pass_often(self, number):
        for _ in range(number):
            self.pass_over()

    def let_in(self):
        p, lock = self.p, self.lock
        p[self.has].do(f"unlock {lock} 0")
        p["polite"].answer()
        p[self.has].begin_wait(f"lock {lock}{self.mode} 0")
        p["polite"].do(f"unlock {lock} 0")
        p[self.has].answer()
        p["polite"].begin_wait(f"lock {lock} 0")


class Readers(Others):
    """Two read in turn, so that one of them always does, and a writer is let in by neither.
    Whoever looks at file locks makes those wait who take and drop them: a lock that is
    dropped and taken again by one task alone may well go to another one meanwhile.
    """

    mode = "-r"
    comes = "two"

    def turn(self):
        self.p[self.comes].do(f"lock {self.lock}-r 0")
        self.p[self.has].do(f"unlock {self.lock} 0")
        self.has, self.comes = self.comes, self.has


class Thief(Others):
    """Takes it again before the one who waits can run: they have one CPU."""

    def prepare(self):
        self.p["one"].do("cpu 0", "policy rr 50")
        self.p["polite"].do("cpu 0")

    def turn(self):
        self.p["one"].do(f"relock {self.lock} 0")


def readers_in_turn(p, lock, counters, number, act):
    """At the last of so many turns the writer is told of."""
    readers = Readers(p, lock)
    counters.looked()
    p["polite"].begin_wait(f"lock {lock} 0")
    counters.looked()
    for _ in range(number - 1):
        act(readers)
    counters.expect(p, {})
    act(readers)
    counters.expect(p, {"polite": NUMBER})


def readers_that_come_past_a_writer_are_counted():
    with Puppets("one", "two", "polite") as p, Counters(NUMBER) as counters:
        readers_in_turn(p, "flock", counters, NUMBER, Readers.pass_over)


def readers_woken_together(number):
    """One reader is before the writer, so many come after it: when the first one's turn
    comes, all that wait to read are let in with it, past the writer.
    """
    readers = [f"r{i}" for i in range(number)]
    with Puppets("holder", "first", "polite", *readers) as p, Counters(NUMBER) as counters:
        p["holder"].do("lock rwsem-w 0")
        p["first"].begin_wait("lock rwsem-r 0")
        p["polite"].begin_wait("lock rwsem-w 0")
        for name in readers:
            p[name].begin_wait("lock rwsem-r 0")
        counters.looked()
        p["holder"].do("unlock rwsem-w 0")
        for name in ["first"] + readers:
            p[name].answer()
        counters.expect(p, {"polite": NUMBER} if number == NUMBER else {})


def readers_of_an_rwsem_that_are_let_in_past_a_writer_are_counted():
    if RT:
        raise Skipped("an rwsem is an rtmutex inside, which lets one in at a time")
    readers_woken_together(NUMBER)
    readers_woken_together(NUMBER - 1)


def readers_of_an_rwlock_are_counted_by_the_lens():
    """The writer sleeps on all the while. It is the lens of one of the readers, which has
    every other turn: its first call counts for nothing, and it may have had it before.
    """
    with Puppets("one", "two", "polite") as p:
        with Counters(NUMBER, "--lens", str(p["one"].tid)) as counters:
            counters.looked()
            readers_in_turn(p, "rwlock", counters, 2 * (NUMBER + 2) - 1, Readers.turn)


# --- one that always asks is let in now and then: its share goes by turns ---

# Rounds that a watch looks for before it may say so, and then some.
ROUNDS = 16

# Turns past it for each of its own.
PASSED = 28


def asks_always(kind, lock, passed, rounds):
    """After each look it is let in once and passed over so often. No single wait lasts
    long enough to be told. Return: the finding about it, None in so many rounds.
    """
    with Puppets("one", "two", "polite") as p, Watch("--json", "--starvation", "3") as watch:
        others = kind(p, lock)
        p["polite"].begin_wait(f"lock {lock} 0")
        for _ in range(rounds):
            pass_looks(watch.process.pid, watch.resting, "watch", 1)
            others.let_in()
            others.pass_often(passed)
            while watch.rest or select.select([watch.process.stdout], [], [], 0)[0]:
                event = watch.event()
                told = event.get("finding", {"type": ""})
                # Within one wait nothing is got: on a slow machine one may last too long.
                if (told["type"] == "starvation" and event["event"] != "end" and told["share"] and
                        [task["tid"] for task in told["tasks"]] == [p["polite"].tid]):
                    return told
    return None


def gets_little(kind, lock, verdict):
    """Of three at most, less than one turn in 24 is less than an eighth of the fair share.
    Return: the finding.
    """
    told = asks_always(kind, lock, PASSED, 5 * ROUNDS)
    claim(told, "it is not told")
    claim(told["verdict"] == verdict, f"the verdict is {told['verdict']}")
    claim(0 < told["share"] < told["fair_share"] / 8 and told["fair_share"] >= 0.33, f"{told}")
    seven = asks_always(kind, lock, 6, ROUNDS)
    claim(not seven, f"of one that has one turn in seven it is told: {seven}")
    return told


@same_everywhere
def one_that_always_asks_for_a_mutex_and_gets_little_is_starvation():
    gets_little(Thief, "shm", "likely")


def one_that_always_asks_for_a_file_and_gets_little_is_starvation():
    gets_little(Readers, "flock", "confirmed")


TESTS = [
    turns_at_an_rtmutex_are_counted, turns_at_a_lock_that_is_an_rtmutex_are_counted,
    one_turn_is_allowed_to_who_came_first, count_begins_afresh_with_each_wait,
    mutex_stolen_eight_times_is_counted, mutex_stolen_seven_times_is_silent,
    rtmutex_that_is_stolen_passes_no_tracepoint,
    rwsem_stolen_eight_times_counts_no_more, rwsem_stolen_seven_times_is_silent,
    pthread_mutex_found_taken_eight_times_is_counted,
    pthread_mutex_found_taken_seven_times_is_silent,
    pthread_mutex_stolen_meanwhile_counts_once,
    file_lock_let_go_of_in_vain_is_silent, readers_that_come_past_a_writer_are_counted,
    readers_of_an_rwsem_that_are_let_in_past_a_writer_are_counted,
    readers_of_an_rwlock_are_counted_by_the_lens,
    one_that_always_asks_for_a_mutex_and_gets_little_is_starvation,
    one_that_always_asks_for_a_file_and_gets_little_is_starvation,
]


if __name__ == "__main__":
    run([(test.__name__, test) for test in TESTS], need_both)
