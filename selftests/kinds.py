#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Each kind of kernel lock contends, in each context that may take it, with each
way that a wait can end; and each wait is counted, once.

A module makes the waits, and counts what passes the end of one itself.
"""

import collections
import errno
import json
import os
import re
import subprocess

from counters import DEBUGFS, LOCK, claim_exact, every_mutex_counts, read_locks, stats
from gltest import (RT, Skipped, claim, gridlock, module_loaded, need_module, need_test_module,
                    run)

RUN = "/sys/module/gridlock_kinds/parameters/run"
OLD = os.uname().release.startswith("6.1.")

# So often is each wait made, one after another; and by each thread of a storm.
TIMES = 5
STORM = 150

# Storms of a kind that are made until there is one.
MOST_STORMS = 20

# A row of a kind that is one type of lock alone, or of one that cannot be told.
NO_FORM = "unknown"


# A kind of lock in the module, its variable, and what a wait for it counts as: rows
# of the lock, and on PREEMPT_RT of the rt_mutex inside, each with its form.
Kind = collections.namedtuple("Kind", "name variable rows")


def lock(name, variable, rows, rows_on_rt=None):
    return Kind(name, variable, rows_on_rt if RT and rows_on_rt else rows)


KINDS = {kind.name: kind for kind in (
    lock("raw_spinlock", "kinds_raw", {"spinlock": NO_FORM}),
    lock("spinlock", "kinds_spin", {"spinlock": NO_FORM}, {"rtmutex": "spinlock_t"}),
    lock("rwlock-r", "kinds_rwlock", {"rwlock:R": NO_FORM},
         {"rwlock-rt:R": "rwlock_t", "rtmutex": "rwlock_t"}),
    lock("rwlock-w", "kinds_rwlock", {"rwlock:W": NO_FORM}, {"rwlock-rt:W": "rwlock_t"}),
    lock("rqspinlock", "kinds_rqspin", {"spinlock": NO_FORM}),
    lock("mutex", "kinds_mutex", {"mutex": "mutex"}, {"rtmutex": "mutex"}),
    # On PREEMPT_RT mutex_lock() is not on the stack, and the call does not name it.
    lock("mutex-pointer", "kinds_pointed", {"mutex": "mutex"}, {"rtmutex": NO_FORM}),
    lock("ww_mutex", "kinds_ww", {"mutex": "ww_mutex"}, {"rtmutex": "ww_mutex"}),
    lock("rwsem-r", "kinds_rwsem", {"rwsem:R": NO_FORM},
         {"rwlock-rt:R": "rw_semaphore", "rtmutex": "rw_semaphore"}),
    lock("rwsem-w", "kinds_rwsem", {"rwsem:W": NO_FORM}, {"rwlock-rt:W": "rw_semaphore"}),
    lock("rtmutex", "kinds_rtmutex", {"rtmutex": NO_FORM}, {"rtmutex": "rt_mutex"}),
    lock("semaphore", "kinds_sem", {"semaphore": NO_FORM}),
    lock("pcpu-r", "kinds_pcpu", {"pcpu-sem:R": NO_FORM}),
    lock("pcpu-w", "kinds_pcpu", {"pcpu-sem:W": NO_FORM}))}


def rows_inside(name):
    """The lock inside a lock that sleeps may be contended as well."""
    if RT and name.startswith("pcpu"):
        return {"spinlock": NO_FORM, "rtmutex": "spinlock_t"}
    return {"spinlock": NO_FORM}


def rows_beside(name):
    """What others do while a wait is made: a writer holds it while readers wait."""
    return {"pcpu-sem:W": NO_FORM} if name == "pcpu-r" and OLD else {}


CONTEXTS = ("task", "softirq", "hardirq")
FAILURES = ("signal", "timeout", "deadlock")
OUTCOMES = ("taken", *FAILURES)


class Counts:
    """What the counters of a variable's rows have gained since, by kind."""

    def __init__(self, variable):
        self.variable = variable
        self.forms = {}
        self.before = self.read()

    def read(self):
        sums = collections.Counter()
        for row in read_locks()[1]:
            if row.row == LOCK and row.name.split("+")[0] == self.variable:
                for name in ("begun", "ended", "failed", "lost", *FAILURES):
                    sums[row.kind, name] += getattr(row, name)
                self.forms.setdefault(row.kind, set()).add(row.form)
        return sums

    def gained(self):
        return +(self.read() - self.before)

    def claim_rows(self, gained, wanted, what):
        """Rows of these kinds alone have gained, and they are of these forms."""
        for row in {row for row, _ in gained}:
            claim(row in wanted, f"{row}: {what}")
            claim(self.forms[row] == {wanted[row]}, f"{row} is of {self.forms[row]}: {what}")

    @staticmethod
    def sum(gained, name):
        return sum(value for (_, field), value in gained.items() if field == name)


