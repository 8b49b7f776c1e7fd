# SPDX-License-Identifier: GPL-2.0
"""How much work gets done with nothing loaded, with gridlock and with `perf lock
contention -ab`: by threads that fight for a pipe, for their memory's map, for a folder
or for a mutex, by many tasks that send messages, by a parallel build; and by threads and
a kernel loop that take locks nobody else wants.
"""

import os
import re
import shutil
import statistics
import subprocess

from tools import (BENCH, BENCH_KO, LOAD, command, gridlock, module, nothing, perf_prefix,
                   table)

THREADS, MSECS = 4, 2000
WORKS = ("pipe", "mmap", "rename", "futex", "alone")
LONE_PAIRS = 1000000

# Some of this module's files, by the kernel's own makefiles and make's jobs.
BUILT = "event cpu probe spin waittab count group owner"
BUILD = """
cd /tmp/build && rm -f kmod/*.o
read -r start _ </proc/uptime
make --silent -j4 -C "/lib/modules/$(uname -r)/build" M="$PWD" OBJECTS >log 2>&1 || exit
read -r end _ </proc/uptime
echo "built $start $end"
"""


def operations(work):
    """A command that does it, and how to read from what it prints how fast it went."""
    def read(out):
        return float(re.search(r"^\d+$", out, re.M)[0])
    return [LOAD, work, THREADS, MSECS], read


def lone(kind):
    def read(out):
        return 1e9 / float(re.search(r"^cost \S+ (\S+)", out, re.M)[1])
    return ["sh", "-c", f"echo '{kind} {LONE_PAIRS}' >{BENCH}/alone && "
            f"echo cost $(cat {BENCH}/alone)"], read


def messages(perf):
    def read(out):
        return 1 / float(re.search(r"Total time: +(\S+)", out)[1])
    return [perf, "bench", "sched", "messaging", "-g", "2", "-l", "100"], read


def build():
    def read(out):
        start, end = map(float, re.search(r"^built (\S+) (\S+)$", out, re.M).groups())
        return 1 / (end - start)
    tree = os.environ["GRIDLOCK_BUILD"]
    os.mkdir("/tmp/build")
    shutil.copy(f"{tree}/Kbuild", "/tmp/build")
    shutil.copytree(f"{tree}/kmod", "/tmp/build/kmod")
    objects = " ".join(f"kmod/{name}.o" for name in BUILT.split())
    return ["sh", "-c", BUILD.replace("OBJECTS", objects)], read


def compare(what, speeds):
    rows = []
    for name, values in speeds.items():
        ratios = sorted(a / b for a, b in zip(values, speeds["nothing loaded"]))
        low, median, high = statistics.quantiles(ratios, n=4)
        rows.append([name, f"{statistics.median(values):.4g}", f"{median:.3f}",
                     f"{low:.3f} to {high:.3f}", f"{ratios[0]:.3f} to {ratios[-1]:.3f}"])
    table([what, "a second", "median ratio", "middle half", "all"], rows)


def measure(perf, rounds):
    """The tools take turns, forwards and backwards; each is compared with its own round."""
    tools = {"nothing loaded": nothing, "gridlock": gridlock,
             "perf lock contention -ab": perf_prefix(perf)}
    works = {work: operations(work) for work in WORKS}
    works |= {"kernel mutex alone": lone("mutex"), "kernel spinlock alone": lone("spinlock"),
              "messaging": messages(perf), "build": build()}
    with module(BENCH_KO):
        for work, (load, read) in works.items():
            speeds = {name: [] for name in tools}
            for turn in range(rounds):
                for name in list(tools) if turn % 2 == 0 else reversed(tools):
                    with tools[name]() as prefix:
                        out = command(*prefix, *load, stderr=subprocess.DEVNULL)
                    speeds[name].append(read(out))
            compare(f"{work}, {rounds} rounds", speeds)
