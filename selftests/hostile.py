#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What is made to look like a deadlock is told as none, or as uncertain; and
what only looks harmless is found.
"""

import json
import os
import signal
import subprocess
import tempfile

import gltest
from gltest import Report, Scenario, brief, claim, claim_silent, gridlock, run

# Looks at what can be missed by chance.
TRIES = 3

HOSTILE = os.path.join(gltest.HERE, "scenario", "hostile")


class Hostile(Scenario):
    """A situation by its name; its tasks are a0, a1, ..."""

    def __init__(self, name):
        super().__init__([])
        self.command = [HOSTILE, name]


def is_silent(name):
    def test():
        with Hostile(name):
            claim_silent(Report())
    return f"{name}_is_silent", test


def is_found(name, type="deadlock", verdict="confirmed"):
    """One finding, about exactly the situation's own tasks."""
    def test():
        with Hostile(name) as situation:
            report = Report()
            claim([(f["type"], f["verdict"]) for f in report.findings] == [(type, verdict)],
                  brief(report.findings))
            members = {task["tid"] for task in report.findings[0]["tasks"]}
            claim(members == set(situation.tid.values()), brief(report.findings))
    return f"{name}_is_{verdict}_{type}", test


def is_never_confirmed(name, type="deadlock"):
    """Who could end it is there all the time, and may be missed all the time."""
    def test():
        with Hostile(name):
            for _ in range(TRIES):
                report = Report()
                claim([f["verdict"] for f in report.findings] in ([], ["likely"]),
                      brief(report.findings))
                claim(not report.findings or report.findings[0]["type"] == type,
                      brief(report.findings))
    return f"{name}_is_never_confirmed", test


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
    is_silent("clone-with-our-number"),
    is_silent("sibling-with-our-number"),
    is_silent("stdio-lock"),
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
    is_never_confirmed("hopping-owner", type="orphaned-lock"),
    is_found("dead-owner", type="orphaned-lock"),
    is_found("flock-abba"),
    is_found("lock-in-flight", verdict="likely"),
    is_found("odd-name"),
    is_found("many-timers", type="transient-cycle"),
    is_found("deadly-timer", type="transient-cycle"),
    is_silent("many-records"),
    is_found("records-of-another"),
    is_found("ring-has-the-pipe", verdict="likely"),
    is_found("ring-of-a-member", verdict="likely"),
    is_found("blocked-stranger"),
    is_found("blocked-threads", verdict="likely"),
    is_found("blocked-sender", verdict="likely"),
    is_found("blocked-by-files", verdict="likely"),
    is_found("closed-under-splice", verdict="likely"),
    is_found("splice-of-its-own"),
    is_found("replaced-file", verdict="likely"),
    is_found("kept-file"),
    is_found("user-timeout", type="transient-cycle"),
    is_found("no-user-timeout"),
]


def descriptors_without_end_take_no_more_time():
    """Report() fails if check ends too late; what it could not read, it says."""
    with Hostile("many-descriptors"):
        claim(not Report().json["complete"], "all was read in that time")


def is_over_in_time(name):
    """Report() fails if check ends too late."""
    def test():
        with Hostile(name):
            claim_silent(Report())
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


TESTS = [descriptors_without_end_take_no_more_time, a_verdict_that_is_lost_is_trouble,
         closed_descriptors_are_nobodys, fifo_for_a_file_is_refused,
         proc_of_another_namespace_is_refused, namespace_of_its_own_is_a_partial_view,
         root_of_a_user_namespace_has_a_partial_view,
         root_without_the_right_to_trace_has_a_partial_view,
         stopped_member_can_be_continued]

SLOW_SITUATIONS = [is_over_in_time("too-many-locks"), is_over_in_time("locks-alike")]

if __name__ == "__main__":
    run(SITUATIONS + SLOW_SITUATIONS + [(test.__name__, test) for test in TESTS])
