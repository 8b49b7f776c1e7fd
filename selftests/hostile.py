#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What is made to look like a deadlock is told as none, or as uncertain; and
what only looks harmless is found.
"""

import contextlib
import json
import os
import signal
import struct
import subprocess
import sys
import tempfile

import gltest
from gltest import Report, Scenario, brief, claim, claim_silent, gridlock, run
from puppets import Look
from together import Situation, tests_of

# Looks at what can be missed by chance.
TRIES = 3

# Time for some before what is seen changes, and for some after that.
SEVERAL_LOOKS = 8 * gltest.SLOW

HOSTILE = os.path.join(gltest.HERE, "scenario", "hostile")
NARROW = os.path.join(gltest.HERE, "scenario", "narrow")


class Hostile(Scenario):
    """A situation by its name; its tasks are a0, a1, ..."""

    def __init__(self, name):
        super().__init__([])
        self.command = [HOSTILE, name]
        self.sends_tcp = "user-timeout" in name


def is_silent(name, alone=False):
    return Situation(name, Hostile(name), None, None, alone)


def paced_senders_are_silent():
    """Nothing of theirs is on its way, and much to be sent: its twin's has no room."""
    with Hostile("paced-senders") as situation:
        gltest.settle_tcp(situation.tid.values(), True)
        claim_silent(Report())


def is_found(name, type="deadlock", verdict="confirmed", alone=False):
    return Situation(name, Hostile(name), type, verdict, alone)


def is_never_confirmed(name, types=("deadlock",), verdict="likely"):
    """Who could end it is there all the time, and may be missed all the time."""
    def test():
        with Hostile(name):
            for _ in range(TRIES):
                report = Report()
                claim([f["verdict"] for f in report.findings] in ([], [verdict]),
                      brief(report.findings))
                claim(not report.findings or report.findings[0]["type"] in types,
                      brief(report.findings))
    return f"{name}_is_never_confirmed", test


def is_taken_back(name):
    """What looks take for proven, those after it do not: check does not tell it."""
    def test():
        with Hostile(name) as situation, Look(secs=SEVERAL_LOOKS) as look:
            look.looked(3)
            os.kill(situation.tid["a2"], signal.SIGUSR1)
            look.looked(2)
            findings = look.findings()
            # Each waits for the liar all the while, and that may be told.
            types = {f["type"] for f in findings} - {"lock-inversion", "long-wait"}
            claim(not types, brief(findings))
    return f"{name}_is_taken_back", test


def is_found_unless_in_motion(name):
    """Of no concern to anybody, but that can be told only in a quiet moment."""
    def test():
        with Hostile(name) as situation:
            report = Report()
            claim([f["type"] for f in report.findings] == ["deadlock"], brief(report.findings))
            claim(report.findings[0]["verdict"] in ("likely", "confirmed"),
                  brief(report.findings))
            members = {task["tid"] for task in report.findings[0]["tasks"]}
            claim(members == set(situation.tid.values()), brief(report.findings))
    return f"{name}_is_found_unless_in_motion", test


