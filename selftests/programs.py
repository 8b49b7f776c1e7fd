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
import tempfile

from gltest import Skipped, brief, claim, descendants, gridlock, run, wait_until, wchan
from kin import PYTHON
from together import SideBySide

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


def waits_in_locks(number, among=None):
    """Are so many waiters in /proc/locks, of all tasks or among these?"""
    with open("/proc/locks", encoding="ascii") as file:
        waiters = [int(line.split()[5]) for line in file if "->" in line]
    return sum(among is None or pid in among for pid in waiters) >= number


def all_of(pids):
    return set().union(*(descendants(pid) for pid in pids))


def all_wait_in_locks(number, pids):
    wait_until(lambda: waits_in_locks(number, all_of(pids)), f"{number} wait for a file")
    return all_of(pids)


def in_pipe(pid):
    return "pipe" in wchan(pid)


# --- the situations: contexts that give their tasks ---------------------------


@contextlib.contextmanager
def two_flock_commands(option=""):
    with flocks_in(("ab", "ba"), option) as pids:
        yield all_wait_in_locks(2, pids)


@contextlib.contextmanager
def two_flock_commands_in_order():
    """The second wants what the first holds; the first sleeps in a FIFO, with both."""
    hold = ["flock", "a", "flock", "b", "sh", "-c", "echo > x; read _ < y"]
    want = ["sh", "-c", "read _ < x; flock a flock b true"]
    with programs(hold, want) as pids:
        yield all_wait_in_locks(1, pids)


@contextlib.contextmanager
def subprocess_pipes_both_full():
    with programs([*PYTHON, WRITER, "cat"]) as pids:
        wait_until(lambda: len(all_of(pids)) == 2 and all(map(in_pipe, all_of(pids))),
                   "both sleep in a pipe")
        yield all_of(pids)


@contextlib.contextmanager
def subprocess_that_does_not_read():
    with programs([*PYTHON, WRITER, "sleep", "3000"]) as pids:
        wait_until(lambda: in_pipe(pids[0]), "the parent sleeps in the pipe")
        yield all_of(pids)


@contextlib.contextmanager
def pipeline_that_is_slow():
    with programs(["sh", "-c", "yes | while read -r _; do sleep 0.1; done"]) as pids:
        wait_until(lambda: any(comm(pid) == "yes" and in_pipe(pid) for pid in all_of(pids)),
                   "yes(1) sleeps in the pipe")
        yield all_of(pids)


def through_fifos(first, second):
    """One program from FIFO x to y, and another from y to x."""
    return programs(["sh", "-c", f"exec {first} <x >y"], ["sh", "-c", f"exec {second} >x <y"])


@contextlib.contextmanager
def ring_through_fifos(first, second):
    """Each reads what the other has not written; only, anybody may open a FIFO."""
    with through_fifos(first, second) as pids:
        wait_until(lambda: all(map(in_pipe, pids)), "both sleep in a FIFO")
        yield pids


@contextlib.contextmanager
def behind_a_program_that_does_not_read(first):
    with through_fifos(first, "sleep 3000") as pids:
        wait_until(lambda: in_pipe(pids[0]), "the first sleeps in the FIFO")
        yield pids


@contextlib.contextmanager
def console():
    """The name of a terminal; nobody types there."""
    user, line = pty.openpty()
    try:
        yield os.ttyname(line)
    finally:
        os.close(user)
        os.close(line)


@contextlib.contextmanager
def console_locked_around_one_that_locks_it():
    """As a manager that has the console's lock while it waits for a getty's end."""
    with console() as tty:
        with programs(["flock", tty, "sh", "-c", f"flock {tty} true; true"]) as pids:
            yield all_wait_in_locks(1, pids)


@contextlib.contextmanager
def console_locked_around_a_getty():
    """Another one waits for the console, and the getty for somebody who types."""
    getty = shutil.which("agetty", path="/sbin:/usr/sbin")
    if not getty:
        raise Skipped("there is no agetty(8)")
    with console() as tty:
        login = [getty, "--noclear", "--noissue", os.path.relpath(tty, "/dev"), "linux"]
        with programs(["flock", tty, *login]) as pids:
            wait_until(lambda: "agetty" in map(comm, all_of(pids)), "the getty is there")
            with programs(["flock", tty, "true"]) as other:
                yield all_wait_in_locks(1, other) | all_of(pids)


