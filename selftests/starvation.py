#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Who is never served: in one long wait, or woken in vain again and again. Each with
twins that differ in one number or order, of which nothing is said; those of futexes are
there in one window, with locks of their own.
"""

import os
import signal

from gltest import claim, need_both, run, wait_until
from overtime import about, expect, findings_about, told_of
from puppets import Look, Puppets, stat, switches
from together import once

# --- in one wait ---

# A turn at a lock. Whoever asks for it again has to come before the next one's is over, or
# the polite one is let in; an emulated processor may be away for some 10 ms.
TURN_MS = 80

# Checks of which one has to see a second without that.
MOST_CHECKS = 5


def rtmutex_queue(policy, want):
    """Two that take turns; a third one asks, too, behind them or among them."""
    with Puppets("a", "b", "polite") as p:
        p["polite"].do("policy other 0")
        for name in "ab":
            p[name].do(f"policy {policy}")
        for name in ("a", "b", "polite"):
            p[name].begin(f"churn rtmutex 0 {TURN_MS}")
        for _ in range(MOST_CHECKS if want else 1):
            _, report = findings_about(p, "starvation")
            if report.of_type("starvation"):
                break
        # Looks may come in step with the turns, and see but one of the two.
        told = [(kind, who, {"by": "a b"} if roles.get("by") in ("a", "b") else roles)
                for kind, who, roles in about(p, report.findings, None)]
        expect(told, want)
        for finding in report.of_type("starvation"):
            check_starvation(finding)


def check_starvation(finding):
    """No more turns than there was time for, and a fair share by those who ask."""
    claim(8 <= finding["overtaken"] <= 1000 / TURN_MS * (finding["since_s"] + 1),
          f"overtaken {finding['overtaken']} times")
    claim(finding["since_s"] >= 1, f"since {finding['since_s']} s")
    claim(finding["share"] == 0 and 0.33 <= finding["fair_share"] <= 0.5,
          f"share {finding['share']} of {finding['fair_share']}")
    claim(0.33 <= finding["jain_index"] < 0.7, f"Jain's index {finding['jain_index']}")


def waiter_below_two_urgent_ones_is_starvation():
    rtmutex_queue("rr 5", [("starvation", "polite", {"by": "a b"})])


def waiter_among_equals_is_silent():
    rtmutex_queue("other 0", [])


# --- of one who waits for a futex again and again ---

ROLES = ("greedy", "polite")


class Futex:
    """One with a lock, and one who asks for it."""

    def __init__(self, puppets, number):
        self.greedy, self.polite = (puppets[f"{role}{number}"] for role in ROLES)
        self.lock = f"shm {number}"
        self.greedy.do("cpu 0", "policy rr 50", f"lock {self.lock}")
        self.polite.do("cpu 0")


def pass_over(futex):
    """Wake the polite one, and be back before it runs: they have one CPU."""
    before = switches(futex.polite.tid)
    futex.greedy.do(f"relock {futex.lock}")
    wait_until(lambda: switches(futex.polite.tid) > before and futex.polite.asleep(),
               "the polite one looked in vain")


def let_in(futex):
    futex.greedy.do(f"unlock {futex.lock}")
    futex.polite.answer()
    futex.greedy.begin_wait(f"lock {futex.lock}")
    futex.polite.do(f"unlock {futex.lock}")
    futex.greedy.answer()
    futex.polite.begin_wait(f"lock {futex.lock}")


def interrupt(futex):
    """Its wait ends and begins again, and nobody had the lock meanwhile."""
    os.kill(futex.polite.tid, signal.SIGSTOP)
    wait_until(lambda: stat(futex.polite.tid)[0] == "T", "the polite one is stopped")
    os.kill(futex.polite.tid, signal.SIGCONT)
    wait_until(futex.polite.asleep, "the polite one waits on")


def times(number, act):
    def do(futex):
        for _ in range(number):
            act(futex)
    return do


def let_in_between(futex):
    times(5, pass_over)(futex)
    let_in(futex)
    times(5, pass_over)(futex)


# The last one is found only if there was time for all.
ACTS = (times(7, pass_over), times(9, let_in), let_in_between, times(9, interrupt),
        times(8, pass_over))
SEVEN, LET_IN, BETWEEN, INTERRUPTED, EIGHT = range(len(ACTS))


@once
def futex_episodes():
    """What is said of each, who asks for the lock only when the module counts on; and the
    whole finding about the last one's.
    """
    for secs in (16, 32):
        names = [f"{role}{number}" for number in range(len(ACTS)) for role in ROLES]
        with Puppets(*names) as p, Look(secs=secs) as look:
            futexes = [Futex(p, number) for number in range(len(ACTS))]
            look.looked()
            for futex in futexes:
                futex.polite.begin_wait(f"lock {futex.lock}")
            for futex, act in zip(futexes, ACTS):
                act(futex)
            in_time = look.process.poll() is None
            findings = look.findings()
            told = about(p, findings, None)
            eighth = futexes[EIGHT].polite.tid
            if in_time and told_of(told, f"polite{EIGHT}"):
                break
    claim(in_time, f"in {secs} s there is no time for all")
    return told, [finding for finding in findings if finding["type"] == "starvation" and
                  [task["tid"] for task in finding["tasks"]] == [eighth]]


def expect_of(number, want):
    told, _ = futex_episodes()
    expect(told_of(told, *(f"{role}{number}" for role in ROLES)), want)


def woken_in_vain_eight_times_is_starvation():
    expect_of(EIGHT, [("starvation", f"polite{EIGHT}", {"by": f"greedy{EIGHT}"})])
    _, (starved,) = futex_episodes()
    claim(starved["overtaken"] == 8, f"overtaken {starved['overtaken']} times, not 8")
    claim(starved["fair_share"] == 0.5 and starved["jain_index"] == 0.5, f"{starved}")


def woken_in_vain_seven_times_is_silent():
    expect_of(SEVEN, [])


def waiter_that_is_let_in_is_silent():
    expect_of(LET_IN, [])


def episode_is_over_when_it_is_let_in():
    expect_of(BETWEEN, [])


def interrupted_waiter_is_silent():
    expect_of(INTERRUPTED, [])


TESTS = [
    waiter_below_two_urgent_ones_is_starvation, waiter_among_equals_is_silent,
    woken_in_vain_eight_times_is_starvation, woken_in_vain_seven_times_is_silent,
    waiter_that_is_let_in_is_silent, episode_is_over_when_it_is_let_in,
    interrupted_waiter_is_silent,
]


if __name__ == "__main__":
    run([(test.__name__, test) for test in TESTS], need_both)