SITUATIONS = [
    is_silent("foreign-mutex"),
    is_silent("counter-like-tid"),
    is_silent("owner-unmapped"),
    is_never_confirmed("words-that-change", types=("lock-inversion",), verdict="possible"),
    is_taken_back("words-that-change-once"),
    is_found("words-that-stay", alone=True),
    is_silent("clone-with-our-number"),
    is_silent("sibling-with-our-number"),
    is_silent("stdio-lock", alone=True),
    is_found("thread-gone", type="orphaned-lock"),
    is_found("heir", type="orphaned-lock", verdict="likely"),
    is_found("heir-waits", type="orphaned-lock"),
    is_found("shared-heir", type="orphaned-lock", verdict="likely"),
    is_found("first-thread-ended"),
    is_silent("first-thread-ended-in-order"),
    is_found("any-child"),
    is_silent("thread-may-fork"),
    is_found("subreaper", verdict="likely"),
    is_found("init-with-guest", verdict="likely"),
    is_found("init-alone"),
    is_silent("many-groups"),
    is_found("replaced-descriptor", verdict="likely"),
    is_found("replaced-by-the-gone", verdict="likely"),
    is_silent("kept-by-the-gone"),
    is_never_confirmed("hopping-writer"),
    is_found_unless_in_motion("hopping-stranger"),
    is_found("resting-stranger"),
    is_never_confirmed("hopping-locker"),
    is_never_confirmed("hopping-owner", types=("orphaned-lock",)),
    is_found("dead-owner", type="orphaned-lock"),
    is_found("flock-abba"),
    is_found("lock-in-flight", verdict="likely", alone=True),
    is_found("odd-name"),
    is_found("many-timers", type="transient-cycle"),
    is_found("deadly-timer", type="transient-cycle"),
    is_silent("many-records", alone=True),
    is_found("records-of-another", alone=True),
    is_found("ring-has-the-pipe", verdict="likely", alone=True),
    is_found("ring-of-a-member", verdict="likely", alone=True),
    is_found("blocked-stranger", alone=True),
    is_found("blocked-threads", verdict="likely", alone=True),
    is_found("blocked-sender", verdict="likely", alone=True),
    is_found("blocked-by-files", verdict="likely", alone=True),
    is_found("closed-under-splice", verdict="likely", alone=True),
    is_found("splice-of-its-own", alone=True),
    is_found("replaced-file", verdict="likely"),
    is_found("kept-file"),
    is_found("table-of-two", verdict="likely"),
    is_silent("table-copied"),
    is_found("polls-in-table-of-two", verdict="likely"),
    is_silent("polls-in-table-copied"),
    is_found("timer-writes", verdict="likely"),
    is_found("timer-is-blocked"),
    is_found("larger-pipe", verdict="likely"),
    is_found("larger-pipe-waits"),
    is_silent("vfork-of-another"),
    is_found("vfork-of-its-own"),
    is_silent("watched-other-end"),
    is_silent("watched-same-end-in-company"),
    is_found("watched-same-end"),
    is_found("number-of-its-maker", verdict="likely"),
    is_silent("number-of-its-own"),
    is_found("user-timeout", type="transient-cycle", alone=True),
    is_found("no-user-timeout", alone=True),
    ("paced_senders_are_silent", paced_senders_are_silent),
    is_silent("lost-bytes", alone=True),
]


def descriptors_without_end_take_no_more_time():
    """Report() fails if check ends too late; what it could not read, it says."""
    with Hostile("many-descriptors"):
        claim(not Report(partial=True).json["complete"], "all was read in that time")


def is_over_in_time(name):
    """Report() fails if check ends too late."""
    def test():
        with Hostile(name):
            claim_silent(Report(partial=True))
    return f"{name}_is_over_in_time", test


def gridlock_by_shell(command):
    """Run a shell command in which gridlock is started in an odd way."""
    return subprocess.run(["sh", "-c", command], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=gltest.COMMAND_SECS, check=False)


def claim_refused(command):
    """Exit status 2, and one sentence on standard error."""
    done = gridlock_by_shell(command)
    claim(done.returncode == 2, f"{command} exits {done.returncode}: {done.stderr}")
    claim(done.stderr.count("\n") == 1, f"{command} says {done.stderr!r}")


def a_verdict_that_is_lost_is_trouble():
    claim_refused("gridlock check --for 0.1 >/dev/full")
    claim_refused("gridlock check --for 0.1 --json >/dev/full")
    claim_refused("gridlock check --for 0.1 >&-")


def closed_descriptors_are_nobodys():
    done = gridlock_by_shell("gridlock check --for 0.1 <&- 2>&-")
    claim(done.returncode == 0 and done.stdout.startswith("no finding"), f"{done}")


def fifo_for_a_file_is_refused():
    with tempfile.TemporaryDirectory() as folder:
        os.mkfifo(os.path.join(folder, "waits.bin"))
        status, _, err = gridlock("waits", env={"GRIDLOCK_DEBUGFS": folder})
        claim(status == 2 and "waits.bin" in err, f"waits exits {status}: {err}")


def proc_of_another_namespace_is_refused():
    claim_refused("unshare -p -f gridlock check --for 0.1")


def namespace_of_its_own_is_a_partial_view():
    done = gridlock_by_shell("unshare -p -f -m --mount-proc gridlock check --for 0.1 --json")
    claim(done.returncode == 0, f"check exits {done.returncode}: {done.stderr}")
    claim(not json.loads(done.stdout)["complete"], "complete, in a PID namespace")


def circle_in_a_namespace_is_likely_from_inside():
    """Outside of it somebody may have the file, or be meant by the number in the mutex."""
    for name in ("flock-abba", "any-child"):
        done = gridlock_by_shell("unshare -p -f -m --mount-proc --kill-child sh -c '"
                                 f"sleep 600 | {HOSTILE} {name} | "
                                 "{ read ready; gridlock check --for 0.5 --json; kill -9 -1; }'")
        found = json.loads(done.stdout)["findings"]
        claim([(f["type"], f["verdict"]) for f in found] == [("deadlock", "likely")],
              f"{name}: {done}")


