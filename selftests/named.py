#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Deadlocks through what has a name or a key, which anybody could open: likely at
most. And vfork, whose child has its parent's memory. What has no known end at all
is told by its kind.
"""

import json

from gltest import Case, Scenario, claim, gridlock, run
from together import quiet, tests_of, twins

CASES = [
    Case("fifos_both_empty",
         ["p1: fifo-w:0 fifo-r:1 sync !fifo-read:1", "p2: fifo-w:1 fifo-r:0 sync !fifo-read:0"],
         ["p1: fifo-w:0 fifo-r:1 sync !fifo-read:1", "p2: fifo-w:1 fifo-r:0 sync"],
         "p1>p2 p2>p1", "pipe:R", verdict="likely"),
    Case("fifos_both_full",
         ["p1: fifo-w:0 fifo-r:1 sync !fifo-fill:0", "p2: fifo-r:0 fifo-w:1 sync !fifo-fill:1"],
         ["p1: fifo-w:0 fifo-r:1 sync !fifo-fill:0", "p2: fifo-r:0 fifo-w:1 sync"],
         "p1>p2 p2>p1", "pipe:W", verdict="likely"),
    Case("fifos_in_a_ring_of_3",
         ["p1: fifo-w:0 fifo-r:1 sync !fifo-read:1", "p2: fifo-w:1 fifo-r:2 sync !fifo-read:2",
          "p3: fifo-w:2 fifo-r:0 sync !fifo-read:0"],
         ["p1: fifo-w:0 fifo-r:1 sync !fifo-read:1", "p2: fifo-w:1 fifo-r:2 sync !fifo-read:2",
          "p3: fifo-w:2 fifo-r:0 sync"],
         "p1>p2 p2>p3 p3>p1", "pipe:R", verdict="likely"),
    Case("queues_both_empty",
         ["p1: mq-w:0 mq-r:1 sync !mq-receive:1", "p2: mq-w:1 mq-r:0 sync !mq-receive:0"],
         ["p1: mq-w:0 mq-r:1 sync !mq-receive:1", "p2: mq-w:1 mq-r:0 sync"],
         "p1>p2 p2>p1", "mq", verdict="likely"),
    Case("queues_in_a_ring_of_3",
         ["p1: mq-w:0 mq-r:1 sync !mq-receive:1", "p2: mq-w:1 mq-r:2 sync !mq-receive:2",
          "p3: mq-w:2 mq-r:0 sync !mq-receive:0"],
         ["p1: mq-w:0 mq-r:1 sync !mq-receive:1", "p2: mq-w:1 mq-r:2 sync !mq-receive:2",
          "p3: mq-w:2 mq-r:0 sync"],
         "p1>p2 p2>p3 p3>p1", "mq", verdict="likely"),
    Case("queue_full_behind_a_mutex",
         ["p1: mq-w:0 shm:0 sync !mq-fill:0", "p2: mq-r:0 sync !shm:0"],
         ["p1: mq-w:0 shm:0 sync !mq-fill:0", "p2: mq-r:0 sync"],
         "p1>p2 p2>p1", "mq futex", verdict="likely"),
    Case("sysv_semaphores_abba",
         ["p1: sysv:0 sync !sysv:1", "p2: sysv:1 sync !sysv:0"],
         ["p1: sysv:0 sync sysv:1", "p2: sync !sysv:0"],
         "p1>p2 p2>p1", "sysv-sem", verdict="likely"),
    Case("sysv_semaphores_in_a_ring_of_3",
         ["p1: sysv:0 sync !sysv:1", "p2: sysv:1 sync !sysv:2", "p3: sysv:2 sync !sysv:0"],
         ["p1: sysv:0 sync !sysv:1", "p2: sysv:1 sync !sysv:2", "p3: sysv:2 sync"],
         "p1>p2 p2>p3 p3>p1", "sysv-sem", verdict="likely"),
    # Both readers have to go; /proc tells the same of both.
    Case("one_of_two_locks_alike",
         ["w: shm:0 sync !ofd:0", "p1: ofd-r:0 sync", "p2: ofd-r:0 sync !shm:0"],
         ["w: shm:0 sync !ofd:0", "p1: ofd-r:0 sync", "p2: ofd-r:0 sync"],
         "w>p1,p2 p2>w", "ofd futex"),
    # The kernel takes the lease away in the end.
    Case("lease_and_a_mutex",
         ["p1: lease:0 sync !shm:0", "p2: shm:0 sync !lease-break:0"],
         ["p1: lease:0 sync", "p2: shm:0 sync !lease-break:0"],
         "p1>p2 p2>p1", "futex lease", type="transient-cycle", alone=True),
    Case("vfork_and_a_pipe",
         ["p1: rend:0 wend:0 !vfork:c1", "c1: !read:0"],
         ["p1: rend:0 wend:0 !vfork:c1", "c1: rend:0"],
         "p1>c1 c1>p1", "vfork pipe:R"),
]

SILENT = [
    quiet("fifo_that_its_reader_holds_open", ["p1: fifo-rw:0 !fifo-read:0"]),
    quiet("fifo_that_nobody_opens", ["p1: !fifo-open:0", "p2: !fifo-open:1"]),
    quiet("messages_that_nobody_sends", ["p1: !msg:0", "p2: !msg:1"]),
    quiet("queue_for_a_semaphore",
          ["p1: sysv:0 sync", "p2: sync !sysv:0", "p3: sync !sysv:0"]),
]

# Waits that nobody is known to be able to end.
KINDS = {
    "cond": "!cond:0",
    "sem": "!sem:0",
    "pipe:R": "!fifo-open:0",
    "sysv-msg": "!msg:0",
    "eventfd": "!efd-read:0",
    "poll": "rend:0 wend:0 !poll-timed",
    "userfault": "uffd drop !touch",
}


def waits_are_told_by_their_kind():
    actors = [f"a{i}: {steps}" for i, steps in enumerate(KINDS.values())]
    with Scenario(actors) as scenario:
        status, out, err = gridlock("waits", "--json")
        claim(status == 0, f"waits exits {status}: {err}")
        told = {wait["tid"]: wait for wait in json.loads(out)["waits"]}
        for i, kind in enumerate(KINDS):
            wait = told.get(scenario.tid[f"a{i}"])
            claim(wait, f"nothing is told of {actors[i]}")
            claim(wait["waits_for"]["kind"] == kind, f"{actors[i]}: {wait['waits_for']}")


if __name__ == "__main__":
    run(twins(CASES) + tests_of(SILENT) +
        [("waits_are_told_by_their_kind", waits_are_told_by_their_kind)])
