#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Circles in special situations: in a PID namespace, with members stopped, traced
or frozen, with an owner whose number somebody else has now, with live threads
beside a stuck one, and looked at by a reader that inherited what they hold. One look is
for several of them, where they do not mind.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import signal
import subprocess
import tempfile
import time

from gltest import (READY_SECS, SCENARIO, Report, Scenario, Skipped, brief, claim, descendants,
                    read_line, run, wait_until, wchan)
from kin import lockers, parent
from puppets import Puppets, write_file
from together import SideBySide

ABBA = ["p1: shm:0 sync !shm:1", "p2: shm:1 sync !shm:0"]
CGROUPS = "/sys/fs/cgroup"
PTRACE_ATTACH, PTRACE_DETACH = 16, 17
WALL = 0x40000000  # __WALL of waitpid(2): any child or traced thread


def state(tid):
    """The state letter; empty when it is gone."""
    try:
        with open(f"/proc/{tid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def claim_abba(findings, comms=("p1", "p2")):
    claim(len(findings) == 1, brief(findings))
    finding = findings[0]
    claim((finding["type"], finding["verdict"]) == ("deadlock", "confirmed"), brief([finding]))
    claim(sorted(task["comm"] for task in finding["tasks"]) == sorted(comms), brief([finding]))


@contextlib.contextmanager
def in_a_pid_namespace(*actors):
    """Its mutexes hold numbers of that namespace, which here are of others."""
    command = ["unshare", "--fork", "--pid", "--mount-proc", SCENARIO, *actors]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as process:
        try:
            line = read_line(process.stdout, READY_SECS)
            claim(line.startswith("ready"), f"not ready: {line}")
            yield descendants(process.pid)
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
    waits for its own, in one more namespace: that one waits for file @other. The parent
    waits for it by a number that is neither ours nor the child's own.
    """
    with tempfile.TemporaryDirectory() as folder:
        files = {name: os.path.join(folder, name) for name in ("held", "other")}
        with open(files["other"], "w", encoding="ascii") as file, subprocess.Popen(
                ["unshare", "--fork", "--pid", "--kill-child", "flock", "-o", files["held"],
                 "unshare", "--fork", "--pid", "flock", files[other], "true"]) as process:
            fcntl.flock(file, fcntl.LOCK_EX)
            try:
                wait_until(lambda: "lock" in wchan(last_descendant(process.pid)),
                           "the last one waits for a file")
                yield descendants(process.pid)
            finally:
                process.kill()


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


def read_file(path):
    with open(path, encoding="ascii") as file:
        return file.read()


class Kept:
    """ABBA whose first member is kept from waiting, until it goes on. Gives the tasks."""

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.begin(stack)
            self.stack = stack.pop_all()
        return self.tids

    def begin(self, stack):
        scenario = stack.enter_context(Scenario(ABBA))
        self.tid, self.tids = scenario.tid["p1"], set(scenario.tid.values())
        self.keep()

    def __exit__(self, *error):
        self.stack.__exit__(*error)

    def go_on(self):
        self.let_go()
        wait_until(lambda: "futex" in wchan(self.tid), "it waits again")


class Stopped(Kept):
    def keep(self):
        os.kill(self.tid, signal.SIGSTOP)
        wait_until(lambda: state(self.tid) == "T", "it is stopped")

    def let_go(self):
        os.kill(self.tid, signal.SIGCONT)


class Traced(Kept):
    libc = ctypes.CDLL(None, use_errno=True)

    def keep(self):
        claim(self.libc.ptrace(PTRACE_ATTACH, self.tid, 0, 0) == 0, "it cannot be traced")
        os.waitpid(self.tid, WALL)
        claim(state(self.tid) == "t", f"its state is {state(self.tid)}")

    def let_go(self):
        claim(self.libc.ptrace(PTRACE_DETACH, self.tid, 0, 0) == 0, "it cannot be let go")


class Frozen(Kept):
    group = os.path.join(CGROUPS, "gridlock-test")

    def begin(self, stack):
        if not os.path.exists(os.path.join(CGROUPS, "cgroup.procs")):
            raise Skipped("no cgroup2 at " + CGROUPS)
        os.mkdir(self.group)
        stack.callback(self.end)
        super().begin(stack)

    def tells(self, event):
        return event in read_file(f"{self.group}/cgroup.events")

    def keep(self):
        write_file(f"{self.group}/cgroup.procs", self.tid)
        write_file(f"{self.group}/cgroup.freeze", 1)
        wait_until(lambda: self.tells("frozen 1"), "it is frozen")

    def let_go(self):
        write_file(f"{self.group}/cgroup.freeze", 0)

    def end(self):
        try:
            wait_until(lambda: self.tells("populated 0"), "it is empty")
        finally:
            os.rmdir(self.group)


KEPT = {"stopped": Stopped(), "traced": Traced(), "frozen": Frozen()}


def look_when_they_go_on():
    """Return: what a look finds then."""
    there = [name for name in KEPT if name not in KEEPING.skipped]
    for name in there:
        KEPT[name].go_on()
    gone_on = SideBySide({name: lambda name=name: contextlib.nullcontext(KEPT[name].tids)
                          for name in there}, {})
    gone_on.look_once()
    return gone_on


KEEPING = SideBySide({}, {name: lambda name=name: KEPT[name] for name in KEPT},
                     look_when_they_go_on)


def member_is_silent_until_it_is_let_go(name):
    KEEPING.claim_silent(name)
    findings = KEEPING.told.findings(name)
    claim_abba(findings)
    claim({task["tid"] for task in findings[0]["tasks"]} == KEPT[name].tids, brief(findings))


def next_tick():
    """What starts from now on has a later start time, counted in ticks, than now."""
    ticks = os.sysconf("SC_CLK_TCK")
    now = int(time.clock_gettime(time.CLOCK_BOOTTIME) * ticks)
    wait_until(lambda: int(time.clock_gettime(time.CLOCK_BOOTTIME) * ticks) > now + 1,
               "a tick has passed")


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


def who_waits_for_the_reader_goes_on():
    """Both at once: neither of the two readers is stuck for the other one."""
    with parent("any", "reader") as one, parent("pipe", "reader") as other:
        for how, (_, said) in (("any", one), ("pipe", other)):
            found = json.loads(read_line(said, READY_SECS))["findings"]
            claim(not found, f"{how}: {brief(found)}")


@contextlib.contextmanager
def parent_for_nobody_else(how):
    """It waits like that, and no reader ends."""
    with parent(how) as (pids, _):
        wait_until(lambda: {"any": "wait", "pipe": "pipe"}[how] in wchan(pids[0]),
                   "the parent waits")
        yield pids


def stage_address(pid):
    """Where a puppet has the memory that it shares with the others."""
    line = next(line for line in read_file(f"/proc/{pid}/maps").splitlines() if "/stage" in line)
    return line.partition("-")[0]


@contextlib.contextmanager
def mutexes_at_other_addresses():
    """Programs that were started each by itself have what they share where it fits."""
    with Puppets("p1", "p2") as puppets:
        first, second = puppets["p1"], puppets["p2"]
        claim(stage_address(first.tid) != stage_address(second.tid), "the addresses are the same")
        first.do("lock shm 0")
        second.do("lock shm 1")
        first.begin_wait("lock shm 1")
        second.begin_wait("lock shm 0")
        # The look is not to keep off a CPU.
        os.sched_setaffinity(0, puppets.cpus)
        yield puppets.tids()


@contextlib.contextmanager
def mutexes_at_other_addresses_in_order():
    with Puppets("p1", "p2") as puppets:
        puppets["p1"].do("lock shm 0", "lock shm 1")
        puppets["p2"].begin_wait("lock shm 0")
        os.sched_setaffinity(0, puppets.cpus)
        yield puppets.tids()


# As many tasks each as a look is quick with.
STAGES = (
    SideBySide({"mutexes_at_other_addresses": mutexes_at_other_addresses,
                "abba_in_a_pid_namespace": lambda: in_a_pid_namespace(*ABBA)},
               {"mutexes_at_other_addresses_in_order": mutexes_at_other_addresses_in_order}),
    SideBySide({"child_in_a_deeper_namespace": lambda: parent_above("held"),
                "parent_of_any_child": lambda: parent_for_nobody_else("any"),
                "parent_that_reads": lambda: parent_for_nobody_else("pipe"),
                "two_lockers": lockers},
               # Not beside the other one: both name what they share by their number.
               {"pid_namespace_in_order":
                    lambda: in_a_pid_namespace("p1: shm:0 sync", "p2: sync !shm:0"),
                "child_in_a_deeper_namespace_that_waits_for_us": lambda: parent_above("other"),
                # It has the file that the other waits for, too, and may let it go.
                "live_thread_beside_a_stuck_leader": lambda: lockers("thread")}),
)

# The names of those in it; none: those that the situation gives.
MEMBERS = {"mutexes_at_other_addresses": ("p1", "p2"), "abba_in_a_pid_namespace": ("p1", "p2"),
           "child_in_a_deeper_namespace": ("flock", "flock", "unshare")}


def is_deadlock(stage, name):
    found = stage.findings(name)
    if name in MEMBERS:
        claim_abba(found, MEMBERS[name])
        claim({task["tid"] for task in found[0]["tasks"]} <= stage.tids[name], brief(found))
        return
    claim([(f["type"], f["verdict"], {task["tid"] for task in f["tasks"]}) for f in found] ==
          [("deadlock", "confirmed", stage.tids[name])], brief(found))


TESTS = [(f"{name}_is_deadlock", lambda stage=stage, name=name: is_deadlock(stage, name))
         for stage in STAGES for name in stage.found]
TESTS += [(f"{name}_is_silent", lambda stage=stage, name=name: stage.claim_silent(name))
          for stage in STAGES for name in stage.situations if name not in stage.found]
TESTS += [(f"{name}_member_is_silent_until_it_is_let_go",
           lambda name=name: member_is_silent_until_it_is_let_go(name)) for name in KEPT]
TESTS += [(test.__name__, test) for test in (
    who_waits_for_the_reader_goes_on, clock_of_a_time_namespace_is_told_from_the_kernels,
    number_used_again_is_no_owner, lock_inherited_by_the_reader_is_found,
    pipe_inherited_by_the_reader_is_found)]

if __name__ == "__main__":
    run(TESTS)
