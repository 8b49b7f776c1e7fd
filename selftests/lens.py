#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The lens: every call of mutex and rwlock functions in the processes that are named.
What it alone can see is found, with a twin that differs in one order or number,
of which nothing is said; it leaves nothing behind, and says why when it cannot.
"""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile

from gltest import (COMMAND_SECS, GRACE_SECS, HERE, READY_SECS, Report, Skipped, claim, gridlock,
                    need_module, read_line, run, wait_until, wchan)
from puppets import WITHOUT_PRELOAD, Beside, Look
from watch import Watch

HALLWAY = os.path.join(HERE, "scenario", "hallway")
HALLWAY_MUSL = HALLWAY + "_musl"

# A breakpoint of x86: what a uprobe puts in the place of the first byte.
BREAKPOINT = 0xcc

SECS = 2.5

# Halls whose threads drive each other off the CPUs.
CROWD = 2

# Looks, until one lost nothing.
TRIES = 5

# Who does not come to try at all between two looks, as others have the CPUs, begins
# afresh: where that was all there was time for, look again, so many times as long.
LONGER = (1, 2, 4)


class Hallway(Beside):
    """Two threads: one and two are their numbers. Of several halls, tids are all pairs."""

    def __init__(self, *way, program=(HALLWAY,)):
        super().__init__(*WITHOUT_PRELOAD, *program, *way, stdin=subprocess.PIPE)
        self.get_ready()

    def get_ready(self):
        words = read_line(self.process.stdout, READY_SECS).split()
        claim(words[:1] == ["ready"], f"hallway says {words}")
        self.code, *tids = map(int, words[1:])
        self.tids = list(zip(tids[::2], tids[1::2]))
        self.one, self.two = self.tids[0]

    def first_byte(self):
        """Of pthread_mutex_lock(), in its memory."""
        with open(f"/proc/{self.pid}/mem", "rb") as memory:
            memory.seek(self.code)
            return memory.read(1)[0]

    def of_each(self, findings, kind):
        """Hall by hall: no finding has threads of more than one."""
        found = [[finding for finding in self.ours(findings, kind) if
                  {task["tid"] for task in finding["tasks"]} == set(tids)] for tids in self.tids]
        claim(sum(map(len, found)) == len(self.ours(findings, kind)), f"it says {findings}")
        return found

    def ours(self, findings, kind):
        return [finding for finding in findings if finding["type"] == kind and
                self.pid in {task["pid"] for task in finding["tasks"]}]


def look(hallway, *options, kind, secs=SECS, grace=GRACE_SECS):
    """A kernel that preempts a program of the lens runs it for no other task meanwhile:
    that call is lost, and told. Then look again.
    """
    for _ in range(TRIES):
        report = Report("--lens", hallway.pid, *options, window=secs, grace=grace)
        lens = report.json["lens"]
        if not lens["lost"]:
            break
        claim(not report.json["complete"], f"complete, and lost events: {lens}")
    claim(lens["hits"] > 0, f"the lens saw nothing: {lens}")
    claim(lens["lost"] == 0, f"the lens lost events: {lens}")
    claim(lens["cpu_s"] > 0, f"the lens took no time: {lens}")
    return hallway.ours(report.findings, kind), report


def look_at_all(ways, kind, secs=SECS, program=HALLWAY):
    """One look at several halls in one process: the pairs, and what it says of each.
    So many threads leave the reader little of the CPUs: it may be late.
    """
    words = [word for way in ways for word in (*way, "/")][:-1]
    with Hallway(*words, program=(program,)) as hall:
        _, report = look(hall, kind=kind, secs=secs, grace=COMMAND_SECS)
        return hall.tids, hall.of_each(report.findings, kind)


# --- livelock ---

def hallway_is_livelock():
    with Hallway("tries", 0) as hall:
        for times in LONGER:
            told, report = look(hall, kind="livelock", secs=SECS * times)
            if told:
                break
        claim(len(told) == 1, f"it says {told}")
        claim(told[0]["verdict"] == "likely", f"the verdict is {told[0]['verdict']}")
        tasks = {task["tid"]: task for task in told[0]["tasks"]}
        claim(set(tasks) == {hall.one, hall.two}, f"the members are {sorted(tasks)}")
        for tid, other in ((hall.one, hall.two), (hall.two, hall.one)):
            task = tasks[tid]
            claim(20 <= task["attempts"] == task["failures"] and not task["successes"],
                  f"{task}")
            claim(task["refused_by"] == str(other), f"{tid} is refused by {task['refused_by']}")
            claim(0 < task["cpu_s"] <= report.json["window_s"], f"{tid} took {task['cpu_s']} s")


def one_that_gets_it_now_and_then_is_silent():
    with Hallway("tries", 16) as hall:
        told, _ = look(hall, kind="livelock")
        claim(not told, f"it says {told}")


def hallway_without_the_lens_is_silent():
    with Hallway("tries", 0) as hall:
        report = Report(window=SECS)
        claim("lens" not in report.json, "there is a lens")
        claim(not hall.ours(report.findings, "livelock"), "it sees what it cannot")


def two_processes_are_told_apart():
    """One look at both, each of which has its probes at the same places."""
    with Hallway("opposite") as hall, Hallway("same") as other:
        told, report = look(hall, "--lens", other.pid, kind="lock-inversion", secs=1,
                            grace=COMMAND_SECS)
        claim(len(told) == 1, f"it says {told}")
        claim(not other.ours(report.findings, "lock-inversion"), f"it says {report.findings}")


def programs_that_are_preempted_do_no_harm():
    """A program of the lens that another task interrupts on its CPU must not lose what
    it works on to it: with a stack for each CPU, the kernel dies. Calls may be lost, and
    the reader, which has to share the CPUs with all of that, may be late.
    """
    with contextlib.ExitStack() as stack:
        halls = [stack.enter_context(Hallway("tries", 0)) for _ in range(CROWD)]
        pids = [word for hall in halls for word in ("--lens", hall.pid)]
        lens = Report(*pids, window=2 * SECS, grace=COMMAND_SECS).json["lens"]
        claim(lens["hits"] > 0, f"the lens saw nothing: {lens}")


def claim_refused_by_each_other(tids, told):
    claim([finding["verdict"] for finding in told] == ["likely"], f"it says {told}")
    refused_by = {task["tid"]: task["refused_by"] for task in told[0]["tasks"]}
    claim(refused_by == {tids[0]: str(tids[1]), tids[1]: str(tids[0])}, f"{refused_by}")


def tries_are_livelock(one, other, twin, program):
    """In two halls, and in the third somebody gets it now and then."""
    for times in LONGER:
        tids, told = look_at_all([one, other, twin], "livelock", SECS * times, program)
        if told[2] or told[0] and told[1]:
            break
    claim_refused_by_each_other(tids[0], told[0])
    claim_refused_by_each_other(tids[1], told[1])
    claim(not told[2], f"of one that gets it now and then it says {told[2]}")


def tries_for_rwlocks(program):
    """glibc's lock names who writes; who reads is known by what the lens saw alone."""
    tries_are_livelock(("-m", "wr-ww-", "tries", 0), ("-m", "rw-rw-", "tries", 0),
                       ("-m", "ww-ww-", "tries", 16), program)


