#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Futex waits that end elsewhere than they began, or are for several futexes at once:
conditions that requeue to a PI mutex, and futex_waitv. Each way in which such a wait
can end is made to happen, by the order of calls, and what is counted is claimed.
"""

import contextlib
import json
import os
import re
import signal

from counters import DEBUGFS, LOCK, read_bin, read_locks, read_waits, set_parameter, stats
from gltest import Case, Report, claim, gridlock, need_module, run, same_everywhere, twins, wait_until
from kmod_load import must_load, must_load_changed, unload
from puppets import Puppets, stat

# Of gl_wait_record.flags.
TIMED, TIMED_KNOWN, REQUEUED = 1 << 1, 1 << 2, 1 << 11

# Calls made in a row.
NUMBER = 5


def counted(puppet):
    """What each of its rows counts: kind, begun, ended, failed, lost."""
    return sorted((row.kind, row.begun, row.ended, row.failed, row.lost)
                  for row in read_locks()[1] if row.row == LOCK and row.tgid == puppet.tid)


def expect(puppet, *want):
    """A row for each futex that it waited for, and no others."""
    claim(counted(puppet) == sorted(want), f"{puppet.name} counts {counted(puppet)}, not {want}")


def the_wait(puppet):
    waits = read_waits(puppet.tid)
    claim(len(waits) == 1, f"{puppet.name} has {len(waits)} waits: {[w.kind for w in waits]}")
    return waits[0]


def expect_stale(puppet):
    """Its wait is over, and seems to go on, while it sleeps for its next command."""
    wait_until(lambda: the_wait(puppet).sleeps_outside(), f"{puppet.name} sleeps elsewhere")
    claim(not the_wait(puppet).flags & REQUEUED, f"flags {the_wait(puppet).flags:#x}")


def told(puppet):
    """The reader's word: kind, and the numbers of those it is blocked by."""
    status, out, err = gridlock("waits", "--json")
    claim(status == 0, f"waits exits {status}: {err}")
    for wait in json.loads(out)["waits"]:
        if wait["tid"] == puppet.tid:
            return (wait["waits_for"]["kind"],
                    [tid for by in wait["blocked_by"] for tid in by["tids"]])
    return None


@contextlib.contextmanager
def counting(**want):
    """So much is added to these numbers of `stats`."""
    before = stats()
    yield
    after = stats()
    for name, number in want.items():
        name = name.replace("__", ".")
        claim(after[name] - before[name] == number, f"{name} is {after[name] - before[name]} more")


@contextlib.contextmanager
def at_condition(held, how="taken"):
    """w waits at condition 0; o has the mutex or not."""
    with Puppets("w", "o") as p:
        if held:
            p["o"].do("lock raw-pi 0")
        p["w"].begin_wait(f"await {how} 0")
        wait = the_wait(p["w"])
        claim(wait.kind == "futex" and wait.sleeps_inside() and not wait.flags & REQUEUED,
              f"{wait.kind}, flags {wait.flags:#x}")
        yield p


def stop_and_go(puppet):
    """A signal ends its wait; it has no handler."""
    os.kill(puppet.tid, signal.SIGSTOP)
    wait_until(lambda: stat(puppet.tid)[0] == "T", f"{puppet.name} stops")
    os.kill(puppet.tid, signal.SIGCONT)


# --- a condition that requeues to a PI mutex ----------------------------------------

def mutex_held_is_waited_for_after_the_requeue():
    """The kernel leaves the waiter asleep where it is: the row says for what."""
    with at_condition(held=True) as p:
        claim(told(p["w"]) == ("futex", []), f"at the condition: {told(p['w'])}")
        p["o"].do("requeue 0")
        wait = the_wait(p["w"])
        claim(wait.kind == "futex" and wait.sleeps_inside() and wait.flags & REQUEUED,
              f"{wait.kind}, flags {wait.flags:#x}")
        claim(told(p["w"]) == ("futex-pi", [p["o"].tid]), f"at the mutex: {told(p['w'])}")
        expect(p["w"], ("futex", 1, 0, 0, 0))
        p["o"].do("unlock raw-pi 0")
        p["w"].answer()
        expect(p["w"], ("futex", 1, 1, 0, 0), ("futex-pi", 1, 1, 0, 0))
        claim(not read_waits(p["w"].tid), "a wait is left")


