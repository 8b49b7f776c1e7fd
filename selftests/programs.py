#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Deadlocks of programs that nobody here wrote: flock(1), dd(1), tar(1), and Python's
subprocess with cat(1); and those of them that only look like one.
"""

import contextlib
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import tempfile

from gltest import (Report, Skipped, brief, claim, claim_silent, descendants, gridlock, run,
                    wait_until, wchan)

# Each takes its first file, meets the other at the FIFOs, and wants the second.
FIRST = "echo > x; read _ < y; flock {option} {second} true"
SECOND = "read _ < x; echo > y; flock {option} {second} true"

# As Python's documentation warns: write all to a child that answers meanwhile.
WRITER = ("import subprocess, sys; subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, "
          "stdout=subprocess.PIPE).stdin.write(bytes(1 << 20))")

# A worker takes the lock and is gone, or stays; the other one asks for it.
WORKERS = """
import multiprocessing, os, signal, sys
def work(lock, has):
    lock.acquire()
    has.set()
    if sys.argv[1] == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    signal.pause()
multiprocessing.set_start_method("fork")
lock, has = multiprocessing.Lock(), multiprocessing.Event()
worker = multiprocessing.Process(target=work, args=(lock, has))
worker.start()
has.wait()
if sys.argv[1] == "killed":
    worker.join()
open("/proc/self/comm", "w").write("asks")
lock.acquire()
"""

# Locks one database, meets the other at the FIFOs, and wants the other's.
DATABASES = """
import sqlite3, sys
first, second = (sqlite3.connect(name, timeout=3000) for name in sys.argv[1:])
first.execute("BEGIN EXCLUSIVE")
ours, other = ("x", "y") if sys.argv[1] == "a" else ("y", "x")
for name, mode in sorted(((ours, "w"), (other, "r"))):
    open(name, mode).close()
open("/proc/self/comm", "w").write("second")
second.execute("BEGIN EXCLUSIVE")
"""


def comm(pid):
    """The task's name, empty when it is gone."""
    try:
        with open(f"/proc/{pid}/comm", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


@contextlib.contextmanager
def programs(*commands):
    """Run commands in a new folder, with FIFOs x and y; kill all that they started.
    What they say while they are killed would stand in the midst of the test's lines.
    """
    folder = tempfile.mkdtemp()
    for name in "xy":
        os.mkfifo(os.path.join(folder, name))
    running = [subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL, start_new_session=True)
               for command in commands]
    try:
        yield [process.pid for process in running]
    finally:
        for process in running:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        shutil.rmtree(folder)


def flocks_in(orders, option=""):
    """Two flock(1), each around a second one. orders: two times two names of files."""
    scripts = [script.format(option=option, second=order[1])
               for script, order in zip((FIRST, SECOND), orders)]
    return programs(*(["flock", order[0], "sh", "-c", script]
                      for script, order in zip(scripts, orders)))


def waits_in_locks(number):
    """Are so many waiters in /proc/locks?"""
    with open("/proc/locks", encoding="ascii") as file:
        return sum("->" in line for line in file) >= number



def claim_one(report, kind, verdict, members):
    claim(len(report.findings) == 1, brief(report.findings))
    finding = report.findings[0]
    claim((finding["type"], finding["verdict"]) == (kind, verdict), brief([finding]))
    tids = {task["tid"] for task in finding["tasks"]}
    claim(tids == members, f"{sorted(members)} are in it: {brief([finding])}")


def all_of(pids):
    return set().union(*(descendants(pid) for pid in pids))


def two_flock_commands_is_deadlock():
    with flocks_in(("ab", "ba")) as pids:
        wait_until(lambda: waits_in_locks(2), "both flock(1) wait")
        claim_one(Report(), "deadlock", "confirmed", all_of(pids))


def two_flock_commands_with_timeout_is_transient():
    with flocks_in(("ab", "ba"), "-w 3000") as pids:
        wait_until(lambda: waits_in_locks(2), "both flock(1) wait")
        claim_one(Report(), "transient-cycle", "confirmed", all_of(pids))


def two_flock_commands_in_order_is_silent():
    """The second wants what the first holds; the first sleeps in a FIFO, with both."""
    hold = ["flock", "a", "flock", "b", "sh", "-c", "echo > x; read _ < y"]
    want = ["sh", "-c", "read _ < x; flock a flock b true"]
    with programs(hold, want):
        wait_until(lambda: waits_in_locks(1), "the second waits")
        claim_silent(Report())


def in_pipe(pid):
    return "pipe" in wchan(pid)


def subprocess_pipes_both_full_is_deadlock():
    with programs([sys.executable, "-c", WRITER, "cat"]) as pids:
        wait_until(lambda: len(all_of(pids)) == 2 and all(map(in_pipe, all_of(pids))),
                   "both sleep in a pipe")
        claim_one(Report(), "deadlock", "confirmed", all_of(pids))


def subprocess_that_does_not_read_is_silent():
    with programs([sys.executable, "-c", WRITER, "sleep", "3000"]) as pids:
        wait_until(lambda: in_pipe(pids[0]), "the parent sleeps in the pipe")
        claim_silent(Report())