def rwlocks_tried_for_are_livelock():
    tries_for_rwlocks(HALLWAY)


# --- lock-inversion ---

def opposite_orders_are_lock_inversion():
    with Hallway("opposite") as hall:
        told, _ = look(hall, kind="lock-inversion", secs=1)
        claim(len(told) == 1, f"it says {told}")
        claim(told[0]["verdict"] == "possible", f"the verdict is {told[0]['verdict']}")
        tids = {task["tid"] for task in told[0]["tasks"]}
        claim(tids == {hall.one, hall.two}, f"the members are {sorted(tids)}")
        order, opposite = told[0]["order"], told[0]["opposite"]
        claim(order.count("(at hallway+0x") == opposite.count("(at hallway+0x") == 2,
              f"the calls are not told: {order}; {opposite}")
        claim({line.split(":")[0] for line in (order, opposite)} ==
              {str(hall.one), str(hall.two)}, f"{order}; {opposite}")


def same_orders_are_silent():
    with Hallway("same") as hall:
        told, _ = look(hall, kind="lock-inversion", secs=1)
        claim(not told, f"it says {told}")


def orders_behind_a_gate_are_silent():
    with Hallway("gated") as hall:
        told, _ = look(hall, kind="lock-inversion", secs=1)
        claim(not told, f"it says {told}")


def orders_of_rwlocks(program):
    """By how they are taken, which is all that differs: is there a lock-inversion?"""
    ways = {("opposite", "ww-ww-"): 1, ("same", "ww-ww-"): 0,
            ("opposite", "wr-wr-"): 1, ("opposite", "rr-ww-"): 1,
            ("opposite", "rr-rr-"): 0, ("opposite", "rw-wr-"): 0,
            ("gated", "wwrwwr"): 1, ("gated", "wwrwww"): 0}
    tids, told = look_at_all([("-m", modes, way) for way, modes in ways], "lock-inversion",
                             secs=1, program=program)
    for pair, way, findings in zip(tids, ways, told):
        claim(len(findings) == ways[way], f"of {way} it says {findings}")
        if not findings:
            continue
        order, opposite = sorted((findings[0]["order"], findings[0]["opposite"]),
                                 key=lambda line: line.startswith(f"{pair[1]}:"))
        claim((order + opposite).count("pthread rwlock 0x") == 4, f"{order}; {opposite}")
        reads = [line.count(" to read (at ") for line in (order, opposite)]
        claim(reads == [way[1][:2].count("r"), way[1][3:5].count("r")],
              f"of {way} it says {order}; {opposite}")