def mutex_stolen_on_the_way_is_a_wait_of_its_own():
    """It was woken for the mutex, and finds it taken by one who is more urgent."""
    with Puppets("w", "o") as p:
        p["o"].do("cpu 0", "policy rr 50", "lock raw-pi 0")
        p["w"].do("cpu 0")
        p["w"].begin_wait("await taken 0")
        with counting(lost__not_staged=0):
            p["o"].do("requeue 0", "relock raw-pi 0")
            wait_until(lambda: [w.kind for w in read_waits(p["w"].tid) if w.sleeps_inside()] ==
                       ["futex-pi"], "w sleeps for the mutex")
        flags = the_wait(p["w"]).flags
        claim(flags & TIMED_KNOWN and not flags & (TIMED | REQUEUED), f"flags {flags:#x}")
        claim(told(p["w"]) == ("futex-pi", [p["o"].tid]), f"at the mutex: {told(p['w'])}")
        expect(p["w"], ("futex", 1, 1, 0, 0), ("futex-pi", 1, 0, 0, 0))
        p["o"].do("unlock raw-pi 0")
        p["w"].answer()
        expect(p["w"], ("futex", 1, 1, 0, 0), ("futex-pi", 1, 1, 0, 0))


def signal_after_the_requeue_fails_the_mutex():
    with at_condition(held=True, how="again") as p:
        p["o"].do("requeue 0")
        stop_and_go(p["w"])
        p["w"].answer()
        expect(p["w"], ("futex", 1, 1, 0, 0), ("futex-pi", 1, 1, 1, 0))
        claim(not read_waits(p["w"].tid), "a wait is left")


def timeout_after_the_requeue_fails_the_mutex():
    """The time of the call goes on; what it is for is the mutex by then."""
    with Puppets("w", "o") as p:
        p["o"].do("lock raw-pi 0")
        p["w"].begin_wait("await timeout 0 3000")
        p["o"].do("requeue 0")
        flags = the_wait(p["w"]).flags
        claim(flags & REQUEUED and flags & TIMED and flags & TIMED_KNOWN, f"flags {flags:#x}")
        p["w"].answer()
        expect(p["w"], ("futex", 1, 1, 0, 0), ("futex-pi", 1, 1, 1, 0))
        claim(not read_waits(p["w"].tid), "a wait is left")


def signal_before_the_requeue_begins_anew():
    """The call is made again, and the first wait's end was not seen."""
    with at_condition(held=True) as p, counting(lost__end_missed=1):
        stop_and_go(p["w"])
        wait_until(lambda: p["w"].asleep() and the_wait(p["w"]).sleeps_inside(), "w waits again")
        expect(p["w"], ("futex", 2, 0, 0, 1))


def end_is_not_seen(p):
    """w is past its wait at the condition; its next call for a futex finds that out."""
    expect_stale(p["w"])
    expect(p["w"], ("futex", 1, 0, 0, 0))
    with counting(lost__end_missed=1):
        p["w"].do("wait again 0")
    expect(p["w"], ("futex", 1, 0, 0, 1))
    claim(not read_waits(p["w"].tid), "the wait is still there")


def mutex_free_at_the_requeue_passes_no_probe():
    with at_condition(held=False) as p:
        p["o"].do("requeue 0")
        p["w"].answer()
        end_is_not_seen(p)


def timeout_before_the_requeue_passes_no_probe():
    with Puppets("w") as p:
        p["w"].do("await timeout 0 20")
        end_is_not_seen(p)


def mutex_of_an_earlier_call_is_not_taken_for_this_one():
    """What was staged for a requeue that did not come is for no later wait."""
    with Puppets("w", "o", "other") as p:
        p["other"].do("lock raw-pi 1")
        p["o"].do("lock raw-pi 0")
        p["w"].do("await timeout 1 20")
        p["w"].begin_wait("await taken 0")
        p["o"].do("requeue 0", "unlock raw-pi 0")
        p["w"].answer()
        p["w"].do("unlock raw-pi 0")
        p["w"].begin_wait("lock raw-pi 1")
        claim(told(p["w"]) == ("futex-pi", [p["other"].tid]), f"{told(p['w'])}")
        expect(p["w"], ("futex", 1, 0, 0, 1), ("futex", 1, 1, 0, 0),
               ("futex-pi", 1, 1, 0, 0), ("futex-pi", 1, 0, 0, 0))


@same_everywhere
def requeue_closes_a_circle():
    """Until then w waits at a condition, which anybody may signal."""
    with Puppets("w", "o", "third") as p:
        p["w"].do("lock shm 0")
        p["o"].do("lock raw-pi 0")
        p["w"].begin_wait("await taken 0")
        p["o"].begin_wait("lock shm 0")
        found = p.ours(Report().findings)
        claim(not found, f"before the requeue: {found}")
        p["third"].do("requeue 0")
        findings = Report().findings
        claim([(f["type"], f["verdict"]) for f in findings] == [("deadlock", "confirmed")] and
              p.ours(findings) == [("deadlock", "o w", {})], f"{findings}")


# --- futex_waitv --------------------------------------------------------------------

