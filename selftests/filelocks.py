#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Waits for file locks and leases are counted exactly, by how they came out: each
test makes a known number of waits and refusals for a file of its own.
"""

import contextlib
import errno
import fcntl
import os
import signal
import tempfile
import threading

from counters import KINDS, LOCK, Row, Wait, claim_exact, read_bin, reload, set_parameter, stats
from gltest import claim, need_module, run, wait_until, wchan
from takers import TAKE, children, holds, take_flock, take_posix, taker

REASONS = ("refused", "interrupted", "deadlocks")


def text(field):
    return field.split(b"\0")[0].decode("ascii")


def state(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        return file.read().rpartition(")")[2].split()[0]


class File:
    """A file of this test's own, and what the module counts of it from now on."""
    def __enter__(self):
        self.fd, self.path = tempfile.mkstemp()
        found = os.stat(self.path)
        self.name = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
        # Another file may have had this number before.
        self.before = self.sums()
        self.reasons = self.outcomes()
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            os.close(self.fd)
        os.unlink(self.path)

    @staticmethod
    def outcomes():
        now = stats()
        return [now[f"filelock.{reason}"] for reason in REASONS]

    def rows(self):
        """Of this file; the other records are not decoded, as there may be thousands."""
        return [Row(record) for record in read_bin("locks.bin")[1]
                if text(record[416:480]) == self.name and Row(record).row == LOCK]

    def sums(self):
        """By kind."""
        sums = {kind: [0] * 4 for kind in KINDS}
        for row in self.rows():
            claim(sums[row.kind] == [0] * 4, f"two {row.kind} rows for one file")
            sums[row.kind] = [row.begun, row.ended, row.failed, row.lost]
        return sums

    def waits(self, kind):
        waits = [(Wait(record), text(record[160:224])) for record in read_bin("waits.bin")[1]]
        return [wait for wait, name in waits if wait.kind == kind and name == self.name]

    def wait_for(self, kind, number):
        """Until so many sleep for it, off the CPU and inside their slow path."""
        wait_until(lambda: sum(wait.sleeps_inside() for wait in self.waits(kind)) == number,
                   f"{number} wait for a {kind}, not {len(self.waits(kind))}")

    def claim_counted(self, kind, begun=0, failed=0, lost=0, refused=0, interrupted=0, deadlocks=0):
        """Just these, all of them ended or lost; and of no other kind anything."""
        now = self.sums()
        for other in KINDS:
            since = [now[other][i] - self.before[other][i] for i in range(4)]
            wanted = [begun, begun - lost, failed, lost] if other == kind else [0] * 4
            claim(since == wanted, f"{other}: begun, ended, failed, lost are {since}, not {wanted}")
        since = [now - old for now, old in zip(self.outcomes(), self.reasons)]
        claim(since == [refused, interrupted, deadlocks],
              f"{REASONS} are {since}, not {[refused, interrupted, deadlocks]}")


def waits_are_counted(kind):
    """Seven wait; two are killed, the rest take it one after the other."""
    with File() as file:
        holder = holds(kind)(file.path)
        with children(7, taker(file.path, kind)) as waiters:
            file.wait_for(kind, 7)
            for waiter in waiters[:2]:
                waiter.kill()
            file.wait_for(kind, 5)
            holder.order()
            holder.end()
            left = waiters[2:]
            while left:
                # Whoever has it says so; nobody else can until it is told to go.
                ready = next((w for w in left if w.pid not in
                              {wait.tid for wait in file.waits(kind)}), None)
                if ready:
                    claim(ready.report() == "taken", "a waiter did not take it")
                    ready.order()
                    left.remove(ready)
        file.claim_counted(kind, begun=7, failed=2, interrupted=2)
    claim_exact()


def refusals_are_counted(kind):
    with File() as file:
        holder = holds(kind)(file.path)
        fd = os.open(file.path, os.O_RDWR)
        for _ in range(11):
            try:
                TAKE[kind](fd, False)
                claim(False, "a held lock was taken")
            except OSError as error:
                claim(error.errno in (errno.EAGAIN, errno.EACCES), f"refused with {error}")
        holder.order()
        holder.end()
        # The twin: the same call, of a lock that is free.
        TAKE[kind](fd, False)
        os.close(fd)
        file.claim_counted(kind, begun=11, failed=11, refused=11)
    claim_exact()


def uncontended_counts_nothing(kind):
    with File() as file:
        for _ in range(100):
            fd = os.open(file.path, os.O_RDWR)
            TAKE[kind](fd, True)
            os.close(fd)
        file.claim_counted(kind)


