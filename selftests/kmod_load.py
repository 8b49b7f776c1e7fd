#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The module comes and goes under contention, over and over, with its files being read all
the while; and it refuses what it cannot do in one sentence.

GL_LOADS is how often (default 30; 10 once it was done so often on another kernel); make
soak does it a hundred times. The module is loaded by system calls: insmod and rmmod would
mostly start programs.
"""

import ctypes
import errno
import functools
import os
import re
import struct
import threading
import time

from counters import TOTAL, claim_exact, read_locks, read_waits, stats
from gltest import READY_SECS, SLOW, Scenario, claim, module_loaded, need_both, run

DEBUGFS = "/sys/kernel/debug/gridlock"
FILES = ("waits.bin", "locks", "stats")
# Fewer where everything takes longer, unless it is said how often.
TIMES = int(os.environ.get("GL_LOADS") or (10 if "GL_TESTED_ON" in os.environ else 30) // SLOW)
NR_DELETE_MODULE, NR_FINIT_MODULE = 176, 313
WARNING = 4  # KERN_WARNING; what is worse has less
# Every module built out of the tree taints; and a virtual machine may be paused.
NOT_OURS = re.compile("taint|hrtimer: interrupt took [0-9]+ ns")
LIBC = ctypes.CDLL(None, use_errno=True)

# Each waits for kernel locks and futexes most of the time.
STORM = [f"{name}*: kmutex:0 krwsem-w:1 shm:2" for name in "ab"]


def system_call(*args):
    """Return: 0 or the errno."""
    return ctypes.get_errno() if LIBC.syscall(*args) else 0


def load(parameters="", path=os.environ.get("GRIDLOCK_KO", "")):
    with open(path, "rb") as file:
        return system_call(NR_FINIT_MODULE, file.fileno(), parameters.encode(), 0)


def unload_once():
    return system_call(NR_DELETE_MODULE, b"gridlock", os.O_NONBLOCK)


def must_load(parameters=""):
    error = load(parameters)
    claim(not error, f"loading with '{parameters}': {os.strerror(error)}")


def unload():
    """A file that is open holds the module: ask again until it is closed."""
    end = time.monotonic() + READY_SECS
    while error := unload_once():
        claim(error == errno.EAGAIN, f"unloading: {os.strerror(error)}")
        claim(time.monotonic() < end, "unloading: its files are open all the time")
        time.sleep(0.002)


class Log:
    """What the kernel says from now on."""

    def __init__(self):
        self.file = open("/dev/kmsg", "rb", buffering=0,
                         opener=lambda path, flags: os.open(path, flags | os.O_NONBLOCK))
        self.file.seek(0, os.SEEK_END)
        self.records = []

    def read(self):
        """(level, text) of each so far. A read gives one, and fails if some are lost."""
        while record := self.file.read(1 << 13):
            head, _, text = record.decode(errors="replace").partition(";")
            self.records.append((int(head.split(",")[0]) & 7, text.partition("\n")[0]))
        return self.records

    def said(self):
        """What our module says, good or bad."""
        return [text for _, text in self.read() if text.startswith("gridlock: ")]

    def warnings(self):
        return [text for level, text in self.read()
                if level <= WARNING and not NOT_OURS.search(text)]


class Readers:
    """Threads that open the files over and over, each for a moment, as slow readers do."""

    def __init__(self):
        self.stop = threading.Event()
        self.opened = dict.fromkeys(FILES, 0)
        self.threads = [threading.Thread(target=self.read_on, args=(name,)) for name in FILES]

    def read_on(self, name):
        while not self.stop.is_set():
            try:
                with open(f"{DEBUGFS}/{name}", "rb", buffering=0) as file:
                    file.read(100)
                    self.opened[name] += 1
                    time.sleep(0.002)
                    while file.read(1 << 16):
                        pass
            except OSError:
                pass
            time.sleep(0.02)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join()


def begins():
    """Begin events that the module has seen."""
    with open(f"{DEBUGFS}/stats", encoding="ascii") as file:
        return int(dict(line.split() for line in file)["events.begins"])


class Favoured:
    """This thread runs before those of the storm, which never rest: it has much to do."""

    def __enter__(self):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), -15)

    def __exit__(self, *_):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 0)


def loads_and_unloads():
    """Every other time for long enough that probes have recorded something."""
    log = Log()
    with Scenario(STORM), Favoured(), Readers() as readers:
        for number in range(TIMES):
            must_load()
            end = time.monotonic() + READY_SECS
            while number % 2 and not begins():
                claim(time.monotonic() < end, "nothing is recorded of a storm")
            unload()
    for name, times in readers.opened.items():
        claim(times > TIMES / 10, f"{name} was opened {times} times only")
    claim(not log.warnings(), "\n".join(log.warnings()))


def nothing_stays_behind():
    claim(not os.path.exists(DEBUGFS), f"{DEBUGFS} is there")
    claim(not module_loaded(), "/sys/module/gridlock is there")
    for path, word in (("/proc/modules", "gridlock "),
                       ("/sys/kernel/debug/kprobes/list", "gridlock")):
        with open(path, encoding="ascii") as file:
            claim(word not in file.read(), f"it is in {path}")


def no_symbol_stays_behind():
    """Of all the loads before, refused or not: an emulated machine takes seconds to list them."""
    with open("/proc/kallsyms", "rb") as file:
        claim(b"[gridlock]" not in file.read(), "symbols are there")


def open_file_holds_the_module():
    must_load()
    with open(f"{DEBUGFS}/waits.bin", "rb"):
        error = unload_once()
        claim(error == errno.EAGAIN, f"unloading with a file open: {os.strerror(error)}")
    claim(not unload_once(), "unloading with no file open")


def works_with(parameters):
    """Tables of any size, and fewer probes, work under load."""
    log = Log()
    with Scenario(STORM):
        must_load(parameters)
        before = begins()
        while begins() < before + 100:
            for name in os.listdir(DEBUGFS):
                with open(f"{DEBUGFS}/{name}", "rb") as file:
                    file.read()
        unload()
    claim(not log.warnings(), "\n".join(log.warnings()))


def least_tables_work():
    works_with("max_waits=16 max_locks=16 max_groups=16")


def most_tables_work():
    works_with("max_waits=1048576 max_locks=65536 max_groups=65536")


def futex_probes_can_be_left_out():
    works_with("futex=0")


def file_lock_probes_can_be_left_out():
    works_with("filelock=0")


def is_refused(parameters, sentence):
    log = Log()
    error = load(parameters)
    if not error:
        unload()
    claim(error == errno.EINVAL, f"loading with {parameters}: {os.strerror(error)}")
    said = log.said()
    claim(len(said) == 1 and sentence in said[0], f"the log says {said}")


def tables_out_of_range_are_refused():
    for name, least, most in (("max_waits", 16, 1048576), ("max_locks", 16, 65536),
                             ("max_groups", 16, 65536)):
        for value in (0, least - 1, most + 1):
            is_refused(f"{name}={value}",
                       f"{name}={value} is out of range: it goes from {least} to {most}")


def read_only_data(code):
    """Where a module's constants are, by the section headers of ELF. Return: (start, end) pairs."""
    table, = struct.unpack_from("<Q", code, 0x28)
    size, number, names = struct.unpack_from("<HHH", code, 0x3a)
    headers = [struct.unpack_from("<IIQQQQ", code, table + i * size) for i in range(number)]
    names_at = headers[names][4]
    for name, _, _, _, start, length in headers:
        if code.startswith(b".rodata", names_at + name):
            yield start, start + length


