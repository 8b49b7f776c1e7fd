# SPDX-License-Identifier: GPL-2.0
"""Programs that nobody here wrote, busy with locks and with each other: stress-ng,
PostgreSQL's and perf's benchmarks, a parallel build. Each runs until it is told to end.
"""

import glob
import os
import shutil
import subprocess
import tempfile

from gltest import READY_SECS, Failed, Skipped, claim, read_line, wait_until

# A new database takes a slow machine a while.
BEGIN_SECS = 3 * READY_SECS

CGROUPS = "/sys/fs/cgroup"

# Each says "ready", then "round" as often as it has done all there is to do. What fails
# ends it.

# Its programs for locks, and for processes that talk to each other; one each.
STRESS_NG = """
echo ready
exec stress-ng --quiet --temp-path "$PWD" --timeout 0 --futex 1 --mutex 1 --flock 1 --lockf 1 \
    --lockofd 1 --pipe 1 --sock 1 --sem 1 --sem-sysv 1 --msg 1 --mq 1 --eventfd 1 >log 2>&1
"""

# Clients that all change the one row of a table.
PGBENCH = """
initdb --pgdata=db --auth=trust --no-locale --no-sync --wal-segsize=1 >log
postgres -D db -k "$PWD" -c listen_addresses= >>log 2>&1 &
until pg_isready -q -h "$PWD"; do sleep 0.1; done
pgbench -h "$PWD" --initialize --quiet postgres >>log 2>&1
echo ready
while pgbench -h "$PWD" --client=12 --jobs=3 --transactions=10 postgres >>log 2>&1; do
    echo round
done
"""

# Groups of senders and receivers: processes with sockets, and threads with pipes.
MESSAGING = """
echo ready
while perf bench sched messaging --group 2 --nr_loops 100 >log & first=$!
      perf bench sched messaging --thread --pipe --group 2 --nr_loops 100 >log && wait $first
do echo round; done
"""

FUTEX = """
echo ready
while perf bench futex hash --runtime 1 --threads 8 >log &&
      perf bench futex wake --threads 16 >log &&
      perf bench futex wake-parallel --threads 16 >log &&
      perf bench futex requeue --threads 16 >log &&
      perf bench futex lock-pi --runtime 1 --threads 8 >log
do echo round; done
"""

# This module, with make's own jobs and compilers that talk by pipes.
BUILD = """
cp -r "$GRIDLOCK_BUILD"/Kbuild "$GRIDLOCK_BUILD"/kmod .
make="make --silent -j4 -C /lib/modules/$(uname -r)/build M=$PWD"
remove="find . -name *.o -delete"
$remove
echo ready
while $make modules >log 2>&1; do echo round; $remove; done
"""


def need_program(name):
    if not shutil.which(name):
        raise Skipped(f"there is no {name}")


def need_build():
    need_program("make")
    if not os.path.exists(f"/lib/modules/{os.uname().release}/build/Makefile"):
        raise Skipped("this kernel's headers are not installed")
    if "GRIDLOCK_BUILD" not in os.environ:
        raise Skipped("GRIDLOCK_BUILD does not name the built tree")


class Load:
    """A script that is running, with all that it starts, in a folder and a cgroup of its
    own: the end of the one is the end of all.

    The CPUs are the reader's before they are theirs: else it would be late on a slow
    machine. None may take a real-time priority; these leave no CPU to anybody.
    """

    def __init__(self, script, user="root", path=""):
        self.script, self.user, self.path = script, user, path

    def __enter__(self):
        if not os.path.exists(f"{CGROUPS}/cgroup.procs"):
            raise Skipped(f"there are no cgroups in {CGROUPS}")
        self.folder = tempfile.mkdtemp()
        shutil.chown(self.folder, self.user)
        self.group = tempfile.mkdtemp(dir=CGROUPS)
        command = ["setpriv", "--bounding-set=-sys_nice", f"--reuid={self.user}",
                   f"--regid={self.user}", "--clear-groups", "nice", "-n", "19", "sh", "-ec",
                   self.script + "exit 1"]
        self.process = subprocess.Popen(
            ["sh", "-c", f'echo $$ >{self.group}/cgroup.procs && exec "$@"', "sh", *command],
            cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "PATH": self.path + os.environ["PATH"]})
        try:
            line = read_line(self.process.stdout, BEGIN_SECS)
            claim(line == "ready\n", f"it says {line!r}: {self.log()}")
        except Failed:
            self.__exit__()
            raise
        return self

    def log(self):
        """The end of what its programs said."""
        try:
            with open(f"{self.folder}/log", encoding="utf-8") as file:
                return file.read()[-2000:]
        except OSError:
            return "it left no log"

    def claim_running(self):
        claim(self.process.poll() is None,
              f"it ended with {self.process.returncode}: {self.log()}")

    def is_empty(self):
        with open(f"{self.group}/cgroup.events", encoding="ascii") as file:
            return "populated 0" in file.read()

    def __exit__(self, *_):
        with open(f"{self.group}/cgroup.kill", "w", encoding="ascii") as file:
            file.write("1")
        self.rounds = self.process.communicate()[0].count("round")
        wait_until(self.is_empty, "all that it started has ended")
        os.rmdir(self.group)
        shutil.rmtree(self.folder)


def stress_ng():
    need_program("stress-ng")
    return Load(STRESS_NG)


def pgbench():
    if "GL_TESTED_ON" in os.environ:
        raise Skipped("to make a database takes a minute: it runs beside check on kernel "
                      f"{os.environ['GL_TESTED_ON']}, and by make soak on any")
    folders = glob.glob("/usr/lib/postgresql/*/bin")
    if not folders:
        raise Skipped("there is no PostgreSQL")
    return Load(PGBENCH, user="postgres", path=f"{folders[-1]}:")


def messaging():
    need_program("perf")
    return Load(MESSAGING)


def futex():
    need_program("perf")
    return Load(FUTEX)


def build():
    need_build()
    return Load(BUILD)