def make(*words):
    """Have the module do it. Return: ends and failed ends that it saw, and errors."""
    try:
        with open(RUN, "w", encoding="ascii") as file:
            file.write(" ".join(words))
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.EINVAL):
            return None
        raise
    with open(RUN, encoding="ascii") as file:
        return [int(word) for word in file.read().split()]


def passes_without_contention(name, outcome):
    """Takes of a free lock that pass the tracepoints all the same, for each wait."""
    if name == "pcpu-w" and OLD:
        return 1
    if name in ("mutex", "mutex-pointer", "ww_mutex") and every_mutex_counts():
        return 2 if outcome == "deadlock" else 1
    return 0


def once(name, context, outcome):
    """TIMES waits: so many begun, ended and failed. Return: was there any such wait?"""
    kind = KINDS[name]
    counts = Counts(kind.variable)
    made = make("once", name, context, outcome, str(TIMES))
    if not made:
        return False
    gained = counts.gained()
    what = f"{name} in {context}, {outcome}: {dict(gained)}, the module saw {made}"
    claim(Counts.sum(gained, "ended") == made[0] and Counts.sum(gained, "failed") == made[1], what)
    claim(not Counts.sum(gained, "lost"), what)
    # A reader in an interrupt passes no tracepoint; so `coverage` says.
    seen = 0 if name == "rwlock-r" and context != "task" and not RT else TIMES
    if name == "ww_mutex" and every_mutex_counts():
        claim(made[0] >= seen, what)  # the kernel injects failures
        return True
    claim(made[2] == (0 if outcome == "taken" else TIMES), what)
    for row in kind.rows:
        ended = seen + TIMES * passes_without_contention(name, outcome)
        claim(gained[row, "begun"] == ended and gained[row, "ended"] == ended, f"{row}: {what}")
        claim(gained[row, "failed"] == (0 if outcome == "taken" else seen), f"{row}: {what}")
        for why in FAILURES:
            claim(gained[row, why] == (seen if outcome == why else 0), f"{row}, {why}: {what}")
    counts.claim_rows(gained, rows_inside(name) | rows_beside(name) | kind.rows, what)
    return True


def each_wait_is_counted_once(context):
    def test():
        done = {(name, outcome) for name in KINDS for outcome in OUTCOMES
                if once(name, context, outcome)}
        print(f"# {len(done)} kinds of waits in {context}")
        wanted = {"raw_spinlock"} | (set() if RT and context == "hardirq" else
                                     {"spinlock", "rwlock-r", "rwlock-w"})
        claim(wanted <= {name for name, outcome in done if outcome == "taken"}, f"{done}")
        if context == "task":
            claim({("mutex", "signal"), ("semaphore", "timeout"), ("ww_mutex", "deadlock")} <= done,
                  f"{done}")
            if ("rqspinlock", "taken") in done:
                claim({("rqspinlock", "timeout"), ("rqspinlock", "deadlock")} <= done, f"{done}")
    test.__name__ = f"each_wait_in_{context}_is_counted_once"
    return test


def waits_within_a_spin(how):
    """Two waits of one CPU at once, for two locks: neither is taken for the other."""
    outer, inner = Counts("kinds_raw"), Counts("kinds_inner")
    if not make(how):
        raise Skipped("on this kernel the tail of an interrupt wakes nobody")
    for counts in (outer, inner):
        gained = counts.gained()
        claim(gained == {("spinlock", "begun"): 1, ("spinlock", "ended"): 1},
              f"{counts.variable}: {dict(gained)}")


def interrupt_waits_within_a_spin():
    waits_within_a_spin("nested")


def interrupt_that_returns_waits_within_a_spin():
    waits_within_a_spin("tail")


def storm(kind, outcome, times):
    """One in which somebody waits: no two CPUs of an emulated machine may run at once."""
    for _ in range(MOST_STORMS):
        counts = Counts(kind.variable)
        made = make("storm", kind.name, outcome, str(times))
        gained = counts.gained()
        if not made or gained or any(made):
            break
    if made:
        wanted = rows_inside(kind.name)
        # Readers take it to write now and then.
        for other in KINDS.values():
            if other.variable == kind.variable:
                wanted |= other.rows
        counts.claim_rows(gained, wanted, f"storm on {kind.name}, {outcome}: {dict(gained)}")
    return made, gained


