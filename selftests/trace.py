#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The module's own trace events: every wait over the threshold, and no other.

The threshold is set while the waits last: to less than they have lasted already,
and in each twin to an hour more.
"""

import os
import re
import shutil
import signal
import struct
import subprocess
import tempfile
import time

from counters import KINDS, read_bin, reload, set_parameter
from gltest import (READY_SECS, RT, Scenario, Skipped, claim, need_kernel_locks, need_module,
                    read_line, run, wait_until)

TRACEFS = "/sys/kernel/tracing"
MUTEX = "rtmutex" if RT else "mutex"
WAITERS = 5
QUEUE = ["p0: kmutex:0 sync settle"] + [f"p{i}: sync !kmutex:0" for i in range(1, WAITERS + 1)]
# perf is long in coming up where all CPUs are busy.
PERF_SECS = 5 * READY_SECS
HOUR_NS = 3600 * 10**9


def write(path, text):
    with open(f"{TRACEFS}/{path}", "w", encoding="ascii") as file:
        file.write(text)


def mount_tracefs():
    if not os.path.exists(f"{TRACEFS}/trace"):
        subprocess.run(["mount", "-t", "tracefs", "none", TRACEFS], check=True)


def events(name, lock):
    """Fields of every event of that name about that mutex; not about the spinlock in it,
    which may have the same address.
    """
    with open(f"{TRACEFS}/trace", encoding="ascii", errors="replace") as file:
        lines = [line for line in file if f" {name}: " in line]
    found = [dict(pair.split("=") for pair in re.findall(r"\w+=\S+", line)) for line in lines]
    return [event for event in found
            if int(event["lock"], 16) == lock and event["kind"] == MUTEX]


def queue_waits():
    """(tid, lock, begin) of those who wait for a mutex."""
    waits = []
    for record in read_bin("waits.bin")[1]:
        lock, begin = struct.unpack_from("=8xQ16xQ", record)
        tid, kind = struct.unpack_from("=64xi16xI", record)
        if KINDS[kind] == MUTEX:
            waits.append((tid, lock, begin))
    return waits


def lasted(waits):
    """How long all of these waits have lasted at least; ns."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC) - max(begin for _, _, begin in waits)


class Waiting:
    """Five tasks wait for one mutex, until the block ends."""

    def __enter__(self):
        self.scenario = Scenario(QUEUE).__enter__()
        tids = self.scenario.tids(" ".join(f"p{i}" for i in range(1, WAITERS + 1)))

        def settled():
            self.waits = [wait for wait in queue_waits() if wait[0] in tids]
            return len(self.waits) == WAITERS and len({lock for _, lock, _ in self.waits}) == 1

        wait_until(settled, "five wait")
        self.lock = self.waits[0][1]
        return self

    def __exit__(self, *error):
        self.scenario.__exit__(*error)


class Traced:
    """The events of one name are recorded, until the block ends."""

    def __init__(self, name):
        self.switch = f"events/gridlock/{name}/enable"

    def __enter__(self):
        mount_tracefs()
        write("trace", "")
        write(self.switch, "1")

    def __exit__(self, *_):
        write(self.switch, "0")


def gone(tids):
    """Those of them that wait no more."""
    waiting = {tid for tid, _, _ in queue_waits()}
    return [tid for tid in tids if tid not in waiting]


def traced_waits(more_ns):
    """Events of five waits, with the threshold so much above what they have lasted.

    The first waiter is killed; then who holds the lock, so that another one gets it;
    then the scenario ends, and it all unwinds.
    """
    with Traced("gridlock_wait_end"):
        with Waiting() as waiting:
            tids = sorted(tid for tid, _, _ in waiting.waits)
            set_parameter("trace_ns", lasted(waiting.waits) + more_ns)
            for number, victim in enumerate((tids[0], waiting.scenario.tid["p0"]), 1):
                os.kill(victim, signal.SIGKILL)
                wait_until(lambda n=number: len(gone(tids)) == n, f"{number} wait no more")
            waiting.got_it = [tid for tid in gone(tids) if tid != tids[0]][0]
        found = events("gridlock_wait_end", waiting.lock)
    set_parameter("trace_ns", 1000000)
    return waiting, tids, found


def every_wait_over_the_threshold_is_told():
    waiting, tids, found = traced_waits(0)
    claim(sorted(int(event["tid"]) for event in found) == tids, f"told: {found}")
    begun = {tid: begin for tid, _, begin in waiting.waits}
    for event in found:
        tid = int(event["tid"])
        claim(int(event["begin_ns"]) == begun[tid], f"{tid} began at {event['begin_ns']}")
        claim(int(event["owner_tid"]) == waiting.scenario.tid["p0"], f"owner: {event}")
        claim(int(event["ret"]) in {tids[0]: [-4], waiting.got_it: [0]}.get(tid, [0, -4]),
              f"{tid}: ret {event['ret']}; {tids[0]} was killed, {waiting.got_it} got it")


def no_wait_below_it_is_told():
    found = traced_waits(HOUR_NS)[2]
    claim(not found, f"told: {found}")


