#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Circles in special situations: in a PID namespace, with members stopped, traced
or frozen, with an owner whose number somebody else has now, with live threads
beside a stuck one, and looked at by a reader that inherited what they hold.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from gltest import (SCENARIO, Report, Scenario, Skipped, brief, claim, claim_silent, read_line,
                    run, wait_until, wchan)
from puppets import Puppets, write_file

ABBA = ["p1: shm:0 sync !shm:1", "p2: shm:1 sync !shm:0"]
READY_SECS = 60
CGROUPS = "/sys/fs/cgroup"
PTRACE_ATTACH, PTRACE_DETACH = 16, 17
WALL = 0x40000000  # __WALL of waitpid(2): any child or traced thread

# Takes its first file, tells so, and waits for the second; with "thread" another
# thread of it is there, and has both; with "reader" a child that becomes the reader
# has the first, too.
LOCKER = """
import fcntl, subprocess, sys, threading, time
a, b = (open(name, "w") for name in sys.argv[1:3])
fcntl.flock(a, fcntl.LOCK_EX)
if "thread" in sys.argv:
    threading.Thread(target=time.sleep, args=(3000,)).start()
if "reader" in sys.argv:
    subprocess.Popen(["sh", "-c", "read _ <go; exec gridlock check --for 1 --json >told"],
                     pass_fds=[a.fileno()])
print("ready", flush=True)
sys.stdin.readline()
fcntl.flock(b, fcntl.LOCK_EX)
"""

# Has a file that its child waits for, and waits: for any child, or with "pipe" for
# what comes by a pipe that the child could write to, too. With "reader" it is the
# reader's parent, and waits for that; it then tells what the reader said.
PARENT = """
import fcntl, json, os, subprocess, sys, time
path = sys.argv[1]
lock, ends = open(path, "w"), os.pipe()
fcntl.flock(lock, fcntl.LOCK_EX)
child = os.fork()
if not child:
    os.close(ends[0])
    lock.close()
    fcntl.flock(open(path, "w"), fcntl.LOCK_EX)
    os._exit(0)
while "lock" not in open(f"/proc/{child}/wchan").read():
    time.sleep(0.001)
if "reader" in sys.argv:
    told = ends[1] if "pipe" in sys.argv else open(path + ".told", "w")
    subprocess.Popen(["gridlock", "check", "--for", "1", "--json"], stdout=told)
os.close(ends[1])
print(os.getpid(), child, flush=True)
said = ""
while "pipe" in sys.argv and not said.endswith("\\n}\\n"):
    said += os.read(ends[0], 1 << 20).decode()
if "pipe" not in sys.argv:
    os.wait()
    said = open(path + ".told").read()
print(json.dumps(json.loads(said)), flush=True)
os.kill(child, 9)
"""


