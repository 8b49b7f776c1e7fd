#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The lens: who waits for a condition drops its mutex and takes it again, and holds
all others meanwhile; threads that are cancelled while they wait clean up as ever. A
semaphore is a lock if it has one unit, and who took that posts it.
"""

import os
import subprocess

from gltest import HERE, READY_SECS, claim, need_module, read_line, run
from lens import (GETS_SOME, HALLWAY, HALLWAY_MUSL, LONGER, SECS, TRIES_ALL, Halls, Hallway,
                  claim_no, claim_opposite, claim_refused_by_each_other, need_musl, tried_for)
from puppets import Look
from together import once

LEAVER = os.path.join(HERE, "scenario", "leaver")
HALLWAY_CANCEL = HALLWAY + "_cancel"

LEAVERS = 20


# --- one look at several halls in a program ---

# Over the wait it is kept: it is held when the mutex is taken again. Its twin is taken later.
KEPT, LEFT = ("kept",), ("left",)

# Opposite orders; and one order, behind a gate, and such as are posted by who did not take
# them.
SEMS_OPPOSITE = ("-s", "opposite")
SEMS_OF_NO_ORDER = [("-s", "same"), ("-s", "gated"), ("-x", "opposite")]

# One that is had now and then, and one that is posted by who has not taken it, so that
# nobody is known to have it.
SEMS_TRY_ALL = ("-s", *TRIES_ALL)
SEMS_NOT_REFUSED = [("-s", *GETS_SOME), ("-x", *TRIES_ALL)]

# Where each wait is ended by a signal before its time, nobody is refused.
SEMS_WAIT_IN_VAIN, SEMS_INTERRUPTED = ("-t", *TRIES_ALL), ("-i", *TRIES_ALL)


@once
def orders():
    return Halls([KEPT, LEFT, SEMS_OPPOSITE, *SEMS_OF_NO_ORDER], 1)


@once
def orders_of_musl():
    need_musl()
    return Halls([KEPT, LEFT, SEMS_OPPOSITE, *SEMS_OF_NO_ORDER], 1, HALLWAY_MUSL)


@once
def of_one_that_cancels():
    return tried_for([TRIES_ALL], [SEMS_TRY_ALL, KEPT, LEFT], HALLWAY_CANCEL)


# --- conditions ---

def lock_that_is_kept(halls):
    told, (one, two) = halls.of(KEPT, "lock-inversion"), halls.tids[KEPT]
    claim(len(told) == 1, f"it says {told}")
    claim_no("lock-inversion", halls, LEFT)
    order, opposite = sorted((told[0]["order"], told[0]["opposite"]),
                             key=lambda line: line.startswith(f"{two}:"))
    claim(order.startswith(f"{one}: ") and opposite.startswith(f"{two}: "),
          f"{order}; {opposite}")
    return order


def lock_kept_over_a_wait_is_lock_inversion():
    order = lock_that_is_kept(orders())
    claim(order.count("(at hallway+0x") == 2, f"the calls are not told: {order}")


def lock_kept_in_a_program_that_cancels_threads_is_lock_inversion():
    lock_that_is_kept(of_one_that_cancels())


def lock_kept_in_a_program_with_its_library_inside_is_lock_inversion():
    lock_that_is_kept(Halls([KEPT, LEFT], 1, HALLWAY + "_static"))


def lock_kept_over_a_wait_of_musl_is_lock_inversion():
    lock_that_is_kept(orders_of_musl())


# --- semaphores ---

def semaphores_are_tried_for(program):
    halls = tried_for([SEMS_TRY_ALL], SEMS_NOT_REFUSED, program)
    claim_refused_by_each_other(halls, SEMS_TRY_ALL)
    for way in SEMS_NOT_REFUSED:
        claim_no("livelock", halls, way)


def semaphores_waited_for_in_vain_are_livelock():
    halls = tried_for([SEMS_WAIT_IN_VAIN], [SEMS_INTERRUPTED])
    claim_refused_by_each_other(halls, SEMS_WAIT_IN_VAIN)
    claim_no("livelock", halls, SEMS_INTERRUPTED)


def semaphores_are_ordered(halls):
    claim_opposite(halls, SEMS_OPPOSITE, " semaphore 0x")
    for way in SEMS_OF_NO_ORDER:
        claim_no("lock-inversion", halls, way)


def semaphores_in_opposite_orders_are_lock_inversion():
    semaphores_are_ordered(orders())


def semaphores_of_musl_in_opposite_orders_are_lock_inversion():
    semaphores_are_ordered(orders_of_musl())


def semaphores_tried_for_are_livelock():
    semaphores_are_tried_for(HALLWAY)


def semaphores_of_musl_tried_for_are_livelock():
    need_musl()
    semaphores_are_tried_for(HALLWAY_MUSL)


def semaphores_of_a_program_that_cancels_threads_are_not_seen():
    claim_refused_by_each_other(of_one_that_cancels(), TRIES_ALL)
    claim_no("livelock", of_one_that_cancels(), SEMS_TRY_ALL)


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