def nobody_listens_and_nothing_is_recorded():
    with Waiting() as waiting:
        mount_tracefs()
        set_parameter("trace_ns", 0)
    set_parameter("trace_ns", 1000000)
    claim(not events("gridlock_wait_end", waiting.lock), "told though it is off")


def lasting_waits(more_ns):
    with Waiting() as waiting, Traced("gridlock_wait_lasts"):
        set_parameter("trace_ns", lasted(waiting.waits) + more_ns)
        write("trace", "")
        queue_waits()
        found = events("gridlock_wait_lasts", waiting.lock)
    set_parameter("trace_ns", 1000000)
    return waiting, found


def a_snapshot_tells_of_waits_that_last():
    waiting, found = lasting_waits(0)
    claim(sorted(int(event["tid"]) for event in found) == sorted(w[0] for w in waiting.waits),
          f"told: {found}")
    claim({int(event["owner_tid"]) for event in found} == {waiting.scenario.tid["p0"]},
          f"owners: {found}")


def a_snapshot_tells_of_no_shorter_ones():
    found = lasting_waits(HOUR_NS)[1]
    claim(not found, f"told: {found}")


def perf_records_the_events():
    if subprocess.run(["perf", "--version"], capture_output=True, check=False).returncode:
        raise Skipped("perf is not installed")
    with tempfile.TemporaryDirectory() as folder:
        data = f"{folder}/perf.data"
        # Nothing of the rest of the machine: that takes its time. perf would look at the
        # files of all the kernel's modules as well, of which it needs none.
        perf = subprocess.Popen(["unshare", "-m", "sh", "-c",
                                 'mount -t tmpfs none /lib/modules; exec "$@"', "sh",
                                 "perf", "record", "-q", "-a", "-B", "--synth=no", "-o", data, "-e",
                                 "gridlock:gridlock_wait_end", "--", "sh", "-c",
                                 "echo recording; read end"],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        claim("recording" in read_line(perf.stdout, PERF_SECS), "perf does not record")
        with Waiting() as waiting:
            set_parameter("trace_ns", lasted(waiting.waits))
        set_parameter("trace_ns", 1000000)
        perf.communicate("end\n", PERF_SECS)
        text = subprocess.run(["perf", "script", "-i", data, "-F", "trace"], check=True,
                              capture_output=True, text=True).stdout
    found = [line for line in text.splitlines() if f"lock={waiting.lock:016x}" in line]
    claim(len(found) == WAITERS, f"perf has {len(found)} of {WAITERS} events: {text[-500:]}")


class Bpftrace:
    """bpftrace runs a program, attached, until the block ends; out is what it printed."""

    def __init__(self, program):
        self.program = program

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        # It runs this once it has attached, and ends with it.
        script = f"{self.folder.name}/script"
        self.end = f"{script}.end"
        for name in ("attached", "end"):
            os.mkfifo(f"{script}.{name}")
        with open(script, "w", encoding="ascii") as file:
            file.write(f"echo attached >{script}.attached\nread end <{self.end}\n")
        self.process = subprocess.Popen(
            ["bpftrace", "-c", f"/bin/sh {script}", "-e", self.program], text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        # Open for both, so that it does not wait for bpftrace, which may fail.
        with os.fdopen(os.open(f"{script}.attached", os.O_RDWR), "rb", buffering=0) as fifo:
            claim(read_line(fifo, PERF_SECS), "bpftrace does not attach")
        return self

    def __exit__(self, *_):
        with open(self.end, "w", encoding="ascii") as file:
            file.write("end\n")
        self.out, err = self.process.communicate(timeout=PERF_SECS)
        self.folder.cleanup()
        claim(not self.process.returncode, f"bpftrace fails: {err}")


def bpftrace_gets_the_events():
    if not shutil.which("bpftrace"):
        raise Skipped("bpftrace is not installed")
    mount_tracefs()
    with Bpftrace('tracepoint:gridlock:gridlock_wait_end '
                  '{ printf("told %s %lx %d\\n", args->kind, args->lock, args->tid); }') as bpf:
        with Waiting() as waiting:
            set_parameter("trace_ns", lasted(waiting.waits))
        set_parameter("trace_ns", 1000000)
    wanted = sorted(f"told {MUTEX} {waiting.lock:x} {tid}" for tid, _, _ in waiting.waits)
    found = sorted(line for line in bpf.out.splitlines() if f" {waiting.lock:x} " in line)
    claim(found == wanted, f"bpftrace has {found}, not {wanted}")


TESTS = [every_wait_over_the_threshold_is_told, no_wait_below_it_is_told,
         nobody_listens_and_nothing_is_recorded, a_snapshot_tells_of_waits_that_last,
         a_snapshot_tells_of_no_shorter_ones, perf_records_the_events,
         bpftrace_gets_the_events]


def need_both():
    need_module()
    need_kernel_locks()
    reload("by_owner=1")


if __name__ == "__main__":
    run([(test.__name__, test) for test in TESTS], need_both)
