#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What check tells of each task of a finding: what it is, where it waits."""

import os
import re
import subprocess
import tempfile

from gltest import (SCENARIO, Report, Scenario, brief, claim, gridlock, read_line, run,
                    wait_until, wchan)
from together import once

ABBA = ["p1: shm:0 sync !shm:1", "p2: shm:1 sync !shm:0"]


def functions(task):
    return [frame["function"] for frame in task["user_stack"]]


def one_deadlock(report):
    claim([f["type"] for f in report.findings] == ["deadlock"], brief(report.findings))
    return report.findings[0]["tasks"]


@once
def of_shared_mutexes():
    with Scenario(ABBA):
        return Report()


def members_tell_what_they_are():
    for task in one_deadlock(of_shared_mutexes()):
        claim(task["cmdline"].startswith(SCENARIO), f"cmdline is {task['cmdline']}")
        claim(task["cgroup"].startswith("/"), f"cgroup is {task['cgroup']}")
        own = os.stat("/proc/self/ns/pid").st_ino
        claim(task["pid_ns"] == own, f"pid_ns is {task['pid_ns']}, not {own}")
        claim(task["ns_tid"] == task["tid"], f"ns_tid is {task['ns_tid']}")


def kernel_stack_ends_where_the_wait_is():
    for task in one_deadlock(of_shared_mutexes()):
        claim(any(re.match(r"futex_\w+\+0x", f) for f in task["kernel_stack"]),
              f"no futex in {task['kernel_stack']}")


def claim_waits_in_lock(task):
    names = functions(task)
    claim("pthread_mutex_lock" in names, f"{task['comm']}: {task['user_stack']} "
          f"{task.get('no_user_stack')}")
    above = task["user_stack"][names.index("pthread_mutex_lock") + 1]
    claim(above["module"] == "scenario" and above["function"],
          f"{task['comm']} called it from {above}")


def user_stack_tells_who_called_the_lock():
    for task in one_deadlock(of_shared_mutexes()):
        claim_waits_in_lock(task)
        claim("main" in functions(task), f"no main in {functions(task)}")


def user_stack_of_a_thread_is_its_own():
    actors = ["t1: mtx:0 sync !mtx:1", "t2: mtx:1 sync !mtx:0"]
    with Scenario(actors, threads=True):
        for task in one_deadlock(Report()):
            claim_waits_in_lock(task)
            claim("main" not in functions(task), f"main in {functions(task)}")


def text_tells_it_only_when_asked():
    with Scenario(ABBA) as scenario:
        _, brief_text, _ = gridlock("check", "--for", "0.5")
        _, text, _ = gridlock("check", "--for", "0.5", "-v")
        claim("in its program" not in brief_text, brief_text)
        claim(text.startswith("deadlock (confirmed)"), text)
        for name, tid in scenario.tid.items():
            claim(re.search(rf"^  {name}\[{tid}\]\n    command +{SCENARIO}", text, re.M), text)
        claim(len(re.findall(r"^    in its program", text, re.M)) == 2, text)
        claim(len(re.findall(r"^ +pthread_mutex_lock\+0x[0-9a-f]+ \(libc", text, re.M)) == 2, text)


FLOCKS = ["p1: flock:0 sync !flock:1", "p2: flock:1 sync !flock:0", "late: sync !flock:0"]


def end_of_a_file_lock_holder_is_a_way_out():
    with Scenario(FLOCKS) as scenario:
        report = Report()
        one_deadlock(report)
        way = report.findings[0]["way_out"]
        freed = {"p1": "p2 late", "p2": "p1"}[way["comm"]]
        claim(way["pid"] in scenario.tids("p1 p2"), f"way out {way} of {scenario.tid}")
        claim(set(way["frees"]) >= scenario.tids(freed.split()[0]), f"it frees {way['frees']}")
        _, text, _ = gridlock("check", "--for", "0.5")
        claim(re.search(rf"^  way out +the end of {way['comm']}\[\d+\] would free ", text, re.M), text)


def end_of_a_shared_mutex_owner_is_none():
    report = of_shared_mutexes()
    one_deadlock(report)
    claim(report.findings[0]["way_out"] is None, f"{report.findings[0]['way_out']}")
    with Scenario(ABBA):
        _, text, _ = gridlock("check", "--for", "0.5")
        claim(re.search(r"^  way out +none", text, re.M), text)


def quiet_machine_is_asked_nothing():
    status, text, _ = gridlock("check", "--for", "0.5", "-v")
    claim(status == 0 and "in its program" not in text, text)


SHELL = "exec 8>$1 9>$2; flock 8; echo; read go; flock 9"


def in_namespace(first, second):
    """A shell in a PID namespace of its own that takes one flock, then the other."""
    process = subprocess.Popen(["unshare", "-p", "-f", "--kill-child", "sh", "-c", SHELL, "sh",
                                first, second], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    read_line(process.stdout, 60)
    return process


def waits_for_flock():
    return sum("lock" in wchan(tid) for tid in map(int, filter(str.isdigit, os.listdir("/proc"))))


def explained_flocks():
    """Both tasks called flock; a slow machine may leave some out, and say so, for a time."""
    for _ in range(5):
        report = Report()
        tasks = [t for f in report.findings for t in f["tasks"] if t["comm"] == "flock"]
        claim(len(tasks) == 2, brief(report.findings))
        if not any("left out" in task.get("no_user_stack", "") for task in tasks):
            break
    return tasks


def task_of_a_namespace_tells_its_number_there():
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, name) for name in "ab"]
        shells = [in_namespace(*paths), in_namespace(*reversed(paths))]
        try:
            for shell in shells:
                shell.stdin.write(b"\n")
                shell.stdin.flush()
            wait_until(lambda: waits_for_flock() >= 2, "both flocks wait")
            tasks = explained_flocks()
            own = os.stat("/proc/self/ns/pid").st_ino
            spaces = {task["pid_ns"] for task in tasks}
            claim(len(spaces) == 2 and own not in spaces, f"namespaces are {spaces}, ours {own}")
            claim(all(task["ns_tid"] < 10 for task in tasks), f"numbers {tasks}")
            claim(all("flock" in functions(task) for task in tasks),
                  f"{[(task['user_stack'], task.get('no_user_stack')) for task in tasks]}")
            claim(all(task["cmdline"] == "flock 9" for task in tasks), "cmdlines")
        finally:
            for shell in shells:
                shell.kill()
                shell.wait()


run([(test.__name__, test) for test in (
    members_tell_what_they_are, kernel_stack_ends_where_the_wait_is,
    user_stack_tells_who_called_the_lock, user_stack_of_a_thread_is_its_own,
    text_tells_it_only_when_asked, end_of_a_file_lock_holder_is_a_way_out,
    end_of_a_shared_mutex_owner_is_none, quiet_machine_is_asked_nothing,
    task_of_a_namespace_tells_its_number_there)])
