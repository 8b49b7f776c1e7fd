# SPDX-License-Identifier: GPL-2.0
"""Cases that stand beside each other, and then their twins, or situations of both sorts:
one look for all of them. And situations of programs, each with a twin if it has one, side
by side for one look.

What is found is each one's by its tasks: of a case exactly what it is to be, of a twin
nothing, and nothing of anybody else's.
"""

import contextlib
import functools
import re

from gltest import (SLOW, TRIES, Report, Scenario, Skipped, brief, check_found,
                    check_words, claim, in_words, positive, settle_tcp, silent)

# Tasks that one look is quick with where each takes it some tens of milliseconds.
MOST_ACTORS = 16

# Situations that one look is for, where as a rule each has two tasks or so.
MOST_SITUATIONS = 8


def once(make):
    """What it returns, or fails with, when the first test asks: that for every test."""
    made = []

    @functools.wraps(make)
    def get():
        if not made:
            try:
                made.append((make(), None))
            except Exception as error:  # pylint: disable=broad-except
                made.append((None, error))
        result, error = made[0]
        if error:
            raise error
        return result
    return get


def is_serious(finding):
    return finding["type"] != "long-wait"


def look_until(is_enough):
    """A report that tells enough, and of which nothing is silent for want of time, if a
    longer look can give one.
    """
    for times in TRIES:
        report = Report(window=1.0 * SLOW * times)
        if is_enough(report.findings) and not report.json["unseen"]["unproven"]:
            break
    return report


def claim_proven(report):
    """Or who is silent may be so as there was no time to prove what is found of it."""
    claim(not report.json["unseen"]["unproven"],
          f"not all was proven in time: {brief(report.findings)}")


class SideBySide:
    """Situations, by name: functions that give contexts of tasks. They are begun, and looked
    at, when the first test asks, and over then; of those in found something is found. One
    that is skipped is not there, and that is said by its own test.

    then is done while they stand, after the look; told is what it returns.
    """

    def __init__(self, found, silent_ones, then=lambda: None):
        self.found, self.situations, self.then = found, {**found, **silent_ones}, then
        self.tids, self.skipped = {}, {}
        self.report = self.told = None
        self.look_once = once(self.begin_and_look)

    def begin(self, stack):
        for name, situation in self.situations.items():
            try:
                self.tids[name] = set(stack.enter_context(situation()))
            except Skipped as why:
                self.skipped[name] = why

    def those_found(self):
        """All that are there of them."""
        return [name for name in self.found if name in self.tids]

    def begin_and_look(self):
        with contextlib.ExitStack() as stack:
            self.begin(stack)
            self.report = look_until(lambda findings: all(self.about(name, findings)
                                                          for name in self.those_found()))
            self.told = self.then()

    def about(self, name, findings=None):
        return [finding for finding in
                (self.report.findings if findings is None else findings)
                if self.tids[name] & {task["tid"] for task in finding["tasks"]}]

    def findings(self, name):
        """About that one: fails in every test if one is about none of them."""
        self.look_once()
        if name in self.skipped:
            raise self.skipped[name]
        strangers = [finding for finding in filter(is_serious, self.report.findings)
                     if not any(finding in self.about(other) for other in self.tids)]
        claim(not strangers, f"of nobody here: {brief(strangers)}")
        return self.about(name)

    def serious(self, name):
        return list(filter(is_serious, self.findings(name)))

    def claim_silent(self, name):
        claim(not self.serious(name), brief(self.serious(name)))
        claim_proven(self.report)


@contextlib.contextmanager
def tasks_of(scenario):
    with scenario:
        yield scenario.tid.values()


class Scenarios(SideBySide):
    """Situations that are scenarios, which have not begun, some of which are to be found."""

    def __init__(self, scenarios, found, then=lambda: None):
        contexts = {name: functools.partial(tasks_of, scenario)
                    for name, scenario in scenarios.items()}
        super().__init__({name: contexts.pop(name) for name in found}, contexts, then)
        self.scenarios = scenarios

    def watched(self, name):
        """Who has to wait there."""
        return self.tids[name]

    def begin(self, stack):
        super().begin(stack)
        there = self.those_found()
        settle_tcp({tid for name in there for tid in self.watched(name)},
                   any(self.scenarios[name].sends_tcp for name in there))


