#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""How often a waiter is overtaken, to the number: a lock changes hands past it so
many times, one event after the other, and `gridlock watch` tells just that number.
Beside it one looks for once more, and is silent. Where a turn passes no tracepoint
the number is a lower bound, and that is claimed as well. All scenes stand beside
each other, with locks of their own, so that the same looks are for many of them.
"""

import contextlib

from gltest import ON_FIRST, RT, Skipped, claim, need_both, run, same_everywhere
from passers import Readers, Thief, Turns, ask_always, claim_gets_little, look_in_vain
from puppets import Puppets, pass_looks
from together import MOST_ACTORS, once
from watch import Watch

# The default threshold.
NUMBER = 8


class Counter(Watch):
    """A watch for waits past which others were served so many times."""

    def __init__(self, number, *options):
        super().__init__("--json", "--starvation", "0.001", "--overtaken", str(number), *options)
        self.found = {}

    def read(self):
        """Whom it has told of, and the number."""
        while self.says_more():
            event = self.event()
            if event["event"] == "begin" and event["finding"]["type"] == "starvation":
                for task in event["finding"]["tasks"]:
                    self.found[task["tid"]] = event["finding"]["overtaken"]

    def told(self, p):
        """Of these puppets."""
        return {name: self.found[tid] for tid, name in p.tids().items() if tid in self.found}


class Counters:
    """One for the number, and one for the next."""

    def __init__(self, number, *options):
        self.both = Counter(number, *options), Counter(number + 1, *options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for counter in self.both:
            counter.__exit__()

    def looked(self):
        """What is, both have seen."""
        pass_looks(2, *self.both)
        for counter in self.both:
            counter.read()

    def told(self, p):
        return tuple(counter.told(p) for counter in self.both)


def expect(told, want, want_beyond=None):
    claim(told == (want, want_beyond or {}), f"overtaken: {told}, not {want}")


class Scene:
    """Puppets with these names, and what they do: a function that yields whenever it is to be
    seen, and gets what both counters have told of them by then.
    """

    def __init__(self, act, *names):
        self.act, self.names = act, names
        self.show = self.error = None

    def enter(self, stack):
        self.p = stack.enter_context(Puppets(*self.names))
        self.acts = self.act(self.p)

    def go_on(self, told):
        """Is there more? What is claimed in vain is raised by its own test."""
        try:
            self.acts.send(told)
            return True
        except StopIteration:
            return False
        except Exception as error:  # pylint: disable=broad-except
            self.error = error
            return False

    def test(self):
        self.show.play()
        if self.error:
            raise self.error


class Show:
    """Scenes beside each other, that go on from look to look when the first test asks.
    lens: of the first one's puppets.
    """

    def __init__(self, lens=None):
        self.scenes, self.lens = [], lens
        self.play = once(self.play_once)

    def has_room(self, scene):
        return sum(len(each.names) for each in self.scenes + [scene]) <= MOST_ACTORS

    def add(self, scene):
        scene.show = self
        self.scenes.append(scene)

    def play_once(self):
        with contextlib.ExitStack() as stack:
            for scene in self.scenes:
                scene.enter(stack)
            options = ["--lens", str(self.scenes[0].p[self.lens].tid)] if self.lens else []
            counters = stack.enter_context(Counters(NUMBER, *options))
            going = [scene for scene in self.scenes if scene.go_on(None)]
            while going:
                counters.looked()
                going = [scene for scene in going if scene.go_on(counters.told(scene.p))]


# --- those more urgent take turns: each of them waits, and all is counted ---

def turns_of(lock, number=0):
    def act(p):
        turns = Turns(p, lock, number=number)
        p["polite"].begin_wait(f"lock {lock} {number}")
        yield
        turns.take(NUMBER - 1)
        expect((yield), {})
        turns.take(1)
        expect((yield), {"polite": NUMBER})
    return Scene(act, "a", "b", "polite")


def one_who_came_first(p):
    turns = Turns(p, "rtmutex", number=3)
    p["elder"].begin_wait("lock rtmutex 3")
    p["polite"].begin_wait("lock rtmutex 3")
    yield
    turns.take(NUMBER)
    expect((yield), {"elder": NUMBER})
    turns.take(1)
    expect((yield), {"elder": NUMBER, "polite": NUMBER}, {"elder": NUMBER + 1})


def one_that_waits_twice(p):
    turns = Turns(p, "rtmutex", number=4)
    p["polite"].begin_wait("lock rtmutex 4")
    yield
    turns.take(NUMBER - 1)
    turns.let_in("polite")
    yield
    turns.take(NUMBER - 1)
    expect((yield), {})
    turns.take(1)
    expect((yield), {"polite": NUMBER})


# --- one does not let others in: they have one CPU, and it is the more urgent ---

def steal(p, lock, number, times):
    """Drop it and take it, so many times, before the one who waits can run."""
    look_in_vain(p["polite"], lambda: p["greedy"].do(f"relock {lock} {number} {times}"))


def stolen(lock, number, act, *numbers):
    """What is told is one of these numbers; 0: nothing. Once more is never told."""
    def acts(p):
        p["greedy"].do("cpu 0", "policy rr 50", f"lock {lock} {number}")
        p["polite"].do("cpu 0")
        # Of futexes the module counts only once somebody looks.
        yield
        p["polite"].begin_wait(f"lock {lock} {number}")
        yield
        act(p)
        told, beyond = yield
        claim(told.get("polite", 0) in numbers, f"overtaken: {told}, not {numbers}")
        claim(not beyond, f"overtaken: {beyond}")
    return Scene(acts, "greedy", "polite")


def stolen_at_once(lock, number, times, *numbers):
    return stolen(lock, number, lambda p: steal(p, lock, number, times), *numbers)


def looks_in_vain(times, want, thefts=1):
    """At a pthread mutex the waiter itself finds, each time it runs, that it was passed."""
    def act(p):
        for _ in range(times):
            steal(p, "shm", 0, thefts)
    return stolen("shm", 0, act, want)


def readers_let_go_in_vain(p):
    """The waiter is woken by one reader after the other, the oldest first, as it is the
    oldest that it waits for; none of them was given the lock since it waits.
    """
    readers = [name for name in p.names if name != "polite"]
    for name in readers:
        p[name].do("lock flock-r 0")
    yield
    p["polite"].begin_wait("lock flock 0")
    for name in readers[:-1]:
        look_in_vain(p["polite"], lambda name=name: p[name].do("unlock flock 0"))
    expect((yield), {})


def readers_in_turn(lock, times, act):
    """At the last of so many turns the writer is told of."""
    def acts(p):
        readers = Readers(p, lock)
        yield
        p["polite"].begin_wait(f"lock {lock} 0")
        yield
        for _ in range(times - 1):
            act(readers)
        expect((yield), {})
        act(readers)
        expect((yield), {"polite": NUMBER})
    return acts


def readers_woken_together(number, nr_readers):
    """One reader is before the writer, so many come after it: when the first one's turn
    comes, all that wait to read are let in with it, past the writer.
    """
    def act(p):
        readers = [name for name in p.names if name.startswith("r")]
        p["holder"].do(f"lock rwsem-w {number}")
        p["first"].begin_wait(f"lock rwsem-r {number}")
        p["polite"].begin_wait(f"lock rwsem-w {number}")
        for name in readers:
            p[name].begin_wait(f"lock rwsem-r {number}")
        yield
        p["holder"].do(f"unlock rwsem-w {number}")
        for name in ["first"] + readers:
            p[name].answer()
        expect((yield), {"polite": NUMBER} if nr_readers == NUMBER else {})
    return Scene(act, "holder", "first", "polite", *(f"r{i}" for i in range(nr_readers)))


def readers_of_an_rwlock_are_counted_by_the_lens():
    """The writer sleeps on all the while. It is the lens of one of the readers, which has
    every other turn: its first call counts for nothing, and it may have had it before.
    """
    in_turn = readers_in_turn("rwlock", 2 * (NUMBER + 2) - 1, Readers.turn)

    def acts(p):
        # The lens is there before anybody calls.
        yield
        yield from in_turn(p)

    scene = Scene(acts, "one", "two", "polite")
    Show(lens="one").add(scene)
    scene.test()


# --- one that always asks is let in now and then: its share goes by turns ---

@once
def asked():
    return ask_always({"flock": Readers, **({"shm": Thief} if ON_FIRST else {})})


@same_everywhere
def one_that_always_asks_for_a_mutex_and_gets_little_is_starvation():
    claim_gets_little(*asked()["shm"], "likely")


def one_that_always_asks_for_a_file_and_gets_little_is_starvation():
    claim_gets_little(*asked()["flock"], "confirmed")


# --- all of them ---

# A mutex with waiters is taken in the slow path; on PREEMPT_RT it is an rtmutex.
ON_EACH_KERNEL = {
    "turns_at_an_rtmutex_are_counted": [turns_of("rtmutex")],
    # On PREEMPT_RT these have one inside; elsewhere they serve whoever comes first.
    "turns_at_a_lock_that_is_an_rtmutex_are_counted":
        [turns_of("mutex"), turns_of("rwsem-w")] if RT else [],
    "mutex_stolen_eight_times_is_counted":
        [stolen_at_once("mutex", 1, NUMBER, 0 if RT else NUMBER)],
    "mutex_stolen_seven_times_is_silent": [stolen_at_once("mutex", 2, NUMBER - 1, 0)],
    "rtmutex_that_is_stolen_passes_no_tracepoint":
        [stolen_at_once("rtmutex", 5, 5 * NUMBER, 0)],
    # A writer that spins for it, or finds it free, passes no tracepoint.
    "rwsem_stolen_eight_times_counts_no_more":
        [stolen_at_once("rwsem-w", 1, NUMBER, 0, NUMBER)],
    "rwsem_stolen_seven_times_is_silent": [stolen_at_once("rwsem-w", 2, NUMBER - 1, 0)],
    "readers_that_come_past_a_writer_are_counted":
        [Scene(readers_in_turn("flock", NUMBER, Readers.pass_over), "one", "two", "polite")],
    # On PREEMPT_RT an rwsem is an rtmutex inside, which lets one in at a time.
    "readers_of_an_rwsem_that_are_let_in_past_a_writer_are_counted":
        [] if RT else [readers_woken_together(3, NUMBER), readers_woken_together(4, NUMBER - 1)],
}
ON_THE_FIRST = {
    "one_turn_is_allowed_to_who_came_first":
        [Scene(one_who_came_first, "a", "b", "elder", "polite")],
    "count_begins_afresh_with_each_wait": [Scene(one_that_waits_twice, "a", "b", "polite")],
    "pthread_mutex_found_taken_eight_times_is_counted": [looks_in_vain(NUMBER, NUMBER)],
    "pthread_mutex_found_taken_seven_times_is_silent": [looks_in_vain(NUMBER - 1, 0)],
    # Between two looks of the waiter it takes no system call: a lower bound.
    "pthread_mutex_stolen_meanwhile_counts_once":
        [looks_in_vain(NUMBER - 1, 0, thefts=3), looks_in_vain(NUMBER, NUMBER, thefts=3)],
    "file_lock_let_go_of_in_vain_is_silent":
        [Scene(readers_let_go_in_vain, "polite", *(f"r{i}" for i in range(NUMBER + 2)))],
}


def put_in_shows(scenes):
    """Each on the first one that has room for it."""
    shows = []
    for scene in scenes:
        show = next((show for show in shows if show.has_room(scene)), None)
        if not show:
            show = Show()
            shows.append(show)
        show.add(scene)


put_in_shows(scene for table in [ON_EACH_KERNEL] + [ON_THE_FIRST] * ON_FIRST
             for scenes in table.values() for scene in scenes)


def test_of(scenes):
    def test():
        if not scenes:
            raise Skipped(f"the lock is another one {'on' if RT else 'but on'} PREEMPT_RT")
        for scene in scenes:
            scene.test()
    return test


TESTS = [(name, test_of(scenes)) for name, scenes in ON_EACH_KERNEL.items()] + [
    (name, same_everywhere(test_of(scenes))) for name, scenes in ON_THE_FIRST.items()] + [
    (test.__name__, test) for test in (
        readers_of_an_rwlock_are_counted_by_the_lens,
        one_that_always_asks_for_a_mutex_and_gets_little_is_starvation,
        one_that_always_asks_for_a_file_and_gets_little_is_starvation)]


if __name__ == "__main__":
    run(TESTS, need_both)
