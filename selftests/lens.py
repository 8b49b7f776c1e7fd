#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The lens: every call of mutex and rwlock functions in the processes that are named.
What it alone can see is found, with a twin that differs in one order or number,
of which nothing is said.
"""

import contextlib
import os
import shutil
import subprocess
import tempfile

from gltest import (COMMAND_SECS, GRACE_SECS, HERE, READY_SECS, Report, Skipped, claim,
                    need_module, read_line, run)
from puppets import WITHOUT_PRELOAD, Beside
from together import once

HALLWAY = os.path.join(HERE, "scenario", "hallway")
HALLWAY_MUSL = HALLWAY + "_musl"

SECS = 2.5

# Halls whose threads drive each other off the CPUs.
CROWD = 2

# Looks, until one lost nothing.
TRIES = 5

# Who does not come to try at all between two looks, as others have the CPUs, begins
# afresh: where that was all there was time for, look again, so many times as long.
LONGER = (1, 2, 4, 8)


class Hallway(Beside):
    """Two threads: one and two are their numbers. Of several halls, tids are all pairs."""

    def __init__(self, *way, program=(HALLWAY,)):
        super().__init__(*WITHOUT_PRELOAD, *program, *way, stdin=subprocess.PIPE)
        self.get_ready()

    def get_ready(self):
        words = read_line(self.process.stdout, READY_SECS).split()
        claim(words[:1] == ["ready"], f"hallway says {words}")
        self.code, *tids = map(int, words[1:])
        self.tids = list(zip(tids[::2], tids[1::2]))
        self.one, self.two = self.tids[0]

    def first_byte(self):
        """Of pthread_mutex_lock(), in its memory."""
        with open(f"/proc/{self.pid}/mem", "rb") as memory:
            memory.seek(self.code)
            return memory.read(1)[0]

    def ours(self, findings, kind):
        return [finding for finding in findings if finding["type"] == kind and
                self.pid in {task["pid"] for task in finding["tasks"]}]


def members(finding):
    return {task["tid"] for task in finding["tasks"]}


def look(hallway, *options, secs, grace=GRACE_SECS):
    """A kernel that preempts a program of the lens runs it for no other task meanwhile:
    that call is lost, and told. Then look again.
    """
    for _ in range(TRIES):
        report = Report("--lens", hallway.pid, *options, window=secs, grace=grace)
        lens = report.json["lens"]
        if not lens["lost"]:
            break
        claim(not report.json["complete"], f"complete, and lost events: {lens}")
    claim(lens["hits"] > 0, f"the lens saw nothing: {lens}")
    claim(lens["lost"] == 0, f"the lens lost events: {lens}")
    claim(lens["cpu_s"] > 0, f"the lens took no time: {lens}")
    return report


class Halls:
    """Several in one process, and what one look says of each. So many threads leave the
    reader little of the CPUs: it may be late.
    """

    def __init__(self, ways, secs, program=HALLWAY):
        words = [word for way in ways for word in (*way, "/")][:-1]
        with Hallway(*words, program=(program,)) as hall:
            report = look(hall, secs=secs, grace=COMMAND_SECS)
        self.tids = dict(zip(ways, hall.tids))
        self.window_s = report.json["window_s"]
        self.told = [finding for kind in ("livelock", "lock-inversion")
                     for finding in hall.ours(report.findings, kind)]
        pairs = list(map(set, hall.tids))
        claim(all(members(finding) in pairs for finding in self.told),
              f"of threads of more than one it says {self.told}")

    def of(self, way, kind):
        return [finding for finding in self.told if finding["type"] == kind and
                members(finding) == set(self.tids[way])]


# --- livelock ---

# Each is refused all that it tries for, or one gets it now and then.
TRIES_ALL, GETS_SOME = ("tries", 0), ("tries", 16)

# glibc's lock names who writes; who reads is known by what the lens saw alone.
RWLOCKS_TRY_ALL = [("-m", "wr-ww-", *TRIES_ALL), ("-m", "rw-rw-", *TRIES_ALL)]
RWLOCKS_GET_SOME = ("-m", "ww-ww-", *GETS_SOME)


def tried_for(found, twins, program=HALLWAY):
    """A look that is long enough for those that are to be found."""
    for times in LONGER:
        halls = Halls([*found, *twins], SECS * times, program)
        if any(halls.of(way, "livelock") for way in twins) or \
                all(halls.of(way, "livelock") for way in found):
            break
    return halls


@once
def tries():
    return tried_for([TRIES_ALL], [GETS_SOME])


def claim_refused_by_each_other(halls, way):
    told, (one, two) = halls.of(way, "livelock"), halls.tids[way]
    claim([finding["verdict"] for finding in told] == ["likely"], f"of {way} it says {told}")
    refused_by = {task["tid"]: task["refused_by"] for task in told[0]["tasks"]}
    claim(refused_by == {one: str(two), two: str(one)}, f"{refused_by}")


def claim_no(kind, halls, way):
    told = halls.of(way, kind)
    claim(not told, f"of {way} it says {told}")


def hallway_is_livelock():
    halls = tries()
    claim_refused_by_each_other(halls, TRIES_ALL)
    for task in halls.of(TRIES_ALL, "livelock")[0]["tasks"]:
        claim(20 <= task["attempts"] == task["failures"] and not task["successes"], f"{task}")
        claim(0 < task["cpu_s"] <= halls.window_s, f"it took {task['cpu_s']} s")


def one_that_gets_it_now_and_then_is_silent():
    claim_no("livelock", tries(), GETS_SOME)


def hallway_without_the_lens_is_silent():
    with Hallway("tries", 0) as hall:
        report = Report(window=SECS)
        claim("lens" not in report.json, "there is a lens")
        claim(not hall.ours(report.findings, "livelock"), "it sees what it cannot")


def two_processes_are_told_apart():
    """One look at both, each of which has its probes at the same places."""
    with Hallway("opposite") as hall, Hallway("same") as other:
        report = look(hall, "--lens", other.pid, secs=1, grace=COMMAND_SECS)
        told = hall.ours(report.findings, "lock-inversion")
        claim(len(told) == 1, f"it says {told}")
        claim(not other.ours(report.findings, "lock-inversion"), f"it says {report.findings}")


def programs_that_are_preempted_do_no_harm():
    """A program of the lens that another task interrupts on its CPU must not lose what
    it works on to it: with a stack for each CPU, the kernel dies. Calls may be lost, and
    the reader, which has to share the CPUs with all of that, may be late.
    """
    with contextlib.ExitStack() as stack:
        halls = [stack.enter_context(Hallway("tries", 0)) for _ in range(CROWD)]
        pids = [word for hall in halls for word in ("--lens", hall.pid)]
        lens = Report(*pids, window=2 * SECS, grace=COMMAND_SECS).json["lens"]
        claim(lens["hits"] > 0, f"the lens saw nothing: {lens}")


def rwlocks_are_refused(halls):
    for way in RWLOCKS_TRY_ALL:
        claim_refused_by_each_other(halls, way)
    claim_no("livelock", halls, RWLOCKS_GET_SOME)


def rwlocks_tried_for_are_livelock():
    rwlocks_are_refused(tried_for(RWLOCKS_TRY_ALL, [RWLOCKS_GET_SOME]))


# --- lock-inversion ---

OPPOSITE, SAME, GATED = ("opposite",), ("same",), ("gated",)

# By how they are taken, which is all that differs: is there a lock-inversion?
ORDERS_OF_RWLOCKS = {
    ("-m", "ww-ww-", "opposite"): 1, ("-m", "ww-ww-", "same"): 0,
    ("-m", "wr-wr-", "opposite"): 1, ("-m", "rr-ww-", "opposite"): 1,
    ("-m", "rr-rr-", "opposite"): 0, ("-m", "rw-wr-", "opposite"): 0,
    ("-m", "wwrwwr", "gated"): 1, ("-m", "wwrwww", "gated"): 0}


@once
def orders():
    return Halls([OPPOSITE, SAME, GATED, *ORDERS_OF_RWLOCKS], 1)


def claim_opposite(halls, way, words):
    """Both threads are told, and of each both locks, with these words."""
    told = halls.of(way, "lock-inversion")
    claim([finding["verdict"] for finding in told] == ["possible"], f"it says {told}")
    order, opposite = told[0]["order"], told[0]["opposite"]
    claim(order.count(words) == opposite.count(words) == 2, f"{order}; {opposite}")
    claim({line.split(":")[0] for line in (order, opposite)} ==
          set(map(str, halls.tids[way])), f"{order}; {opposite}")


def opposite_orders_are_lock_inversion():
    claim_opposite(orders(), OPPOSITE, "(at hallway+0x")


def same_orders_are_silent():
    claim_no("lock-inversion", orders(), SAME)


def orders_behind_a_gate_are_silent():
    claim_no("lock-inversion", orders(), GATED)


def rwlocks_are_ordered(halls):
    for way, number in ORDERS_OF_RWLOCKS.items():
        told, modes = halls.of(way, "lock-inversion"), way[1]
        claim(len(told) == number, f"of {way} it says {told}")
        if not told:
            continue
        order, opposite = sorted((told[0]["order"], told[0]["opposite"]),
                                 key=lambda line: line.startswith(f"{halls.tids[way][1]}:"))
        claim((order + opposite).count("pthread rwlock 0x") == 4, f"{order}; {opposite}")
        reads = [line.count(" to read (at ") for line in (order, opposite)]
        claim(reads == [modes[:2].count("r"), modes[3:5].count("r")],
              f"of {way} it says {order}; {opposite}")


def opposite_orders_of_rwlocks_are_lock_inversion():
    rwlocks_are_ordered(orders())


def gate_that_is_lost_is_no_lock_inversion():
    with Hallway("deep") as hall:
        report = Report("--lens", hall.pid, window=1)
        told = hall.ours(report.findings, "lock-inversion")
        claim(not told, f"it says {told}")
        claim(report.json["lens"]["lost"] > 0, f"nothing was lost: {report.json['lens']}")
        claim(not report.json["complete"], "it says that it is complete")


# --- whose functions ---

# Two halls, and their twin.
FIRST_IS_OPPOSITE = (*OPPOSITE, "/", *SAME)


def claim_only_of_the_first(hall, findings):
    told = hall.ours(findings, "lock-inversion")
    claim(list(map(members, told)) == [set(hall.tids[0])], f"it says {told}")


def need_musl():
    if not os.path.exists(HALLWAY_MUSL):
        raise Skipped("no compiler for musl was there (musl-tools)")


def refused(*args, why, command=("gridlock",)):
    done = subprocess.run([*command, "check", "--for", "1", "--json", *map(str, args)],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=READY_SECS, check=False)
    claim(done.returncode == 2 and not done.stdout,
          f"the status is {done.returncode}: {done.stdout}")
    claim(why in done.stderr and done.stderr.count("\n") == 1, f"it says {done.stderr!r}")


# A plain one does not name who has it.
CHECKING_TRY_ALL = ("-c", *TRIES_ALL)


@once
def tries_of_musl():
    need_musl()
    return tried_for([CHECKING_TRY_ALL, TRIES_ALL, *RWLOCKS_TRY_ALL],
                     [GETS_SOME, RWLOCKS_GET_SOME], HALLWAY_MUSL)


@once
def orders_of_musl():
    need_musl()
    return Halls([OPPOSITE, GATED, *ORDERS_OF_RWLOCKS], 1, HALLWAY_MUSL)


def musl_is_seen():
    for way in (CHECKING_TRY_ALL, TRIES_ALL):
        claim_refused_by_each_other(tries_of_musl(), way)
    claim_no("livelock", tries_of_musl(), GETS_SOME)


def order_of_plain_mutexes_of_musl_is_seen():
    told = orders_of_musl().of(OPPOSITE, "lock-inversion")
    claim(len(told) == 1, f"it says {told}")
    claim_no("lock-inversion", orders_of_musl(), GATED)


def rwlocks_of_musl_are_seen():
    rwlocks_are_ordered(orders_of_musl())
    rwlocks_are_refused(tries_of_musl())


def program_with_its_library_inside_is_seen_by_its_symbols():
    static = HALLWAY + "_static"
    with Hallway(*FIRST_IS_OPPOSITE, program=(static,)) as hall:
        claim_only_of_the_first(hall, look(hall, secs=1).findings)
    with tempfile.TemporaryDirectory() as folder:
        stripped = os.path.join(folder, "stripped")
        subprocess.run(["strip", "-o", stripped, static], check=True)
        with Hallway("opposite", program=(stripped,)) as hall:
            refused("--lens", hall.pid, why=f"process {hall.pid} has no C library")


def c_library(pid="self"):
    """The file that a process uses: its name, and its number."""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
        fields = next(line.split() for line in maps if "/libc.so" in line)
    return fields[5], fields[4]


def library_of_another_mount_namespace_is_the_one():
    with tempfile.TemporaryDirectory() as folder:
        # A file of its own where all others have another one.
        other = os.path.join(folder, "libc")
        name, number = c_library()
        shutil.copyfile(name, other)
        inside = ("unshare", "-m", "sh", "-c", 'mount --bind "$0" "$1" || exit; shift; exec "$@"',
                  other, name, HALLWAY)
        with Hallway(*FIRST_IS_OPPOSITE, program=inside) as hall:
            claim(c_library(hall.pid) != (name, number), "it has the library of all others")
            claim_only_of_the_first(hall, look(hall, secs=1).findings)


TESTS = [
    hallway_is_livelock, one_that_gets_it_now_and_then_is_silent,
    hallway_without_the_lens_is_silent, programs_that_are_preempted_do_no_harm,
    rwlocks_tried_for_are_livelock,
    opposite_orders_are_lock_inversion, same_orders_are_silent, orders_behind_a_gate_are_silent,
    opposite_orders_of_rwlocks_are_lock_inversion, two_processes_are_told_apart,
    gate_that_is_lost_is_no_lock_inversion,
    musl_is_seen, order_of_plain_mutexes_of_musl_is_seen, rwlocks_of_musl_are_seen,
    program_with_its_library_inside_is_seen_by_its_symbols,
    library_of_another_mount_namespace_is_the_one,
]


if __name__ == "__main__":
    run([(test.__name__, test) for test in TESTS], need_module)