def state(tid):
    """The state letter; empty when it is gone."""
    try:
        with open(f"/proc/{tid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def claim_abba(report, comms=("p1", "p2")):
    claim(len(report.findings) == 1, brief(report.findings))
    finding = report.findings[0]
    claim((finding["type"], finding["verdict"]) == ("deadlock", "confirmed"), brief([finding]))
    claim(sorted(task["comm"] for task in finding["tasks"]) == sorted(comms), brief([finding]))


def abba_in_a_pid_namespace_is_deadlock():
    """Its mutexes hold numbers of that namespace, which here are of others."""
    command = ["unshare", "--fork", "--pid", "--mount-proc", SCENARIO, *ABBA]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as process:
        try:
            line = read_line(process.stdout, READY_SECS)
            claim(line.startswith("ready"), f"not ready: {line}")
            claim_abba(Report())
        finally:
            process.stdin.close()


def pid_namespace_in_order_is_silent():
    command = ["unshare", "--fork", "--pid", "--mount-proc", SCENARIO,
               "p1: shm:0 sync", "p2: sync !shm:0"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as process:
        try:
            claim(read_line(process.stdout, READY_SECS).startswith("ready"), "not ready")
            claim_silent(Report())
        finally:
            process.stdin.close()


def last_descendant(pid):
    """Who is at the end of a line of only children."""
    while True:
        children = read_file(f"/proc/{pid}/task/{pid}/children").split()
        if not children:
            return pid
        pid = int(children[0])


@contextlib.contextmanager
def parent_above(other):
    """In a PID namespace one holds the file that is locked, and waits for its child, which
    waits for its own, in one more namespace: that one waits for file @other."""
    with tempfile.TemporaryDirectory() as folder:
        files = {name: os.path.join(folder, name) for name in ("held", "other")}
        with open(files["other"], "w", encoding="ascii") as file, subprocess.Popen(
                ["unshare", "--fork", "--pid", "--kill-child", "flock", "-o", files["held"],
                 "unshare", "--fork", "--pid", "flock", files[other], "true"]) as process:
            fcntl.flock(file, fcntl.LOCK_EX)
            try:
                wait_until(lambda: "lock" in wchan(last_descendant(process.pid)),
                           "the last one waits for a file")
                yield
            finally:
                process.kill()


def child_in_a_deeper_namespace_is_found():
    """Its parent waits for it by a number that is neither ours nor the child's own."""
    with parent_above("held"):
        claim_abba(Report(), ("flock", "flock", "unshare"))


def child_in_a_deeper_namespace_that_waits_for_us_is_silent():
    with parent_above("other"):
        claim_silent(Report())


def clock_of_a_time_namespace_is_told_from_the_kernels():
    """The module's times are those of the kernel, whatever the reader's clock says."""
    with Scenario(ABBA):
        done = subprocess.run(["unshare", "--time", "--monotonic", "100000", "--fork", "gridlock",
                               "check", "--for", "1", "--json"], capture_output=True, text=True,
                              check=False)
        claim(done.returncode == 1, f"check exits {done.returncode}: {done.stderr}")
        finding = json.loads(done.stdout)["findings"][0]
        for told in [finding] + [task["waits_for"] for task in finding["tasks"]]:
            claim(0 <= told["since_s"] < 10000, f"since {told['since_s']} s")


def stopped_member_is_silent_until_it_goes_on():
    with Scenario(ABBA) as scenario:
        tid = scenario.tid["p1"]
        os.kill(tid, signal.SIGSTOP)
        wait_until(lambda: state(tid) == "T", "it is stopped")
        claim_silent(Report())
        os.kill(tid, signal.SIGCONT)
        wait_until(lambda: "futex" in wchan(tid), "it waits again")
        claim_abba(Report())


def traced_member_is_silent_until_it_is_let_go():
    libc = ctypes.CDLL(None, use_errno=True)
    with Scenario(ABBA) as scenario:
        tid = scenario.tid["p1"]
        claim(libc.ptrace(PTRACE_ATTACH, tid, 0, 0) == 0, "it cannot be traced")
        os.waitpid(tid, WALL)
        claim(state(tid) == "t", f"its state is {state(tid)}")
        claim_silent(Report())
        claim(libc.ptrace(PTRACE_DETACH, tid, 0, 0) == 0, "it cannot be let go")
        wait_until(lambda: "futex" in wchan(tid), "it waits again")
        claim_abba(Report())


def read_file(path):
    with open(path, encoding="ascii") as file:
        return file.read()


def frozen_member_is_silent_until_it_is_thawed():
    group = os.path.join(CGROUPS, "gridlock-test")
    if not os.path.exists(os.path.join(CGROUPS, "cgroup.procs")):
        raise Skipped("no cgroup2 at " + CGROUPS)
    os.mkdir(group)
    try:
        with Scenario(ABBA) as scenario:
            tid = scenario.tid["p1"]
            write_file(f"{group}/cgroup.procs", tid)
            write_file(f"{group}/cgroup.freeze", 1)
            wait_until(lambda: "frozen 1" in read_file(f"{group}/cgroup.events"), "it is frozen")
            claim_silent(Report())
            write_file(f"{group}/cgroup.freeze", 0)
            wait_until(lambda: "futex" in wchan(tid), "it waits again")
            claim_abba(Report())
        wait_until(lambda: "populated 0" in read_file(f"{group}/cgroup.events"), "it is empty")
    finally:
        os.rmdir(group)


def become(tid):
    """A process that sleeps and has that number."""
    for _ in range(100):
        write_file("/proc/sys/kernel/ns_last_pid", tid - 1)
        process = subprocess.Popen(["sleep", "3000"])
        if process.pid == tid:
            return process
        process.kill()
        process.wait()
    raise Skipped(f"nobody could be made process {tid}")


def next_tick():
    """What starts from now on has a later start time, counted in ticks, than now."""
    ticks = os.sysconf("SC_CLK_TCK")
    now = int(time.clock_gettime(time.CLOCK_BOOTTIME) * ticks)
    wait_until(lambda: int(time.clock_gettime(time.CLOCK_BOOTTIME) * ticks) > now + 1,
               "a tick has passed")


def number_used_again_is_no_owner():
    """The mutex names a number that an unrelated process has by now.

    That process came when p2 waited already: it cannot have the mutex. Once p2 has begun
    to wait anew, it could have taken the mutex before and unmapped it: nothing may be said.
    """
    with Scenario(["p1: shm:0 sync exit", "p2: sync !shm:0"]) as scenario:
        # The scenario ignores its children: p1 is gone for good.
        wait_until(lambda: not state(scenario.tid["p1"]), "the owner is gone")
        next_tick()
        process = become(scenario.tid["p1"])
        try:
            report = Report("--long-wait", "0.1")
            claim([(f["type"], f["verdict"], [task["comm"] for task in f["tasks"]])
                   for f in report.findings] == [("orphaned-lock", "likely", ["p2"])],
                  brief(report.findings))
            tid = scenario.tid["p2"]
            os.kill(tid, signal.SIGSTOP)
            wait_until(lambda: state(tid) == "T", "it is stopped")
            os.kill(tid, signal.SIGCONT)
            wait_until(lambda: "futex" in wchan(tid), "it waits again")
            report = Report("--long-wait", "0.1")
            claim(not report.findings, brief(report.findings))
        finally:
            process.kill()
            process.wait()


@contextlib.contextmanager
def lockers(*extra, cwd=None):
    """Two processes that take two files crosswise; the first with @extra arguments."""
    folder = tempfile.mkdtemp()
    files = [os.path.join(folder, name) for name in "ab"]
    running = [subprocess.Popen([sys.executable, "-c", LOCKER, *order, *more], cwd=cwd,
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
               for order, more in ((files, extra), (files[::-1], ()))]
    try:
        for process in running:
            read_line(process.stdout, READY_SECS)
        for process in running:
            print(file=process.stdin, flush=True)
        for process in running:
            wait_until(lambda: "lock" in wchan(process.pid), "both wait for a file")
        yield [process.pid for process in running]
    finally:
        for process in running:
            process.kill()
            process.communicate()
        shutil.rmtree(folder)


def two_lockers_are_deadlock():
    with lockers() as pids:
        report = Report()
        claim_abba(report, [read_file(f"/proc/{pid}/comm").strip() for pid in pids])


def live_thread_beside_a_stuck_leader_is_silent():
    """It has the file that the other waits for, too, and may let it go."""
    with lockers("thread"):
        claim_silent(Report())


def lock_inherited_by_the_reader_is_found():
    """The reader itself could let it go, and does, when it starts."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("go", "told"):
            os.mkfifo(os.path.join(folder, name))
        with lockers("reader", cwd=folder) as pids:
            write_file(os.path.join(folder, "go"), "\n")
            found = json.loads(read_file(os.path.join(folder, "told")))["findings"]
            claim([(f["type"], f["verdict"], {task["tid"] for task in f["tasks"]})
                   for f in found] == [("deadlock", "confirmed", set(pids))], brief(found))


def pipe_inherited_by_the_reader_is_found():
    """Nobody but the reader itself could write: it has to let go, and see that."""
    ends = os.pipe()
    stuck = subprocess.Popen(["sh", "-c", f"exec cat <&{ends[0]}"], pass_fds=ends)
    reader = subprocess.Popen(["sh", "-c", "read _; exec gridlock check --for 1"],
                              pass_fds=ends[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True)
    try:
        for end in ends:
            os.close(end)
        wait_until(lambda: "pipe" in wchan(stuck.pid), "it waits for the pipe")
        out, _ = reader.communicate("\n", READY_SECS)
        claim(reader.returncode == 1 and f"[{stuck.pid}]" in out, out)
    finally:
        for process in (stuck, reader):
            process.kill()
            process.wait()


@contextlib.contextmanager
def parent(*how):
    """Gives the process and its child, and what it says next."""
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen([sys.executable, "-c", PARENT, f"{folder}/file", *how],
                                   stdout=subprocess.PIPE, text=True)
        pids = []
        try:
            pids = [int(pid) for pid in read_line(process.stdout, READY_SECS).split()]
            yield pids, process.stdout
        finally:
            for pid in pids[1:]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.kill()
            process.wait()
            process.stdout.close()


def who_waits_for_the_reader_goes_on():
    for how in ("any", "pipe"):
        with parent(how, "reader") as (_, said):
            found = json.loads(read_line(said, READY_SECS))["findings"]
            claim(not found, f"{how}: {brief(found)}")


def who_waits_like_that_and_for_nobody_else_does_not():
    for how in ("any", "pipe"):
        with parent(how) as (pids, _):
            wait_until(lambda: {"any": "wait", "pipe": "pipe"}[how] in wchan(pids[0]),
                       "the parent waits")
            report = Report()
            claim([(f["type"], f["verdict"], {task["tid"] for task in f["tasks"]})
                   for f in report.findings] == [("deadlock", "confirmed", set(pids))],
                  f"{how}: {brief(report.findings)}")


def stage_address(pid):
    """Where a puppet has the memory that it shares with the others."""
    line = next(line for line in read_file(f"/proc/{pid}/maps").splitlines() if "/stage" in line)
    return line.partition("-")[0]


def mutexes_at_other_addresses_are_deadlock():
    """Programs that were started each by itself have what they share where it fits."""
    with Puppets("p1", "p2") as puppets:
        first, second = puppets["p1"], puppets["p2"]
        claim(stage_address(first.tid) != stage_address(second.tid), "the addresses are the same")
        first.do("lock shm 0")
        second.do("lock shm 1")
        first.begin_wait("lock shm 1")
        second.begin_wait("lock shm 0")
        claim_abba(Report())


def mutexes_at_other_addresses_in_order_are_silent():
    with Puppets("p1", "p2") as puppets:
        puppets["p1"].do("lock shm 0", "lock shm 1")
        puppets["p2"].begin_wait("lock shm 0")
        claim_silent(Report())


TESTS = [mutexes_at_other_addresses_are_deadlock, mutexes_at_other_addresses_in_order_are_silent,
         who_waits_for_the_reader_goes_on, who_waits_like_that_and_for_nobody_else_does_not,
         abba_in_a_pid_namespace_is_deadlock, pid_namespace_in_order_is_silent,
         child_in_a_deeper_namespace_is_found,
         child_in_a_deeper_namespace_that_waits_for_us_is_silent,
         clock_of_a_time_namespace_is_told_from_the_kernels,
         stopped_member_is_silent_until_it_goes_on, traced_member_is_silent_until_it_is_let_go,
         frozen_member_is_silent_until_it_is_thawed, number_used_again_is_no_owner,
         two_lockers_are_deadlock, live_thread_beside_a_stuck_leader_is_silent,
         lock_inherited_by_the_reader_is_found, pipe_inherited_by_the_reader_is_found]

if __name__ == "__main__":
    run([(test.__name__, test) for test in TESTS])
