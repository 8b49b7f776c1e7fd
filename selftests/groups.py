#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Ended waits by task, owner, cgroup and caller: they add up, and name who it was."""

import functools
import json
import os
import struct
import subprocess
import time

from counters import (KINDS, PARAMETERS, STORM, every_mutex_counts, in_flight, read_bin, reload,
                      set_parameter, stats)
from gltest import RT, Failed, Scenario, claim, gridlock, need_both, run, wait_until

TOTAL, OTHER, GROUP = 1, 3, 4
TASK, OWNER, CGROUP, CALLER = 1, 2, 3, 4
BY = {"task": TASK, "owner": OWNER, "cgroup": CGROUP, "caller": CALLER}
BY_ALL = [f"by_{name}=1" for name in BY]
SUMS = ("ended", "failed", "total_ns")

MUTEX = "rtmutex" if RT else "mutex"
WAITERS = 5
QUEUE = ["p0: kmutex:0 sync settle"] + [f"p{i}: sync !kmutex:0" for i in range(1, WAITERS + 1)]

# An hour: no wait here lasts so long.
NEVER_NS = 3600 * 10**9


class Group:
    """One record of groups.bin."""

    def __init__(self, record):
        (self.ended, self.failed, self.total_ns, self.max_ns, self.start_ns, self.cgroup,
         self.row, self.by, kind, self.tid, self.tgid, self.nr_frames) = struct.unpack_from(
             "=6QIIIiiI", record)
        self.kind = KINDS[kind]
        self.comm = record[72:88].split(b"\0")[0].decode()
        self.stack = record[88:464].split(b"\0")[0].decode().split()


def read_groups(by=None):
    return [group for group in map(Group, read_bin("groups.bin")[1])
            if by is None or (group.by == by and group.row == GROUP)]


def claim_exact(dimensions):
    """No wait begins; an end that comes between two CPUs' sums is no fault: look again."""
    set_parameter("enabled", 0)
    try:
        for last in [False] * 20 + [True]:
            wrong = differences(dimensions)
            if not wrong:
                return
            claim(not last, "; ".join(wrong))
            time.sleep(0.1)
    finally:
        set_parameter("enabled", 1)


def differences(dimensions):
    groups = read_groups()
    claim({group.by for group in groups} == {0} | set(dimensions),
          f"dimensions are {({group.by for group in groups})}")
    wrong = []
    for total in (group for group in groups if group.row == TOTAL):
        for by in dimensions:
            parts = [group for group in groups if group.kind == total.kind and group.by == by]
            for name in SUMS:
                parted = sum(getattr(part, name) for part in parts)
                if parted != getattr(total, name):
                    wrong.append(f"{total.kind} by {by}: {name} {parted}, not "
                                 f"{getattr(total, name)}")
    return wrong


def count_anew(by=(), caller_ns=NEVER_NS):
    """As if the module were loaded with these dimensions, which takes a slow machine long."""
    for name in BY:
        set_parameter(f"by_{name}", int(name in by))
    set_parameter("caller_ns", caller_ns)
    set_parameter("reset", 1)


def storm(seconds=2):
    with Scenario(STORM):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            read_groups()


def groups_add_up_after_a_storm():
    """Every dimension, and a stack for every wait, while the groups are read."""
    reload(*BY_ALL, "caller_ns=1")
    storm()
    claim_exact(BY.values())
    for by in (TASK, OWNER, CALLER):
        claim(read_groups(by), f"no group by {by}")


def groups_add_up_with_the_least_table():
    reload(*BY_ALL, "caller_ns=1", "max_groups=16")
    storm()
    claim(stats()["events.groups_full"], "all groups fit a table for 16")
    claim_exact(BY.values())


def groups_add_up_after_reset_under_load():
    reload("by_task=1", "by_caller=1", "caller_ns=1")
    with Scenario(STORM):
        for _ in range(20):
            set_parameter("reset", 1)
            read_groups()
    claim_exact([TASK, CALLER])