def restarted_is_another_wait():
    """A handler that lets the call be restarted: the kernel waits anew."""
    def function(order, report):
        signal.signal(signal.SIGUSR1, lambda *_: None)
        signal.siginterrupt(signal.SIGUSR1, False)
        taker(path, "flock")(order, report)

    with File() as file:
        path = file.path
        holder = holds("flock")(path)
        with children(1, function) as (waiter,):
            file.wait_for("flock", 1)
            for i in range(1, 4):
                waiter.kill(signal.SIGUSR1)
                wait_until(lambda: file.outcomes()[1] - file.reasons[1] == i, "it is interrupted")
                file.wait_for("flock", 1)
            holder.order()
            claim(waiter.report() == "taken", "the waiter did not take it")
        holder.end()
        file.claim_counted("flock", begun=4, failed=3, interrupted=3)


def stopped_is_no_lost_wait():
    """SIGSTOP ends a wait, and after SIGCONT there is another; every wait is accounted for."""
    with File() as file:
        holder = holds("flock")(file.path)
        with children(1, taker(file.path, "flock")) as (waiter,):
            file.wait_for("flock", 1)
            waiter.kill(signal.SIGSTOP)
            wait_until(lambda: not file.waits("flock"), "it does not wait while it is stopped")
            waiter.kill(signal.SIGCONT)
            file.wait_for("flock", 1)
            holder.order()
            claim(waiter.report() == "taken", "the waiter did not take it")
        holder.end()
    claim_exact()


def deadlock_is_counted():
    """The kernel refuses the POSIX lock that would close a ring."""
    def first(order, report):
        fd = os.open(path, os.O_RDWR)
        take_posix(fd, True, 0)
        report("taken")
        order()
        take_posix(fd, True, 1)
        report("taken")

    def second(order, report):
        fd = os.open(path, os.O_RDWR)
        take_posix(fd, True, 1)
        report("taken")
        order()
        try:
            take_posix(fd, True, 0)
        except OSError as error:
            report(os.strerror(error.errno))
        order()

    with File() as file:
        path = file.path
        with children(1, first) as (one,), children(1, second) as (two,):
            claim([one.report(), two.report()] == ["taken"] * 2, "the locks are not taken")
            one.order()
            file.wait_for("posix", 1)
            two.order()
            said = two.report()
            claim(said == os.strerror(errno.EDEADLK), f"the second is told {said!r}")
            two.order()
            claim(one.report() == "taken", "the first did not take it")
        file.claim_counted("posix", begun=2, failed=1, deadlocks=1)


def opener(path):
    def function(order, report):
        os.close(os.open(path, os.O_WRONLY))
        report("open")
        order()
    return function


