# SPDX-License-Identifier: GPL-2.0
"""Tasks on strings: each does one command after the other, when the test says so."""

import json
import os
import subprocess
import tempfile

from gltest import HERE, READY_SECS, Skipped, claim, read_line, wait_until, wchan

PUPPET = os.path.join(HERE, "scenario", "puppet")


def read_file(path):
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def write_file(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(str(text))


def stat(tid):
    """Fields of /proc/TID/stat from the state on."""
    return read_file(f"/proc/{tid}/stat").rpartition(")")[2].split() or [""] * 50


def switches(tid):
    """How often a task has gone to sleep."""
    lines = read_file(f"/proc/{tid}/status").splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt"))


def pass_looks(times, *readers):
    """Wait for all of them: from one rest between two looks to another one, so many times."""
    for _ in range(times):
        for reader in readers:
            wait_until(reader.resting, "the reader rests")
        before = [switches(reader.pid) for reader in readers]
        for reader, number in zip(readers, before):
            wait_until(lambda reader=reader, number=number:
                       switches(reader.pid) > number and reader.resting(),
                       "the reader looks again")


class Puppet:
    """One of them. do() waits until a command is through, begin() does not."""

    def __init__(self, path, name):
        self.name = name
        self.process = subprocess.Popen([PUPPET, path, name], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, bufsize=1)
        self.tid = self.process.pid
        self.answer("ready")

    def answer(self, want="done"):
        line = read_line(self.process.stdout, READY_SECS).strip()
        claim(line == want, f"{self.name} says {line!r}, not {want!r}")

    def begin(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def do(self, *commands):
        for command in commands:
            self.begin(command)
            self.answer()

    def asleep(self):
        return stat(self.tid)[0] in "SD" and wchan(self.tid)

    def begin_wait(self, command):
        """Begin a command that has to wait, and see it sleep in it, not for its next one."""
        self.begin(command)
        wait_until(lambda: self.asleep() and "pipe" not in wchan(self.tid),
                   f"{self.name} sleeps in '{command}'")

    def begin_spin(self):
        """Off it goes; on a CPU of its own or in the queue for one."""
        self.begin("spin")
        wait_until(lambda: stat(self.tid)[0] == "R", f"{self.name} can run")

    def end(self):
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class Puppets:
    """A stage with puppets: p["name"]. The test and what it starts keep off CPU 0."""

    def __init__(self, *names):
        self.names, self.puppet = names, {}

    def __enter__(self):
        if os.cpu_count() < 2:
            raise Skipped("one CPU is for the test itself, another one for what it is about")
        self.cpus = os.sched_getaffinity(0)
        self.folder = tempfile.TemporaryDirectory(dir="/dev/shm")
        os.sched_setaffinity(0, self.cpus - {0})
        try:
            for name in self.names:
                self.puppet[name] = Puppet(os.path.join(self.folder.name, "stage"), name)
        except Exception:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        # All at once: one that gets no CPU dies only when those are gone who have it.
        for puppet in self.puppet.values():
            puppet.process.kill()
        for puppet in self.puppet.values():
            puppet.end()
        os.sched_setaffinity(0, self.cpus)
        self.folder.cleanup()

    def __getitem__(self, name):
        return self.puppet[name]

    def tids(self):
        return {puppet.tid: name for name, puppet in self.puppet.items()}

    def ours(self, findings):
        """Findings about puppets, as (type, members, roles), names for numbers."""
        names = self.tids()
        told = []
        for finding in findings:
            members = [names.get(task["tid"]) for task in finding["tasks"]]
            if not any(members):
                continue
            roles = {role: finding[role] for role in ("by", "owner", "middle") if role in finding}
            told.append((finding["type"], " ".join(sorted(filter(None, members))), {
                role: " ".join(sorted(names.get(task["tid"], "?") for task in
                                      (tasks if isinstance(tasks, list) else [tasks])))
                for role, tasks in roles.items()}))
        return told


class Beside:
    """A command that runs beside the test, until the block ends."""

    def __init__(self, *command, stdin=subprocess.DEVNULL, text=True):
        self.process = subprocess.Popen([*map(str, command)], text=text, stdin=stdin,
                                        stdout=subprocess.PIPE)
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        if self.process.stdin:
            self.process.stdin.close()
        self.process.stdout.close()


# Before a command: what the runner of tests preloads is made for one C library.
WITHOUT_PRELOAD = ("env", "-u", "LD_PRELOAD")


class Look(Beside):
    """A check; looked() returns when it has seen what is."""

    def __init__(self, *args, secs):
        super().__init__("gridlock", "check", "--json", "--for", secs, *args)

    def resting(self):
        return "nanosleep" in wchan(self.process.pid)

    def looked(self, times=2):
        """All of a look; so many."""
        pass_looks(times, self)

    def report(self):
        """What it says at its end."""
        return json.loads(self.process.communicate(timeout=READY_SECS)[0])

    def findings(self):
        return self.report()["findings"]
