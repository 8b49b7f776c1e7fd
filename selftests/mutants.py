#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Tests of the tests: with any one resolver left out of the reader, a test of it
fails. A resolver that no test is named for fails at once.

The situations of these tests are there at the same time, so that one look by each
mutant is enough. A mutant is the very reader that all tests are about, but for the first
instructions of one resolver: those return at once. Nothing has to be built.
"""

import contextlib
import json
import os
import re
import shutil
import subprocess
import tempfile

import deadlock
import gltest
import ipc
import kernel_locks
import named
import polls
from gltest import Failed, Scenario, Skipped, claim, gridlock, run
from together import once

READER = os.path.join(gltest.HERE, "..", "userspace")

# By resolver: the test that stands or falls with it, as a module and its Case.
CASES = {
    "resolve_klock": (kernel_locks, "mutex_abba"),
    "resolve_futex": (deadlock, "shared_mutex_abba"),
    "resolve_filelock": (deadlock, "flock_abba"),
    "resolve_pipe": (deadlock, "pipes_both_full"),
    "resolve_unix": (ipc, "stream_both_receive"),
    "resolve_tcp": (ipc, "tcp_both_receive"),
    "resolve_eventfd": (polls, "eventfds_crosswise"),
    "resolve_poll": (polls, "two_that_poll_each_other"),
    "resolve_vfork": (named, "vfork_and_a_pipe"),
    "resolve_sysv": (named, "sysv_semaphores_abba"),
    "resolve_child": (deadlock, "parent_waits_child_reads"),
    "resolve_lease": (named, "lease_and_a_mutex"),
}

# Of these the kind is told, and nobody who could end the wait: named.KINDS.
KINDS = {"resolve_fifo": "pipe:R", "resolve_userfault": "userfault"}

# Those that have a stage of their own: the kernel ends a wait for a lease in time, and
# reads that block make others' verdicts less sure.
ALONE = ("resolve_lease", *KINDS)

# Tried one after the other, until the time was enough to look at every task.
LOOK_SECS = (1, 4, 16)

# What a function of a resolver is replaced by: it claims no sleeper, or does nothing.
CLAIM_NONE = bytes.fromhex("31c0 c3")  # xor %eax,%eax; ret
DO_NOTHING = bytes.fromhex("c3")

# Where struct resolver has them.
RESOLVE, READ_AHEAD = 8, 16


def resolvers():
    with open(os.path.join(READER, "resolve.c"), encoding="ascii") as file:
        table = re.search(r"resolvers\[\] = \{(.*?)\}", file.read(), re.S)[1]
    return re.findall(r"^\t&(\w+),$", table, re.M)


def lines_of(*command):
    """Its lines, as words."""
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return [line.split() for line in done.stdout.splitlines()]


class Mutants:
    """Copies of the reader, each without one of its resolvers, in a folder of their own."""

    def __init__(self, stack):
        self.folder = stack.enter_context(tempfile.TemporaryDirectory())
        self.read = once(self.read_reader)

    def read_reader(self):
        """Its bytes; addresses by their symbols; what pointers point to, by their own
        addresses; and how far behind its address in the file each instruction is.
        """
        path = shutil.which("gridlock")
        with open(path, "rb") as file:
            code = file.read()
        symbols = {words[2]: int(words[0], 16) for words in lines_of("nm", path)
                   if len(words) == 3}
        pointers = {int(words[0], 16): int(words[3], 16)
                    for words in lines_of("readelf", "-rW", path)
                    if words[2:3] == ["R_X86_64_RELATIVE"]}
        text, = (words for words in lines_of("readelf", "-lW", path)
                 if words[:1] == ["LOAD"] and "E" in words)
        return code, symbols, pointers, int(text[2], 16) - int(text[1], 16)

    def make(self, name, path):
        code, symbols, pointers, behind = self.read()
        code = bytearray(code)
        for field, new in ((RESOLVE, CLAIM_NONE), (READ_AHEAD, DO_NOTHING)):
            function = pointers.get(symbols[name] + field)
            claim(function or field != RESOLVE, f"no function of {name} is to be found")
            if not function:
                continue
            shared = [row for row in resolvers() if pointers.get(symbols[row] + field) == function]
            claim(shared == [name], f"one function is that of all these: {shared}")
            code[function - behind:function - behind + len(new)] = new
        with open(path, "wb") as file:
            file.write(code)
        os.chmod(path, 0o755)

    def env(self, name):
        """So that gridlock is the one without that; of no name, the whole one."""
        if not name:
            return {}
        folder = os.path.join(self.folder, name)
        if not os.path.exists(folder):
            os.mkdir(folder)
            self.make(name, os.path.join(folder, "gridlock"))
        return {"PATH": f"{folder}:{os.environ['PATH']}"}


class Stage:
    """The situations of some resolvers, begun at the first question."""

    def __init__(self, stack, mutants, names):
        self.stack, self.mutants, self.names = stack, mutants, names
        self.scenario, self.said = {}, {}

    def begin(self):
        for name in self.names:
            actors = case_of(name).actors if name in CASES else [f"a: {named.KINDS[KINDS[name]]}"]
            self.scenario[name] = self.stack.enter_context(Scenario(actors))
        for command in set(map(command_of, self.names)):
            self.said[command] = self.ask("", command)

    def ask(self, left_out, command):
        """What the reader says; on a slow machine it gets the time it needs."""
        for secs in LOOK_SECS:
            args = [*command, "--for", secs] if command[0] == "check" else command
            status, out, err = gridlock(*args, env=self.mutants.env(left_out))
            claim(status in (0, 1), f"{args} exits {status}: {err}")
            said = json.loads(out)
            if command[0] != "check" or not (said["unseen"]["not_looked"] or
                                             said["unseen"]["unproven"]):
                return said
        raise Failed(f"in {secs} s not every task was looked at, and all proven: {out}")

    def passes(self, name, said):
        """The test of a resolver: its Case's, of the finding about its members; or the kind."""
        running = self.scenario[name]
        if name in KINDS:
            told = [w for w in said["waits"] if w["tid"] == running.tid["a"]]
            return [w["waits_for"]["kind"] for w in told] == [KINDS[name]]
        case = case_of(name)
        members = running.tids(case.members())
        found = [f for f in said["findings"] if members & {task["tid"] for task in f["tasks"]}]
        if [(f["type"], f["verdict"]) for f in found] != [(case.type, case.verdict)]:
            return False
        try:
            gltest.check_members(case, running, found[0])
        except Failed:
            return False
        return True

    def claim_missed(self, name):
        if not self.scenario:
            self.begin()
        said = self.said[command_of(name)]
        claim(self.passes(name, said), f"the whole reader fails its test: {said}")
        said = self.ask(name, command_of(name))
        claim(not self.passes(name, said), f"its test passes without it: {said}")
        others = [other for other in self.names
                  if other != name and command_of(other) == command_of(name)]
        claim(not others or any(self.passes(other, said) for other in others),
              f"without it nothing is told rightly any more: {said}")

    def claim_stands(self):
        """All its situations are there still: no mutant missed one that had ended."""
        for command in set(map(command_of, self.names)):
            said = self.ask("", command)
            for name in self.names:
                claim(command_of(name) != command or self.passes(name, said),
                      f"the whole reader fails the test of {name} by now: {said}")


