#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What is made to look like a deadlock is told as none, or as uncertain; and
what only looks harmless is found.
"""

import os
import subprocess

import gltest
from gltest import Report, Scenario, brief, claim, claim_silent, gridlock, run

HOSTILE = os.path.join(gltest.HERE, "scenario", "hostile")


class Hostile(Scenario):
    """A situation by its name; its tasks are a0, a1, ..."""

    def __init__(self, name):
        super().__init__([])
        self.command = [HOSTILE, name]


def is_silent(name):
    def test():
        with Hostile(name):
            claim_silent(Report())
    return f"{name}_is_silent", test


def is_found(name, type="deadlock", verdict="confirmed"):
    """One finding, about exactly the situation's own tasks."""
    def test():
        with Hostile(name) as situation:
            report = Report()
            claim([(f["type"], f["verdict"]) for f in report.findings] == [(type, verdict)],
                  brief(report.findings))
            members = {task["tid"] for task in report.findings[0]["tasks"]}
            claim(members == set(situation.tid.values()), brief(report.findings))
    return f"{name}_is_{verdict}_{type}", test


SITUATIONS = [
    is_silent("foreign-mutex"),
    is_silent("counter-like-tid"),
    is_silent("owner-unmapped"),
    is_silent("clone-with-our-number"),
    is_found("any-child"),
    is_silent("thread-may-fork"),
    is_found("subreaper", verdict="likely"),
    is_silent("many-groups"),
    is_found("replaced-descriptor", verdict="likely"),
    is_found("flock-abba"),
    is_found("odd-name"),
    is_found("many-timers", type="transient-cycle"),
    is_found("deadly-timer", type="transient-cycle"),
]

if __name__ == "__main__":
    run(SITUATIONS)
