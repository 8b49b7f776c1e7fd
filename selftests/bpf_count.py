#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""An independent BPF program counts the same waits at the same tracepoints.

What it must have counted is bounded by the order of events alone: the module's
counters are read before it attaches and after, and before it detaches and after. Where
nothing happens between two of these, the bounds are equal, and so are the counts.
"""

import collections
import os
import subprocess

from counters import STORM, STORM_KINDS, read_locks, reload, stats, totals, wait_until_over
from gltest import (HERE, READY_SECS, Scenario, Skipped, claim, need_kernel_locks, need_module,
                    read_line, run, wait_until)

COUNT = os.path.join(HERE, "count", "count")

# Flags of contention_begin: the kernel's trace/events/lock.h.
SPIN, READ, WRITE, RT, PERCPU, MUTEX = (1 << bit for bit in range(6))

# Whose they are, as they stand in the kernel's calls of the tracepoint; none other are.
KIND = {
    SPIN: "spinlock", SPIN | READ: "rwlock:R", SPIN | WRITE: "rwlock:W",
    READ: "rwsem:R", WRITE: "rwsem:W", PERCPU | READ: "pcpu-sem:R",
    PERCPU | WRITE: "pcpu-sem:W", RT: "rtmutex", RT | READ: "rwlock-rt:R",
    RT | WRITE: "rwlock-rt:W", MUTEX: "mutex", MUTEX | SPIN: "mutex", 0: "semaphore",
}

# What the storm makes wait, and hardly anything else does.
QUIET = 0
KINDS = sorted(set(STORM_KINDS) & set(KIND.values()))
# Waits of each of these kinds, at the least.
ENOUGH = 20
NAMES = ("begun", "ended", "failed")
# Until nothing else waits for a quiet lock while the program attaches or detaches.
TRIES = 5


class Module:
    """The module's own counters by kind, at some moment while they are read."""

    def __init__(self):
        header, rows = read_locks()
        self.totals = totals(rows)
        self.meanwhile = header["nr_meanwhile"]

    def count(self, kind, name):
        return getattr(self.totals[kind], name)

    def in_flight(self, kind):
        """Waits that were in flight at that moment, at the most."""
        row = self.totals[kind]
        return max(0, row.begun - row.ended - row.lost) + self.meanwhile


class Counted:
    """The program counts from attached to detached, and the block is in between."""

    def __init__(self, *options):
        self.options = options
        self.counts = collections.Counter()
        self.said = {}

    def __enter__(self):
        self.before = Module()
        self.process = subprocess.Popen([COUNT, *self.options], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        claim("attached" in read_line(self.process.stdout, READY_SECS), "count does not attach")
        self.begin = Module()
        return self

    def __exit__(self, *_):
        self.end = Module()
        out = self.process.communicate("", timeout=READY_SECS)[0]
        self.after = Module()
        claim(not self.process.returncode, f"count exits {self.process.returncode}")
        for words in map(str.split, out.splitlines()):
            if len(words) == 2:
                self.said[words[0]] = int(words[1])
                continue
            flags, *numbers = map(int, words[1:])
            claim(flags in KIND, f"a wait began with flags {flags:#x}")
            for name, number in zip(NAMES, numbers):
                self.counts[KIND[flags], name] += number

    def bounds(self, kind, name):
        """What it has counted if it missed nothing.

        Of a wait that was in flight when it attached the end is none of its own, and a
        later phase seems to begin it.
        """
        low = self.end.count(kind, name) - self.begin.count(kind, name)
        high = self.after.count(kind, name) - self.before.count(kind, name)
        if name == "begun":
            return low, high + self.before.in_flight(kind)
        return low - self.begin.in_flight(kind), high

    def missed(self):
        return self.said["misses"] + self.said["no_room"]

    def differences(self):
        found = []
        for kind in sorted(set(KIND.values())):
            for name in NAMES:
                low, high = self.bounds(kind, name)
                number = self.counts[kind, name]
                if not low - self.missed() <= number <= high:
                    found.append(f"{kind}: {number} {name}, the module has {low} to {high}, "
                                 f"missed {self.missed()}")
        return found

    def is_exact(self, kind):
        return not self.missed() and all(len(set(self.bounds(kind, name))) == 1 for name in NAMES)


def count_storm(*options):
    with Counted(*options) as counted:
        with Scenario(STORM) as scenario:
            wait_until(lambda: all(Module().count(kind, "ended") >= ENOUGH for kind in KINDS),
                       f"each of {KINDS} is waited for {ENOUGH} times")
        wait_until_over(scenario)
    return counted


def count_until_exact(*options):
    """So that one more or less shows. Kinds that others wait for, too, may not be."""
    for _ in range(TRIES):
        reload()
        counted = count_storm(*options)
        lost = {name: value for name, value in stats().items()
                if name.startswith("lost.") and value}
        claim(not lost, f"nothing is to be lost: {lost}")
        if counted.is_exact(KIND[QUIET]):
            return counted
    bounds = {name: counted.bounds(KIND[QUIET], name) for name in NAMES}
    claim(False, f"the bounds of {KIND[QUIET]} are never equal: {bounds}, {counted.said}")


def counts_are_those_of_bpf():
    counted = count_until_exact()
    claim(not counted.differences(), "; ".join(counted.differences()))


def one_end_that_is_forgotten_makes_them_differ():
    """The twin: the program keeps quiet about one end of thousands."""
    differences = count_until_exact(str(QUIET)).differences()
    claim(any(" ended" in line for line in differences) and
          all(line.startswith(KIND[QUIET]) for line in differences),
          f"they differ by {differences}")


def an_end_that_the_module_drops_makes_them_differ():
    reload("drop_ends=7")
    differences = count_storm().differences()
    reload()
    claim(any(" ended" in line for line in differences), f"they differ by {differences}")


TESTS = [counts_are_those_of_bpf, one_end_that_is_forgotten_makes_them_differ,
         an_end_that_the_module_drops_makes_them_differ]


def need_all():
    need_module()
    need_kernel_locks()
    if not os.path.exists(COUNT):
        raise Skipped(f"{COUNT} is not built: that takes libbpf, clang and bpftool")


if __name__ == "__main__":
    run([(test.__name__, test) for test in TESTS], need_all)