@contextlib.contextmanager
def lock_of_a_worker(fate):
    with programs([*PYTHON, WORKERS, fate]) as pids:
        wait_until(lambda: comm(pids[0]) == "asks" and "futex" in wchan(pids[0]), "it waits")
        yield all_of(pids)


@contextlib.contextmanager
def databases_locked_crosswise():
    """SQLite waits by asking again, until its timeout: busy, and no deadlock."""
    with programs(*([*PYTHON, DATABASES, *order] for order in ("ab", "ba"))) as pids:
        wait_until(lambda: all(comm(pid) == "second" for pid in pids), "both ask for the second")
        yield pids


# --- and what is said of them -------------------------------------------------


def waits():
    status, out, err = gridlock("waits", "--json")
    claim(status == 0, f"waits exits {status}: {err}")
    return json.loads(out)["waits"]


def after_the_look():
    """What waits are told; and by situation, the names of the tasks that are still there."""
    return waits(), {name: set(map(comm, tids)) for name, tids in HEALTHY.tids.items()}


FOUND = {
    "two_flock_commands": (two_flock_commands, "deadlock", "confirmed"),
    "two_flock_commands_with_timeout":
        (lambda: two_flock_commands("-w 3000"), "transient-cycle", "confirmed"),
    "subprocess_pipes_both_full": (subprocess_pipes_both_full, "deadlock", "confirmed"),
    "dd_ring_through_fifos": (lambda: ring_through_fifos("dd", "dd"), "deadlock", "likely"),
    # One packs what the other one names, when it has unpacked what the first packed.
    "tar_ring_through_fifos":
        (lambda: ring_through_fifos("tar -cf - -T -", "tar -xvf -"), "deadlock", "likely"),
    "console_locked_around_one_that_locks_it":
        (console_locked_around_one_that_locks_it, "deadlock", "confirmed"),
}

SILENT = {
    "two_flock_commands_in_order": two_flock_commands_in_order,
    "subprocess_that_does_not_read": subprocess_that_does_not_read,
    "pipeline_that_is_slow": pipeline_that_is_slow,
    "dd_behind_a_program_that_does_not_read": lambda: behind_a_program_that_does_not_read("dd"),
    "tar_behind_a_program_that_does_not_read":
        lambda: behind_a_program_that_does_not_read("tar -cf - -T -"),
    "console_locked_around_a_getty": console_locked_around_a_getty,
    "lock_of_a_killed_worker": lambda: lock_of_a_worker("killed"),
    "lock_of_a_worker_that_lives": lambda: lock_of_a_worker("alive"),
    "databases_locked_crosswise": databases_locked_crosswise,
}

# As many tasks each as a look is quick with.
DEADLOCKS = SideBySide({name: found[0] for name, found in FOUND.items()}, {})
HEALTHY = SideBySide({}, SILENT, after_the_look)

# What it would be silent of without this program.
STAYS = {"console_locked_around_a_getty": "agetty"}


def is_found(name):
    findings, (_, kind, verdict) = DEADLOCKS.findings(name), FOUND[name]
    claim([(f["type"], f["verdict"]) for f in findings] == [(kind, verdict)], brief(findings))
    tids = {task["tid"] for task in findings[0]["tasks"]}
    claim(tids == DEADLOCKS.tids[name], f"{DEADLOCKS.tids[name]} are in it: {brief(findings)}")


def is_silent(name):
    HEALTHY.claim_silent(name)
    there = HEALTHY.told[1][name]
    claim(STAYS.get(name) in {None} | there, f"{STAYS.get(name)} has ended: there are {there}")


def workers_lock_is_a_semaphore(name):
    """It names no owner: not one that is dead, and not one that is alive."""
    HEALTHY.claim_silent(name)
    told = [wait for wait in HEALTHY.told[0]
            if wait["tid"] in HEALTHY.tids[name] and wait["comm"] == "asks"]
    claim([wait["waits_for"]["kind"] for wait in told] == ["sem"], f"told is {told}")
    claim(not any(blocker["tids"] for wait in told for blocker in wait["blocked_by"]),
          f"somebody is told to have it: {told}")


TESTS = [(f"{name}_is_{found[1].partition('-')[0]}", lambda name=name: is_found(name))
         for name, found in FOUND.items()]
TESTS += [(f"{name}_is_silent", lambda name=name: is_silent(name)) for name in SILENT]
TESTS += [(f"{name}_has_no_known_owner", lambda name=name: workers_lock_is_a_semaphore(name))
          for name in ("lock_of_a_killed_worker", "lock_of_a_worker_that_lives")]

if __name__ == "__main__":
    run(TESTS)
