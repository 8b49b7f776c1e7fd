#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The lens: who waits for a condition drops its mutex and takes it again, and holds
all others meanwhile; threads that are cancelled while they wait clean up as ever. A
semaphore is a lock if it has one unit, and who took that posts it.
"""

import os
import subprocess

from gltest import HERE, READY_SECS, claim, need_module, read_line, run
from lens import (HALLWAY, HALLWAY_MUSL, LONGER, SECS, Hallway, claim_refused_by_each_other,
                  look_at_all, need_musl)
from puppets import Look

LEAVER = os.path.join(HERE, "scenario", "leaver")
HALLWAY_CANCEL = HALLWAY + "_cancel"

LEAVERS = 20


# --- conditions ---

def lock_that_is_kept(program):
    """Over the wait: it is held when the mutex is taken again. Its twin is taken later."""
    tids, told = look_at_all([("kept",), ("left",)], "lock-inversion", secs=1, program=program)
    claim(len(told[0]) == 1, f"it says {told[0]}")
    claim(not told[1], f"of one that is taken later it says {told[1]}")
    order, opposite = sorted((told[0][0]["order"], told[0][0]["opposite"]),
                             key=lambda line: line.startswith(f"{tids[0][1]}:"))
    claim(order.startswith(f"{tids[0][0]}: ") and opposite.startswith(f"{tids[0][1]}: "),
          f"{order}; {opposite}")
    return order


def lock_kept_over_a_wait_is_lock_inversion():
    order = lock_that_is_kept(HALLWAY)
    claim(order.count("(at hallway+0x") == 2, f"the calls are not told: {order}")


def lock_kept_in_a_program_that_cancels_threads_is_lock_inversion():
    lock_that_is_kept(HALLWAY_CANCEL)


def lock_kept_in_a_program_with_its_library_inside_is_lock_inversion():
    lock_that_is_kept(HALLWAY + "_static")


def lock_kept_over_a_wait_of_musl_is_lock_inversion():
    need_musl()
    lock_that_is_kept(HALLWAY_MUSL)


# --- semaphores ---

def tries_for_semaphores(program):
    """Its twins: one that is had now and then, and one that is posted by who has not
    taken it, so that nobody is known to have it.
    """
    ways = [("-s", "tries", 0), ("-s", "tries", 16), ("-x", "tries", 0)]
    for times in LONGER:
        tids, told = look_at_all(ways, "livelock", SECS * times, program)
        if told[0] or told[1] or told[2]:
            break
    claim_refused_by_each_other(tids[0], told[0])
    claim(not told[1], f"of one that is had now and then it says {told[1]}")
    claim(not told[2], f"of one that others post it says {told[2]}")


def semaphores_waited_for_in_vain_are_livelock():
    """Its twin: where each wait is ended by a signal before its time, nobody is refused."""
    for times in LONGER:
        tids, told = look_at_all([("-t", "tries", 0), ("-i", "tries", 0)], "livelock",
                                 SECS * times)
        if told[0] or told[1]:
            break
    claim_refused_by_each_other(tids[0], told[0])
    claim(not told[1], f"of one that signals interrupt it says {told[1]}")


def orders_of_semaphores(program):
    """Its twins: one order, behind a gate, and such as are posted by who did not take them."""
    ways = [("-s", "opposite"), ("-s", "same"), ("-s", "gated"), ("-x", "opposite")]
    tids, told = look_at_all(ways, "lock-inversion", secs=1, program=program)
    claim([finding["verdict"] for finding in told[0]] == ["possible"], f"it says {told[0]}")
    order, opposite = told[0][0]["order"], told[0][0]["opposite"]
    claim(order.count(" semaphore 0x") == opposite.count(" semaphore 0x") == 2,
          f"{order}; {opposite}")
    claim({line.split(":")[0] for line in (order, opposite)} == set(map(str, tids[0])),
          f"{order}; {opposite}")
    for way, findings in zip(ways[1:], told[1:]):
        claim(not findings, f"of {way} it says {findings}")


def semaphores_in_opposite_orders_are_lock_inversion():
    orders_of_semaphores(HALLWAY)


def semaphores_of_musl_in_opposite_orders_are_lock_inversion():
    need_musl()
    orders_of_semaphores(HALLWAY_MUSL)


def semaphores_tried_for_are_livelock():
    tries_for_semaphores(HALLWAY)


def semaphores_of_musl_tried_for_are_livelock():
    need_musl()
    tries_for_semaphores(HALLWAY_MUSL)


def semaphores_of_a_program_that_cancels_threads_are_not_seen():
    for times in LONGER:
        tids, told = look_at_all([("tries", 0), ("-s", "tries", 0)], "livelock", SECS * times,
                                 HALLWAY_CANCEL)
        if told[0] or told[1]:
            break
    claim_refused_by_each_other(tids[0], told[0])
    claim(not told[1], f"of semaphores it says {told[1]}")


# --- threads that are cancelled ---

class Leaver:
    """Threads that are cancelled, when it is told to."""

    def __init__(self):
        self.process = subprocess.Popen(["env", "-u", "LD_PRELOAD", LEAVER, str(LEAVERS)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.pid = self.process.pid
        claim(read_line(self.process.stdout, READY_SECS) == "ready\n", "leaver is not ready")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def go(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        words = read_line(self.process.stdout, READY_SECS).split()
        claim(words == ["left", str(LEAVERS)], f"of {LEAVERS} it says {words}")


def cancelled_threads_clean_up_under_the_lens():
    leavers_clean_up()


def they_do_beside_a_process_that_cancels_none():
    """A return that has a probe in one process of a library is turned in all of them."""
    with Hallway("same") as hall:
        leavers_clean_up("--lens", hall.pid)


def leavers_clean_up(*options):
    """While a look is taken that takes long enough to see them."""
    for times in LONGER:
        with Leaver() as leaver, \
                Look(*options, "--lens", leaver.pid, secs=SECS * times) as beside:
            beside.looked(1)
            leaver.go()
            lens = beside.report()["lens"]
        if lens["hits"] > 3 * LEAVERS:
            return
    claim(False, f"the lens saw nothing: {lens}")


TESTS = [
    lock_kept_over_a_wait_is_lock_inversion,
    lock_kept_in_a_program_that_cancels_threads_is_lock_inversion,
    lock_kept_in_a_program_with_its_library_inside_is_lock_inversion,
    lock_kept_over_a_wait_of_musl_is_lock_inversion,
    semaphores_tried_for_are_livelock, semaphores_of_musl_tried_for_are_livelock,
    semaphores_waited_for_in_vain_are_livelock, semaphores_in_opposite_orders_are_lock_inversion,
    semaphores_of_musl_in_opposite_orders_are_lock_inversion,
    semaphores_of_a_program_that_cancels_threads_are_not_seen,
    cancelled_threads_clean_up_under_the_lens, they_do_beside_a_process_that_cancels_none,
]


if __name__ == "__main__":
    run([(test.__name__, test) for test in TESTS], need_module)