@functools.cache
def module_code():
    with open(os.environ["GRIDLOCK_KO"], "rb") as file:
        return file.read()


@functools.cache
def kernel_functions():
    """Read once: an emulated machine takes seconds to list them."""
    with open("/proc/kallsyms", "rb") as file:
        return {line.split()[2] for line in file}


def kernel_has(function):
    return function in kernel_functions()


def changed_module(old, new):
    """The module with one of its strings changed. Return: a path."""
    code, times = bytearray(module_code()), 0
    for start, end in read_only_data(module_code()):
        part = bytes(code[start:end])
        times += part.count(b"\0%s\0" % old)
        code[start:end] = part.replace(b"\0%s\0" % old, b"\0%s\0" % new.ljust(len(old), b"\0"))
    claim(times, f"the module has no string {old}")
    with open("/tmp/changed.ko", "wb") as file:
        file.write(code)
    return file.name


def must_load_changed(old):
    error = load(path=changed_module(old, b"nowhere"))
    claim(not error, f"loading without {old}: {os.strerror(error)}")


def is_refused_changed(old, new, error, sentence):
    """The same module, looking for what this kernel does not have."""
    log = Log()
    result = load(path=changed_module(old, new))
    if not result:
        unload()
    claim(result == error, f"loading with {new} for {old}: {os.strerror(result)}")
    said = log.said()
    claim(len(said) == 1 and re.search(sentence, said[0]), f"the log says {said}")
    # debugfs itself has something to say, too.
    others = [line for line in log.warnings() if line not in said and "debugfs: " not in line]
    claim(not others, "\n".join(others))
    nothing_stays_behind()


def kernel_without_the_tracepoints_is_refused():
    for name in (b"contention_begin", b"contention_end"):
        is_refused_changed(name, b"nowhere", errno.EOPNOTSUPP,
                           "no tracepoints contention_begin and contention_end: it needs Linux 5.19")