def command_of(name):
    return ("waits", "--json") if name in KINDS else ("check", "--json")


def case_of(name):
    module, wanted = CASES[name]
    return next(case for case in module.CASES if case.name == wanted)


def tests(stack):
    rows = resolvers()
    mutants = Mutants(stack)
    known = [name for name in rows if name in CASES or name in KINDS]
    together = Stage(stack, mutants, [name for name in known if name not in ALONE])

    def test(name):
        claim(name in known, f"no test is named for {name}")
        if name not in ALONE:
            together.claim_missed(name)
            return
        with contextlib.ExitStack() as own:
            alone = Stage(own, mutants, [name])
            alone.claim_missed(name)
            alone.claim_stands()

    return [(f"a_test_fails_without_{name}", lambda name=name: test(name)) for name in rows] + \
        [("every_situation_stands_at_the_end", together.claim_stands)]


@gltest.same_everywhere
def need_all():
    """On one kernel of all: no other one has more rows in this table."""
    gltest.need_both()
    if os.uname().machine != "x86_64":
        raise Skipped("instructions to replace others by are known of x86-64 alone")
    if not (shutil.which("nm") and shutil.which("readelf")):
        raise Skipped("nm and readelf (binutils) are not installed")


if __name__ == "__main__":
    with contextlib.ExitStack() as running:
        run(tests(running), need_all)