def leases_are_counted():
    """An open waits for a lease and is killed; three wait; one does not want to wait."""
    with File() as file:
        signal.signal(signal.SIGIO, signal.SIG_IGN)
        fcntl.fcntl(file.fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        # Alone: those queued behind it would be woken, and each wait once more.
        with children(1, opener(file.path)):
            file.wait_for("lease", 1)
        with children(3, opener(file.path)) as waiters:
            file.wait_for("lease", 3)
            try:
                os.open(file.path, os.O_WRONLY | os.O_NONBLOCK)
                claim(False, "a leased file was opened")
            except OSError as error:
                claim(error.errno == errno.EWOULDBLOCK, f"refused with {error}")
            fcntl.fcntl(file.fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
            claim([w.report() for w in waiters] == ["open"] * 3, "the file does not open")
        file.claim_counted("lease", begun=5, failed=2, refused=1, interrupted=1)
    claim_exact()


def lock_another(fd, other):
    take_flock(os.open(other, os.O_RDWR), True)


def unlock(fd, other):
    fcntl.flock(fd, fcntl.LOCK_UN)


def ask_in_vain(fd, other):
    with contextlib.suppress(BlockingIOError):
        take_flock(os.open(f"/proc/self/fd/{fd}", os.O_RDWR), False)


@contextlib.contextmanager
def loaded_anew_after():
    """What was lost would be found again by whoever counts next."""
    try:
        yield
    finally:
        reload()


def missed_end_is_found_out(then, **counted):
    """Its end was dropped: the task is known not to sleep there, and its next call tells."""
    def function(order, report):
        fd = os.open(file.path, os.O_RDWR)
        take_flock(fd, True)
        report("taken")
        order()
        then(fd, other.path)
        report("done")
        order()

    with loaded_anew_after(), File() as file, File() as other:
        holder = holds("flock")(file.path)
        with children(1, function) as (waiter,):
            file.wait_for("flock", 1)
            set_parameter("drop_ends", 1)
            try:
                holder.order()
                claim(waiter.report() == "taken", "the waiter did not take it")
                wait_until(lambda: "pipe" in wchan(waiter.pid), "it reads its next order")
            finally:
                set_parameter("drop_ends", 0)
            waits = file.waits("flock")
            claim(len(waits) == 1 and waits[0].sleeps_outside(), "the missed end is a wait")
            waiter.order()
            claim(waiter.report() == "done", "the next call does not return")
            claim(not file.waits("flock"), "the wait is not found to be over")
        holder.end()
        file.claim_counted("flock", lost=1, **counted)


def threads_are_killed_at_once():
    """Three threads of a process wait, and it is killed."""
    def function(order, report):
        for _ in range(3):
            threading.Thread(target=lambda: take_flock(os.open(file.path, os.O_RDWR), True)).start()
        order()

    with File() as file:
        holder = holds("flock")(file.path)
        with children(1, function):
            file.wait_for("flock", 3)
        holder.order()
        holder.end()
        file.claim_counted("flock", begun=3, failed=3, interrupted=3)
    claim_exact()


def closed_while_waiting(close):
    """Who gives up a file that was closed meanwhile unlocks before its signal is delivered."""
    def function(order, report):
        fd = os.open(file.path, os.O_RDWR)
        thread = threading.Thread(target=close_it, args=(order, report, fd))
        thread.start()
        signal.signal(signal.SIGUSR1, lambda *_: os._exit(0))
        take_flock(fd, True)

    def close_it(order, report, fd):
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
        order()
        if close:
            os.close(fd)
        report("told")
        order()

    with File() as file:
        holder = holds("flock")(file.path)
        with children(1, function) as (waiter,):
            file.wait_for("flock", 1)
            waiter.order()
            claim(waiter.report() == "told", "the file is not closed")
            waiter.kill(signal.SIGUSR1)
            wait_until(lambda: not file.waits("flock"), "it gives up")
        holder.order()
        holder.end()
        file.claim_counted("flock", begun=1, failed=1, interrupted=1)
    claim_exact()


def shared_file_is_held_until_the_last_close():
    """One of two processes that share the open file ends: who waits goes on waiting."""
    def function(order, report):
        fd = os.open(file.path, os.O_RDWR)
        take_flock(fd, True)
        if os.fork():
            report("shared")
            order()
        else:
            os.close(end)
            os.read(until, 1)

    until, end = os.pipe()
    with File() as file, children(1, function) as (holder,):
        claim(holder.report() == "shared", "the lock is not taken")
        os.close(until)
        with children(1, taker(file.path, "flock")) as (waiter,):
            file.wait_for("flock", 1)
            holder.kill()
            wait_until(lambda: state(holder.pid) == "Z", "the first holder has ended")
            file.wait_for("flock", 1)
            os.write(end, b"x")
            claim(waiter.report() == "taken", "the waiter did not take it")
        os.close(end)
        file.claim_counted("flock", begun=1)


def unloads_under_a_waiter():
    """Its wait is older than the module, and counts for nothing."""
    with File() as file:
        holder = holds("flock")(file.path)
        with children(1, taker(file.path, "flock")) as (waiter,):
            file.wait_for("flock", 1)
            reload()
            claim(not file.waits("flock"), "the wait is known to a new module")
            file.before = file.sums()
            file.reasons = file.outcomes()
            holder.order()
            claim(waiter.report() == "taken", "the waiter did not take it")
        holder.end()
        file.claim_counted("flock")
    claim_exact()


def disabled_counts_nothing():
    """enabled=0 takes the end of a wait, and lets none begin."""
    with File() as file:
        holder = holds("flock")(file.path)
        with children(1, taker(file.path, "flock")) as early:
            file.wait_for("flock", 1)
            set_parameter("enabled", 0)
            try:
                with children(1, taker(file.path, "flock")) as late:
                    wait_until(lambda: "lock" in wchan(late[0].pid), "the second one waits")
                    fd = os.open(file.path, os.O_RDWR)
                    with contextlib.suppress(BlockingIOError):
                        take_flock(fd, False)
                    os.close(fd)
                    holder.order()
                    claim("taken" in (early + late)[0].report(), "the first one takes it")
            finally:
                set_parameter("enabled", 1)
        holder.end()
        file.claim_counted("flock", begun=1)


def of_each_kind(test):
    return [(f"{test.__name__}_{kind}", lambda kind=kind: test(kind)) for kind in TAKE]


TESTS = [case for test in (waits_are_counted, refusals_are_counted, uncontended_counts_nothing)
         for case in of_each_kind(test)]
TESTS += [(test.__name__, test) for test in (
    restarted_is_another_wait, stopped_is_no_lost_wait, deadlock_is_counted, leases_are_counted,
    threads_are_killed_at_once, shared_file_is_held_until_the_last_close, unloads_under_a_waiter,
    disabled_counts_nothing)]
TESTS += [
    ("gives_up_a_file", lambda: closed_while_waiting(False)),
    ("gives_up_a_closed_file", lambda: closed_while_waiting(True)),
    ("missed_end_before_a_lock", lambda: missed_end_is_found_out(lock_another, begun=1)),
    ("missed_end_before_an_unlock", lambda: missed_end_is_found_out(unlock, begun=1)),
    ("missed_end_before_a_refusal",
     lambda: missed_end_is_found_out(ask_in_vain, begun=2, failed=1, refused=1)),
]


def need_few_rows():
    """Those of the tests before take long to read, over and over."""
    need_module()
    set_parameter("reset", 1)


if __name__ == "__main__":
    run(TESTS, need_few_rows)
