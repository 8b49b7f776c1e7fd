#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""An independent BPF program counts the same waits at the same tracepoints.

Only locks that nobody waits for outside of the storm are compared, so that the
moments of attaching do not matter: each count is to be equal, exactly.
"""

import collections
import json
import os
import shutil
import subprocess
import tempfile

from counters import LOCK, read_locks, reload, stats, storm
from gltest import (READY_SECS, Skipped, claim, need_kernel_locks, need_module, read_line,
                    run)

# Of each lock: ends, and failed ones. A map that is full drops silently: make room.
PROGRAM = """
tracepoint:lock:contention_end { @ended[args->lock_addr] = count(); }
tracepoint:lock:contention_end /args->ret < 0/ { @failed[args->lock_addr] = count(); }
"""
MAP_KEYS = "65536"


def number(key):
    """An address as some version of bpftrace prints it: hexadecimal, or signed."""
    return int(key, 0) & (1 << 64) - 1


class Counting:
    """bpftrace runs, attached, until the block ends; then its maps are there."""

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.maps = {}
        go = f"{self.folder.name}/go"
        for name in ("attached", "end"):
            os.mkfifo(f"{go}.{name}")
        with open(go, "w", encoding="ascii") as file:
            file.write(f"echo attached >{go}.attached\nread end <{go}.end\n")
        self.process = subprocess.Popen(
            ["bpftrace", "-f", "json", "-c", f"/bin/sh {go}", "-e", PROGRAM],
            env={**os.environ, "BPFTRACE_MAP_KEYS_MAX": MAP_KEYS}, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        # Open for both, so that it does not wait for bpftrace, which may fail.
        with os.fdopen(os.open(f"{go}.attached", os.O_RDWR), "rb", buffering=0) as fifo:
            claim(read_line(fifo, READY_SECS), "bpftrace does not attach")
        self.end = f"{go}.end"
        return self

    def __exit__(self, *_):
        with open(self.end, "w", encoding="ascii") as file:
            file.write("end\n")
        out, err = self.process.communicate(timeout=READY_SECS)
        claim(not self.process.returncode, f"bpftrace fails: {err}")
        for line in out.splitlines():
            if line.startswith("{") and '"map"' in line:
                for name, values in json.loads(line)["data"].items():
                    self.maps[name] = {number(key): value for key, value in values.items()}
        claim(self.maps, f"bpftrace has counted nothing: {out[:500]} {err[:500]}")
        self.folder.cleanup()

    def count(self, name, addr):
        return self.maps.get(f"@{name}", {}).get(addr, 0)


def storm_locks():
    """Sums of the scenario module's locks by address: the storm alone makes those wait.

    One that can be taken in two ways has two rows, which BPF does not tell apart.
    """
    arrays = ("mutexes", "rwsems", "rtmutexes", "sems")
    locks = {}
    for row in read_locks()[1]:
        if row.row == LOCK and row.name.split("+")[0] in arrays:
            locks.setdefault(row.addr, collections.Counter()).update(
                begun=row.begun, ended=row.ended, failed=row.failed)
    return locks


def counts_are_those_of_bpf():
    reload()
    with Counting() as bpf:
        storm(3)
        locks = storm_locks()
    claim(len(locks) >= 3, f"the storm made {len(locks)} locks wait")
    claim(not stats()["lost.recursion_end"], "an end was lost")
    for addr, sums in locks.items():
        claim(sums["begun"] == sums["ended"], f"{addr:#x}: {sums}")
        for name in ("ended", "failed"):
            claim(bpf.count(name, addr) == sums[name],
                  f"{addr:#x}: {name} {sums[name]}, BPF has {bpf.count(name, addr)}")
    claim(sum(sums["ended"] for sums in locks.values()) > 100, "hardly anything to compare")


def a_lost_end_makes_them_differ():
    """The twin: the module drops every seventh end, and the two no longer agree."""
    reload("drop_ends=7")
    with Counting() as bpf:
        storm(3)
        locks = storm_locks()
    reload()
    claim(any(bpf.count("ended", addr) > sums["ended"] for addr, sums in locks.items()),
          f"equal for {len(locks)} locks")


TESTS = [counts_are_those_of_bpf, a_lost_end_makes_them_differ]


def need_all():
    need_module()
    need_kernel_locks()
    if not shutil.which("bpftrace"):
        raise Skipped("bpftrace is not installed")


if __name__ == "__main__":
    run([(test.__name__, test) for test in TESTS], need_all)
