#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Locks that a database keeps for itself: PostgreSQL's of rows, which are words in its
own memory, and SQLite's, which are file locks that it asks for again and again.

Of a session that waits for another's row the kernel knows that its client waits for its
server, and that the server polls: who has the row is nobody's guess.
"""

import contextlib
import glob
import json
import os
import sqlite3
import subprocess
import sys
import tempfile

from counters import stats
from gltest import (READY_SECS, Report, Skipped, claim, claim_silent, gridlock, need_module,
                    read_line, run, same_everywhere, wait_until, wchan)
from loads import Load
from programs import waits_in_locks

# One whose own search for deadlocks comes later than any test ends.
SERVER = """
initdb --pgdata=db --auth=trust --no-locale --no-sync --wal-segsize=1 >log
postgres -D db -k "$PWD" -c listen_addresses= -c fsync=off -c deadlock_timeout=20d >>log 2>&1 &
until pg_isready -q -h "$PWD"; do sleep 0.1; done
echo ready
wait
"""

# Where SQLite locks who means to write.
RESERVED_BYTE = 0x40000001

# Has a transaction for writing from the first line that is read to the second one.
WRITER = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], timeout=3000, isolation_level=None)
print("ready", flush=True)
sys.stdin.readline()
database.execute("BEGIN IMMEDIATE")
print("has", flush=True)
sys.stdin.readline()
database.execute("COMMIT")
print("done", flush=True)
"""


class Talker:
    """A program that is told what to do, and answers, by lines."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True, bufsize=1)
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def tell(self, line=""):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def answer(self):
        return read_line(self.process.stdout, READY_SECS).strip()

    def ask(self, line=""):
        self.tell(line)
        return self.answer()


def waits():
    """What `gridlock waits` tells of each task."""
    status, out, err = gridlock("waits", "--json")
    claim(status == 0, f"waits exits {status}: {err}")
    return {wait["tid"]: wait for wait in json.loads(out)["waits"]}


def blockers(wait):
    return [set(blocker["tids"]) for blocker in wait["blocked_by"]]


# --- PostgreSQL ----------------------------------------------------------------


# A client by PostgreSQL's own library: has each line done, and says the first value.
CLIENT = """
import ctypes, sys
pq = ctypes.CDLL("libpq.so.5")
pq.PQconnectdb.restype = pq.PQexec.restype = ctypes.c_void_p
pq.PQgetvalue.restype = ctypes.c_char_p
link = ctypes.c_void_p(pq.PQconnectdb(sys.argv[1].encode()))
for line in sys.stdin:
    result = ctypes.c_void_p(pq.PQexec(link, line.encode()))
    print((pq.PQgetvalue(result, 0, 0) or b"").decode(), flush=True)
"""


class Session(Talker):
    """A client, and the process of the server that serves it."""

    def __init__(self, folder):
        super().__init__([sys.executable, "-c", CLIENT,
                          f"host={folder} user=postgres dbname=postgres"])
        self.server = int(self.ask("SELECT pg_backend_pid()"))

    def begin_to_take(self, row):
        self.tell(f"UPDATE rows SET value = value + 1 WHERE row = {row} RETURNING row")

    def take(self, row):
        self.begin_to_take(row)
        claim(self.answer() == str(row), f"row {row} is not to be had")


def postgresql():
    folders = glob.glob("/usr/lib/postgresql/*/bin")
    if not folders:
        raise Skipped("there is no PostgreSQL")
    return folders[-1]


@contextlib.contextmanager
def sessions():
    """Two, each with a row of its own, and a third one that looks at all."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(Load(SERVER, user="postgres", path=f"{postgresql()}:"))
        first, second, third = (stack.enter_context(Session(server.folder)) for _ in range(3))
        third.ask("CREATE TABLE rows (row int PRIMARY KEY, value int);"
                  "INSERT INTO rows VALUES (1, 0), (2, 0)")
        for row, session in ((1, first), (2, second)):
            session.ask("BEGIN")
            session.take(row)
        yield first, second, third


def wait_for_waits(third, number):
    """Until so many of the server's processes wait for another one's lock."""
    wait_until(lambda: third.ask("SELECT count(*) FROM pg_locks WHERE NOT granted") ==
               str(number), f"{number} wait for a row")


