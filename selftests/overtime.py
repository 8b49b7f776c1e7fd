#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What only time tells: who gets no CPU, who waits for a less urgent one, who gives up
over and over, who takes locks in opposite orders. Each with a twin that differs in one
number or order, of which nothing is said: both are there in one window, with locks of
their own, wherever the one does not change the other.
"""

from gltest import RT, Report, claim, need_both, run
from puppets import Look, Puppets
from together import once

# Looks come four times a second, on an emulated machine sometimes more rarely.
SECS = 4


# Far more than any test lasts, and than anything in it is counted.
BEYOND = 80000

THRESHOLDS = {
    "cpu-starvation": ["--cpu-starvation"], "priority-inversion": ["--priority-inversion"],
    "starvation": ["--starvation", "--overtaken"], "livelock": ["--livelock", "--attempts"],
}


def about(puppets, findings, kind):
    """Findings of this kind about puppets; of any but long-wait with None."""
    return [finding for finding in puppets.ours(findings)
            if finding[0] == kind or (kind is None and finding[0] != "long-wait")]


def findings_about(puppets, kind, secs=SECS):
    """What a check says; those beside it with one threshold out of reach say nothing."""
    beside = [Look(threshold, BEYOND, secs=secs)
              for threshold in THRESHOLDS[kind]]
    try:
        report = Report(window=secs)
        for look in beside:
            told = about(puppets, look.findings(), kind)
            claim(not told, f"beyond a threshold it says {told}: {look.process.args}")
    finally:
        for look in beside:
            look.__exit__()
    return about(puppets, report.findings, kind), report


def expect(told, want):
    """What is said, exactly; but who else ran on a CPU ("?") is not ours to say."""
    told = [(kind, members, {role: who.replace("? ", "") for role, who in roles.items()})
            for kind, members, roles in told]
    claim(told == want, f"it says {told}, not {want}")


def told_of(told, *names):
    """Those findings that any of these is a member of."""
    return [finding for finding in told if set(names) & set(finding[1].split())]


# --- cpu-starvation ---

@once
def hogged():
    """Two that share a CPU by turns, and one that is less urgent than both."""
    with Puppets("hog", "equal", "victim") as p:
        for name, prio in (("hog", 2), ("equal", 2), ("victim", 1)):
            p[name].do("cpu 0", f"policy rr {prio}")
        for name in ("victim", "equal", "hog"):
            p[name].begin_spin()
        return findings_about(p, "cpu-starvation", secs=12)[0]


def runnable_below_a_hog_is_cpu_starvation():
    told = told_of(hogged(), "victim")
    claim([finding[:2] for finding in told] == [("cpu-starvation", "victim")], f"it says {told}")
    by = set(told[0][2]["by"].replace("?", "").split())
    claim(by and by <= {"hog", "equal"}, f"by {by}")


def runnable_beside_a_hog_is_silent():
    expect(told_of(hogged(), "hog", "equal"), [])


# --- priority-inversion ---

class Pair:
    """Owner and waiter of one lock; is it the hog that the waiter waits for?"""

    def __init__(self, inverted, lock, owner="rr 1", waiter="rr 20"):
        self.inverted, self.lock = inverted, lock
        self.policy = {"owner": owner, "waiter": waiter}

    def name(self, role):
        return f"{role}-{self.lock.replace(' ', '')}"

    def finding(self):
        return ("priority-inversion", self.name("waiter"),
                {"owner": self.name("owner"), "middle": "hog"})


def inversions(hog, pairs):
    """Owners have CPU 0 until the hog comes; waiters have the other one."""
    with Puppets("hog", *(pair.name(role) for pair in pairs for role in pair.policy)) as p:
        p["hog"].do("cpu 0", f"policy {hog}")
        for pair in pairs:
            p[pair.name("owner")].do("cpu 0", f"policy {pair.policy['owner']}",
                                     f"lock {pair.lock}")
            p[pair.name("waiter")].do("cpu 1", f"policy {pair.policy['waiter']}")
        for pair in pairs:
            p[pair.name("owner")].begin_spin()
            p[pair.name("waiter")].begin_wait(f"lock {pair.lock}")
        p["hog"].begin_spin()
        told, _ = findings_about(p, "priority-inversion")
        if len(told) < sum(pair.inverted for pair in pairs):
            # It takes looks enough in which the owners did not run: look for longer.
            told, _ = findings_about(p, "priority-inversion", secs=3 * SECS)
        of_pairs = {pair.lock: told_of(told, pair.name("waiter")) for pair in pairs}
        claim(sum(map(len, of_pairs.values())) == len(told), f"of others it says {told}")
        return of_pairs


MUTEX = Pair(not RT, "mutex 0")

# By real-time priorities; who is lent one would keep the hog off all the others.
BY_PRIORITY = [Pair(True, "shm 0"), Pair(False, "shm 1", waiter="rr 9")] + [MUTEX] * (not RT)
LENT = [Pair(False, "pi 0"), Pair(False, "rtmutex 0")] + [MUTEX] * RT
BY_NICE_LEVEL = [Pair(True, "shm 0", "other 19", "other -20"),
                 Pair(False, "shm 1", "other 19", "other 19")]


@once
def by_priority():
    return inversions("rr 10", BY_PRIORITY)


@once
def lent():
    """One after the other: who is lent a priority keeps the hog off the next one, too."""
    return {lock: told for pair in LENT for lock, told in inversions("rr 10", [pair]).items()}


@once
def by_nice_level():
    return inversions("other -19", BY_NICE_LEVEL)


def owner_kept_off_by_a_third_is_priority_inversion():
    expect(by_priority()["shm 0"], [BY_PRIORITY[0].finding()])


def owner_kept_off_by_a_more_urgent_one_is_silent():
    expect(by_priority()["shm 1"], [])


def owner_of_a_pi_mutex_is_lent_the_priority():
    expect(lent()["pi 0"], [])


def owner_by_nice_levels_is_priority_inversion():
    expect(by_nice_level()["shm 0"], [BY_NICE_LEVEL[0].finding()])


def waiter_as_nice_as_the_owner_is_silent():
    expect(by_nice_level()["shm 1"], [])


def owner_of_a_kernel_mutex_is_priority_inversion():
    """But on PREEMPT_RT, where mutexes lend priorities."""
    if RT:
        expect(lent()["mutex 0"], [])
    else:
        expect(by_priority()["mutex 0"], [MUTEX.finding()])


def owner_of_a_kernel_rtmutex_is_lent_the_priority():
    expect(lent()["rtmutex 0"], [])


# --- livelock ---

# Long enough for three checks beside each other, on a machine that is busy, to look often.
RETRY_SECS = 8

# A lock of nobody.
FREE = 6


@once
def retries():
    """Each has one, and tries for 30 ms to get another's, over and over: two of each other;
    of two the one what is free; and one of one that tries nothing."""
    with Puppets("one", "two", "lucky", "unlucky", "lone", "still") as p:
        for number, name in enumerate(("one", "two", "lucky", "unlucky", "lone", "still")):
            p[name].do(f"lock shm {number}")
        for name, number in (("one", 1), ("two", 0), ("lucky", FREE), ("unlucky", 2), ("lone", 5)):
            p[name].begin(f"retry shm {number} 30")
        told, report = findings_about(p, "livelock", secs=RETRY_SECS)
        return told, report.of_type("livelock")


def two_that_give_up_over_and_over_are_livelock():
    told, findings = retries()
    expect(told_of(told, "one", "two"), [("livelock", "one two", {})])
    for finding in findings:
        claim(finding["verdict"] == "likely", f"the verdict is {finding['verdict']}")
        for task in finding["tasks"]:
            claim(20 <= task["attempts"] == task["failures"] <= 320 and not task["successes"],
                  f"{task['comm']}: {task['attempts']} attempts, {task['successes']} successes")


def one_that_gets_it_is_silent():
    expect(told_of(retries()[0], "lucky", "unlucky"), [])


def lone_one_that_gives_up_is_silent():
    expect(told_of(retries()[0], "lone", "still"), [])


# --- lock-inversion ---

PLAYERS = ("one", "two", "keeper", "shower")


class Orders:
    """Two take two locks, one after the other, each with somebody who shows that its lock
    is held; the second one in the order that is given."""

    def __init__(self, puppets, suffix, locks, second):
        self.names = [f"{name}{suffix}" for name in PLAYERS]
        self.one, self.two, self.keeper, self.shower = (puppets[name] for name in self.names)
        self.locks, self.second = locks, second

    def first_order(self):
        held, wanted = self.locks
        self.one.do(f"lock flock {held}")
        self.keeper.do(f"lock flock {wanted}")
        self.one.begin_wait(f"lock flock {wanted}")
        self.shower.begin_wait(f"lock flock {held}")

    def second_order(self):
        held, wanted = self.locks
        self.keeper.do(f"unlock flock {wanted}")
        self.one.answer()
        self.one.do(f"unlock flock {wanted}", f"unlock flock {held}")
        self.shower.answer()
        self.shower.do(f"unlock flock {held}")
        held, wanted = self.second
        self.two.do(f"lock flock {held}")
        self.keeper.do(f"lock flock {wanted}")
        self.two.begin_wait(f"lock flock {wanted}")
        self.shower.begin_wait(f"lock flock {held}")


@once
def orders():
    """What is said of opposite orders, and of the same one twice."""
    names = [f"{name}{suffix}" for suffix in ("", "-s") for name in PLAYERS]
    with Puppets(*names) as p, Look(secs=12) as look:
        both = Orders(p, "", (0, 1), (1, 0)), Orders(p, "-s", (2, 3), (2, 3))
        for act in (Orders.first_order, Orders.second_order):
            for each in both:
                act(each)
            look.looked()
        findings = look.findings()
        claim(all(finding["verdict"] == "possible" for finding in findings if
                  finding["type"] == "lock-inversion"), "the verdict is not possible")
        told = about(p, findings, None)
        return [told_of(told, *each.names) for each in both]


def opposite_orders_are_lock_inversion():
    expect(orders()[0], [("lock-inversion", "one two", {})])


def same_orders_are_silent():
    expect(orders()[1], [])


# --- what looking costs ---

def cost_is_told():
    report = Report(window=2)
    cost = report.json["cost"]
    claim(2 <= cost["looks"] <= 9, f"{cost['looks']} looks in 2 s")
    claim(0 < cost["cpu_s"] < report.json["window_s"] * 2, f"{cost['cpu_s']} s of CPU time")
    claim(0 < cost["longest_look_s"] < report.json["window_s"] + 1, f"{cost}")


TESTS = [
    runnable_below_a_hog_is_cpu_starvation, runnable_beside_a_hog_is_silent,
    owner_kept_off_by_a_third_is_priority_inversion,
    owner_kept_off_by_a_more_urgent_one_is_silent, owner_of_a_pi_mutex_is_lent_the_priority,
    owner_by_nice_levels_is_priority_inversion, waiter_as_nice_as_the_owner_is_silent,
    owner_of_a_kernel_mutex_is_priority_inversion,
    owner_of_a_kernel_rtmutex_is_lent_the_priority,
    two_that_give_up_over_and_over_are_livelock, one_that_gets_it_is_silent,
    lone_one_that_gives_up_is_silent,
    opposite_orders_are_lock_inversion, same_orders_are_silent,
    cost_is_told,
]


if __name__ == "__main__":
    run([(test.__name__, test) for test in TESTS], need_both)
