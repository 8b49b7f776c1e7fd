#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What the counters tell of each lock: whose futex it is, how long its waits were.

And that it all fits the memory that was promised.
"""

import ctypes
import mmap
import os
import re
import signal
import threading

from counters import (LOCK, claim_exact, every_mutex_counts, read_locks, read_waits, reload,
                      stats, storm)
from gltest import RT, Scenario, claim, gridlock, need_both, run, wait_until, wchan

LIBC = ctypes.CDLL(None)
SYS_FUTEX, FUTEX_WAIT_PRIVATE = 202, 128

# A lock is hot on a CPU when so many of its waits ended there (kmod/limits.h).
HOT_ENDS = 16


def futex_rows(addr=None):
    return [row for row in read_locks()[1]
            if row.row == LOCK and row.kind == "futex" and addr in (None, row.addr)]


def process_of(tid):
    with open(f"/proc/{tid}/status", encoding="ascii", errors="replace") as file:
        return int(re.search(r"^Tgid:\s+(\d+)", file.read(), re.M)[1])


def futex_names_its_process():
    """The word of a mutex that threads of one process contend, and in words the same."""
    with Scenario(["t1: mtx:0 sync", "t2: sync !mtx:0"], threads=True) as scenario:
        pid = process_of(scenario.tid["t2"])
        waits = read_waits(scenario.tid["t2"])
        claim([wait.kind for wait in waits] == ["futex"], f"t2 has {len(waits)} waits")
        rows = [row for row in futex_rows() if row.id == waits[0].res]
        claim([row.tgid for row in rows] == [pid],
              f"the word is of {[row.tgid for row in rows]}, not of {pid}")
        status, out, err = gridlock("locks", "-Y", "futex")
        claim(status == 0, f"locks exits {status}: {err}")
        claim(f"0x{rows[0].addr:x} of process {pid}" in out, f"nothing of process {pid}: {out}")


def sleeper(addr):
    """A child that waits for the word at an address of its own memory."""
    pid = os.fork()
    if not pid:
        LIBC.syscall(SYS_FUTEX, ctypes.c_void_p(addr), FUTEX_WAIT_PRIVATE, 0, None)
        os._exit(0)
    wait_until(lambda: "futex" in wchan(pid), "the child waits")
    return pid


def one_address_of_two_processes_is_two_futexes():
    page = mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    addr = ctypes.addressof(ctypes.c_char.from_buffer(page))
    children = [sleeper(addr), sleeper(addr)]
    try:
        rows = [row for row in futex_rows(addr) if row.begun > row.ended + row.lost]
        claim(sorted(row.tgid for row in rows) == sorted(children),
              f"{addr:#x} is of {[row.tgid for row in rows]}, not of {children}")
        claim(all(row.begun == 1 for row in rows), f"begun: {[row.begun for row in rows]}")
        claim(len({row.id for row in rows}) == 2, "both have one identity")
    finally:
        for pid in children:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def row_of_queue(number):
    """A lock that so many tasks have waited for; or who has it first counts as one."""
    reload()
    waiters = number - every_mutex_counts()
    queue = ["p0: kmutex:5 sync settle"] + [f"p{i}: sync !kmutex:5" for i in range(1, waiters + 1)]
    kind = "rtmutex" if RT else "mutex"

    def waited_for(rows):
        return [row.id for row in rows
                if row.row == LOCK and row.kind == kind and row.begun - row.ended == waiters]

    with Scenario(queue):
        wait_until(lambda: waited_for(read_locks()[1]), f"{waiters} wait")
        lock = waited_for(read_locks()[1])[0]
    # On PREEMPT_RT the spinlock inside it has the same address.
    rows = [row for row in read_locks()[1]
            if row.id == lock and row.row == LOCK and row.kind == kind]
    claim(len(rows) == 1 and rows[0].ended == number, f"ended: {[row.ended for row in rows]}")
    return rows[0]


def hot_lock_has_a_histogram():
    """Somewhere more waits ended than make a lock hot; each CPU misses those before."""
    missed = os.cpu_count() * (HOT_ENDS - 1)
    row = row_of_queue(missed + 1)
    claim(row.flags & 1, "a hot lock has no histogram")
    claim(row.ended - missed <= sum(row.hist) <= row.ended,
          f"{sum(row.hist)} of {row.ended} waits are in the histogram")


def lock_that_is_not_hot_has_none():
    row = row_of_queue(HOT_ENDS - 1)
    claim(not row.flags & 1 and not any(row.hist), f"flags {row.flags}, histogram {row.hist}")


def tables_fit_their_memory():
    """With the defaults: 10 MiB, and 512 KiB for each CPU."""
    reload()
    now = stats()
    claim(now["table.lock_rows_per_cpu"] == 4096, f"{now['table.lock_rows_per_cpu']} lock rows")
    claim(65536 <= now["table.wait_slots"], f"{now['table.wait_slots']} wait slots")
    claim(now["table.wait_bytes"] <= 10 << 20, f"waits take {now['table.wait_bytes']} bytes")
    each = now["table.lock_bytes"] / os.sysconf("SC_NPROCESSORS_CONF")
    claim(4096 * 80 <= each <= 512 << 10, f"locks take {each} bytes a CPU")


def stage(started, end):
    """A call that finds another value in the word and does not sleep: its slot stays."""
    word = ctypes.c_uint32(1)
    for _ in range(20):
        LIBC.syscall(SYS_FUTEX, ctypes.byref(word), FUTEX_WAIT_PRIVATE, 0, None)
    os.write(started, b".")
    os.read(end, 1)


def sums_are_exact_while_slots_are_stolen():
    """Ten times more tasks with a slot that they do not use than the table has."""
    reload("max_waits=16")
    slots = stats()["table.wait_slots"]
    (ready, started), (end, ender) = os.pipe(), os.pipe()
    threads = [threading.Thread(target=stage, args=(started, end)) for _ in range(10 * slots)]
    try:
        for thread in threads:
            thread.start()
        for _ in threads:
            claim(os.read(ready, 1), "a thread did not start")
        storm()
        claim(stats()["events.slots_stolen"] >= slots,
              f"{stats()['events.slots_stolen']} slots were stolen")
        claim_exact()
    finally:
        os.close(ender)
        for thread in threads:
            thread.join()
    claim_exact()
    reload()


TESTS = [futex_names_its_process, one_address_of_two_processes_is_two_futexes,
         hot_lock_has_a_histogram, lock_that_is_not_hot_has_none, tables_fit_their_memory,
         sums_are_exact_while_slots_are_stolen]


if __name__ == "__main__":
    run([(test.__name__, test) for test in TESTS], need_both)
