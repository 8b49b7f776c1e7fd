#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""`gridlock watch`: each finding is told once when it begins, changes and ends;
nothing that happens to the module, to the reader or to itself makes it fail.
"""

import json
import os
import re
import select
import signal
import subprocess
import tempfile
import time

from gltest import (READY_SECS, Failed, Scenario, claim, module_loaded, need_module, run,
                    wait_until)
from puppets import Beside, Puppets, pass_looks, read_file

# The number of the system call that watch rests in, on x86-64.
PPOLL = "271"

ABBA = ["p1: shm:0 sync !shm:1", "p2: shm:1 sync !shm:0"]
ORDERED = ["p1: shm:0 sync shm:1", "p2: sync !shm:0 shm:1"]


class Watch(Beside):
    """A running watch, and the lines that it prints."""

    def __init__(self, *args):
        super().__init__("gridlock", "watch", *args, text=False)
        self.rest = b""

    def line(self, secs=READY_SECS):
        """The next line, '' at the end; Failed when none comes."""
        end = time.monotonic() + secs
        while b"\n" not in self.rest:
            ready = select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))
            claim(ready[0], f"watch said nothing for {secs} s")
            more = os.read(self.process.stdout.fileno(), 65536)
            if not more:
                return ""
            self.rest += more
        line, _, self.rest = self.rest.partition(b"\n")
        return line.decode()

    def says_more(self):
        """By now."""
        return self.rest or select.select([self.process.stdout], [], [], 0)[0]

    def event(self):
        line = self.line()
        event = json.loads(line)
        claim(event["schema"] == "gridlock.watch/1", f"no event: {line}")
        claim(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", event["time"]), line)
        return event

    def finding(self, want):
        """The next event is of this kind and about a finding; that finding."""
        event = self.event()
        claim(event["event"] == want, f"the event is no {want}: {event}")
        return event["finding"]

    def resting(self):
        return read_file(f"/proc/{self.process.pid}/syscall").split()[:1] == [PPOLL]

    def silent_rounds(self, number=3):
        """It looks so often, and nothing is said."""
        pass_looks(number, self)
        says = self.says_more()
        claim(not says, f"watch says something, and nothing is new: {self.line() if says else ''}")

    def stop(self, sig, status):
        self.process.send_signal(sig)
        try:
            got = self.process.wait(READY_SECS)
        except subprocess.TimeoutExpired:
            raise Failed(f"signal {sig} does not end watch") from None
        claim(got == status, f"after signal {sig} watch exits {got}, not {status}")


def begins_and_ends_once():
    with Watch("--json") as watch:
        with Scenario(ABBA) as scenario:
            begun = watch.finding("begin")
            claim((begun["type"], begun["verdict"]) == ("deadlock", "confirmed"), f"{begun}")
            tids = {task["tid"] for task in begun["tasks"]}
            claim(tids == set(scenario.tid.values()), f"{tids} are not {scenario.tid}")
            claim(all(begun["coffman"].values()), f"coffman: {begun['coffman']}")
            watch.silent_rounds()
        ended = watch.finding("end")
        claim(ended["id"] == begun["id"], f"{ended['id']} ends, {begun['id']} began")
        watch.silent_rounds()
        watch.stop(signal.SIGINT, 1)
        claim(not watch.line(), "watch says more at its end")


def nothing_is_said_of_ordered_lockers():
    with Watch("--json") as watch, Scenario(ORDERED):
        watch.silent_rounds()
        watch.stop(signal.SIGTERM, 0)
        claim(not watch.line(), "watch says something at its end")


def victim_is_a_change():
    with Puppets("one", "two", "late") as p, Watch("--json") as watch:
        p["one"].do("lock shm 0")
        p["two"].do("lock shm 1")
        p["one"].begin_wait("lock shm 1")
        p["two"].begin_wait("lock shm 0")
        begun = watch.finding("begin")
        claim(not begun["victims"], f"victims: {begun['victims']}")
        p["late"].begin_wait("lock shm 0")
        changed = watch.finding("change")
        claim(changed["id"] == begun["id"], f"{changed['id']} changes, {begun['id']} began")
        claim([task["tid"] for task in changed["victims"]] == [p["late"].tid],
              f"victims: {changed['victims']}")
        watch.silent_rounds()


def one_more_behind_a_dead_owner_is_a_change():
    with Puppets("one", "two", "late") as p, Watch("--json") as watch:
        p["one"].do("lock shm 0")
        p["two"].begin_wait("lock shm 0")
        p["one"].process.kill()
        p["one"].process.wait()
        begun = watch.finding("begin")
        claim(begun["type"] == "orphaned-lock", f"{begun}")
        p["late"].begin_wait("lock shm 0")
        changed = watch.finding("change")
        claim(changed["id"] == begun["id"], f"{changed['id']} changes, {begun['id']} began")
        claim({task["tid"] for task in changed["tasks"]} == {p["two"].tid, p["late"].tid},
              f"tasks: {changed['tasks']}")
        watch.silent_rounds()


def lines_are_for_people_too():
    with Watch() as watch, Scenario(ABBA) as scenario:
        line = watch.line()
        claim(re.match(r"\S+Z begin  d-[0-9a-f]{8} deadlock \(confirmed\): 2 tasks wait for each "
                       r"other, for \S+ m?s: ", line), f"the line is {line!r}")
        for name, tid in scenario.tid.items():
            claim(f"{name}[{tid}]" in line, f"no {name} in {line!r}")


def identifier_outlives_the_watch():
    with Scenario(ABBA):
        ids = []
        for _ in range(2):
            with Watch("--json") as watch:
                ids.append(watch.finding("begin")["id"])
        claim(ids[0] == ids[1], f"the same finding is {ids}")
    with Scenario(ABBA), Watch("--json") as watch:
        claim(watch.finding("begin")["id"] != ids[0], "another deadlock has the same id")


def command_runs_once_with_the_finding():
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out")
        command = f'{{ cat; echo; echo "$GRIDLOCK_ID"; }} >>{out}.part; mv {out}.part {out}'
        with Watch("--json", "--exec", command) as watch, Scenario(ABBA):
            begun = watch.finding("begin")
            wait_until(lambda: os.path.exists(out), "the command ran")
            watch.silent_rounds()
        with open(out, encoding="utf-8") as file:
            text, told_id = file.read().splitlines()
        claim(json.loads(text)["finding"]["id"] == begun["id"] == told_id, f"it got {text}")


def command_that_hangs_stops_nothing():
    with tempfile.TemporaryDirectory() as folder:
        pid = os.path.join(folder, "pid")
        command = f"echo $$ >{pid}.part; mv {pid}.part {pid}; exec sleep 1000"
        with Watch("--json", "--exec", command) as watch:
            with Scenario(ABBA):
                begun = watch.finding("begin")
                wait_until(lambda: os.path.exists(pid), "the command runs")
            try:
                claim(watch.finding("end")["id"] == begun["id"], "something else ends")
            finally:
                with open(pid, encoding="ascii") as file:
                    os.kill(int(file.read()), signal.SIGKILL)


def outlives_the_module():
    path = os.environ.get("GRIDLOCK_KO", "")
    with Watch("--json") as watch:
        watch.silent_rounds(1)
        wait_until(lambda: subprocess.run(["rmmod", "gridlock"], check=False,
                                          stderr=subprocess.DEVNULL).returncode == 0,
                   "the module can be unloaded while watch looks")
        try:
            event = watch.event()
            claim(event["event"] == "module" and event["module"] is False, f"{event}")
        finally:
            subprocess.run(["insmod", path], check=True)
        claim(module_loaded(), "the module is not there")
        event = watch.event()
        claim(event["event"] == "module" and event["module"] is True, f"{event}")
        with Scenario(ABBA):
            claim(watch.finding("begin")["verdict"] == "confirmed", "not confirmed")


def ends_with_its_reader():
    """Nobody reads any more: it ends, though it has nothing more to say."""
    with Scenario(ABBA), Watch("--json") as watch:
        watch.finding("begin")
        watch.process.stdout.close()
        try:
            claim(watch.process.wait(READY_SECS) == 1, "the status is not 1")
        except subprocess.TimeoutExpired:
            raise Failed("watch goes on with nobody to read it") from None


TESTS = [
    begins_and_ends_once, nothing_is_said_of_ordered_lockers, victim_is_a_change,
    one_more_behind_a_dead_owner_is_a_change,
    lines_are_for_people_too, identifier_outlives_the_watch, command_runs_once_with_the_finding,
    command_that_hangs_stops_nothing, outlives_the_module, ends_with_its_reader,
]


if __name__ == "__main__":
    run([(test.__name__, test) for test in TESTS], need_module)
