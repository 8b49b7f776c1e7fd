# SPDX-License-Identifier: GPL-2.0
"""Processes that take a file's lock, and keep it until they are told."""

import contextlib
import fcntl
import os
import signal
import struct

from gltest import READY_SECS, claim, read_line

F_OFD_SETLK, F_OFD_SETLKW = 37, 38


def take_flock(fd, block):
    fcntl.flock(fd, fcntl.LOCK_EX | (0 if block else fcntl.LOCK_NB))


def take_posix(fd, block, byte=0):
    fcntl.lockf(fd, fcntl.LOCK_EX | (0 if block else fcntl.LOCK_NB), 1, byte)


def take_ofd(fd, block):
    lock = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 1, 0)
    fcntl.fcntl(fd, F_OFD_SETLKW if block else F_OFD_SETLK, lock)


TAKE = {"flock": take_flock, "posix": take_posix, "ofd": take_ofd}


class Child:
    """A process that runs a function of its own pipe; it reports lines, and reads orders."""
    def __init__(self, function):
        order, self.orders = os.pipe()
        reports, report = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            try:
                os.close(self.orders)
                function(lambda: os.read(order, 1), lambda line: os.write(report, f"{line}\n".encode()))
            finally:
                os._exit(0)
        os.close(order)
        os.close(report)
        self.reports = os.fdopen(reports)

    def order(self):
        os.write(self.orders, b"x")

    def report(self):
        return read_line(self.reports, READY_SECS).strip()

    def kill(self, number=signal.SIGKILL):
        os.kill(self.pid, number)

    def end(self):
        os.waitpid(self.pid, 0)
        os.close(self.orders)
        self.reports.close()


@contextlib.contextmanager
def children(number, function):
    """So many processes; all are gone at the end."""
    made = [Child(function) for _ in range(number)]
    try:
        yield made
    finally:
        for child in made:
            child.kill()
            child.end()


def taker(path, kind):
    """Takes the lock, says so, and keeps it until it is told or killed."""
    def function(order, report):
        fd = os.open(path, os.O_RDWR)
        TAKE[kind](fd, True)
        report("taken")
        order()
    return function


def holds(kind):
    def function(path):
        child = Child(taker(path, kind))
        claim(child.report() == "taken", "the lock is not taken")
        return child
    return function
