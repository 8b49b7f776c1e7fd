#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Waits for ww_mutexes that end with -EDEADLK: counted by the module, and a livelock
when those who back off begin anew each time and refuse each other again.

Who is older is decided by who has begun its context first; everything goes by order.
"""

import contextlib
import errno
import json
import os
import signal
import socket
import threading

from counters import DEBUGFS, every_mutex_counts, read_waits, stats
from gltest import (KERNEL_LOCKS, READY_SECS, RT, SLOW, Report, Skipped, brief, claim, gridlock,
                    need_kernel_locks, need_module, run, wait_until)
from kinds import Counts

KIND = "rtmutex" if RT else "mutex"

# So many rounds are counted.
ROUNDS = 7

# Far more than the 1.5 s that make a livelock, and than setting two probes takes.
LOOK_SECS = 8

# So many attempts without success make one here: a slow machine gets that far as well.
ATTEMPTS = 8


class Task:
    """A process that does as it is told with the kernel's locks."""

    def __init__(self, stack):
        self.orders, orders = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.orders.settimeout(READY_SECS)
        self.pid = os.fork()
        if not self.pid:
            try:
                self.orders.close()
                self.obey(orders)
            finally:
                os._exit(0)
        orders.close()
        stack.callback(self.end)

    @staticmethod
    def obey(orders):
        file = os.open(KERNEL_LOCKS, os.O_WRONLY)
        while commands := orders.recv(1024).decode():
            answers = []
            for command in commands.split(","):
                try:
                    os.write(file, command.encode())
                    answers.append("0")
                except OSError as error:
                    answers.append(str(error.errno))
            orders.send(" ".join(answers).encode())

    def begin(self, *commands):
        self.orders.send(",".join(commands).encode())

    def answer(self, refused=None):
        """Every command succeeds, but the one with this number, which may not wait."""
        errors = [int(word) for word in self.orders.recv(1024).split()]
        wanted = [errno.EDEADLK if i == refused else 0 for i in range(len(errors))]
        claim(errors == wanted, f"the errors are {errors}, not {wanted}")

    def do(self, *commands, refused=None):
        self.begin(*commands)
        self.answer(refused)

    def end(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self.orders.close()


# --- counted ---

def told_deadlocks():
    """What the reader tells of all these locks."""
    status, out, err = gridlock("locks", "--json")
    claim(status == 0, f"locks exits {status}: {err}")
    return sum(row["failed_deadlock"] for row in json.loads(out)["locks"]
               if row["lock"].startswith("ww_mutexes"))


def rounds(play):
    """Play it with two tasks. Return: what the counters of the locks gained by it."""
    with contextlib.ExitStack() as stack:
        one, two = Task(stack), Task(stack)
        counts, failed, told = Counts("ww_mutexes"), stats()["failed.deadlock"], told_deadlocks()
        for _ in range(ROUNDS):
            play(one, two)
        gained = counts.gained()
        failed = stats()["failed.deadlock"] - failed
        told = told_deadlocks() - told
        claim(failed == told == gained[KIND, "deadlock"],
              f"stats tells of {failed}, the reader of {told}, locks.bin of {dict(gained)}")
        return gained


def younger_backs_off(one, two):
    one.do("begin 0")
    two.do("begin 0", "lock ww 2")
    one.do("lock ww 0")
    two.do("lock ww 0", refused=0)
    two.do("unlock ww 2", "end 0")
    one.do("unlock ww 0", "end 0")


def older_waits(one, two):
    """The twin: the other one has begun first."""
    two.do("begin 0", "lock ww 2")
    one.do("begin 0")
    one.do("lock ww 0")
    two.begin("lock ww 0")
    wait_until(lambda: read_waits(two.pid), "it waits")
    one.do("unlock ww 0", "end 0")
    two.answer()
    two.do("unlock ww 0", "unlock ww 2", "end 0")


def back_offs_are_counted_exactly():
    gained = rounds(younger_backs_off)
    for name in ("begun", "ended", "failed", "deadlock"):
        claim(gained[KIND, name] == ROUNDS, f"{name}: {dict(gained)}")


def waits_of_the_older_are_no_failures():
    gained = rounds(older_waits)
    claim(gained[KIND, "ended"] == ROUNDS and not gained[KIND, "failed"], f"{dict(gained)}")


# --- livelock ---

class Pair:
    """Each begins a context in both classes, takes a lock of each, and asks for a lock of
    the other one's; then both drop everything, and begin anew.

    One is older in the first class, and two in the second, so that both are refused.
    In each so many rounds two drops its locks before one asks (gives_way); or one is
    older in both classes, and waits for two to drop its locks (older).
    """

    def __init__(self, stack, number, gives_way=0, older=False):
        first, second, third, fourth = (f"ww {i}" for i in range(4 * number, 4 * number + 4))
        self.asked = fourth
        self.take = ["begin 1", f"lock {second}"]
        self.drop = [f"unlock {second}", f"unlock {first}", "end 1", "end 0"]
        # One has begun and taken the first by then: the last one is refused.
        self.take_two = ["begin 1", "begin 0", f"lock {third}", f"lock {fourth}", f"lock {first}"]
        self.drop_two = [f"unlock {fourth}", f"unlock {third}", "end 0", "end 1"]
        self.begin = ["begin 0", f"lock {first}"]
        if older:
            self.begin, self.take = self.begin + self.take, []
        self.gives_way, self.older, self.rounds = gives_way, older, 0
        self.one, self.two = Task(stack), Task(stack)

    def tids(self):
        return {self.one.pid, self.two.pid}

    def round(self):
        self.rounds += 1
        self.one.do(*self.begin)
        self.two.do(*self.take_two, refused=4)
        got_it = [f"lock {self.asked}", f"unlock {self.asked}"]
        if self.older:
            self.one.begin(*got_it, *self.drop)
            self.two.do(*self.drop_two)
            self.one.answer()
        elif self.gives_way and not self.rounds % self.gives_way:
            self.two.do(*self.drop_two)
            self.one.do(*self.take, *got_it, *self.drop)
        else:
            self.one.do(*self.take, f"lock {self.asked}", *self.drop, refused=len(self.take))
            self.two.do(*self.drop_two)


def check_while(pairs):
    """What a check says while all pairs go on."""
    over = threading.Event()
    failed = []

    def drive():
        try:
            while not over.is_set():
                for pair in pairs:
                    pair.round()
        except BaseException as error:  # pylint: disable=broad-except
            failed.append(error)

    thread = threading.Thread(target=drive)
    thread.start()
    try:
        report = Report("--attempts", ATTEMPTS, window=LOOK_SECS * SLOW)
    finally:
        over.set()
        thread.join()
    claim(not failed, f"a pair stops: {failed}")
    return report


def claim_livelock(finding, pair):
    claim(finding["verdict"] == "likely", f"the verdict is {finding['verdict']}")
    tasks = {task["tid"]: task for task in finding["tasks"]}
    claim(set(tasks) == pair.tids(), f"members are {set(tasks)}, not {pair.tids()}")
    for task, other in ((pair.one, pair.two), (pair.two, pair.one)):
        told = tasks[task.pid]
        claim(ATTEMPTS <= told["attempts"] == told["failures"] <= pair.rounds and
              not told["successes"], f"{told} in {pair.rounds} rounds")
        claim(told["refused_by"] == str(other.pid), f"{told}: not refused by {other.pid}")
        claim(told["cpu_s"] > 0, f"{told}: no CPU time")


def those_who_begin_anew_are_livelock():
    """Silent twins: one who gets what it asks for now and then, and one who always does."""
    with contextlib.ExitStack() as stack:
        pairs = [Pair(stack, 0), Pair(stack, 1, gives_way=ATTEMPTS), Pair(stack, 2, older=True)]
        found = check_while(pairs).of_type("livelock")
        told = [[f for f in found if {task["tid"] for task in f["tasks"]} & pair.tids()]
                for pair in pairs]
        claim(len(told[0]) == 1 and not told[1] and not told[2],
              f"{brief(found)} of {[pair.tids() for pair in pairs]} in {pairs[0].rounds} rounds")
        claim_livelock(told[0][0], pairs[0])


def who_drops_them_is_not_seen_without_kprobes():
    """Not even those are told of who never get what they ask for: nobody knows."""
    kprobes = "/sys/kernel/debug/kprobes/enabled"
    with contextlib.ExitStack() as stack:
        with open(kprobes, "w", encoding="ascii") as file:
            file.write("0")
        try:
            pairs = [Pair(stack, 0), Pair(stack, 1, gives_way=ATTEMPTS)]
            found = check_while(pairs).of_type("livelock")
            # check does so as well, but in a slow machine it may have looked but once.
            with open(f"{DEBUGFS}/episodes", encoding="ascii") as file:
                claim(len(file.readlines()) >= 1, "no header line")
            with open(f"{DEBUGFS}/coverage", encoding="ascii") as file:
                told = [line for line in file if "livelocks of ww_mutexes are not seen" in line]
        finally:
            with open(kprobes, "w", encoding="ascii") as file:
                file.write("1")
        claim(not found, f"{brief(found)} of {[pair.tids() for pair in pairs]}")
        claim(len(told) == 1 and told[0].split()[0] == KIND and "switched off" in told[0],
              f"coverage says {told}")


def need_all():
    need_module()
    need_kernel_locks()
    # The kernel's checks for such mutexes refuse some at random.
    if every_mutex_counts():
        raise Skipped("the kernel injects failures")


TESTS = [back_offs_are_counted_exactly, waits_of_the_older_are_no_failures,
         who_drops_them_is_not_seen_without_kprobes, those_who_begin_anew_are_livelock]

if __name__ == "__main__":
    run([(test.__name__, test) for test in TESTS], need_all)