def opposite_orders_of_rwlocks_are_lock_inversion():
    orders_of_rwlocks(HALLWAY)


def gate_that_is_lost_is_no_lock_inversion():
    with Hallway("deep") as hall:
        report = Report("--lens", hall.pid, window=1)
        told = hall.ours(report.findings, "lock-inversion")
        claim(not told, f"it says {told}")
        claim(report.json["lens"]["lost"] > 0, f"nothing was lost: {report.json['lens']}")
        claim(not report.json["complete"], "it says that it is complete")


# --- whose functions ---

def need_musl():
    if not os.path.exists(HALLWAY_MUSL):
        raise Skipped("no compiler for musl was there (musl-tools)")


def musl_is_seen():
    need_musl()
    # A plain one does not name who has it.
    tries_are_livelock(("-c", "tries", 0), ("tries", 0), ("tries", 16), HALLWAY_MUSL)


def order_of_plain_mutexes_of_musl_is_seen():
    need_musl()
    with Hallway("opposite", program=(HALLWAY_MUSL,)) as hall:
        told, _ = look(hall, kind="lock-inversion", secs=1)
        claim(len(told) == 1, f"it says {told}")
    with Hallway("gated", program=(HALLWAY_MUSL,)) as hall:
        told, _ = look(hall, kind="lock-inversion", secs=1)
        claim(not told, f"it says {told}")


def rwlocks_of_musl_are_seen():
    need_musl()
    orders_of_rwlocks(HALLWAY_MUSL)
    tries_for_rwlocks(HALLWAY_MUSL)


def program_with_its_library_inside_is_seen_by_its_symbols():
    static = HALLWAY + "_static"
    for way, number in (("opposite", 1), ("same", 0)):
        with Hallway(way, program=(static,)) as hall:
            told, _ = look(hall, kind="lock-inversion", secs=1)
            claim(len(told) == number, f"of {way} orders it says {told}")
    with tempfile.TemporaryDirectory() as folder:
        stripped = os.path.join(folder, "stripped")
        subprocess.run(["strip", "-o", stripped, static], check=True)
        with Hallway("opposite", program=(stripped,)) as hall:
            refused("--lens", hall.pid, why=f"process {hall.pid} has no C library")


def c_library(pid="self"):
    """The file that a process uses: its name, and its number."""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
        fields = next(line.split() for line in maps if "/libc.so" in line)
    return fields[5], fields[4]


def library_of_another_mount_namespace_is_the_one():
    with tempfile.TemporaryDirectory() as folder:
        # A file of its own where all others have another one.
        other = os.path.join(folder, "libc")
        name, number = c_library()
        shutil.copyfile(name, other)
        inside = ("unshare", "-m", "sh", "-c", 'mount --bind "$0" "$1" || exit; shift; exec "$@"',
                  other, name, HALLWAY)
        for way, findings in (("opposite", 1), ("same", 0)):
            with Hallway(way, program=inside) as hall:
                claim(c_library(hall.pid) != (name, number), "it has the library of all others")
                told, _ = look(hall, kind="lock-inversion", secs=1)
                claim(len(told) == findings, f"of {way} orders it says {told}")


# --- other programs ---