def folder_that_cannot_be_made_is_refused():
    """As where debugfs is off: another folder has the name."""
    is_refused_changed(b"gridlock", b"kprobes", errno.EBUSY,
                       r"debugfs is not available \(-(EEXIST|17)\)")


def changed_module_loads():
    """What is refused above is not refused for being changed: futexes are no condition."""
    must_load_changed(b"futex_wait_setup")
    claim(stats()["probe.futex"] == "missing", "a probe that cannot be is there")
    unload()


# A wait for each kind of futex: where probes are missing it is not recorded.
FUTEX_WAITS = ["h: shm:0 pi:0 sync", "plain: sync !shm:0", "pi: sync !pi:0"]

# What each kind of futex takes; a kernel has one of the spellings.
PROBES = {"futex": ((b"futex_unqueue",), (b"futex_wait_setup",),
                    (b"futex_do_wait", b"futex_wait_queue")),
          "futex-pi": ((b"fixup_pi_owner",), (b"futex_lock_pi",), (b"futex_wait_requeue_pi",),
                       (b"rt_mutex_wait_proxy_lock",))}


def probes_of_futexes_attach(missing, function):
    """All but those for one kind, if any, of which nothing is left: its waits are not seen."""
    with Scenario(FUTEX_WAITS) as scenario:
        seen = {wait.kind for name in ("plain", "pi")
                for wait in read_waits(scenario.tid[name])}
    claim(seen == set(PROBES) - {missing}, f"without {function} waits are {seen}")
    begun = {row.kind: row.begun for row in read_locks()[1] if row.row == TOTAL}
    claim(not missing or not begun[missing], f"{begun.get(missing)} {missing} waits began")
    claim_exact()
    for kind in PROBES:
        state = stats()["probe." + kind.replace("-", "_")]
        claim(state == ("missing" if kind == missing else "on"), f"probe of {kind} is {state}")
    with open(f"{DEBUGFS}/coverage", encoding="ascii") as file:
        told = dict(line.split(None, 1) for line in file)
    for kind in PROBES:
        want = r"none: .* nowhere\(\)$" if kind == missing else "lower-bound: "
        claim(re.match(want, told[kind]), f"without {function}, {kind} is {told[kind]}")
    if not missing:
        return
    with open("/sys/kernel/debug/kprobes/list", encoding="ascii") as file:
        probed = file.read()
    for names in PROBES[missing]:
        for name in names:
            claim(not re.search(rf"\s{name.decode()}\+", probed), f"{name} is probed in part")


def kind_of_futex_is_probed_whole_or_not():
    """On a kernel that lacks one function: the other kind of futex goes on. What is
    done without one is the same on every kernel, and with each of them on the first.
    """
    for kind, functions in PROBES.items():
        for names in functions[:1 if "GL_TESTED_ON" in os.environ else None]:
            name = next(filter(kernel_has, names))
            log = Log()
            must_load_changed(name)
            probes_of_futexes_attach(kind, name)
            unload()
            claim(not log.warnings(), "\n".join(log.warnings()))


def kinds_of_futexes_are_probed():
    """The twin: what is missing is for neither."""
    must_load_changed(b"futex_wake")
    claim(stats()["probe.episode"] == "missing", "a probe that cannot be is there")
    probes_of_futexes_attach(None, b"futex_wake")
    unload()


def coverage_says_that_ww_mutexes_are_not_dropped_in_sight():
    for name, want in ((b"ww_mutex_unlock", 1), (b"futex_wait_setup", 0)):
        must_load_changed(name)
        with open(f"{DEBUGFS}/coverage", encoding="ascii") as file:
            told = [line for line in file if re.search(
                r"livelocks of ww_mutexes are not seen: .* nowhere\(\)$", line)]
        claim(len(told) == want, f"without {name}: {told}")
        unload()


def need_both_and_unload():
    need_both()
    unload()


TESTS = [loads_and_unloads, nothing_stays_behind, open_file_holds_the_module, least_tables_work,
         most_tables_work, futex_probes_can_be_left_out, file_lock_probes_can_be_left_out,
         tables_out_of_range_are_refused,
         kernel_without_the_tracepoints_is_refused, folder_that_cannot_be_made_is_refused,
         changed_module_loads, kind_of_futex_is_probed_whole_or_not,
         kinds_of_futexes_are_probed, coverage_says_that_ww_mutexes_are_not_dropped_in_sight,
         no_symbol_stays_behind]


def put_back(test):
    """Each starts without the module, whatever became of the one before."""
    def guarded():
        if module_loaded():
            unload()
        test()
    return guarded


def it_is_back():
    """For the tests after this one."""
    must_load()
    claim(begins() >= 0, "no stats")


if __name__ == "__main__":
    run([(test.__name__, put_back(test)) for test in TESTS] + [("it_is_back", it_is_back)],
        need_both_and_unload)