def root_of_a_user_namespace_has_a_partial_view():
    if subprocess.run(["unshare", "-U", "true"], capture_output=True, check=False).returncode:
        raise gltest.Skipped("no user namespace can be made here (as after chroot)")
    done = gridlock_by_shell("unshare -U -r gridlock check --for 0.1 --json")
    claim(done.returncode == 0, f"check exits {done.returncode}: {done.stderr}")
    claim("namespace" in json.loads(done.stdout)["partial"], done.stdout)


def root_without_the_right_to_trace_has_a_partial_view():
    done = gridlock_by_shell("setpriv --bounding-set=-sys_ptrace gridlock check --for 0.1 --json")
    claim(done.returncode == 0, f"check exits {done.returncode}: {done.stderr}")
    claim("namespace" in json.loads(done.stdout)["partial"], done.stdout)


def stopped_member_can_be_continued():
    with Hostile("flock-abba") as situation:
        os.kill(situation.tid["a1"], signal.SIGSTOP)
        gltest.wait_until(lambda: gltest.wchan(situation.tid["a1"]) == "do_signal_stop",
                          "it is stopped")
        claim_silent(Report())


# What a name may be: all but the two bytes that no name can have.
ODD = b"\n \x1b[31m\r\t\"\\%s<&\xff\xfe{}[]"

LOCKS_TWO = """if 1:
    import fcntl, os, sys
    has, wants = (os.open(os.fsencode(path), os.O_RDWR | os.O_CREAT) for path in sys.argv[1:])
    fcntl.flock(has, fcntl.LOCK_EX)
    print(flush=True)
    sys.stdin.readline()
    fcntl.flock(wants, fcntl.LOCK_EX)
"""
OPENS = "import os, sys; print(flush=True); os.open(os.fsencode(sys.argv[1]), os.O_RDONLY)"


def python(stack, code, *paths):
    process = stack.enter_context(subprocess.Popen(
        [sys.executable, "-c", code, *map(os.fsdecode, paths)], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True))
    stack.callback(process.kill)
    gltest.read_line(process.stdout, gltest.READY_SECS)
    return process


def sleeps_in(process, *functions):
    gltest.wait_until(lambda: gltest.wchan(process.pid) in functions, f"it is in {functions}")


def names_of_all_kinds_are_told():
    """A path of nearly 4,000 bytes, links that lead in a circle by now, any bytes in both."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        deep = os.fsencode(folder)
        while len(deep) < 3600:
            deep = os.path.join(deep, (ODD * 10)[:200])
            os.mkdir(deep)
        names = [os.path.join(deep, name + ODD) for name in (b"a", b"b", b"fifo", b"link")]
        os.mkfifo(names[2])
        os.symlink(names[2], names[3])
        opener = python(stack, OPENS, names[3])
        sleeps_in(opener, "wait_for_partner")
        os.unlink(names[3])
        os.symlink(names[3], names[3])
        lockers = [python(stack, LOCKS_TWO, *pair) for pair in (names[:2], names[1::-1])]
        for locker in lockers:
            print(file=locker.stdin, flush=True)
            sleeps_in(locker, *IN_FLOCK)
        report = Report()
        claim([{task["tid"] for task in f["tasks"]} for f in report.findings] ==
              [{locker.pid for locker in lockers}], brief(report.findings))
        for words in (("check", "--for", "1", "-v"), ("waits",), ("graph",),
                      ("chain", opener.pid), ("chain", lockers[0].pid)):
            _, out, err = gridlock(*words)
            control = [c for c in out + err if ord(c) < 32 and c != "\n"]
            claim(not control, f"{words} prints {control}")


# In the first: the number that its file is moved to.
HAS_BY_NUMBER = """if 1:
    import fcntl, os, resource, sys
    has, wants = (os.open(path, os.O_RDWR | os.O_CREAT) for path in sys.argv[2:])
    number = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, (number + 1, number + 1))
    os.dup2(has, number)
    os.close(has)
    fcntl.flock(number, fcntl.LOCK_EX)
    print(flush=True)
    sys.stdin.readline()
    fcntl.flock(wants, fcntl.LOCK_EX)
"""

IN_FLOCK = ("flock_lock_inode_wait", "locks_lock_inode_wait", "__flock_lock_inode_wait")


def claim_circle_closes(report, processes):
    claim([(f["type"], f["verdict"], {task["tid"] for task in f["tasks"]})
           for f in report.findings] ==
          [("deadlock", "confirmed", {process.pid for process in processes})],
          brief(report.findings))


def go_on(process, *functions):
    print(file=process.stdin, flush=True)
    sleeps_in(process, *functions)


def descriptor_999999_has_its_file():
    """It is silent until the second one wants the first one's, too."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        files = [os.path.join(folder, name) for name in "ab"]
        lockers = [python(stack, HAS_BY_NUMBER, "999999", *pair)
                   for pair in (files, files[::-1])]
        go_on(lockers[0], *IN_FLOCK)
        claim_silent(Report())
        go_on(lockers[1], *IN_FLOCK)
        claim_circle_closes(Report(), lockers)


