#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What only time tells: who gets no CPU, who waits for a less urgent one, who is
never served, who takes locks in opposite orders. Each with a twin that differs
in one number or order, of which nothing is said.
"""

import os
import signal

from gltest import RT, Report, claim, need_both, run, wait_until
from puppets import Look, Puppets, stat, switches

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


# --- cpu-starvation ---

def cpu_starvation(victim_prio, want):
    with Puppets("hog", "victim") as p:
        for name, prio in (("hog", 2), ("victim", victim_prio)):
            p[name].do("cpu 0", f"policy rr {prio}")
        p["victim"].begin_spin()
        p["hog"].begin_spin()
        told, _ = findings_about(p, "cpu-starvation", secs=12)
        expect(told, want)


STARVED = [("cpu-starvation", "victim", {"by": "hog"})]


def runnable_below_a_hog_is_cpu_starvation():
    cpu_starvation(1, STARVED)


def runnable_beside_a_hog_is_silent():
    cpu_starvation(2, [])


# --- priority-inversion ---

def inversion(want, lock="shm", owner="rr 1", hog="rr 10", waiter="rr 20"):
    """The owner has CPU 0 until the hog comes; the waiter has the other one."""
    with Puppets("owner", "hog", "waiter") as p:
        p["owner"].do("cpu 0", f"policy {owner}", f"lock {lock} 0")
        p["hog"].do("cpu 0", f"policy {hog}")
        p["waiter"].do("cpu 1", f"policy {waiter}")
        p["owner"].begin_spin()
        p["waiter"].begin_wait(f"lock {lock} 0")
        p["hog"].begin_spin()
        told, _ = findings_about(p, "priority-inversion")
        if want and not told:
            # It takes looks enough in which the owner did not run: look for longer.
            told, _ = findings_about(p, "priority-inversion", secs=3 * SECS)
        expect(told, want)


INVERTED = [("priority-inversion", "waiter", {"owner": "owner", "middle": "hog"})]


def owner_kept_off_by_a_third_is_priority_inversion():
    inversion(INVERTED)


def owner_kept_off_by_a_more_urgent_one_is_silent():
    inversion([], waiter="rr 9")


def owner_of_a_pi_mutex_is_lent_the_priority():
    inversion([], lock="pi")


def owner_by_nice_levels_is_priority_inversion():
    inversion(INVERTED, owner="other 19", hog="other -19", waiter="other -20")


def waiter_as_nice_as_the_owner_is_silent():
    inversion([], owner="other 19", hog="other -19", waiter="other 19")


def owner_of_a_kernel_mutex_is_priority_inversion():
    """But on PREEMPT_RT, where mutexes lend priorities."""
    inversion([] if RT else INVERTED, lock="mutex")


def owner_of_a_kernel_rtmutex_is_lent_the_priority():
    inversion([], lock="rtmutex")


# --- starvation ---

def rtmutex_queue(policy, want):
    """Two that take turns; a third one asks, too, behind them or among them."""
    with Puppets("a", "b", "polite") as p:
        p["polite"].do("policy other 0")
        for name in "ab":
            p[name].do(f"policy {policy}")
        for name in ("a", "b", "polite"):
            p[name].begin("churn rtmutex 0 10")
        _, report = findings_about(p, "starvation")
        # Looks may come in step with the turns, and see but one of the two.
        told = [(kind, who, {"by": "a b"} if roles.get("by") in ("a", "b") else roles)
                for kind, who, roles in about(p, report.findings, None)]
        expect(told, want)
        for finding in report.of_type("starvation"):
            check_starvation(finding)


def check_starvation(finding):
    """No more than 100 turns a second, and a fair share by those who ask."""
    claim(8 <= finding["overtaken"] <= 100 * SECS, f"overtaken {finding['overtaken']} times")
    claim(finding["since_s"] >= 1, f"since {finding['since_s']} s")
    claim(finding["share"] == 0 and 0.33 <= finding["fair_share"] <= 0.5,
          f"share {finding['share']} of {finding['fair_share']}")
    claim(0.33 <= finding["jain_index"] < 0.7, f"Jain's index {finding['jain_index']}")


RT_STARVED = [("starvation", "polite", {"by": "a b"})]


def waiter_below_two_urgent_ones_is_starvation():
    rtmutex_queue("rr 5", RT_STARVED)


def waiter_among_equals_is_silent():
    rtmutex_queue("other 0", [])


# --- starvation of one who waits for a futex again and again ---

def futex_episode(want, act, secs=12):
    """One with a lock, and one who asks for it only when the module counts on."""
    with Puppets("greedy", "polite") as p, Look(secs=secs) as look:
        p["greedy"].do("cpu 0", "policy rr 50", "lock shm 0")
        p["polite"].do("cpu 0")
        look.looked()
        p["polite"].begin_wait("lock shm 0")
        act(p)
        findings = look.findings()
        expect(about(p, findings, None), want)
        return findings


def pass_over(p):
    """Wake the polite one, and be back before it runs: they have one CPU."""
    before = switches(p["polite"].tid)
    p["greedy"].do("relock shm 0")
    wait_until(lambda: switches(p["polite"].tid) > before and p["polite"].asleep(),
               "the polite one looked in vain")


def let_in(p):
    p["greedy"].do("unlock shm 0")
    p["polite"].answer()
    p["greedy"].begin_wait("lock shm 0")
    p["polite"].do("unlock shm 0")
    p["greedy"].answer()
    p["polite"].begin_wait("lock shm 0")


def interrupt(p):
    """Its wait ends and begins again, and nobody had the lock meanwhile."""
    os.kill(p["polite"].tid, signal.SIGSTOP)
    wait_until(lambda: stat(p["polite"].tid)[0] == "T", "the polite one is stopped")
    os.kill(p["polite"].tid, signal.SIGCONT)
    wait_until(p["polite"].asleep, "the polite one waits on")


def times(number, act):
    def do(p):
        for _ in range(number):
            act(p)
    return do


def woken_in_vain_eight_times_is_starvation():
    findings = futex_episode([("starvation", "polite", {"by": "greedy"})], times(8, pass_over))
    starved = [finding for finding in findings if finding["type"] == "starvation"][0]
    claim(starved["overtaken"] == 8, f"overtaken {starved['overtaken']} times, not 8")
    claim(starved["fair_share"] == 0.5 and starved["jain_index"] == 0.5, f"{starved}")


def woken_in_vain_seven_times_is_silent():
    futex_episode([], times(7, pass_over))


def waiter_that_is_let_in_is_silent():
    futex_episode([], times(9, let_in))


def episode_is_over_when_it_is_let_in():
    futex_episode([], lambda p: (times(5, pass_over)(p), let_in(p), times(5, pass_over)(p)))


def interrupted_waiter_is_silent():
    futex_episode([], times(9, interrupt))


# --- livelock ---

# Long enough for three checks beside each other, on a machine that is busy, to look often.
RETRY_SECS = 8


def retries(want, two_has=1, two_tries=True):
    """Each has one, and tries for 30 ms to get the other one's, over and over."""
    with Puppets("one", "two") as p:
        p["one"].do("lock shm 0")
        p["two"].do(f"lock shm {two_has}")
        p["one"].begin("retry shm 1 30")
        if two_tries:
            p["two"].begin("retry shm 0 30")
        told, report = findings_about(p, "livelock", secs=RETRY_SECS)
        expect(told, want)
        return report