def claim_waits_for_its_server(session):
    """The client, for the one process that serves it, and that for nobody who is known."""
    wait_until(lambda: "poll" in wchan(session.pid), "the client polls")
    wait_until(lambda: wchan(session.server).startswith(("ep_poll", "do_epoll_wait")),
               "its server polls")
    told = waits()
    wait = told[session.pid]
    claim((wait["waits_for"]["kind"], blockers(wait)) == ("poll", [{session.server}]),
          f"the client of {session.server}: {wait}")
    claim(told[session.server]["waits_for"]["kind"] == "poll", f"it: {told[session.server]}")
    status, out, err = gridlock("chain", session.pid, "--json")
    claim(status == 0, f"chain exits {status}: {err}")
    nodes = [node["tid"] for node in json.loads(out)["nodes"]]
    claim(nodes[:2] == [session.pid, session.server], f"the chain goes by {nodes}")
    return told


def claim_tells_no_other(told, session, other):
    """Who has the row is in the database's own memory alone."""
    tids = set().union(*blockers(told[session.server]))
    claim(not tids & {other.server, other.pid}, f"{other.server} is told: {told[session.server]}")


@same_everywhere
def rows_of_postgresql_are_nobodys():
    """First one waits for the other's row, then both, then none."""
    with sessions() as (first, second, third):
        idle = waits()[second.pid]
        claim(blockers(idle) == [{os.getpid()}], f"a client that asked for nothing: {idle}")
        second.begin_to_take(1)
        wait_for_waits(third, 1)
        claim_tells_no_other(claim_waits_for_its_server(second), second, first)
        claim_silent(Report())
        first.begin_to_take(2)
        wait_for_waits(third, 2)
        for session, other in ((first, second), (second, first)):
            claim_tells_no_other(claim_waits_for_its_server(session), session, other)
        claim_silent(Report())
        claim(third.ask(f"SELECT pg_cancel_backend({first.server})") == "t", "it is not to stop")
        claim(first.answer() == "", "the first one gets a row that is another's")
        first.ask("ROLLBACK")
        claim(second.answer() == "1", "the second one does not get its row")
        wait_for_waits(third, 0)


# --- SQLite ----------------------------------------------------------------------


@contextlib.contextmanager
def database():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "database")
        with contextlib.closing(sqlite3.connect(path)) as made:
            made.execute("CREATE TABLE rows (value int)")
            claim(made.execute("PRAGMA journal_mode").fetchone() == ("delete",), "its journal")
        yield path


@contextlib.contextmanager
def writers():
    """Two writers of a database, of which the first one writes."""
    with database() as path, contextlib.ExitStack() as stack:
        pair = [stack.enter_context(Talker([sys.executable, "-c", WRITER, path]))
                for _ in range(2)]
        for writer in pair:
            claim(writer.answer() == "ready", "a writer does not get ready")
        claim(pair[0].ask() == "has", "the first one does not write")
        yield path, *pair


def refusals():
    return stats()["filelock.refused"]


@same_everywhere
def writer_of_sqlite_that_asks_again_is_silent():
    """It is refused, over and over, by one that has all it needs; and then gets it."""
    with writers() as (_, first, second):
        before = refusals()
        second.tell()
        wait_until(lambda: refusals() >= before + 3, "it is refused")
        claim_silent(Report())
        claim(first.ask() == "done", "the first one ends")
        claim(second.answer() == "has", "the second one writes")
        claim(second.ask() == "done", "the second one ends")


LOCKS_BYTE = """
import fcntl, sys
file = open(sys.argv[1], "r+b")
fcntl.lockf(file, fcntl.LOCK_EX, 1, int(sys.argv[2]))
print("has", flush=True)
"""


@same_everywhere
def writer_of_sqlite_is_who_has_the_lock():
    """To one that waits for the lock instead, and for a byte beside it nobody waits."""
    with writers() as (path, first, second):
        second.tell()
        locker = [sys.executable, "-c", LOCKS_BYTE, path]
        with Talker([*locker, str(RESERVED_BYTE)]) as waiter:
            wait_until(lambda: waits_in_locks(1), "it waits for the lock")
            wait = waits()[waiter.pid]
            claim((wait["waits_for"]["kind"], blockers(wait)) == ("posix", [{first.pid}]),
                  f"{first.pid} has it: {wait}")
            claim_silent(Report())
        with Talker([*locker, str(RESERVED_BYTE - 1)]) as other:
            claim(other.answer() == "has", "the byte beside it is not free")


TESTS = [rows_of_postgresql_are_nobodys, writer_of_sqlite_that_asks_again_is_silent,
         writer_of_sqlite_is_who_has_the_lock]

if __name__ == "__main__":
    run([(test.__name__, test) for test in TESTS], need_module)