# Maps two files, each of them a mutex, and nothing beside it.
MAPS_TWO = """if 1:
    import ctypes, mmap, os, sys
    libc = ctypes.CDLL(None)
    memory = [mmap.mmap(os.open(os.fsencode(path), os.O_RDWR), 0) for path in sys.argv[1:]]
    has, wants = (ctypes.byref(ctypes.c_char.from_buffer(at)) for at in memory)
    libc.pthread_mutex_lock(has)
    print(flush=True)
    sys.stdin.readline()
    libc.pthread_mutex_lock(wants)
"""

# struct __pthread_mutex_s of nobody, its kind: for all processes.
FREE_MUTEX = struct.pack("16xI20x", 128)


def mutexes_in_files_of_odd_names_are_told():
    """Names as /proc/PID/maps itself would write them, or cannot; silent but for the last."""
    names = (b"new\nline", b"back\\slash\\012", b"there (deleted)", b"n" * 255)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        files = [os.path.join(os.fsencode(folder), name) for name in names]
        for path in files:
            with open(path, "wb") as file:
                file.write(FREE_MUTEX)
        lockers = [python(stack, MAPS_TWO, *pair) for pair in zip(files, files[1:] + files[:1])]
        for locker in lockers[:-1]:
            go_on(locker, "futex_wait_queue", "futex_do_wait", "__futex_wait")
        claim_silent(Report())
        go_on(lockers[-1], "futex_wait_queue", "futex_do_wait", "__futex_wait")
        report = Report()
        claim_circle_closes(report, lockers)
        told = {task["waits_for"]["name"] for task in report.findings[0]["tasks"]}
        claim(len(told) == len(names), f"told is {told}")
        claim(all("shared memory" in name and name.isprintable() for name in told), f"{told}")


class Narrow(Scenario):
    """Two 32-bit processes, a0 and a1; with "in-order" both take the first mutex first."""

    def __init__(self, *args):
        super().__init__([])
        self.command = [NARROW, *args]

    def __enter__(self):
        if not os.path.exists(NARROW):
            raise gltest.Skipped("the compiler makes no 32-bit programs")
        try:
            return super().__enter__()
        except OSError as error:
            raise gltest.Skipped(f"this kernel runs no 32-bit programs: {error}") from None


def mutexes_of_32_bits_are_likely_deadlock():
    """A mutex has another layout, and its calls other numbers."""
    with Narrow() as narrow:
        for tid in narrow.tid.values():
            gltest.wait_until(lambda tid=tid: "futex" in gltest.wchan(tid), "it waits")
        report = Report()
        claim([(f["type"], f["verdict"], {task["tid"]: task["blocked_by"][0]["tids"]
                                          for task in f["tasks"]}) for f in report.findings] ==
              [("deadlock", "likely", {narrow.tid["a0"]: [narrow.tid["a1"]],
                                       narrow.tid["a1"]: [narrow.tid["a0"]]})], brief(report.findings))


def mutexes_of_32_bits_in_order_are_silent():
    with Narrow("in-order") as narrow:
        gltest.wait_until(lambda: "futex" in gltest.wchan(narrow.tid["a1"]), "it waits")
        gltest.wait_until(lambda: "pause" in gltest.wchan(narrow.tid["a0"]), "it has both")
        claim_silent(Report())


TESTS = [descriptors_without_end_take_no_more_time, a_verdict_that_is_lost_is_trouble,
         closed_descriptors_are_nobodys, fifo_for_a_file_is_refused,
         proc_of_another_namespace_is_refused, namespace_of_its_own_is_a_partial_view,
         circle_in_a_namespace_is_likely_from_inside,
         root_of_a_user_namespace_has_a_partial_view,
         root_without_the_right_to_trace_has_a_partial_view,
         stopped_member_can_be_continued, names_of_all_kinds_are_told,
         descriptor_999999_has_its_file, mutexes_in_files_of_odd_names_are_told,
         mutexes_of_32_bits_are_likely_deadlock, mutexes_of_32_bits_in_order_are_silent]

SLOW_SITUATIONS = [is_over_in_time("too-many-locks"), is_over_in_time("locks-alike")]

if __name__ == "__main__":
    run(tests_of(SITUATIONS) + SLOW_SITUATIONS + [(test.__name__, test) for test in TESTS])