def storms_are_counted_exactly():
    """Whatever the order: begun and ended are equal, and as the module saw them."""
    for name, kind in KINDS.items():
        for outcome in OUTCOMES:
            times = STORM // 5 if name.startswith("pcpu") or outcome == "timeout" else STORM
            made, gained = storm(kind, outcome, times) if name != "rqspinlock" else (None, None)
            if not made:
                continue
            ended = Counts.sum(gained, "ended")
            what = f"storm on {name}, {outcome}: {dict(gained)}, the module saw {made}"
            print(f"# {name}, {outcome}: {ended} ended, {made[1]} failed")
            claim(ended and ended == Counts.sum(gained, "begun"), what)
            claim(made[:2] == [ended, Counts.sum(gained, "failed")], what)
            claim(not Counts.sum(gained, "lost"), what)
            claim(outcome == "taken" or made[2], f"nobody failed: {what}")
            if not (name == "ww_mutex" and every_mutex_counts()):
                # On PREEMPT_RT a reader that fails does so for the rt_mutex inside, too.
                twice = gained["rwlock-rt:R", "failed"]
                claim(made[1] - twice == made[2], what)


def told_by_reader(*options):
    status, out, err = gridlock("locks", "-L", "kinds_", *options)
    claim(status == 0, f"locks exits {status}: {err}")
    return out


def form_is_told_everywhere():
    """By the module's text and all of the reader's; "-", nothing or null is no form."""
    rows = {(row.kind, row.name): row.form for row in read_locks()[1]
            if row.row == LOCK and row.name.startswith("kinds_") and row.begun}
    forms = set(rows.values())
    claim({NO_FORM, "ww_mutex", "mutex"} <= forms, f"{forms}")
    claim(not RT or {"spinlock_t", "rt_mutex", "rwlock_t", "rw_semaphore"} <= forms, f"{forms}")
    with open(f"{DEBUGFS}/locks", encoding="ascii") as file:
        head, *lines = [line.split() for line in file]
    claim(head[-1] == "form", f"{head}")
    module = {(line[0], line[1]): line[-1] for line in lines}
    as_json = {(row["type"], row["lock"]): row["form"]
               for row in json.loads(told_by_reader("--json"))["locks"]}
    head, *lines = [line.split("|") for line in told_by_reader("-x", "|").splitlines()]
    claim(head[-1] == "form", f"{head}")
    fields = {(line[4], line[5]): line[-1] for line in lines}
    text = {tuple(re.split(r" {2,}", line.strip())[4:6]): line.split()[-1]
            for line in told_by_reader().splitlines()[2:]}
    for row, form in rows.items():
        told = None if form == NO_FORM else form
        what = f"{row} is {form}: {module[row]}, {as_json[row]}, {fields[row]}, {text[row]}"
        claim(module[row] == text[row] == (told or "-"), what)
        claim(as_json[row] == told and fields[row] == (told or ""), what)


def coverage_tells_the_forms():
    """On every stock kernel: nothing is merged that could be told."""
    with open(f"{DEBUGFS}/coverage", encoding="ascii") as file:
        told = dict(line.split(None, 1) for line in file)
    for kind in ("rtmutex", "rwlock-rt:R", "rwlock-rt:W") if RT else ("mutex",):
        wanted = {form for lock in KINDS.values() for row, form in lock.rows.items()
                  if row == kind and form != NO_FORM}
        named = re.search(r"; form tells ([^;]*)$", told[kind].rstrip())
        claim(named and set(named[1].split()) == wanted, f"{kind}: {told[kind]}, not {wanted}")


def nothing_was_lost():
    claim_exact()
    lost = {name: value for name, value in stats().items() if name.startswith("lost.") and value}
    claim(not lost, f"{lost}")


def need_kinds():
    need_module()
    need_test_module("gridlock_kinds")


TESTS = [each_wait_is_counted_once(context) for context in CONTEXTS] + [
    interrupt_waits_within_a_spin, interrupt_that_returns_waits_within_a_spin,
    storms_are_counted_exactly, form_is_told_everywhere, coverage_tells_the_forms,
    nothing_was_lost]

if __name__ == "__main__":
    try:
        run([(test.__name__, test) for test in TESTS], need_kinds)
    finally:
        # Its probe would be beside gridlock's for the tests after this one.
        if module_loaded("gridlock_kinds"):
            subprocess.run(["rmmod", "gridlock_kinds"], check=True)
