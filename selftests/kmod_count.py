#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The counters add up, and count what was made to happen."""

import os
import re
import signal

from counters import (DEBUGFS, KINDS, LOCK, OTHER, STORM, STORM_KINDS, USER_KINDS, Wait,
                      claim_exact, every_mutex_counts, in_flight, read_bin, read_locks,
                      read_waits, reload, set_parameter, stats, storm, totals, wait_until_over)
from gltest import RT, Scenario, Skipped, claim, need_both, run, wait_until, wchan


def sums_are_exact_after_a_storm():
    storm()
    rows = claim_exact()
    begun = totals(rows)
    for kind in STORM_KINDS:
        claim(begun[kind].begun > 0, f"the storm made no {kind} wait")
    lost = {name: value for name, value in stats().items() if name.startswith("lost.") and value}
    claim(not lost, f"nothing is to be lost: {lost}")


def overflow_the_tables(then):
    """Locks fold into `other`, waits find no slot. then: at the end of the storm, once there
    was both.
    """
    queue = ["p0: kmutex:0 sync"] + [f"p{i}: sync !kmutex:0" for i in range(1, 101)]
    set_parameter("reset", 1)
    lost = stats()["lost.no_slot"]
    with Scenario(STORM), Scenario(queue):
        wait_until(lambda: stats()["lost.no_slot"] > lost, "100 waits do not fit a table for 16")
        wait_until(lambda: any(row.row == OTHER and row.begun for row in read_locks()[1]),
                   "more locks contend than there are rows")
        then()
    claim_exact()


def sums_are_exact_with_the_least_tables():
    """And after a reset of these."""
    def then():
        claim(read_bin("waits.bin")[0]["nr_lost_begins"], "the header tells of no loss")

    reload("max_waits=16", "max_locks=16")
    try:
        overflow_the_tables(then)
        overflow_the_tables(lambda: set_parameter("reset", 1))
    finally:
        reload()


def sums_are_exact_after_reset_under_load():
    storm(then=lambda: set_parameter("reset", 1))
    claim_exact()


def set_online(value, cpu="/sys/devices/system/cpu/cpu1/online"):
    if not os.path.exists(cpu):
        raise Skipped("no CPU can be switched off: there is one only, or no CONFIG_HOTPLUG_CPU")
    with open(cpu, "w", encoding="ascii") as file:
        file.write(str(value))


def sums_are_exact_with_a_cpu_going_off():
    """A CPU goes and comes under load; a reset, and another load, find it off."""
    set_online(1)
    try:
        with Scenario(STORM) as scenario:
            for number in range(3):
                before = read_locks()[1]
                set_online(0)
                after = totals(read_locks()[1])
                for kind, row in totals(before).items():
                    claim(after[kind].ended >= row.ended, f"{kind}: its counts went with the CPU")
                if number == 1:
                    set_parameter("reset", 1)
                if number == 2:
                    reload()
                set_online(1)
            wait_until(lambda: all(totals(read_locks()[1])[kind].ended for kind in STORM_KINDS),
                       "waits of each kind have ended since the load")
        wait_until_over(scenario)
    finally:
        set_online(1)
    claim_exact()


def waits_for(lock):
    return [f"h{lock}: kmutex:{lock} sync", f"w{lock}: sync !kmutex:{lock}"]


def row_of(wait):
    rows = [row for row in read_locks()[1] if row.row == LOCK and row.id == wait.res]
    return rows[0] if rows else None


def others(kind):
    return next(row for row in read_locks()[1] if row.row == OTHER and row.kind == kind)


def reset_gives_up_rows():
    """A table full of locks that nobody waits for any more takes others after a reset.

    The waits end on another CPU than they began on, and so do some in `other`.
    """
    cpus = os.sched_getaffinity(0)
    reload("max_locks=16")
    os.sched_setaffinity(0, {max(cpus)})
    try:
        with Scenario([actor for lock in range(20) for actor in waits_for(lock)]) as scenario:
            claim(any(row.row == OTHER and row.begun for row in read_locks()[1]),
                  "20 locks fit a table for 16")
            for tid in scenario.tid.values():
                os.sched_setaffinity(tid, {min(cpus)})
        claim_exact()
        set_parameter("reset", 1)
        with Scenario(waits_for(20)) as scenario:
            row = row_of(read_waits(scenario.tid["w20"])[0])
            claim(row and row.begun, "the mutex has no row")
        claim_exact()
    finally:
        os.sched_setaffinity(0, cpus)
        reload()


