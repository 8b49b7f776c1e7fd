#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Healthy contention of all kinds: that of the scenarios, and beside each of the programs
of loads.py; check after check finds nothing that is not true. Then two deadlock beside
it, and these are found: the silence was no blindness. A crowd of threads: check looks at
all of them, and finds the two that are stuck.

GL_SECONDS is how long in all (default 60), GL_THREADS how many (default 3000).
"""

import json
import os
import re
import subprocess
import tempfile
import time
from datetime import datetime

import gltest
import loads
from gltest import COMMAND_SECS, Report, Scenario, brief, claim, need_both, run, wait_until
from puppets import read_file

SECONDS = float(os.environ.get("GL_SECONDS", 60))
THREADS = int(os.environ.get("GL_THREADS", 3000))
CROWD_READY_SECS = 60 + THREADS / 50

# What check looks for when nobody says how long.
WINDOW = 3.0

# Looks are so far apart, and tell a task's times to one of them.
LOOK_SECS = 0.25

# Bytes that watch may tell between two looks.
MOST_TOLD = 1 << 24

LOCKERS = [f"p{i}*: shm:0 shm:1 shm:2" for i in range(8)]
CROWD = (["long: mtx:0 sync"] + [f"q{i}: sync !mtx:0" for i in range(8)] +
         [f"c{i}: !cond:1" for i in range(4)] + [f"s{i}: !sem:2" for i in range(4)] +
         ["z1: !sleep", "z2: !sleep"])
KERNEL = [f"k{i}*: kmutex:0 krwsem-w:1 flock:2" for i in range(4)]
ABBA = ["one: shm:10 sync !shm:11", "two: shm:11 sync !shm:10"]


class RunTimes:
    """What the scheduler counts of each task: how long it ran, and waited for a CPU."""

    def __init__(self):
        self.taken = time.time()
        self.of = {int(tid): self.read(tid) for pid in filter(str.isdigit, os.listdir("/proc"))
                   for tid in self.threads(pid)}

    @staticmethod
    def threads(pid):
        try:
            return os.listdir(f"/proc/{pid}/task")
        except OSError:
            return []

    @staticmethod
    def read(tid):
        """ran_s, waited_s, how often it began to run; None when it is gone."""
        try:
            with open(f"/proc/{tid}/schedstat", encoding="ascii") as file:
                ran, waited, times = map(int, file.read().split())
        except (OSError, ValueError):
            return None
        return ran / 1e9, waited / 1e9, times

    def since(self, tid):
        """ran_s, waited_s and how often it began to run since then; None when it is gone."""
        now, before = self.read(tid), self.of.get(tid) or (0, 0, 0)
        return now and tuple(now - then for now, then in zip(now, before))


def is_kept_off(finding, times):
    """cpu-starvation is true if the scheduler counted as long a wait for a CPU, which it
    does at the wait's end; or if the task has ended.
    """
    tid = finding["tasks"][0]["tid"]
    told = times.since(tid)

    def is_over():
        now = times.since(tid)
        return not now or now[2] > told[2] or now[1] >= finding["runnable_s"]

    wait_until(lambda: not told or is_over(), f"{tid} gets a CPU")
    now = times.since(tid)
    return not now or now[1] >= finding["runnable_s"] - LOOK_SECS


# Locks that who runs may take while the first in the queue has not come to run: those of
# user space by their nature, these of the kernel since tasks spin for them.
OPEN_TO_WHO_RUNS = {"futex", "mutex", "rwsem:R", "rwsem:W"}


def is_passed_over(finding, times):
    """starvation is true of such a lock if the waiter did not run for so long, and one of
    those who had the lock did.
    """
    (task,) = finding["tasks"]
    now = times.since(task["tid"])
    took = time.time() - times.taken
    asleep = min(finding["since_s"], finding["told"] - times.taken)
    others = [times.since(other["tid"]) for other in finding.get("by", [])]
    return (task["waits_for"]["kind"] in OPEN_TO_WHO_RUNS and
            any(not other or other[0] > 0 for other in others) and
            (not now or now[0] <= took - asleep + LOOK_SECS))


IS_TRUE = {"cpu-starvation": is_kept_off, "starvation": is_passed_over,
           "long-wait": lambda finding, times: finding["since_s"] >= 10 and finding["root"]}


class Looks:
    """check, as often as it is asked for, and watch beside it. No finding may be but what
    its evidence proves, and of a deadlock but these tasks'.
    """

    def __init__(self, pair=()):
        self.pair = set(pair)
        self.have_seen_it = set()
        self.times = RunTimes()

    def __enter__(self):
        self.file = tempfile.TemporaryFile()
        self.watch = subprocess.Popen(["gridlock", "watch", "--json"], stdout=self.file,
                                      stdin=subprocess.DEVNULL)
        self.read_to = 0
        return self

    def __exit__(self, *_):
        self.watch.kill()
        self.watch.wait()
        self.file.close()

    def watched(self):
        """What watch has told since it was asked last."""
        whole, newline, _ = os.pread(self.file.fileno(), MOST_TOLD, self.read_to).rpartition(b"\n")
        self.read_to += len(whole + newline)
        events = [json.loads(line) for line in whole.splitlines()]
        for event in events:
            claim(event["event"] in ("begin", "change", "end"), f"watch says {event}")
            event["finding"]["told"] = datetime.fromisoformat(event["time"]).timestamp()
        return [event["finding"] for event in events if event["event"] != "end"]

    def is_pair(self, finding):
        return ((finding["type"], finding["verdict"]) == ("deadlock", "confirmed") and
                {task["tid"] for task in finding["tasks"]} == self.pair)

    def judge(self, who, finding, times):
        if self.is_pair(finding):
            self.have_seen_it.add(who)
            return
        is_true = IS_TRUE.get(finding["type"], lambda finding, times: False)
        claim(is_true(finding, times), f"{who}: {brief([finding])}\n{json.dumps(finding)}\n"
              f"ran, waited for a CPU, began to: {times.since(finding['tasks'][0]['tid'])}")
        if finding["type"] != "long-wait":
            facts = {name: value for name, value in finding.items()
                     if not isinstance(value, (list, dict))}
            print(f"# {who}: {brief([finding])}: {facts}")

    def look(self, partial=False):
        """What watch told since the look before is about times after that look's begin."""
        before, self.times = self.times, RunTimes()
        report = Report(window=WINDOW, partial=partial)
        for finding in report.findings:
            self.judge("check", {**finding, "told": time.time()}, self.times)
        self.look_at_watch(before)
        return report

    def look_at_watch(self, times):
        claim(self.watch.poll() is None, f"watch ended with {self.watch.returncode}")
        for finding in self.watched():
            self.judge("watch", finding, times)