class Together(Scenarios):
    """The situations of these cases, or of their twins; what is found is told in words, too."""

    def __init__(self, cases, twin):
        super().__init__({case.name: Scenario(case.twin if twin else case.actors, case.threads)
                          for case in cases},
                         [] if twin else [case.name for case in cases],
                         (lambda: None) if twin else self.in_words)
        self.cases = {case.name: case for case in cases}

    def watched(self, name):
        return self.scenarios[name].tids(self.cases[name].members())

    def in_words(self):
        # Where the time was too short to ask all of them, one more process may hold an end.
        return in_words(lambda out: all(self.is_told(self.cases[name], out)
                                        for name in self.those_found()))

    def about_in_words(self, case, words):
        """The findings in words that the case's first member is in."""
        who = case.edges[0][0]
        tid = self.scenarios[case.name].tid[who]
        return [finding for finding in words.split("\n\n")
                if re.search(rf"^  {re.escape(who)}\[{tid}\] +waits for ", finding, re.M)]

    def is_told(self, case, words):
        about = self.about_in_words(case, words)
        return len(about) == 1 and about[0].startswith(f"{case.type} ({case.verdict})")

    def claim_found(self, case):
        findings, scenario = self.serious(case.name), self.scenarios[case.name]
        check_found(case, scenario, findings, self.report)
        about = self.about_in_words(case, self.told)
        claim(len(about) == 1, f"{case.name} is not told once in words: {self.told}")
        check_words(case, scenario, about[0])


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
            name, test = positive(case)
            twin = silent(f"{case.name}_twin", case.twin, case.threads)
            if len(group) > 1:
                test = functools.partial(found.claim_found, case)
                twin = twin[0], functools.partial(silent_ones.claim_silent, case.name)
            tests[case.name] = [(name, test), twin]
    return [test for case in cases for test in tests[case.name]]


class Situation:
    """One, and what is to be found of it: nothing, if type is None. It is looked at
    together with others, unless it is to be alone: what it hides, or sends, or moves would
    make others less sure."""

    def __init__(self, name, scenario, type, verdict, alone):
        self.name, self.scenario = name, scenario
        self.type, self.verdict, self.alone = type, verdict, alone
        self.beside = None
        self.test_name = f"{name}_is_{verdict}_{type}" if type else f"{name}_is_silent"

    def test(self):
        """One finding, about exactly the situation's own tasks; or none."""
        if not self.type:
            return self.beside.claim_silent(self.name)
        findings = self.beside.findings(self.name)
        claim([(f["type"], f["verdict"]) for f in findings] == [(self.type, self.verdict)],
              f"{brief(findings)}; unseen: {self.beside.report.json['unseen']}")
        members = {task["tid"] for task in findings[0]["tasks"]}
        claim(members == set(self.scenario.tid.values()), brief(findings))


def quiet(name, actors, threads=False):
    """As gltest's silent, and beside others."""
    return Situation(name, Scenario(actors, threads), None, None, False)


def tests_of(table):
    """Its rows are situations and tests. Where of a group some are found and confirmed, what
    is silent or less sure beside them is so by its own nature, and not by theirs.
    """
    groups = [[]]
    for situation in (row for row in table if isinstance(row, Situation)):
        if situation.alone:
            groups.insert(0, [situation])
            continue
        if len(groups[-1]) == MOST_SITUATIONS:
            groups.append([])
        groups[-1].append(situation)
    for group in groups:
        beside = Scenarios({situation.name: situation.scenario for situation in group},
                           [situation.name for situation in group if situation.type])
        for situation in group:
            situation.beside = beside
    return [(row.test_name, row.test) if isinstance(row, Situation) else row for row in table]