def wait_in_flight_outlasts_a_reset():
    """It is in `other` then, and in its row again once it has ended."""
    set_parameter("reset", 1)
    with Scenario(waits_for(0)) as scenario:
        wait = read_waits(scenario.tid["w0"])[0]
        before = others(wait.kind)
        claim(row_of(wait).begun == 1 + every_mutex_counts(), "the wait is not in a row")
        set_parameter("reset", 1)
        after = others(wait.kind)
        claim(not row_of(wait), "the row has outlasted a reset")
        claim(after.begun == before.begun - before.ended - before.lost + 1,
              f"{after.begun} begun in `other`")
    row = row_of(wait)
    claim(row and (row.begun, row.ended) == (1, 1), "the end made no row with its begin")
    claim_exact()
    set_parameter("reset", 1)
    claim(not row_of(wait), "the row of an ended wait has outlasted a reset")
    claim_exact()


def sums_are_exact_with_ends_dropped():
    """Every lost end is counted: as dropped, and as missed once it is found out."""
    set_parameter("drop_ends", 7)
    try:
        storm()
    finally:
        set_parameter("drop_ends", 0)
    claim(stats()["lost.end_dropped"], "no end was dropped")
    claim_exact()
    reload()


def disabled_begins_nothing():
    set_parameter("enabled", 0)
    try:
        before = totals(read_locks()[1])
        storm(1)
        after = totals(read_locks()[1])
        for kind, row in before.items():
            claim(after[kind].begun == row.begun, f"{kind}: {after[kind].begun} begun")
        claim(stats()["events.disabled"], "events.disabled is 0")
    finally:
        set_parameter("enabled", 1)


def one_wait_is_one_contention():
    """Five tasks queue for one mutex, however often each is woken: five waits."""
    set_parameter("reset", 1)
    queue = ["p0: kmutex:5 sync settle"] + [f"p{i}: sync !kmutex:5" for i in range(1, 6)]
    kind = "rtmutex" if RT else "mutex"
    with Scenario(queue):
        wait_until(lambda: in_flight().get(kind, 0) >= 5, "five wait")
        named = [row for row in read_locks()[1] if row.row == LOCK and row.begun - row.ended == 5]
        claim(len(named) == 1, f"{len(named)} locks have five waits in flight")
        lock = named[0].id
    after = [row for row in read_locks()[1] if row.id == lock and row.row == LOCK]
    number = 6 if every_mutex_counts() else 5  # with who has it first
    claim(len(after) == 1 and after[0].begun == number, f"{after[0].begun} begun")
    claim(after[0].ended == number, f"{after[0].ended} of {number} ended")
    claim(0 < after[0].min_ns <= after[0].max_ns <= after[0].total_ns, "the times do not fit")


def sleepers_are_inside_their_slow_path():
    """Each kind: the stack of who waits proves it, and the owner is who holds the lock."""
    kinds = {"kmutex": "mutex", "krwsem-w": "rwsem:W", "krwsem-r": "rwsem:R",
             "krtmutex": "rtmutex", "ksem": "semaphore", "pi": "futex-pi", "shm": "futex"}
    if RT:
        # A writer and a reader behind a writer wait for the rt_mutex inside.
        kinds |= {"kmutex": "rtmutex", "krwsem-w": "rtmutex", "krwsem-r": "rtmutex"}
    locks = [(word, i) for i, word in enumerate(kinds)]
    holder = " ".join(f"{word.replace('-r', '-w')}:{i}" for word, i in locks)
    with Scenario([f"h: {holder} sync"] +
                  [f"w{i}: sync !{word}:{i}" for word, i in locks]) as scenario:
        for word, i in locks:
            waits = read_waits(scenario.tid[f"w{i}"])
            claim(kinds[word] in [wait.kind for wait in waits],
                  f"{word}: the waits are {[wait.kind for wait in waits]}")
            for wait in waits:
                claim(wait.sleeps_inside(), f"{word}: {wait.kind} has flags {wait.flags:#x}")
            owners = {wait.owner for wait in waits}
            owned = {scenario.tid["h"]} if word not in ("ksem", "pi", "shm") else {0}
            claim(word == "ksem" or owners == owned, f"{word} is owned by {owners}, not {owned}")


def missed_end_is_no_proof():
    """The twin: the wait is over, its end was missed, and the task sleeps elsewhere."""
    if every_mutex_counts():
        raise Skipped("the next mutex that the task takes, contended or not, tells of a missed end")
    with Scenario(["h: kmutex:0 sync", "w: sync !kmutex:0 read:0", "p: wend:0 sync"]) as scenario:
        waiter = scenario.tid["w"]
        set_parameter("drop_ends", 1)
        try:
            os.kill(scenario.tid["h"], signal.SIGKILL)
            wait_until(lambda: "pipe" in wchan(waiter), "w reads from the pipe")
        finally:
            set_parameter("drop_ends", 0)
        # With every end dropped, a spin on its way may have lost its own as well.
        waits = [wait for wait in read_waits(waiter) if not wait.flags & Wait.SPINNING]
        claim(waits, "the end was not missed")
        claim(all(wait.sleeps_outside() for wait in waits),
              f"flags {[hex(wait.flags) for wait in waits]}")
    reload()


