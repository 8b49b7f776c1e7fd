#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""On an idle machine no spin wait is long.

GL_IDLE_SECONDS is how long to look (default 20).

A virtual machine's CPUs are taken away now and then, also from who holds a lock:
what the machine itself was late by is allowed on top.
"""

import multiprocessing
import os
import time

from counters import read_locks, set_parameter, totals
from gltest import claim, need_module, run

SECONDS = float(os.environ.get("GL_IDLE_SECONDS", 20))
SPINNING = ("spinlock", "rwlock:R", "rwlock:W")
LONGEST_NS = 10_000_000
PERIOD_NS = 5_000_000


def longest_pause(cpu, until, result):
    """Sleep by short steps on one CPU, before all others: how late did the latest end?"""
    os.sched_setaffinity(0, {cpu})
    os.setpriority(os.PRIO_PROCESS, 0, -20)
    while (now := time.monotonic_ns()) < until:
        time.sleep(PERIOD_NS / 1e9)
        late = time.monotonic_ns() - now - PERIOD_NS
        result.value = max(result.value, late)


def watch_the_machine(seconds):
    """For so long. Return: the longest time that a CPU was away; ns."""
    until = time.monotonic_ns() + int(seconds * 1e9)
    results = [multiprocessing.Value("q", 0) for _ in os.sched_getaffinity(0)]
    watchers = [multiprocessing.Process(target=longest_pause, args=(cpu, until, result))
                for cpu, result in zip(os.sched_getaffinity(0), results)]
    for watcher in watchers:
        watcher.start()
    for watcher in watchers:
        watcher.join()
    return max(result.value for result in results)


def no_long_spin_on_an_idle_machine():
    """A wait of seconds that nobody was in would be a mistake of the clock or of the pairing."""
    set_parameter("reset", 1)
    pause = watch_the_machine(SECONDS)
    print(f"# the machine was away for {pause / 1e6:.1f} ms at most")
    for kind, row in totals(read_locks()[1]).items():
        if kind in SPINNING:
            # Who holds a lock can lose its CPU, and then who waits for it.
            claim(row.max_ns < LONGEST_NS + 2 * pause, f"{kind}: {row.max_ns / 1e6:.1f} ms")


if __name__ == "__main__":
    run([(test.__name__, test) for test in (no_long_spin_on_an_idle_machine,)], need_module)
