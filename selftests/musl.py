#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Mutexes of musl, which have other words than glibc's: who has one that keeps its
owner is inferred, so that a deadlock is likely; who has a plain one is not known.
"""

import os

import gltest
from gltest import Report, Scenario, Skipped, brief, claim, claim_silent, run, wait_until, wchan
from puppets import WITHOUT_PRELOAD

MUSL = os.path.join(gltest.HERE, "scenario", "musl")
WITH_OWNER = ("recursive", "errorcheck", "robust", "shared")


class Musl(Scenario):
    """Two threads, t1 and t2; those that are to wait for a mutex do."""

    def __init__(self, shape, kind, waiters):
        super().__init__([])
        self.command = [*WITHOUT_PRELOAD, MUSL, shape, kind]
        self.waiters = waiters.split()

    def __enter__(self):
        super().__enter__()
        wait_until(lambda: all("futex" in wchan(self.tid[name]) for name in self.waiters),
                   "they wait for their mutexes")
        return self


def abba_is_likely(kind):
    def test():
        with Musl("abba", kind, "t1 t2") as musl:
            report = Report()
            claim([(f["type"], f["verdict"]) for f in report.findings] ==
                  [("deadlock", "likely")], brief(report.findings))
            by = {task["tid"]: task["blocked_by"] for task in report.findings[0]["tasks"]}
            claim({tid: [(b["tids"], b["evidence"]) for b in blockers]
                   for tid, blockers in by.items()} ==
                  {musl.tid["t1"]: [([musl.tid["t2"]], "inferred")],
                   musl.tid["t2"]: [([musl.tid["t1"]], "inferred")]}, f"{by} of {musl.tid}")
    return f"{kind}_abba_is_likely_deadlock", test


def order_is_silent(kind):
    def test():
        with Musl("order", kind, "t2"):
            claim_silent(Report())
    return f"{kind}_in_order_is_silent", test


def plain_mutex_has_no_owner():
    with Musl("abba", "plain", "t1 t2"):
        report = Report()
        claim_silent(report)
        claim(report.json["unseen"]["unknown_owner"] >= 2, f"{report.json['unseen']}")


def mutex_taken_twice_is_likely():
    with Musl("self", "robust", "t1") as musl:
        report = Report()
        claim([(f["type"], f["verdict"], [task["tid"] for task in f["tasks"]])
               for f in report.findings] == [("deadlock", "likely", [musl.tid["t1"]])],
              brief(report.findings))


def need_musl():
    gltest.need_module()
    if not os.path.exists(MUSL):
        raise Skipped("scenario/musl is not built: there was no musl-gcc")


if __name__ == "__main__":
    run([test(kind) for kind in WITH_OWNER for test in (abba_is_likely, order_is_silent)] +
        [(test.__name__, test) for test in (plain_mutex_has_no_owner,
                                            mutex_taken_twice_is_likely)], need_musl)
