#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What the module takes it gives back: when it is unloaded, and when memory is short.

Each allocation of a load, and of opening and reading a file, fails in turn.
That takes a kernel with fault injection and kmemleak: the debug kernel.
"""

import contextlib
import ctypes
import errno
import glob
import os
import subprocess

import kmemleak
from gltest import (KERNEL_LOCKS, Scenario, Skipped, claim, gridlock, module_loaded,
                    need_kernel_locks, run)

DEBUG = "/sys/kernel/debug"
# What the module makes when nothing fails; need_module_file() fills it.
FILES = []
FAIL_NTH = "/proc/thread-self/fail-nth"
# More than any call makes.
NEVER = 1_000_000
# Small tables: their pages would be most of the allocations, all alike.
PARAMETERS = b"max_waits=16 max_locks=16"
SYS_FINIT_MODULE, SYS_DELETE_MODULE = 313, 176

libc = ctypes.CDLL(None, use_errno=True)


def need_fault_injection():
    if not os.path.exists(FAIL_NTH) or not os.path.exists(f"{DEBUG}/failslab"):
        raise Skipped("this kernel has no fault injection (CONFIG_FAILSLAB)")
    for path in ("failslab/ignore-gfp-wait", "fail_page_alloc/ignore-gfp-wait",
                 "fail_page_alloc/ignore-gfp-highmem"):
        write(f"{DEBUG}/{path}", "N")
    write(f"{DEBUG}/fail_page_alloc/min-order", "0")
    for fault in ("failslab", "fail_page_alloc", "fail_usercopy"):
        write(f"{DEBUG}/{fault}/verbose", "0")
    # kmemleak bears the loss of its own notes of each allocation, one by one.
    for path in glob.glob("/sys/kernel/slab/*/failslab"):
        write(path, "0" if "/kmemleak_" in path else "1")
    write(f"{DEBUG}/failslab/cache-filter", "Y")


def need_kmemleak():
    if not kmemleak.is_on():
        raise Skipped("this kernel does not look for leaks (kmemleak=on)")


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def failing(nth, call):
    """Run call() with its nth allocation failing.

    Return: what it returns, its errno, and how many more allocations it would
    have taken for the failure; 0 when it came.
    """
    control = os.open(FAIL_NTH, os.O_RDWR)
    try:
        os.write(control, str(nth).encode())
        result = call()
        error = ctypes.get_errno() if result == -1 else 0
        try:
            left = int(os.pread(control, 32, 0))
        except OSError:  # it came just now
            left = 1
        with contextlib.suppress(OSError):  # the same, while disarming
            os.write(control, b"0")
        os.write(control, b"0")
        return result, error, left
    finally:
        os.close(control)


def load(module, parameters=PARAMETERS):
    return libc.syscall(SYS_FINIT_MODULE, module, parameters, 0)


def unload():
    if module_loaded():
        claim(libc.syscall(SYS_DELETE_MODULE, b"gridlock", 0) == 0,
              f"rmmod: {os.strerror(ctypes.get_errno())}")


def claim_nothing_is_left(after):
    claim(not module_loaded(), f"{after}: the module is there")
    claim(not os.path.exists(f"{DEBUG}/gridlock"), f"{after}: its files are there")
    with open(f"{DEBUG}/kprobes/list", encoding="ascii") as file:
        claim("gridlock" not in file.read(), f"{after}: kprobes are there")


def claim_whole(after):
    missing = set(FILES) - set(os.listdir(f"{DEBUG}/gridlock"))
    claim(not missing, f"{after}: it is loaded without {missing}")
    with open(f"{DEBUG}/gridlock/stats", encoding="ascii") as file:
        claim("probe.contention on" in file.read(), f"{after}: it is loaded without probes")


def first_of_ours(module):
    """The kernel's own allocations come first: as many as a refused load makes."""
    result, error, left = failing(NEVER, lambda: load(module, b"max_waits=1"))
    claim((result, error) == (-1, errno.EINVAL), f"max_waits=1: {result}, {os.strerror(error)}")
    # Those of the way out are among them.
    return max(1, (NEVER - left) * 9 // 10)


def load_fails_cleanly_at_every_allocation():
    need_fault_injection()
    unload()
    refused = borne = 0
    module = os.open(os.environ["GRIDLOCK_KO"], os.O_RDONLY)
    try:
        nth = start = first_of_ours(module)
        while True:
            result, error, left = failing(nth, lambda: load(module))
            after = f"allocation {nth} fails"
            if result == 0:
                claim_whole(after)
                unload()
                borne += not left
            else:
                claim(error == errno.ENOMEM, f"{after}: {os.strerror(error)}")
                refused += 1
            claim_nothing_is_left(after)
            if left:
                break
            nth += 1
    finally:
        os.close(module)
    print(f"# allocations {start} to {nth - 1}: {refused} loads refused, {borne} bore it")
    claim(refused > 10, f"only {refused} loads were refused")


def read_file(name):
    """Open and read to the end. Return: 0, or -1 and errno."""
    path = f"{DEBUG}/gridlock/{name}".encode()
    buffer = ctypes.create_string_buffer(65536)

    def call():
        file = libc.open(path, os.O_RDONLY)
        if file < 0:
            return -1
        result = 1
        while result > 0:
            result = libc.read(file, buffer, len(buffer))
        error = ctypes.get_errno()
        libc.close(file)
        ctypes.set_errno(error)
        return int(result)
    return call


def reading_fails_cleanly_at_every_allocation():
    need_fault_injection()
    unload()
    subprocess.run(["insmod", os.environ["GRIDLOCK_KO"]], check=True)
    for name in FILES:
        call = read_file(name)
        for nth in range(1, 1000):
            result, error, left = failing(nth, call)
            claim(result == 0 or error in (errno.ENOMEM, errno.EFAULT),
                  f"{name}: allocation {nth} fails: {result}, {os.strerror(error)}")
            if left:
                break
        claim(left and result == 0, f"{name}: it cannot be read any more")
        claim(nth > 1, f"{name}: no allocation failed")
    # Four snapshots can still be open: none was forgotten.
    files = [open(f"{DEBUG}/gridlock/waits.bin", "rb") for _ in range(4)]
    for file in files:
        file.close()
    unload()
    claim_nothing_is_left("reading")


def nothing_leaks():
    """Not by use, and not by what failed before this test."""
    need_kmemleak()
    unload()
    subprocess.run(["insmod", os.environ["GRIDLOCK_KO"]], check=True)
    with Scenario(["a*: kmutex:0 shm:1", "b*: kmutex:0 shm:1"]):
        for _ in range(3):
            gridlock("check", "--for", "0.5")
            gridlock("locks")
    unload()
    found = kmemleak.leaks()
    claim(not found, "\n".join(["leaks:"] + found))


def a_leak_is_found():
    """Else the test before could not fail."""
    need_kmemleak()
    kmemleak.clear()
    # By tasks that end: what is left on a stack counts as a pointer.
    for _ in range(10):
        subprocess.run(["sh", "-c", f"echo leak >{KERNEL_LOCKS}"], check=True)
    found = kmemleak.leaks()
    claim(any("[gridlock_scenario]" in leak for leak in found), f"it is not in {found}")


TESTS = [load_fails_cleanly_at_every_allocation, reading_fails_cleanly_at_every_allocation,
         nothing_leaks, a_leak_is_found]


def need_module_file():
    if not os.path.exists(os.environ.get("GRIDLOCK_KO", "")):
        raise Skipped("GRIDLOCK_KO names no module")
    need_kernel_locks()
    unload()
    subprocess.run(["insmod", os.environ["GRIDLOCK_KO"]], check=True)
    FILES.extend(os.listdir(f"{DEBUG}/gridlock"))
    claim({"stats", "waits.bin", "locks.bin"} < set(FILES), f"its files are {FILES}")
    if kmemleak.is_on():
        kmemleak.clear()


if __name__ == "__main__":
    was_loaded = module_loaded()
    try:
        run([(test.__name__, test) for test in TESTS], need_module_file)
    finally:
        if was_loaded and not module_loaded():
            subprocess.run(["insmod", os.environ["GRIDLOCK_KO"]], check=True)