def pipeline_that_is_slow_is_silent():
    with programs(["sh", "-c", "yes | while read -r _; do sleep 0.1; done"]) as pids:
        wait_until(lambda: any(comm(pid) == "yes" and in_pipe(pid) for pid in all_of(pids)),
                   "yes(1) sleeps in the pipe")
        claim_silent(Report())


def ring_through_fifos(first, second):
    """One program from FIFO x to y, and another from y to x."""
    return programs(["sh", "-c", f"exec {first} <x >y"], ["sh", "-c", f"exec {second} >x <y"])


def ring_is_deadlock(first, second):
    """Each reads what the other has not written; only, anybody may open a FIFO."""
    with ring_through_fifos(first, second) as pids:
        wait_until(lambda: all(map(in_pipe, pids)), "both sleep in a FIFO")
        claim_one(Report(), "deadlock", "likely", set(pids))


def ring_with_one_that_does_not_read_is_silent(first):
    with ring_through_fifos(first, "sleep 3000") as pids:
        wait_until(lambda: in_pipe(pids[0]), "the first sleeps in the FIFO")
        claim_silent(Report())


def dd_ring_through_fifos_is_deadlock():
    ring_is_deadlock("dd", "dd")


def dd_behind_a_program_that_does_not_read_is_silent():
    ring_with_one_that_does_not_read_is_silent("dd")


def tar_ring_through_fifos_is_deadlock():
    """One packs what the other one names, when it has unpacked what the first packed."""
    ring_is_deadlock("tar -cf - -T -", "tar -xvf -")


def tar_behind_a_program_that_does_not_read_is_silent():
    ring_with_one_that_does_not_read_is_silent("tar -cf - -T -")


@contextlib.contextmanager
def console():
    """The name of a terminal; nobody types there."""
    user, line = pty.openpty()
    try:
        yield os.ttyname(line)
    finally:
        os.close(user)
        os.close(line)


def console_locked_around_one_that_locks_it_is_deadlock():
    """As a manager that has the console's lock while it waits for a getty's end."""
    with console() as tty:
        with programs(["flock", tty, "sh", "-c", f"flock {tty} true; true"]) as pids:
            wait_until(lambda: waits_in_locks(1), "the second flock(1) waits")
            claim_one(Report(), "deadlock", "confirmed", all_of(pids))


def console_locked_around_a_getty_is_silent():
    """Another one waits for the console, and the getty for somebody who types."""
    getty = shutil.which("agetty", path="/sbin:/usr/sbin")
    if not getty:
        raise Skipped("there is no agetty(8)")
    with console() as tty:
        login = [getty, "--noclear", "--noissue", os.path.relpath(tty, "/dev"), "linux"]
        with programs(["flock", tty, *login]) as pids:
            wait_until(lambda: "agetty" in map(comm, all_of(pids)), "the getty is there")
            with programs(["flock", tty, "true"]):
                wait_until(lambda: waits_in_locks(1), "another one waits for the console")
                claim_silent(Report())
                claim("agetty" in map(comm, all_of(pids)), "the getty has ended")


def workers_lock_is_a_semaphore(fate):
    """It names no owner: not one that is dead, and not one that is alive."""
    with programs([sys.executable, "-c", WORKERS, fate]) as pids:
        wait_until(lambda: comm(pids[0]) == "asks" and "futex" in wchan(pids[0]), "it waits")
        claim_silent(Report())
        _, out, _ = gridlock("waits", "--json")
        told = [wait for wait in json.loads(out)["waits"] if wait["tid"] == pids[0]]
        claim([wait["waits_for"]["kind"] for wait in told] == ["sem"], f"told is {told}")
        claim(not any(blocker["tids"] for wait in told for blocker in wait["blocked_by"]),
              f"somebody is told to have it: {told}")


def lock_of_a_killed_worker_has_no_known_owner():
    workers_lock_is_a_semaphore("killed")


def lock_of_a_worker_that_lives_has_no_known_owner():
    workers_lock_is_a_semaphore("alive")


def databases_locked_crosswise_is_silent():
    """SQLite waits by asking again, until its timeout: busy, and no deadlock."""
    with programs(*([sys.executable, "-c", DATABASES, *order] for order in ("ab", "ba"))) as pids:
        wait_until(lambda: all(comm(pid) == "second" for pid in pids), "both ask for the second")
        claim_silent(Report())


TESTS = [two_flock_commands_is_deadlock, two_flock_commands_with_timeout_is_transient,
         two_flock_commands_in_order_is_silent, subprocess_pipes_both_full_is_deadlock,
         subprocess_that_does_not_read_is_silent, pipeline_that_is_slow_is_silent,
         dd_ring_through_fifos_is_deadlock,
         dd_behind_a_program_that_does_not_read_is_silent,
         tar_ring_through_fifos_is_deadlock, tar_behind_a_program_that_does_not_read_is_silent,
         console_locked_around_one_that_locks_it_is_deadlock,
         console_locked_around_a_getty_is_silent,
         lock_of_a_killed_worker_has_no_known_owner,
         lock_of_a_worker_that_lives_has_no_known_owner, databases_locked_crosswise_is_silent]

if __name__ == "__main__":
    run([(test.__name__, test) for test in TESTS])
