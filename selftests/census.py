#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Looks that come one after the other: threads that slept in between are not read
anew, and that makes no difference but in what a look costs.
"""

import json
import os
import subprocess
import sys

from gltest import (HERE, READY_SECS, Scenario, Skipped, claim, need_module, read_line,
                    run, wait_until, wchan)
from puppets import Puppets, read_file, switches, write_file
from together import once
from watch import Watch

FACTS = os.path.join(HERE, "scenario", "census_facts")
HANDOVER = os.path.join(HERE, "scenario", "handover")
CROWD = os.path.join(HERE, "scenario", "crowd")
SHARER = os.path.join(HERE, "scenario", "sharer")

# A deadlock, one who waits behind it, and one who just waits.
STUCK = ["p1: mtx:0 sync !mtx:1", "p2: mtx:1 sync !mtx:0", "late: sync settle !mtx:0",
         "idle: sync !sleep"]

# Has the kernel count how often BPF programs run.
BPF_STATS = "/proc/sys/kernel/bpf_stats_enabled"

# From so many seconds on check has the kernel tell who slept.
LONG = 10

# More threads than two pieces of a walk tell of (CENSUS_PIECE of census_abi.h).
PIECES = 2200

# Threads that wait for nobody, and looks at them.
RESTING = 1500
LOOKS = 3

# Longer than any test, in seconds.
LONGEST = 86400

# Of a report: what two looks at the same threads need not have in common.
TIMES = {"since_s", "at_least_s", "begin_s", "uid"}


def need():
    need_module()
    if not os.path.exists("/sys/kernel/btf/vmlinux") or not os.path.exists(FACTS):
        raise Skipped("the kernel does not tell its types, or there was no libbpf to build with")


def without_times(what):
    if isinstance(what, dict):
        return {key: without_times(value) for key, value in what.items() if key not in TIMES}
    return [without_times(value) for value in what] if isinstance(what, list) else what


def checks(*ways):
    """Reports of checks beside each other, each for so long, and by that source of what is
    known of threads; None leaves it to the check.
    """
    processes = [subprocess.Popen(
        ["gridlock", "check", "--json", "--for", str(secs)], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env={**os.environ, **({"GRIDLOCK_THREADS": source} if source else {})})
        for secs, source in ways]
    try:
        return [json.loads(process.communicate(timeout=READY_SECS)[0]) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.communicate()


class Crowd:
    """Threads that wait for one mutex, or in another way."""

    def __init__(self, number, way="queue"):
        self.process = subprocess.Popen([CROWD, way, str(number)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        claim(self.process.stdout.readline().startswith("ready"), "the crowd did not get ready")
        folder = f"/proc/{self.process.pid}/task"
        wait_until(lambda: all(wchan(tid) for tid in os.listdir(folder)), "all of the crowd sleep")
        return self

    def tids(self):
        return os.listdir(f"/proc/{self.process.pid}/task")

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class Named:
    """A process with a thread that sleeps while the other one gives it another name."""

    CODE = """
import threading
sleeper = threading.Thread(target=threading.Event().wait, daemon=True)
sleeper.start()
print(sleeper.native_id, flush=True)
with open(f"/proc/self/task/{sleeper.native_id}/comm", "w", encoding="ascii") as comm:
    comm.write(input())