def look_for(secs):
    checks = whole = unproven = 0
    end = time.monotonic() + secs
    with Looks() as looks:
        while time.monotonic() + WINDOW < end or not whole:
            claim(time.monotonic() < end + gltest.READY_SECS, "no check looks at every task")
            report = looks.look(partial=True)
            checks += 1
            whole += not report.json["unseen"]["not_looked"]
            unproven += bool(report.json["unseen"]["unproven"])
    print(f"# {checks} checks, {whole} of every task, {unproven} left something unproven")


def two_that_deadlock_are_found():
    with Scenario(ABBA) as pair, Looks(pair.tid.values()) as looks:
        report = looks.look()
        claim("check" in looks.have_seen_it, f"it is not found: {brief(report.findings)}")

        def watch_has_seen_it():
            looks.look_at_watch(looks.times)
            return "watch" in looks.have_seen_it

        wait_until(watch_has_seen_it, "watch tells of the deadlock")


def spin(secs):
    """On a CPU for so long, by the clock of this thread."""
    end = time.thread_time() + secs
    while time.thread_time() < end:
        pass


def what_the_scheduler_denies_is_refused():
    """This process ran, and did not wait: no evidence makes it starve."""
    times = RunTimes()
    spin(1)
    task = {"tid": os.getpid(), "waits_for": {"kind": "futex"}}
    waited = times.since(task["tid"])[1]
    for secs, holds in ((waited, True), (waited + 10, False)):
        claim(is_kept_off({"tasks": [task], "runnable_s": secs}, times) == holds,
              f"{secs} s of {waited} s without a CPU: not {holds}")
    told = time.time()
    for secs, holds in ((0, True), (told - times.taken, False)):
        finding = {"tasks": [task], "by": [task], "since_s": secs, "told": told}
        claim(bool(is_passed_over(finding, times)) == holds, f"{secs} s asleep: not {holds}")


