# SPDX-License-Identifier: GPL-2.0
"""The module's counters and rows, what is always true of them, and a storm of waits.

The binary files are decoded here anew, from the ABI header's text alone, so
that reader and module cannot agree on a mistake.
"""

import os
import re
import struct
import subprocess
import time

from gltest import HERE, RT, Failed, Scenario, claim, wait_until

DEBUGFS = "/sys/kernel/debug/gridlock"
PARAMETERS = "/sys/module/gridlock/parameters"
TOTAL, LOCK, OTHER = 1, 2, 3

# In one order, so that nothing deadlocks; each lock is the first one of some, which
# meet nobody before it.
STORM = [f"s{i}{j}*: {one} {two}" for j in range(2) for i, (one, two) in enumerate((
    ("kmutex:0", "krwsem-w:1"), ("krwsem-w:1", "krtmutex:2"), ("krwsem-r:1", "krtmutex:2"),
    ("krtmutex:2", "ksem:3"), ("ksem:3", "shm:0"), ("shm:0", "pi:0"), ("pi:0", "flock:1")))]


def abi_names(macro):
    """Names of kinds, or of forms, in order, from the header."""
    with open(os.path.join(HERE, "..", "kmod", "uapi", "gridlock.h"), encoding="ascii") as file:
        return re.findall(rf'\b{macro}\([A-Z_]+,\s+"([^"]+)"\)', file.read())


KINDS = abi_names("X")
FORMS = abi_names("F")


def read_bin(name):
    """Header fields and the records of a binary file."""
    with open(f"{DEBUGFS}/{name}", "rb") as file:
        data = file.read()
    names = ("magic version header_size record_size record_type nr_records nr_unshown "
             "nr_lost_begins nr_lost_ends nr_meanwhile taken done load_id clock flags").split()
    header = dict(zip(names, struct.unpack_from("=QIIIIQQQQQQQQII", data)))
    size, start = header["record_size"], header["header_size"]
    claim(header["magic"] == int.from_bytes(b"GRIDLOCK", "little"), "the magic is wrong")
    claim(len(data) == start + header["nr_records"] * size, f"{name} has {len(data)} bytes")
    return header, [data[start + i * size:][:size] for i in range(header["nr_records"])]


STORM_KINDS = (["rtmutex", "semaphore", "futex", "futex-pi"] +
               ([] if RT else ["mutex", "rwsem:R", "rwsem:W"]))


# What these are for is no kernel address.
USER_KINDS = ("futex", "futex-pi", "flock", "posix", "ofd", "lease")


class Row:
    """One record of locks.bin."""

    def __init__(self, record):
        (self.id, self.addr, _, self.begun, self.ended, self.failed, self.lost, self.total_ns,
         self.min_ns, self.max_ns, self.row, kind, self.flags, self.tgid) = struct.unpack_from("=10QIIIi", record)
        self.kind = KINDS[kind]
        self.hist = struct.unpack_from("=40Q", record, 96)
        self.name = record[416:480].split(b"\0")[0].decode()
        self.signal, self.timeout, self.deadlock = struct.unpack_from("=3Q", record, 480)
        self.form = FORMS[struct.unpack_from("=I", record, 504)[0]]


def read_locks():
    header, records = read_bin("locks.bin")
    return header, [Row(record) for record in records]


class Wait:
    """One record of waits.bin."""

    SPINNING, OFF_CPU, IN_SLOWPATH, SLOWPATH_KNOWN = 1 << 3, 1 << 4, 1 << 5, 1 << 6

    def __init__(self, record):
        self.res, _, _, self.begin_ns = struct.unpack_from("=4Q", record, 8)
        (self.tid, _, self.owner, _, _, kind, self.flags,
         self.owner_state) = struct.unpack_from("=4i4I", record, 64)
        self.kind = KINDS[kind]

    def sleeps_inside(self):
        """Off the CPU, and in the slow path of its kind."""
        wanted = self.OFF_CPU | self.IN_SLOWPATH | self.SLOWPATH_KNOWN
        return self.flags & wanted == wanted

    def sleeps_outside(self):
        wanted = self.OFF_CPU | self.SLOWPATH_KNOWN
        return self.flags & (wanted | self.IN_SLOWPATH) == wanted