print("done", flush=True)
input()
"""

    def __enter__(self):
        self.process = subprocess.Popen([sys.executable, "-c", self.CODE], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.tid = int(read_line(self.process.stdout, READY_SECS))
        wait_until(lambda: "futex" in wchan(self.tid), "the thread to be named sleeps")
        return self

    def name(self, name):
        self.process.stdin.write(name + "\n")
        self.process.stdin.flush()
        claim(read_line(self.process.stdout, READY_SECS).strip() == "done", "it has no new name")

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


def facts(tids, change):
    """What differs between the census and /proc; change() is called after the census began."""
    with subprocess.Popen([FACTS, *map(str, tids)], stdin=subprocess.PIPE, text=True,
                          stdout=subprocess.PIPE) as process:
        claim(read_line(process.stdout, READY_SECS).strip() == "ready", "the kernel does not tell")
        change()
        told = process.communicate("go\n")[0].splitlines()
    claim(not process.returncode and told[-1].startswith("kept "), f"{told}")
    return int(told[-1].split()[1])


def facts_are_those_of_proc():
    """Of threads that sleep, whatever their policy, priority and name are, or become."""
    names = ("plain", "nice", "urgent", "rr", "idle", "later")
    with Puppets(*names) as p, Crowd(PIECES) as crowd, Named() as named:
        p["nice"].do("policy other 7")
        p["urgent"].do("policy other -7")
        p["rr"].do("policy rr 9")
        p["idle"].do("policy idle 0")
        for puppet in p.puppet.values():
            wait_until(puppet.asleep, f"{puppet.name} sleeps")

        def change():
            os.setpriority(os.PRIO_PROCESS, p["nice"].tid, 3)
            os.sched_setscheduler(p["rr"].tid, os.SCHED_OTHER, os.sched_param(0))
            os.sched_setscheduler(p["later"].tid, os.SCHED_FIFO, os.sched_param(11))
            named.name("another")

        tids = [named.tid, *(puppet.tid for puppet in p.puppet.values()), *crowd.tids()]
        kept = facts(tids, change)
        claim(kept > PIECES, f"few of the threads slept: {kept}")


@once
def of_few():
    """What is said of few threads: by each source, and by the one that is chosen."""
    with Scenario(STUCK, threads=True) as scenario:
        told = checks((LONG, "proc"), (LONG, "bpf"), (LONG, None))
        return *told, scenario.tids("p1 p2")


@once
def of_crowd():
    """In a long window and in one that is not."""
    with Crowd(600):
        return checks((LONG, None), (LONG - 1, None))


def reports_are_the_same():
    by_proc, by_bpf, _, stuck = of_few()
    claim(not by_proc["cost"]["bpf_looks"], f"by /proc: {by_proc['cost']}")
    cost = by_bpf["cost"]
    claim(cost["bpf_looks"] and 0 < cost["threads_kept"] < cost["threads_told"],
          f"by BPF: {cost}")
    same = [without_times(report["findings"]) for report in (by_proc, by_bpf)]
    claim(same[0] == same[1], f"by /proc {same[0]}, by BPF {same[1]}")
    claim({task["tid"] for task in same[0][0]["tasks"]} == stuck, f"{same[0]}")


def crowd_is_kept():
    """A machine with many threads needs no telling."""
    cost = of_crowd()[0]["cost"]
    claim(cost["bpf_looks"] == cost["looks"] - 1, f"not all looks but the first: {cost}")
    claim(cost["looks"] < 3 or cost["threads_kept"] >= 600 * (cost["looks"] - 2), f"{cost}")


def few_are_read_by_proc():
    cost = of_few()[2]["cost"]
    claim(not cost["bpf_looks"], f"with few threads it does not pay: {cost}")


def crowd_is_read_by_proc_in_a_short_window():
    cost = of_crowd()[1]["cost"]
    claim(not cost["bpf_looks"], f"for some looks it does not pay: {cost}")


def nr_runs(pid):
    """How often programs of that reader have run: for each look, or for each thread told."""
    folder = f"/proc/{pid}/fdinfo"
    info = "".join(read_file(os.path.join(folder, fd)) for fd in os.listdir(folder))
    return sum(int(line.split()[1]) for line in info.splitlines() if line.startswith("run_cnt:"))


class Told:
    """A program that says "ready" and numbers, and a watch that the kernel told of them, which
    saw them at some looks.
    """

    def __init__(self, *command):
        self.command = command

    def __enter__(self):
        os.environ["GRIDLOCK_THREADS"] = "bpf"
        write_file(BPF_STATS, 1)
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        # However long the looks take, the waits are no finding.
        self.watch = Watch("--json", "--long-wait", str(LONGEST))
        word, *tids = read_line(self.process.stdout, READY_SECS).split()
        claim(word == "ready", "the program did not get ready")
        self.tids = [int(tid) for tid in tids]
        before = nr_runs(self.watch.process.pid)
        self.watch.silent_rounds(4)
        ran = nr_runs(self.watch.process.pid) - before
        claim(ran >= 4, f"BPF programs ran {ran} times in four looks")
        self.slept = switches(self.sleeper)
        return self

    def __exit__(self, *_):
        self.watch.__exit__()
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        write_file(BPF_STATS, 0)
        del os.environ["GRIDLOCK_THREADS"]

    @property
    def sleeper(self):
        return self.tids[-1]

    def go(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def slept_on(self):
        claim(switches(self.sleeper) == self.slept, "the sleeper was woken")

    def begins(self, tids):
        begun = self.watch.finding("begin")
        claim(begun["type"] == "deadlock", f"{begun}")
        claim({task["tid"] for task in begun["tasks"]} == set(tids), f"{begun}")


class Handover(Told):
    """A mutex to be handed over, and what the one who gets it does then."""

    def __init__(self, then):
        super().__init__(HANDOVER, then)

    def hand_over(self):
        heir = self.tids[0]
        before = switches(heir)
        self.go()
        wait_until(lambda: switches(heir) > before and wchan(heir), "the heir goes on")
        self.slept_on()


class Sharer(Told):
    """A table of descriptors that will change while one of those who have it sleeps."""

    def __init__(self, how):
        super().__init__(SHARER, how)

    def change(self):
        self.go()
        claim(read_line(self.process.stdout, READY_SECS).strip() == "done", "nothing changed")
        self.slept_on()


def owner_that_changes_while_the_waiter_sleeps_is_seen():
    """What is known of a sleeper is not all that there is to its wait."""
    with Handover("closed") as handover:
        handover.hand_over()
        handover.begins(handover.tids)


def owner_that_changes_and_waits_for_nobody_is_silent():
    with Handover("open") as handover:
        handover.hand_over()
        handover.watch.silent_rounds(3)


def table_that_changes_while_one_who_has_it_sleeps_is_seen():
    with Sharer("closes") as sharer:
        sharer.change()
        sharer.begins(sharer.tids[:2])


def table_that_is_only_added_to_is_silent():
    with Sharer("copies") as sharer:
        sharer.change()
        sharer.watch.silent_rounds(3)


def nr_meanwhile(count, source):
    """By how much it grows for a watch in some looks at a crowd that waits for nobody, which
    learns of threads by that source.
    """
    os.environ["GRIDLOCK_THREADS"] = source
    write_file(BPF_STATS, 1)
    try:
        with Crowd(RESTING, "rest"), Watch("--json") as watch:
            watch.silent_rounds(4)
            before = count(watch.process.pid)
            watch.silent_rounds(LOOKS)
            return count(watch.process.pid) - before
    finally:
        write_file(BPF_STATS, 0)
        del os.environ["GRIDLOCK_THREADS"]


def reads_of(pid):
    """By the reader and its children."""
    children = read_file(f"/proc/{pid}/task/{pid}/children").split()
    return sum(int(read_file(f"/proc/{task}/io").split("syscr: ")[1].split()[0])
               for task in [pid, *children])


def crowd_that_waits_for_nobody_is_not_read():
    reads = nr_meanwhile(reads_of, "bpf")
    claim(reads < RESTING, f"{reads} reads in {LOOKS} looks at {RESTING} threads that rest")


def crowd_is_read_where_the_kernel_does_not_tell():
    reads = nr_meanwhile(reads_of, "proc")
    claim(reads > RESTING * LOOKS, f"{reads} reads in {LOOKS} looks at {RESTING} threads")


def a_program_tells_many_threads_where_it_can():
    """Since Linux 6.10, as another function for programs; else it runs for each."""
    can = " bpf_preempt_disable\n" in read_file("/proc/kallsyms")
    runs = nr_meanwhile(nr_runs, "bpf")
    claim(LOOKS <= runs, f"programs ran {runs} times in {LOOKS} looks")
    claim(can == (runs < RESTING), f"{runs} runs in {LOOKS} looks at {RESTING} threads")


TESTS = [
    ("a_program_tells_many_threads_where_it_can", a_program_tells_many_threads_where_it_can),
    ("crowd_that_waits_for_nobody_is_not_read", crowd_that_waits_for_nobody_is_not_read),
    ("crowd_is_read_where_the_kernel_does_not_tell",
     crowd_is_read_where_the_kernel_does_not_tell),
    ("facts_are_those_of_proc", facts_are_those_of_proc),
    ("reports_are_the_same", reports_are_the_same),
    ("crowd_is_kept", crowd_is_kept),
    ("few_are_read_by_proc", few_are_read_by_proc),
    ("crowd_is_read_by_proc_in_a_short_window", crowd_is_read_by_proc_in_a_short_window),
    ("owner_that_changes_while_the_waiter_sleeps_is_seen",
     owner_that_changes_while_the_waiter_sleeps_is_seen),
    ("owner_that_changes_and_waits_for_nobody_is_silent",
     owner_that_changes_and_waits_for_nobody_is_silent),
    ("table_that_changes_while_one_who_has_it_sleeps_is_seen",
     table_that_changes_while_one_who_has_it_sleeps_is_seen),
    ("table_that_is_only_added_to_is_silent", table_that_is_only_added_to_is_silent),
]

if __name__ == "__main__":
    run(TESTS, need)
