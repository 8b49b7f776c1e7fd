#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""For how long locks were held while others waited, and by whom, where the kernel
tells who releases them: the module's holds=1.

A module of the tests holds locks and measures that itself.
"""

import json
import os
import re
import struct
import subprocess

from counters import (DEBUGFS, LOCK, OTHER, TOTAL, Row, claim_exact as claim_waits_exact,
                      every_mutex_counts, read_bin, read_waits, reload, set_parameter, stats,
                      storm)
from gltest import (KERNEL_LOCKS, RT, Failed, Skipped, claim, gridlock, need_both,
                    need_test_module, run, wait_until)
from groups import OWNER, read_groups
from kinds import KINDS, MOST_STORMS, make

# The field of a record that the four numbers of holds begin at, and the file's flag.
HOLDS_AT, FLAG = 512, 1 << 2

# So often is each lock held, one time after another.
TIMES = 5

# How long a waiter spun before it entered a mutex's queue is known to that part; and
# clocks differ.
BLUR, BLUR_NS = 1024, 1000

# What one holds who does not wait for it, while another waits, is known of these.
KNOWN = ("raw_spinlock", "spinlock", "mutex", "rwsem-r", "rtmutex")
# Of these that it was let go of, by whom, and no more; of qrwlocks not even that.
RELEASED = ("rwsem-w", "semaphore", "pcpu-r", "pcpu-w")
UNSEEN = ("rwlock-r", "rwlock-w")

LOSSES = ("lost.recursion_release", "lost.hold_busy", "events.holds_given_up")


class HoldRow(Row):
    """One record of locks.bin, with its holds."""

    def __init__(self, record):
        super().__init__(record)
        (self.holds, self.in_irq, self.hold_total_ns,
         self.hold_max_ns) = struct.unpack_from("=4Q", record, HOLDS_AT)


def read_rows():
    header, records = read_bin("locks.bin")
    return header, [HoldRow(record) for record in records]


def rows_of(variable, kinds):
    return [row for row in read_rows()[1] if row.row == LOCK and row.kind in kinds and
            row.name.split("+")[0] == variable]


def coverage():
    with open(f"{DEBUGFS}/coverage", encoding="ascii") as file:
        return dict(line.split(None, 1) for line in file)


def is_there():
    """Does this kernel tell of releases?"""
    return subprocess.run(["grep", "-q", "contended_release", "/proc/kallsyms"],
                          check=False).returncode == 0


def need_releases():
    if not is_there():
        raise Skipped("this kernel does not tell who releases a lock")


def losses():
    return {name: value for name, value in stats().items() if name in LOSSES and value}


def counted(kind, waits, others):
    """How many waits a row has: of a mutex, those of others who did not wait may count."""
    return waits + others * (kind == "mutex" and every_mutex_counts())


def held(name, context="task"):
    """The module holds a lock while one waits. Return: its row; the least and the most
    that it was held.
    """
    kind = KINDS[name]
    for _ in range(MOST_STORMS):
        reload("holds=1", "by_owner=1")
        made = make("once", name, context, "taken", str(TIMES))
        claim(made, f"{name} cannot be waited for in {context}")
        if not losses():
            break
    rows = rows_of(kind.variable, kind.rows)
    claim(len(rows) == 1 and rows[0].ended == counted(rows[0].kind, TIMES, TIMES),
          f"{name}: {[vars(row) for row in rows]}")
    return rows[0], made[3], made[4]


def claim_within(row, least, most, what):
    claim(row.holds == TIMES, f"{what}: {row.holds} holds of {TIMES}; {losses()}")
    claim(least - most / BLUR - TIMES * BLUR_NS <= row.hold_total_ns <= most,
          f"{what}: {row.hold_total_ns} ns are not from {least} to {most}")
    claim(row.hold_total_ns // TIMES <= row.hold_max_ns <= row.hold_total_ns,
          f"{what}: {row.hold_max_ns} ns at most, of {row.hold_total_ns}")


def claim_owner(kind, what, owner=None):
    """All waits for a lock of this kind were for us."""
    ended = {group.tid: group.ended for group in read_groups(OWNER) if group.kind == kind}
    owner = os.getpid() if owner is None else owner
    claim(ended.get(owner, 0) >= TIMES, f"{what}: owners are {ended}, not {owner}")


def hold_is_as_long_as_it_was():
    need_releases()
    for name in KNOWN:
        row, least, most = held(name)
        print(f"# {name}: {row.hold_total_ns} ns, by the holder {least} to {most}")
        claim_within(row, least, most, name)
        claim(not row.in_irq, f"{name}: {row.in_irq} holds of interrupts")
        claim_owner(row.kind, name)


def hold_is_known_where_an_interrupt_waits():
    need_releases()
    for context in ("softirq", "hardirq"):
        row, least, most = held("raw_spinlock", context)
        claim_within(row, least, most, context)
        claim_owner(row.kind, context)


def only_the_holder_is_known_where_nothing_proves_how_long():
    need_releases()
    for name in RELEASED:
        row, _, _ = held(name)
        claim(not row.holds, f"{name}: {row.holds} holds, {row.hold_total_ns} ns")
        claim_owner(row.kind, name)


def of_rwlocks_nothing_is_known():
    need_releases()
    for name in UNSEEN:
        row, _, _ = held(name)
        claim(not row.holds, f"{name}: {row.holds} holds")
        claim(not [group for group in read_groups(OWNER) if group.kind == row.kind],
              f"{name} has an owner")


def without_waiters_there_is_no_hold():
    """The twin: the same locks are held, and nobody waits."""
    need_releases()
    reload("holds=1")
    for name in KNOWN + RELEASED + UNSEEN:
        make("alone", name, str(TIMES))
        rows = rows_of(KINDS[name].variable, KINDS[name].rows)
        claim(not any(row.holds for row in rows), f"{name}: {[vars(row) for row in rows]}")
        claim(len(rows) == counted(name, 0, 1), f"{name} has {len(rows)} rows")


def ask(file, *words):
    """Have the module of kernel locks do it, in our context."""
    os.write(file, " ".join(words).encode())


def child_takes_and_drops(lock):
    pid = os.fork()
    if not pid:
        file = os.open(KERNEL_LOCKS, os.O_WRONLY)
        ask(file, "lock", lock, "7")
        ask(file, "unlock", lock, "7")
        os._exit(0)
    wait_until(lambda: any(wait.sleeps_inside() for wait in read_waits(pid)), "a child waits")
    return pid


def pass_on(lock):
    """We hold it, then each of our children. Return: these, in order; and which lock it is."""
    file = os.open(KERNEL_LOCKS, os.O_WRONLY)
    try:
        ask(file, "lock", lock, "7")
        children = [child_takes_and_drops(lock) for _ in range(TIMES)]
        res = next(wait.res for wait in read_waits(children[0]) if wait.sleeps_inside())
        ask(file, "unlock", lock, "7")
        for pid in children:
            claim(os.waitpid(pid, 0)[1] == 0, f"a child did not get the {lock}")
    finally:
        os.close(file)
    return children, res


def row_passed_on(lock, kind):
    for _ in range(MOST_STORMS):
        reload("holds=1", "by_owner=1")
        children, res = pass_on(lock)
        if not losses():
            break
    rows = [row for row in read_rows()[1] if row.row == LOCK and row.id == res]
    claim(len(rows) == 1 and rows[0].kind == kind and not rows[0].failed and
          rows[0].ended == counted(kind, TIMES, 1), f"{kind}: {[vars(row) for row in rows]}")
    return rows[0], children


def each_in_a_queue_holds_it():
    """Who took it and all who waited but the last one, who makes nobody wait.

    Of a semaphore it is known of those who waited: who took it may have done it for
    another one.
    """
    need_releases()
    for lock, kind, holds in (("mutex", "mutex", TIMES), ("rwsem-w", "rwsem:W", TIMES),
                              ("rtmutex", "rtmutex", TIMES), ("sem", "semaphore", TIMES - 1)):
        row, children = row_passed_on(lock, kind)
        claim(row.holds == holds, f"{kind}: {row.holds} holds, not {holds}; {losses()}")
        owners = {group.tid: group.ended for group in read_groups(OWNER) if group.kind == kind}
        claim(os.getpid() in owners and children[-1] not in owners,
              f"{kind}: we are {os.getpid()}, then {children}; owners are {owners}")
        if kind == "semaphore":
            claim(all(owners.get(pid) == 1 for pid in children[:-1]), f"{children}, {owners}")


def claim_holds_exact():
    """Nothing begins: for each kind the rows and `other` are the total."""
    set_parameter("enabled", 0)
    try:
        rows = read_rows()[1]
    finally:
        set_parameter("enabled", 1)
    for total in (row for row in rows if row.row == TOTAL):
        for name in ("holds", "in_irq", "hold_total_ns"):
            parted = sum(getattr(row, name) for row in rows
                         if row.kind == total.kind and row.row in (LOCK, OTHER))
            claim(parted == getattr(total, name),
                  f"{total.kind}: {name} is {getattr(total, name)}, of rows {parted}")
        claim(total.hold_total_ns >= total.hold_max_ns, f"{total.kind}: the longest is more")
    return rows


def sums_are_exact_after_a_storm():
    """With the least table of rows, too, in which most locks are in `other`."""
    need_releases()
    for parameters in (["holds=1"], ["holds=1", "max_locks=16"]):
        reload(*parameters)
        storm(1)
        claim_waits_exact()
        rows = claim_holds_exact()
        claim(any(row.holds for row in rows if row.row == TOTAL), "a storm without a hold")
    print(f"# {stats()['events.releases']} releases, {losses()}")


def reset_takes_holds_with_it():
    need_releases()
    row, _, _ = held("mutex")
    claim(row.holds, "nothing to reset")
    set_parameter("reset", 1)
    claim(not rows_of("kinds_mutex", {"mutex"}), "the row is still there")
    claim_holds_exact()


def interrupts_hold_spinlocks():
    need_releases()
    reload("holds=1")
    for _ in range(MOST_STORMS):
        make("storm", "raw_spinlock", "taken", "150")
        if any(row.in_irq for row in rows_of("kinds_raw", {"spinlock"})):
            break
    else:
        raise Failed(f"no interrupt has held it: {losses()}")
    claim_holds_exact()


def reader_shows_holds():
    need_releases()
    row, least, most = held("mutex")
    claim_within(row, least, most, "mutex")
    status, out, err = gridlock("locks", "--json", "-L", "kinds_mutex", "-k", "hold_max")
    claim(status == 0, f"locks exits {status}: {err}")
    shown = json.loads(out)["locks"][0]
    claim((shown["holds"], shown["holds_in_irq"], shown["hold_total_ns"], shown["hold_max_ns"],
           shown["avg_hold_ns"]) == (row.holds, row.in_irq, row.hold_total_ns, row.hold_max_ns,
                                     row.hold_total_ns // row.holds), f"{shown}, {vars(row)}")
    _, out, _ = gridlock("locks", "-L", "kinds_mutex")
    claim(re.search(r"\bholds +avg hold +max hold$", out.splitlines()[0]), out)
    _, out, _ = gridlock("locks", "-L", "kinds_mutex", "-x", ";")
    head, line = (text.split(";") for text in out.splitlines()[:2])
    claim(len(head) == len(line) and line[head.index("total hold")] == str(row.hold_total_ns), out)
    with open(f"{DEBUGFS}/locks", encoding="ascii") as file:
        lines = [line.split() for line in file]
    column = lines[0].index("hold_total_ns")
    claim([line[column] for line in lines if line[1] == "kinds_mutex"] == [str(row.hold_total_ns)],
          f"{lines[0]}")


def claim_no_holds():
    """Nothing tells of holds, but that there are none."""
    header, rows = read_rows()
    claim(not header["flags"] & FLAG, f"flags are {header['flags']:#x}")
    claim(not any(row.holds or row.hold_total_ns for row in rows), "there are holds")
    for args in ((), ("-x", ";"), ("--json",)):
        status, out, _ = gridlock("locks", *args)
        claim(status == 0 and "hold" not in out, f"locks {args}: {out[:300]}")
    status, _, err = gridlock("locks", "-k", "avg_hold")
    claim(status == 2 and "holds=1" in err, f"sorted by holds, it exits {status}: {err}")


def by_default_nothing_is_measured():
    reload()
    make("once", "mutex", "task", "taken", str(TIMES))
    claim(stats()["probe.release"] == "off", f"{stats()['probe.release']}")
    claim(not stats()["events.releases"] and not stats()["table.hold_bytes"], f"{stats()}")
    claim(not any(name.startswith("hold:") for name in coverage()), f"{coverage()}")
    claim_no_holds()


def coverage_tells_of_holds():
    need_releases()
    reload("holds=1")
    claim(stats()["probe.release"] == "on", f"{stats()['probe.release']}")
    claim(stats()["table.hold_bytes"], "the table takes no memory")
    level = {name: text.split(":")[0] for name, text in coverage().items()
             if name.startswith("hold:")}
    claim(len(level) == 12, f"{level}")
    claim(level["hold:spinlock"] == level["hold:rwsem:R"] == level["hold:semaphore"] ==
          "lower-bound", f"{level}")
    claim(level["hold:rwlock:R"] == level["hold:rwlock:W"] == "none", f"{level}")


def kernel_that_does_not_tell_is_told_of():
    """It loads; the log, `stats` and `coverage` say what is missing."""
    if is_there():
        raise Skipped("this kernel tells who releases a lock")
    reload("holds=1")
    try:
        log = subprocess.run(["dmesg"], capture_output=True, text=True, check=True).stdout
        claim("holds=1 needs Linux 7.3" in log, "the log says nothing")
        claim(stats()["probe.release"] == "missing", f"{stats()['probe.release']}")
        claim(coverage()["hold:mutex"].startswith("none: this kernel"), f"{coverage()}")
        make("once", "mutex", "task", "taken", str(TIMES))
        claim_no_holds()
    finally:
        reload()


def need_kinds():
    need_both()
    need_test_module("gridlock_kinds")
    if RT:
        raise Skipped("no PREEMPT_RT kernel here tells who releases a lock")


TESTS = [by_default_nothing_is_measured, kernel_that_does_not_tell_is_told_of,
         coverage_tells_of_holds, hold_is_as_long_as_it_was,
         hold_is_known_where_an_interrupt_waits,
         only_the_holder_is_known_where_nothing_proves_how_long, of_rwlocks_nothing_is_known,
         without_waiters_there_is_no_hold, each_in_a_queue_holds_it,
         sums_are_exact_after_a_storm, reset_takes_holds_with_it, interrupts_hold_spinlocks,
         reader_shows_holds]


if __name__ == "__main__":
    run([(test.__name__, test) for test in TESTS], need_kinds)