class Changing(Hallway):
    """A shell that becomes another program when it is told."""

    def __init__(self, *way, program=HALLWAY):
        self.way = (program, *map(str, way))
        super().__init__(program=("sh", "-c", 'read line; exec "$0" "$@"', *self.way))

    def get_ready(self):
        wait_until(lambda: wchan(self.pid).endswith("pipe_read"), "the shell waits for its input")

    def change(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        super().get_ready()


def executed_program_with_the_same_library_is_seen():
    for way, number in (("opposite", 1), ("same", 0)):
        with Changing(way) as hall, Look("--lens", hall.pid, secs=SECS) as beside:
            beside.looked()
            hall.change()
            told = hall.ours(beside.findings(), "lock-inversion")
            claim(len(told) == number, f"of {way} orders it says {told}")


def executed_program_that_is_not_seen_is_told():
    with Changing("opposite", program=HALLWAY + "_static") as hall, \
            Watch("--json", "--lens", str(hall.pid)) as watch:
        watch.silent_rounds(1)
        hall.change()
        told = watch.event()
        claim(told["event"] == "lens", f"it says {told}")
        claim(told["blind"] == 1 and not told["ended"], f"it says {told}")
        hall.process.kill()
        hall.process.wait()
        told = watch.event()
        claim(told["event"] == "lens", f"it says {told}")
        claim(told["ended"] == 1 and not told["blind"], f"it says {told}")


# --- how it comes and goes ---

def links():
    """Of BPF programs, by numbers that are not given twice: a lens before may still go."""
    done = subprocess.run(["bpftool", "--json", "link", "list"], check=True, text=True,
                          capture_output=True)
    return {link["id"] for link in json.loads(done.stdout or "[]")}


def it_leaves_nothing_behind():
    with Hallway("same") as hall:
        before = hall.first_byte()
        claim(before != BREAKPOINT, "there is a breakpoint before the lens is")
        links_before = links()
        with Look("--lens", hall.pid, secs=SECS) as beside:
            beside.looked()
            claim(hall.first_byte() == BREAKPOINT, "the lens sets no breakpoint")
            claim(links() - links_before, "the lens has no links")
            beside.findings()
        left = links() - links_before
        claim(not left, f"it leaves links behind: {left}")
        claim(hall.first_byte() == before, "the lens leaves its breakpoint behind")
        claim(hall.process.poll() is None, "the process does not outlive the lens")


def it_leaves_nothing_behind_when_it_is_killed():
    with Hallway("same") as hall:
        before = hall.first_byte()
        with Look("--lens", hall.pid, secs=60) as beside:
            beside.looked()
            claim(hall.first_byte() == BREAKPOINT, "the lens sets no breakpoint")
        # Its child is gone when its last descriptor is: the next lens waits for nobody.
        look(hall, kind="lock-inversion", secs=1)
        wait_until(lambda: hall.first_byte() == before, "the lens takes its breakpoint away")


def process_may_end_under_the_lens():
    with Hallway("opposite") as hall, Look("--lens", hall.pid, secs=SECS) as beside:
        beside.looked()
        hall.process.kill()
        hall.process.wait()
        report = beside.report()
        claim(beside.process.returncode in (0, 1), f"it exits {beside.process.returncode}")
        claim(report["lens"]["ended"] == 1, f"it says {report['lens']}")


def watch_has_a_lens_too():
    with Hallway("opposite") as hall, Watch("--json", "--lens", str(hall.pid)) as watch:
        claim(watch.finding("begin")["type"] == "lock-inversion", "it says something else")
    with Hallway("same") as hall, Watch("--json", "--lens", str(hall.pid)) as watch:
        watch.silent_rounds()


def refused(*args, why, command=("gridlock",)):
    done = subprocess.run([*command, "check", "--for", "1", "--json", *map(str, args)],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=READY_SECS, check=False)
    claim(done.returncode == 2 and not done.stdout,
          f"the status is {done.returncode}: {done.stdout}")
    claim(why in done.stderr and done.stderr.count("\n") == 1, f"it says {done.stderr!r}")


def what_it_cannot_do_it_says():
    with subprocess.Popen(["sleep", "1000"]) as sleep:
        try:
            refused("--lens", sleep.pid, command=("setpriv", "--bounding-set=-all,+sys_ptrace",
                                                  "gridlock"),
                    why="the kernel does not take BPF programs")
        finally:
            sleep.kill()
    # Its number is free; nobody gets it so soon.
    refused("--lens", sleep.pid, why=f"process {sleep.pid} cannot be read: No such")
    refused("--lens", 2, why="process 2 has no C library that the lens knows")
    with Hallway("same") as hall:
        refused("--lens", hall.two, why=f"process {hall.two} cannot be read: No such")


def no_pid_is_refused():
    for arg in ("0", "-1", "x", "1x", "", "99999999999999999999"):
        status, _, err = gridlock("check", "--lens", arg)
        claim(status not in (0, 1) and "--lens takes a PID" in err, f"{arg!r}: {status}: {err}")


TESTS = [
    hallway_is_livelock, one_that_gets_it_now_and_then_is_silent,
    hallway_without_the_lens_is_silent, programs_that_are_preempted_do_no_harm,
    rwlocks_tried_for_are_livelock,
    opposite_orders_are_lock_inversion, same_orders_are_silent, orders_behind_a_gate_are_silent,
    opposite_orders_of_rwlocks_are_lock_inversion, two_processes_are_told_apart,
    gate_that_is_lost_is_no_lock_inversion,
    musl_is_seen, order_of_plain_mutexes_of_musl_is_seen, rwlocks_of_musl_are_seen,
    program_with_its_library_inside_is_seen_by_its_symbols,
    library_of_another_mount_namespace_is_the_one,
    executed_program_with_the_same_library_is_seen, executed_program_that_is_not_seen_is_told,
    it_leaves_nothing_behind, it_leaves_nothing_behind_when_it_is_killed,
    process_may_end_under_the_lens, watch_has_a_lens_too,
    what_it_cannot_do_it_says, no_pid_is_refused,
]


if __name__ == "__main__":
    run([(test.__name__, test) for test in TESTS], need_module)