def groups_add_up_after_a_change_under_load():
    """What is counted changes again and again: no wait is in one sum and not in the other."""
    count_anew(("task", "caller"), 1)
    with Scenario(STORM):
        for number in range(40):
            set_parameter(("by_task", "by_owner", "by_caller", "by_cgroup")[number % 4],
                          number // 4 % 2)
            claim_near()
    set_parameter("by_cgroup", 0)
    claim_exact([by for name, by in BY.items() if parameter(f"by_{name}") == "Y"])


def claim_near():
    """A dimension that is shown adds up, but for what comes meanwhile."""
    header, records = read_bin("groups.bin")
    groups = [Group(record) for record in records]
    for total in (group for group in groups if group.row == TOTAL):
        for by in {group.by for group in groups} - {0}:
            parted = sum(group.ended for group in groups
                         if group.kind == total.kind and group.by == by)
            claim(abs(total.ended - parted) <= header["nr_meanwhile"],
                  f"{total.kind} by {by}: {parted} ended, not {total.ended}, with "
                  f"{header['nr_meanwhile']} events meanwhile")


def parameter(name):
    with open(f"{PARAMETERS}/{name}", encoding="ascii") as file:
        return file.read().strip()


def what_is_off_has_no_rows():
    count_anew()
    with Scenario(QUEUE):
        wait_until(lambda: in_flight().get(MUTEX, 0) >= WAITERS, "all wait")
    claim_exact([])


def after_queue(*by, caller_ns=NEVER_NS):
    """Make five waits for what p0 holds. Return: the groups, and p0's and the others' tids."""
    count_anew(by, caller_ns)
    with Scenario(QUEUE) as scenario:
        wait_until(lambda: in_flight().get(MUTEX, 0) >= WAITERS, "all wait")
        tids = dict(scenario.tid)
    return [group for group in read_groups() if group.kind == MUTEX and group.row == GROUP], tids


def once_alone(function):
    """A task may also have a mutex of the kernel's own, such as a pipe's, or wait for one,
    but not each time.
    """
    @functools.wraps(function)
    def test():
        for last in [False] * 4 + [True]:
            try:
                function()
                return
            except Failed:
                if last:
                    raise
    return test


@once_alone
def each_task_has_its_waits():
    """One for each who waited; their sum and number; none for who held the lock."""
    groups, tids = after_queue("task")
    tasks = {group.tid: group for group in groups if group.by == TASK}
    for name, tid in tids.items():
        ended = tasks[tid].ended if tid in tasks else 0
        if RT or every_mutex_counts():
            # Its waits for spinlock_t, or its takes of free mutexes, count as well.
            claim(name == "p0" or ended >= 1, f"{name} has {ended} waits")
        else:
            claim(ended == (name != "p0"), f"{name} has {ended} waits")
        claim(tid not in tasks or tasks[tid].comm == name, f"{name} is called {tasks.get(tid)}")


@once_alone
def owner_has_the_waits_for_it():
    groups, tids = after_queue("owner")
    owners = {group.tid: group for group in groups if group.by == OWNER}
    claim(tids["p0"] in owners, f"p0 of {tids} is no owner: {list(owners)}")
    ended = owners[tids["p0"]].ended
    claim(ended >= WAITERS if RT else ended == WAITERS, f"{ended} waits for p0")
    for i in range(1, WAITERS + 1):
        claim(RT or tids[f"p{i}"] not in owners, f"p{i} owned the lock when a wait began")


def callers(groups, function):
    return [group for group in groups
            if group.by == CALLER and function in [name.split("+")[0] for name in group.stack]]


def caller_is_in_the_stack():
    groups, _ = after_queue("caller", caller_ns=1)
    found = callers(groups, "scenario_write")
    claim(sum(group.ended for group in found) == WAITERS + every_mutex_counts(),
          f"{[(group.ended, group.stack) for group in groups if group.by == CALLER]}")
    claim(all(group.stack[0].startswith(("__traceiter", "__mutex", "mutex", "__rt_mutex",
                                         "rt_mutex", "_", "rt")) for group in found),
          f"{[group.stack for group in found]}")


def below_the_threshold_no_stack_is_kept():
    groups, _ = after_queue("caller")
    claim(not [group for group in groups if group.by == CALLER], "a stack was kept")


def cgroup_has_the_waits_in_it():
    """The queue waits in a cgroup of its own; its twin beside it has nothing."""
    top = "/sys/fs/cgroup"
    if not os.path.exists(f"{top}/cgroup.procs"):
        subprocess.run(["mount", "-t", "cgroup2", "none", top], check=True)
    for name in ("gl_in", "gl_out"):
        os.mkdir(f"{top}/{name}")
    try:
        move_to(f"{top}/gl_in")
        try:
            groups, _ = after_queue("cgroup")
        finally:
            move_to(top)
        ended = {group.cgroup: group.ended for group in groups if group.by == CGROUP}
        inside, outside = (os.stat(f"{top}/{name}").st_ino for name in ("gl_in", "gl_out"))
        claim(ended.get(inside, 0) >= WAITERS, f"{ended}, not {inside}")
        claim(outside not in ended, f"{ended} has {outside}")
    finally:
        for name in ("gl_in", "gl_out"):
            os.rmdir(f"{top}/{name}")


def table(*args):
    """Rows of `gridlock locks --json`."""
    status, out, err = gridlock("locks", "--json", *args)
    claim(status == 0, f"locks {' '.join(args)} exits {status}: {err}")
    rows = [rows for name, rows in json.loads(out).items() if name != "schema"]
    claim(len(rows) == 1, f"{out[:200]}")
    return rows[0]


def reader_tells_the_groups():
    _, tids = after_queue(*BY, caller_ns=1)
    set_parameter("enabled", 0)
    try:
        threads = {row["tid"]: row for row in table("-t")}
        owners = {row["tid"]: row for row in table("-o", "-Y", MUTEX)}
        for name in ("p1", "p5"):
            claim(threads[tids[name]]["comm"] == name, f"{threads[tids[name]]}")
        claim(owners[tids["p0"]]["contended"] >= WAITERS, f"{owners[tids['p0']]}")
        made = table("-S", "scenario_write", "-Y", MUTEX)
        claim(sum(row["contended"] for row in made) == WAITERS + every_mutex_counts(), f"{made}")
        claim(all(not row["caller"].startswith(("mutex", "__mutex", "rt_", "__rt"))
                  for row in made), f"{made}")
        claim(not table("-S", "no_such_function"), "a stack has no_such_function")
        claim(sum(row["contended"] for row in table("-g")) ==
              sum(row["contended"] for row in table("-t")), "by cgroup and by task differ")
    finally:
        set_parameter("enabled", 1)


def reader_refuses_what_is_not_counted():
    """Nothing is, unless it is asked for: so it is left for who comes next, too."""
    reload()
    status, out, err = gridlock("locks", "-o")
    claim(status == 2 and not out and "by_owner" in err, f"{status}: {out} {err}")


def move_to(folder):
    with open(f"{folder}/cgroup.procs", "w", encoding="ascii") as file:
        file.write(str(os.getpid()))


TESTS = [groups_add_up_after_a_storm, groups_add_up_with_the_least_table,
         groups_add_up_after_reset_under_load, groups_add_up_after_a_change_under_load,
         what_is_off_has_no_rows, reader_tells_the_groups,
         each_task_has_its_waits, owner_has_the_waits_for_it, caller_is_in_the_stack,
         below_the_threshold_no_stack_is_kept, cgroup_has_the_waits_in_it,
         reader_refuses_what_is_not_counted]


if __name__ == "__main__":
    run([(test.__name__, test) for test in TESTS], need_both)