def read_waits(tid=None):
    waits = [Wait(record) for record in read_bin("waits.bin")[1]]
    return [wait for wait in waits if tid in (None, wait.tid)]


def in_flight():
    """Waits in flight by kind."""
    waits = {}
    for wait in read_waits():
        waits[wait.kind] = waits.get(wait.kind, 0) + 1
    return waits


def stats():
    with open(f"{DEBUGFS}/stats", encoding="ascii") as file:
        return {name: int(value) if value.isdigit() else value
                for name, value in (line.split() for line in file)}


def set_parameter(name, value):
    with open(f"{PARAMETERS}/{name}", "w", encoding="ascii") as file:
        file.write(str(value))


def reload(*parameters):
    subprocess.run(["rmmod", "gridlock"], check=True)
    subprocess.run(["insmod", os.environ["GRIDLOCK_KO"], *parameters], check=True)


def claim_exact():
    """Nothing begins any more: sums over rows equal totals, and every wait is accounted for.

    enabled=0 lets no wait begin; those in flight end or stay. An end that comes
    between two readings makes them differ, for that moment: what is wrong in the
    counters stays wrong.
    """
    set_parameter("enabled", 0)
    try:
        for _ in range(20):
            try:
                return claim_exact_now()
            except Failed:
                time.sleep(0.1)
        return claim_exact_now()
    finally:
        set_parameter("enabled", 1)


def claim_exact_now():
    header, rows = read_locks()
    waits = in_flight()
    claim(not header["nr_unshown"], f"{header['nr_unshown']} rows are unshown")
    for row in rows:
        claim(row.row == OTHER or row.begun >= row.ended + row.lost,
              f"{row.kind}: a row has {row.begun} begun, {row.ended} ended, {row.lost} lost")
    for total in (row for row in rows if row.row == TOTAL):
        parts = [row for row in rows if row.kind == total.kind and row.row != TOTAL]
        for name in ("begun", "ended", "failed", "lost", "total_ns", "signal", "timeout", "deadlock"):
            parted = sum(getattr(row, name) for row in parts)
            claim(getattr(total, name) == parted,
                  f"{total.kind}: {name} is {getattr(total, name)}, of rows {parted}")
        flying = waits.get(total.kind, 0)
        claim(total.begun == total.ended + flying + total.lost,
              f"{total.kind}: {total.begun} begun, {total.ended} ended, {flying} in flight, "
              f"{total.lost} lost")
        claim(sum(total.hist) == total.ended, f"{total.kind}: histogram {sum(total.hist)}")
    return rows


def claim_near(header, rows):
    """What comes while it is looked at is the only difference."""
    for total in (row for row in rows if row.row == TOTAL):
        for name in ("begun", "ended", "lost"):
            parted = sum(getattr(row, name) for row in rows
                         if row.kind == total.kind and row.row != TOTAL)
            claim(abs(getattr(total, name) - parted) <= header["nr_meanwhile"],
                  f"{total.kind}: {name} is {getattr(total, name)}, of rows {parted}, with "
                  f"{header['nr_meanwhile']} events meanwhile")


def totals(rows):
    return {row.kind: row for row in rows if row.row == TOTAL}


def wait_until_over(scenario):
    """It does not wait for its children: they may go on for a moment."""
    wait_until(lambda: not any(os.path.exists(f"/proc/{tid}") for tid in scenario.tid.values()),
               "the storm is over")


def storm(seconds=3, then=None):
    with Scenario(STORM) as scenario:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            claim_near(*read_locks())
            in_flight()
            if then:
                then()
    wait_until_over(scenario)


def every_mutex_counts():
    """Does each call pass the tracepoints, contended or not? So it is with lockdep."""
    with open(f"{DEBUGFS}/coverage", encoding="ascii") as file:
        return any(line.startswith("mutex ") and "every call" in line for line in file)