def calls_of_futex_waitv_are_counted():
    """To the number, and as nothing else."""
    with Puppets("w") as p:
        before = read_bin("waits.bin")[0]["nr_lost_begins"]
        with counting(lost__futex_waitv=NUMBER, lost__end_missed=0):
            p["w"].do(f"waitv again 0 {NUMBER}")
        claim(read_bin("waits.bin")[0]["nr_lost_begins"] == before, "the header tells of a loss")
        expect(p["w"])
        set_parameter("enabled", 0)
        try:
            with counting(lost__futex_waitv=0):
                p["w"].do(f"waitv again 0 {NUMBER}")
        finally:
            set_parameter("enabled", 1)


def calls_for_one_futex_are_not():
    with Puppets("w") as p, counting(lost__futex_waitv=0):
        p["w"].do(f"wait again 0 {NUMBER}")


def wait_for_several_has_no_row():
    """One that sleeps and is woken begins and ends nothing, where its twin does."""
    with Puppets("w", "o") as p, counting(lost__futex_waitv=1):
        p["w"].begin_wait("waitv taken 0")
        claim(not read_waits(p["w"].tid), "a wait for several futexes has a row")
        p["o"].do("wake 0")
        p["w"].answer()
        expect(p["w"])
        p["w"].begin_wait("wait taken 0")
        p["o"].do("wake 0")
        p["w"].answer()
        expect(p["w"], ("futex", 1, 1, 0, 0))


def stale_wait_is_no_wait_for_several():
    """What is left of an earlier wait goes, and is not ended by the end of this one."""
    with Puppets("w", "o") as p:
        p["w"].do("await timeout 0 20")
        expect_stale(p["w"])
        with counting(lost__end_missed=1, lost__futex_waitv=1):
            p["w"].begin_wait("waitv taken 0")
            claim(not read_waits(p["w"].tid), "w seems to wait at the condition")
            p["o"].do("wake 0")
            p["w"].answer()
        expect(p["w"], ("futex", 1, 0, 0, 1))


# --- what is told -------------------------------------------------------------------

def coverage():
    with open(f"{DEBUGFS}/coverage", encoding="ascii") as file:
        return dict(line.rstrip("\n").split(None, 1) for line in file)


def coverage_tells_what_passes_no_probe():
    for name in ("futex", "futex_pi", "futex_waitv"):
        claim(stats()[f"probe.{name}"] == "on", f"probe.{name} is {stats()[f'probe.{name}']}")
    claim(re.match("lower-bound: io_uring .*; futex_waitv is lost.futex_waitv$",
                   coverage()["futex"]), coverage()["futex"])
    claim(re.match("lower-bound: .* requeued ", coverage()["futex-pi"]), coverage()["futex-pi"])


def kernel_without_the_function_counts_no_futex_waitv():
    """And says so; the other futexes go on."""
    unload()
    must_load_changed(b"futex_wait_multiple")
    try:
        claim(stats()["probe.futex_waitv"] == "missing", "a probe that cannot be is there")
        claim(re.match(r"lower-bound: .* nor does futex_waitv: .* nowhere\(\)$",
                       coverage()["futex"]), coverage()["futex"])
        with Puppets("w", "o") as p, counting(lost__futex_waitv=0):
            p["w"].do(f"waitv again 0 {NUMBER}")
            p["w"].begin_wait("wait taken 0")
            p["o"].do("wake 0")
            p["w"].answer()
            expect(p["w"], ("futex", 1, 1, 0, 0))
    finally:
        unload()
        must_load()


TESTS = [
    mutex_held_is_waited_for_after_the_requeue, mutex_stolen_on_the_way_is_a_wait_of_its_own,
    signal_after_the_requeue_fails_the_mutex, timeout_after_the_requeue_fails_the_mutex,
    signal_before_the_requeue_begins_anew,
    mutex_free_at_the_requeue_passes_no_probe, timeout_before_the_requeue_passes_no_probe,
    mutex_of_an_earlier_call_is_not_taken_for_this_one, requeue_closes_a_circle,
    calls_of_futex_waitv_are_counted, calls_for_one_futex_are_not, wait_for_several_has_no_row,
    stale_wait_is_no_wait_for_several, coverage_tells_what_passes_no_probe,
    kernel_without_the_function_counts_no_futex_waitv,
]

# To the kernel it is FUTEX_LOCK_PI with another clock.
PI2 = [Case("pi2_and_plain_mutexes",
            ["p1: pi2:0 sync !pi2:1", "p2: pi2:1 sync !shm:0", "p3: shm:0 sync !pi2:0"],
            ["p1: pi2:0 sync !pi2:1", "p2: pi2:1 sync !shm:0", "p3: shm:0 sync"],
            "p1>p2 p2>p3 p3>p1", "futex-pi futex futex-pi")]


if __name__ == "__main__":
    run([(test.__name__, test) for test in TESTS] +
        [(name, same_everywhere(test)) for name, test in twins(PI2)], need_module)