def contention_has_no_finding():
    with Scenario(LOCKERS), Scenario(CROWD, threads=True), Scenario(KERNEL):
        look_for(SECONDS / SHARES)
        two_that_deadlock_are_found()


def contentions():
    """How many the module has seen."""
    with open("/sys/kernel/debug/gridlock/stats", encoding="ascii") as file:
        return int(dict(line.split() for line in file)["events.begins"])


def silent_beside(make_load):
    """Beside this program nothing is found but two that deadlock."""
    def test():
        before, began = contentions(), time.monotonic()
        with make_load() as load:
            ready = time.monotonic() - began
            look_for(SECONDS / SHARES)
            two_that_deadlock_are_found()
            load.claim_running()
        print(f"# ready in {ready:.0f} s, {load.rounds} rounds, {contentions() - before} "
              f"contentions, {time.monotonic() - began:.0f} s in all")
    return f"{make_load.__name__}_has_no_finding", test


LOADS = [loads.stress_ng, loads.pgbench, loads.messaging, loads.futex, loads.build]
SHARES = 1 + len(LOADS)


def make_room():
    """A small machine allows for less threads than this."""
    limit = "/proc/sys/kernel/threads-max"
    with open(limit, encoding="ascii") as file:
        allowed = int(file.read())
    if allowed < 2 * THREADS:
        with open(limit, "w", encoding="ascii") as file:
            file.write(str(2 * THREADS))


class Crowd:
    """Threads of one process; tid is the first one's."""

    def __init__(self, shape):
        self.command = [os.path.join(gltest.HERE, "scenario", "crowd"), shape, str(THREADS)]

    def __enter__(self):
        make_room()
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        line = gltest.read_line(self.process.stdout, CROWD_READY_SECS).split()
        claim(line[:1] == ["ready"], f"the crowd did not get ready: {line}")
        self.tid = int(line[2])
        wait_until(lambda: "futex" in gltest.wchan(self.tid), "the first one waits")
        return self

    def __exit__(self, *_):
        self.process.communicate()


class Reader:
    """Runs the reader as gltest.gridlock does; peak is its memory, KiB, at least. What
    wait4(2) tells is no less than Python's: a process that executes another keeps it.
    """

    peak = 0

    def see(self, pid):
        found = re.search(r"VmHWM:\s*(\d+) kB", read_file(f"/proc/{pid}/status"))
        self.peak = max(self.peak, int(found[1]) if found else 0)

    def __call__(self, *args, env=None):
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            process = subprocess.Popen(["gridlock", *map(str, args)], stdin=subprocess.DEVNULL,
                                       stdout=out, stderr=err, env={**os.environ, **(env or {})})
            end = time.monotonic() + COMMAND_SECS
            while process.poll() is None and time.monotonic() < end:
                self.see(process.pid)
                time.sleep(0.01)
            process.kill()
            claim(process.wait() >= 0, f"{process.args} did not end in {COMMAND_SECS} s")
            out.seek(0)
            err.seek(0)
            return process.returncode, out.read(), err.read()


def look_at(crowd):
    """One check, which has to see every thread; says what it took."""
    reader = Reader()
    began = time.monotonic()
    report = Report(window=2.0, reader=reader)
    took = time.monotonic() - began
    print(f"# {crowd.command[1]} of {THREADS} threads: check took {took:.1f} s, "
          f"{reader.peak} KiB or more")
    claim(report.json["complete"], f"not all were seen: {report.out[:400]}")
    return report


def two_stuck_in_a_crowd_are_found():
    with Crowd("knot") as crowd:
        report = look_at(crowd)
        found = [f for f in report.findings if f["type"] != "long-wait"]
        claim([(f["type"], f["verdict"]) for f in found] == [("deadlock", "confirmed")],
              f"{len(found)} findings")
        tids = {task["tid"] for task in found[0]["tasks"]}
        claim(len(tids) == 2 and crowd.tid in tids, f"members are {tids}")


def crowd_that_waits_its_turn_is_silent():
    with Crowd("queue") as crowd:
        report = look_at(crowd)
        claim(report.status == 0, f"{len(report.findings)} findings")


if __name__ == "__main__":
    run([(test.__name__, test) for test in (
        two_stuck_in_a_crowd_are_found, crowd_that_waits_its_turn_is_silent,
        what_the_scheduler_denies_is_refused, contention_has_no_finding)] +
        [silent_beside(load) for load in LOADS], need_both)
