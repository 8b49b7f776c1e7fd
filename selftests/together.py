# SPDX-License-Identifier: GPL-2.0
"""Cases that stand beside each other, and then their twins: one look for all of them.

What is found is each one's by its tasks: of a case exactly what it is to be, of a twin
nothing, and nothing of anybody else's.
"""

import contextlib
import functools
import re

from gltest import (SLOW, TRIES, Failed, Report, Scenario, Skipped, brief, check_found,
                    check_words, claim, in_words, positive, settle_tcp, silent)

# Tasks that one look is quick with where each takes it some tens of milliseconds.
MOST_ACTORS = 16


def once(make):
    """What it returns, or fails with, when the first test asks: that for every test."""
    made = []

    @functools.wraps(make)
    def get():
        if not made:
            try:
                made.append((make(), None))
            except (Failed, Skipped) as error:
                made.append((None, error))
        result, error = made[0]
        if error:
            raise error
        return result
    return get


def is_serious(finding):
    return finding["type"] != "long-wait"


class Together:
    """The situations of these cases, or of their twins: begun, and looked at, when the
    first test asks; they are over then."""

    def __init__(self, cases, twin):
        self.cases, self.twin = cases, twin
        self.scenario = {}
        self.report = None
        self.words = ""
        self.look_once = once(self.begin_and_look)

    def begin(self, stack):
        for case in self.cases:
            actors = case.twin if self.twin else case.actors
            scenario = Scenario(actors, case.threads)
            self.scenario[case.name] = stack.enter_context(scenario)
        settle_tcp({tid for case in self.cases if not self.twin
                    for tid in self.scenario[case.name].tids(case.members())},
                   not self.twin and any(scenario.sends_tcp
                                         for scenario in self.scenario.values()))

    def look(self):
        for times in TRIES:
            self.report = Report(window=1.0 * SLOW * times)
            if self.twin or all(map(self.findings_of, self.cases)):
                break
        if not self.twin:
            self.words = in_words(lambda out: all(len(self.about(case, out)) == 1
                                                  for case in self.cases))

    def about(self, case, words):
        """The findings in words that the case's first member is in."""
        who = case.edges[0][0]
        tid = self.scenario[case.name].tid[who]
        return [finding for finding in words.split("\n\n")
                if re.search(rf"^  {re.escape(who)}\[{tid}\] +waits for ", finding, re.M)]

    def begin_and_look(self):
        with contextlib.ExitStack() as stack:
            self.begin(stack)
            self.look()

    def looked(self):
        """Fails in every test if it fails."""
        self.look_once()
        strangers = [finding for finding in filter(is_serious, self.report.findings)
                     if not any(map(self.is_of(finding), self.cases))]
        claim(not strangers, f"of nobody here: {brief(strangers)}")

    def is_of(self, finding):
        tids = {task["tid"] for task in finding["tasks"]}
        return lambda case: tids & set(self.scenario[case.name].tid.values())

    def findings_of(self, case):
        return [finding for finding in filter(is_serious, self.report.findings)
                if self.is_of(finding)(case)]

    def claim_found(self, case):
        self.looked()
        scenario = self.scenario[case.name]
        check_found(case, scenario, self.findings_of(case), self.report)
        about = self.about(case, self.words)
        claim(len(about) == 1, f"{case.name} is not told once in words: {self.words}")
        check_words(case, scenario, about[0])

    def claim_silent(self, case):
        self.looked()
        claim(not self.findings_of(case), brief(self.findings_of(case)))


def groups(cases):
    """Each case is in the first group that has room for it, if any may be beside it."""
    made = []
    for case in cases:
        fits = (group for group in made if not case.alone and not group[0].alone and
                sum(len(other.actors) for other in group + [case]) <= MOST_ACTORS)
        group = next(fits, None)
        if group:
            group.append(case)
        else:
            made.append([case])
    return made


def twins(cases):
    """As gltest's, with as many cases at a time as a look is quick with."""
    tests = {}
    for group in groups(cases):
        found, silent_ones = Together(group, False), Together(group, True)
        for case in group:
            (name, test), twin = positive(case), silent(f"{case.name}_twin", case.twin, case.threads)
            if len(group) > 1:
                test = functools.partial(found.claim_found, case)
                twin = twin[0], functools.partial(silent_ones.claim_silent, case)
            tests[case.name] = [(name, test), twin]
    return [test for case in cases for test in tests[case.name]]