def four_snapshots_at_once():
    held = [open(f"{DEBUGFS}/{name}", "rb") for name in ("waits.bin", "locks.bin") * 2]
    try:
        try:
            open(f"{DEBUGFS}/waits", "rb").close()
            claim(False, "a fifth snapshot was given")
        except OSError as error:
            claim(error.errno == 16, f"a fifth snapshot: {error}, not EBUSY")
    finally:
        for file in held:
            file.close()
    open(f"{DEBUGFS}/waits", "rb").close()


def kptr_restrict(value=None):
    """Set it; or return what it is."""
    with open("/proc/sys/kernel/kptr_restrict", "r" if value is None else "w",
              encoding="ascii") as file:
        return file.read().strip() if value is None else file.write(str(value))


def kernel_locks(rows):
    return [row for row in rows if row.row == LOCK and row.kind not in USER_KINDS]


def addresses_are_hidden():
    """Only with CAP_SYSLOG, and as kptr_restrict says; identities stay apart."""
    storm(0.5)
    before = kptr_restrict()
    try:
        kptr_restrict(2)
        header, rows = read_locks()
        locks = kernel_locks(rows)
        claim(not header["flags"] & 1, "the header says that addresses are shown")
        claim(locks and not any(row.addr for row in locks), "an address is shown")
        ids = [(row.id, row.kind) for row in locks]
        claim(len(set(ids)) == len(ids), "two locks have one identity")
        kptr_restrict(1)
        header, rows = read_locks()
        claim(header["flags"] & 1, "the header says that addresses are hidden")
        claim(all(row.addr for row in kernel_locks(rows)), "an address is hidden")
    finally:
        kptr_restrict(before)


def coverage_tells_every_kind():
    with open(f"{DEBUGFS}/coverage", encoding="ascii") as file:
        lines = [line.split(None, 1) for line in file]
    counted = set(KINDS[1:KINDS.index("sysv-sem")])
    claim({kind for kind, _ in lines} == counted, f"coverage is of {[kind for kind, _ in lines]}")
    for kind, text in lines:
        claim(re.match(r"(exact|lower-bound|none)\b", text), f"{kind}: {text}")
    level = {kind: re.match(r"[a-z-]+", text)[0] for kind, text in lines}
    claim(level["mutex"] == ("none" if RT else "exact"), f"mutex: {level['mutex']}")
    for kind, off, on in (("rwlock:R", "lower-bound", "none"), ("rwlock:W", "exact", "none"),
                          ("rwlock-rt:R", "none", "exact"), ("rwlock-rt:W", "none", "lower-bound")):
        claim(level[kind] == (on if RT else off), f"{kind}: {level[kind]}")
    claim(level["rtmutex"] == "exact" and level["semaphore"] == "exact", f"{level}")
    claim(level["futex"] == "lower-bound", f"futex: {level['futex']}")
    old = os.uname().release.startswith("6.1.")
    claim(level["pcpu-sem:W"] == ("exact" if old else "lower-bound"), f"{level['pcpu-sem:W']}")


def table_is_as_binary():
    """The text files tell the same totals."""
    storm(0.5)
    set_parameter("enabled", 0)
    try:
        rows = totals(read_locks()[1])
        with open(f"{DEBUGFS}/locks", encoding="ascii") as file:
            lines = [line.split() for line in file]
        claim(lines[0][:3] == ["kind", "lock", "begun"], f"header line {lines[0]}")
        for line in lines[1:]:
            if line[1] == "(total)":
                claim(int(line[2]) == rows[line[0]].begun, f"{line}: {rows[line[0]].begun}")
    finally:
        set_parameter("enabled", 1)


TESTS = [sums_are_exact_after_a_storm, sums_are_exact_with_the_least_tables,
         sums_are_exact_after_reset_under_load, sums_are_exact_with_a_cpu_going_off,
         reset_gives_up_rows, wait_in_flight_outlasts_a_reset,
         sums_are_exact_with_ends_dropped,
         disabled_begins_nothing, one_wait_is_one_contention,
         sleepers_are_inside_their_slow_path, missed_end_is_no_proof, four_snapshots_at_once,
         addresses_are_hidden, coverage_tells_every_kind, table_is_as_binary]


if __name__ == "__main__":
    run([(test.__name__, test) for test in TESTS], need_both)