def two_that_give_up_over_and_over_are_livelock():
    report = retries([("livelock", "one two", {})])
    finding = report.of_type("livelock")[0]
    claim(finding["verdict"] == "likely", f"the verdict is {finding['verdict']}")
    for task in finding["tasks"]:
        claim(20 <= task["attempts"] == task["failures"] <= 320 and not task["successes"],
              f"{task['comm']}: {task['attempts']} attempts, {task['successes']} successes")


def one_that_gets_it_is_silent():
    retries([], two_has=2)


def lone_one_that_gives_up_is_silent():
    retries([], two_tries=False)


# --- lock-inversion ---

def orders(second_held, second_wanted, want):
    """One after the other, each with somebody who shows that its lock is held."""
    with Puppets("one", "two", "keeper", "shower") as p, Look(secs=12) as look:
        p["one"].do("lock flock 0")
        p["keeper"].do("lock flock 1")
        p["one"].begin_wait("lock flock 1")
        p["shower"].begin_wait("lock flock 0")
        look.looked()
        p["keeper"].do("unlock flock 1")
        p["one"].answer()
        p["one"].do("unlock flock 1", "unlock flock 0")
        p["shower"].answer()
        p["shower"].do("unlock flock 0")
        p["two"].do(f"lock flock {second_held}")
        p["keeper"].do(f"lock flock {second_wanted}")
        p["two"].begin_wait(f"lock flock {second_wanted}")
        p["shower"].begin_wait(f"lock flock {second_held}")
        look.looked()
        findings = look.findings()
        expect(about(p, findings, None), want)
        claim(all(finding["verdict"] == "possible" for finding in findings if
                  finding["type"] == "lock-inversion"), "the verdict is not possible")


def opposite_orders_are_lock_inversion():
    orders(1, 0, [("lock-inversion", "one two", {})])


def same_orders_are_silent():
    orders(0, 1, [])


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
    waiter_below_two_urgent_ones_is_starvation, waiter_among_equals_is_silent,
    woken_in_vain_eight_times_is_starvation, woken_in_vain_seven_times_is_silent,
    waiter_that_is_let_in_is_silent, episode_is_over_when_it_is_let_in,
    interrupted_waiter_is_silent,
    two_that_give_up_over_and_over_are_livelock, one_that_gets_it_is_silent,
    lone_one_that_gives_up_is_silent,
    opposite_orders_are_lock_inversion, same_orders_are_silent,
    cost_is_told,
]


if __name__ == "__main__":
    run([(test.__name__, test) for test in TESTS], need_both)
