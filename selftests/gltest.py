# SPDX-License-Identifier: GPL-2.0
"""What the tests of the reader share: scenarios, looks at them, and claims.

A test is a function that raises Failed with a sentence, or returns. run() runs
a list of them and prints KTAP by kselftest's own ksft.py.
"""

import functools
import json
import os
import re
import select
import subprocess
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(HERE, "..", "kselftest"))

import ksft  # noqa: E402

SCENARIO = os.path.join(HERE, "scenario", "scenario")
KERNEL_LOCKS = "/dev/gridlock_scenario"

# How much slower than usual this machine is: stretches guards, and no claim.
SLOW = int(os.environ.get("GL_SLOW", 1))

# Guards against a hang, not part of any order: an emulated machine is slow.
READY_SECS = 60 * SLOW
COMMAND_SECS = 60 * SLOW

# check ends this long after its window at the latest, always.
GRACE_SECS = 5

RT = "PREEMPT_RT" in os.uname().version

# Where what is the same on each kernel is tested.
ON_FIRST = "GL_TESTED_ON" not in os.environ

COFFMAN = ("mutual_exclusion", "hold_and_wait", "no_preemption", "circular_wait")
KINDS = set("""unknown spinlock rwlock:R rwlock:W rwsem:R rwsem:W mutex rtmutex semaphore
pcpu-sem:R pcpu-sem:W rwlock-rt:R rwlock-rt:W futex futex-pi flock posix ofd lease sysv-sem
sysv-msg mq pipe:R pipe:W unix tcp eventfd poll child vfork join cond sem ptrace
userfault""".split())
EVIDENCE = {"recorded", "read", "inferred"}
VERDICTS = {"confirmed", "likely", "possible"}


class Failed(Exception):
    """A claim that does not hold, as a sentence."""


class Skipped(Exception):
    """Why a test cannot run here."""


def same_everywhere(test):
    """For a test in which no kernel differs from another one: on the first is enough."""
    @functools.wraps(test)
    def once():
        if not ON_FIRST:
            raise Skipped(f"the same is tested on kernel {os.environ['GL_TESTED_ON']}")
        test()
    return once


def claim(holds, sentence):
    if not holds:
        raise Failed(sentence)


def read_line(stream, secs):
    """One line, or Failed when none comes in time."""
    if not select.select([stream], [], [], secs)[0]:
        raise Failed(f"nothing came in {secs} s")
    return stream.readline()


def wait_until(holds, what):
    """Look until it holds: for what no event tells, such as another task's sleep."""
    end, rest = time.monotonic() + READY_SECS, 0.001
    while not holds():
        claim(time.monotonic() < end, f"it never came to this: {what}")
        time.sleep(rest)
        # Most of it comes at once; what does not is not to be kept off the CPU.
        rest = min(2 * rest, 0.01)


def wchan(tid):
    """The kernel function that a task sleeps in; empty when it runs or is gone."""
    try:
        with open(f"/proc/{tid}/wchan", encoding="ascii") as file:
            return file.read().strip("0")
    except OSError:
        return ""


def tcp_timers():
    """Of each TCP socket here with something to send: what its timer is for.

    "04", to ask again for room at the other side; "01", to send again what is lost.
    """
    with open("/proc/net/tcp", encoding="ascii") as file:
        sockets = [line.split() for line in file][1:]
    return {socket[5][:2] for socket in sockets
            if socket[9] != "0" and not socket[4].startswith("00000000:")}


def settle_tcp(tids, sends):
    """Who sends by TCP sleeps now and then on the way; wait until nothing moves any more.

    Once there is no room at any other side, and nobody receives, there never is; who
    sleeps after that, sleeps for good. sends: somebody of these does, or will.
    """
    if sends:
        wait_until(lambda: tcp_timers() == {"04"}, "all that was sent by TCP has come")
        wait_until(lambda: all(map(wchan, tids)), "who sends by TCP sleeps")


def descendants(pid):
    """A process and all its children's children."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            children = file.read().split()
    except OSError:
        children = []
    return {pid}.union(*(descendants(int(child)) for child in children))


class Scenario:
    """A running scenario; tid maps its actors to their threads."""

    def __init__(self, actors, threads=False):
        self.command = [SCENARIO] + (["-t"] if threads else []) + list(actors)
        self.sends_tcp = any(re.search("tcp-[ab]-send:", actor) for actor in actors)
        self.tid = {}

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        try:
            line = read_line(self.process.stdout, READY_SECS).split()
            claim(line[:1] == ["ready"], f"the scenario did not get ready: {self.command[1:]}")
        except Failed:
            self.__exit__()
            raise
        for pair in line[1:]:
            name, tid = pair.split("=")
            self.tid[name] = int(tid)
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(READY_SECS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise Failed("the scenario does not end: something in it cannot be killed") from None
        finally:
            self.process.stdout.close()

    def tids(self, names):
        return {self.tid[name] for name in names.split()}


def gridlock(*args, env=None, secs=COMMAND_SECS):
    """Run the reader. Return: status, stdout, stderr."""
    command = ["gridlock", *[str(arg) for arg in args]]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=secs, env={**os.environ, **(env or {})}, check=False)
    except subprocess.TimeoutExpired:
        raise Failed(f"{' '.join(command)} did not end in {secs} s") from None
    return done.returncode, done.stdout, done.stderr


# A look that was too short is done again, so many times as long.
TRIES = (1, 2, 4, 8, 16)


class Report:
    """What one `check --json` said: of several, the first that looked at every task
    and left nothing unproven.

    Where other machines take the CPUs away, the time can be up before that. check
    says so, which is no verdict, and what to do: look for longer. Where that is what
    is tested, partial takes the first look as it is. reader runs the command. grace is
    how late it may be: more where a test leaves it little of the CPUs.
    """

    def __init__(self, *args, window=1.0 * SLOW, env=None, partial=False, reader=gridlock,
                 grace=GRACE_SECS):
        self.reader = reader
        self.grace = grace
        for times in TRIES:
            self.look(*args, window=window * times, env=env)
            not_looked = self.json["unseen"]["not_looked"]
            unproven = self.json["unseen"]["unproven"] and not self.findings
            if partial or not not_looked and not unproven:
                return
        claim(not not_looked, f"{not_looked} tasks were not looked at in {window * TRIES[-1]} s")

    def look(self, *args, window, env):
        start = time.monotonic()
        self.status, self.out, self.err = self.reader("check", "--for", window, "--json", *args,
                                                      env=env)
        took = time.monotonic() - start
        claim(took < window + self.grace, f"check --for {window} took {took:.1f} s")
        claim(self.status in (0, 1), f"check exits {self.status}: {self.err.strip()}")
        try:
            self.json = json.loads(self.out)
        except json.JSONDecodeError as error:
            raise Failed(f"check --json prints no JSON: {error}: {self.out[:200]!r}") from None
        check_schema(self.json)
        self.findings = self.json["findings"]
        serious = [f for f in self.findings if f["type"] != "long-wait"]
        claim(self.status == (1 if serious else 0), f"{brief(self.findings)}: exit status "
              f"{self.status}")

    def of_type(self, kind):
        return [f for f in self.findings if f["type"] == kind]


def check_schema(report):
    """Every field that DESIGN promises is there and of its type."""
    claim(report["schema"] == "gridlock.check/1", f"schema is {report['schema']}")
    claim(report["kernel"] == os.uname().release, f"kernel is {report['kernel']}")
    claim(isinstance(report["module"], bool), "module is no boolean")
    claim(isinstance(report["complete"], bool), "complete is no boolean")
    claim(isinstance(report["window_s"], float), "window_s is no number of seconds")
    for name in ("events_lost", "waits_lost", "unknown_owner", "blocked_reads",
                 "denied_reads", "not_looked", "unproven"):
        claim(isinstance(report["unseen"][name], int), f"unseen.{name} is no number")
    ids = [finding["id"] for finding in report["findings"]]
    claim(len(set(ids)) == len(ids), f"ids are not unique: {ids}")
    for finding in report["findings"]:
        check_finding(finding)


def check_finding(finding):
    claim(finding["verdict"] in VERDICTS, f"verdict is {finding['verdict']}")
    claim(finding["since_s"] is not None or finding["at_least_s"] >= 0, "no since, no at_least")
    claim(finding["tasks"], "a finding without tasks")
    for victim in finding["victims"]:
        claim(victim["tid"] > 0 and victim["pid"] > 0 and "comm" in victim, f"victim {victim}")
    for task in finding["tasks"]:
        claim(task["tid"] > 0 and task["pid"] > 0 and "comm" in task, f"task {task}")
        if task["waits_for"]:
            wait = task["waits_for"]
            claim(wait["kind"] in KINDS, f"kind {wait['kind']}")
            claim(wait["since_s"] is not None or wait["at_least_s"] >= 0, f"{wait}: since when?")
            claim(task["needs"] in ("all", "any"), f"needs {task['needs']}")
        for blocker in task["blocked_by"]:
            claim(blocker["evidence"] in EVIDENCE, f"evidence {blocker['evidence']}")
    if finding["type"] == "deadlock":
        for name in COFFMAN:
            claim(finding["coffman"].get(name), f"coffman: {name} is empty")


def brief(findings):
    """Findings in one line, for messages."""
    return "; ".join(f"{f['type']} ({f['verdict']}{', ' + f['reason'] if 'reason' in f else ''}): "
                     f"{[(t['comm'], t['tid'], (t['waits_for'] or {}).get('kind')) for t in f['tasks']]}"
                     f" victims {[(t['comm'], t['tid']) for t in f['victims']]}"
                     for f in findings) or "no finding"


class Case:
    """A scenario, what check must say of it, and a twin of which it is silent.

    edges: "a>b b>c,d" - a waits for what b alone can release, b for what c or d
    can; the names before '>' are exactly the members of the finding. kinds: what
    each waits for, in the order of edges, with '|' between spellings; one for
    all if there is only one. alone: not beside others (together.py).
    """

    def __init__(self, name, actors, twin, edges, kinds, type="deadlock", verdict="confirmed",
                 victims="", threads=False, alone=False):
        self.name, self.actors, self.twin = name, actors, twin
        self.edges = [edge.split(">") for edge in edges.split()]
        self.kinds = kinds.split() if " " in kinds else [kinds] * len(self.edges)
        self.type, self.verdict, self.victims = type, verdict, victims
        self.threads, self.alone = threads, alone

    def members(self):
        return " ".join(who for who, _ in self.edges)


def check_members(case, run, finding):
    tasks = {task["tid"]: task for task in finding["tasks"]}
    claim(set(tasks) == run.tids(case.members()),
          f"members are {sorted(tasks)}, not {run.tid}: {brief([finding])}")
    victims = {victim["tid"] for victim in finding["victims"]}
    claim(victims == run.tids(case.victims), f"victims are {sorted(victims)} of {run.tid}")
    for (who, by), kinds in zip(case.edges, case.kinds):
        task = tasks[run.tid[who]]
        kind = task["waits_for"]["kind"]
        claim(kind in kinds.split("|"), f"{who} waits for a {kind}, not {kinds}")
        claim(task["comm"] == who, f"{who} is called {task['comm']}")
        tids = {tid for blocker in task["blocked_by"] for tid in blocker["tids"]}
        claim(tids == run.tids(by.replace(",", " ")),
              f"{who} is blocked by {sorted(tids)}, not by {by} of {run.tid}")


def check_found(case, run, findings, report):
    """The one of these that is the case's own, and no other."""
    claim(len(findings) == 1, f"{brief(findings)}; unseen: {report.json['unseen']}")
    claim((findings[0]["type"], findings[0]["verdict"]) == (case.type, case.verdict),
          brief(findings))
    check_members(case, run, findings[0])


def in_words(enough=lambda out: True):
    """What check says in words, once it had the time for all, and enough is said."""
    for times in TRIES:
        status, out, err = gridlock("check", "--for", 0.5 * SLOW * times)
        if "look for longer" not in out and enough(out):
            break
    claim("look for longer" not in out, f"not all was looked at and proven in time: {out}")
    claim(status == 1, f"in words, check exits {status}: {out} {err}")
    return out


def check_words(case, run, out):
    """The finding comes first, one line for each member."""
    first = out.split("\n", 1)[0]
    number = len(case.edges)
    claim(re.match(rf"{case.type} \({case.verdict}\): {number} tasks? waits? for ", first),
          f"the first line is {first!r}")
    for who, by in case.edges:
        line = re.search(rf"^  {re.escape(who)}\[{run.tid[who]}\] +waits for +\S.*$", out, re.M)
        claim(line, f"no line tells of {who}: {out}")
        if case.type == "deadlock":
            claim(re.search(r" (held|written|read|ended|released) by  ", line[0]), line[0])
        for other in by.split(",") if by else []:
            claim(f"{other}[{run.tid[other]}]" in line[0].split(" by ", 1)[1], line[0])
    if case.type == "deadlock":
        for name in COFFMAN:
            claim(re.search(rf"^  {name.replace('_', ' ')} +\S", out, re.M), f"no {name}: {out}")


def positive(case):
    def test():
        with Scenario(case.actors, case.threads) as run:
            settle_tcp(run.tids(case.members()), run.sends_tcp)
            report = Report()
            check_found(case, run, report.findings, report)
            check_words(case, run, in_words())
    return f"{case.name}_is_{case.type.replace('-', '_')}", test


def silent(name, actors, threads=False):
    """No finding, long-wait aside, of these actors."""
    def test():
        with Scenario(actors, threads):
            claim_silent(Report())
    return f"{name}_is_silent", test


def claim_silent(report):
    claim(report.status == 0, brief(report.findings))


def twins(cases):
    """Each case and its silent twin, one after the other."""
    tests = []
    for case in cases:
        tests.append(positive(case))
        tests.append(silent(f"{case.name}_twin", case.twin, case.threads))
    return tests


def ring(number, kind, last=None):
    """Actors p0.. that each hold one and wait for the next one's; and the edges.

    With last, only the last actor differs: it takes its two in order.
    """
    actors = [f"p{i}: {kind}:{i} sync !{kind}:{(i + 1) % number}" for i in range(number)]
    if last:
        actors[-1] = f"p{number - 1}: sync !{kind}:0 {kind}:{number - 1}"
    edges = " ".join(f"p{i}>p{(i + 1) % number}" for i in range(number))
    return actors, edges


def module_loaded(name="gridlock"):
    return os.path.exists(f"/sys/module/{name}")


def need_module():
    if not module_loaded():
        raise Skipped("the module is not loaded: insmod $GRIDLOCK_KO")


def need_test_module(name):
    """Load a module of the tests, unless it is there."""
    if module_loaded(name):
        return
    path = os.path.join(HERE, "scenario", f"{name}.ko")
    if not os.path.exists(path):
        raise Skipped(f"{path} is not built")
    subprocess.run(["insmod", path], check=True)


def need_kernel_locks():
    """Load the module that makes kernel locks, unless it is there."""
    need_test_module("gridlock_scenario")


def need_both():
    """Our module, and the one that makes kernel locks."""
    need_module()
    need_kernel_locks()


def run(tests, needs=need_module):
    """Run (name, function) pairs as a KTAP test; never returns."""
    chosen = sys.argv[1:]
    tests = [test for test in tests if not chosen or test[0] in chosen]
    ksft.print_header()
    try:
        if os.geteuid():
            raise Skipped("only root can load modules and look at all tasks")
        needs()
    except Skipped as why:
        print(f"1..0 # SKIP {why}")
        sys.exit(ksft.KSFT_SKIP)
    ksft.set_plan(len(tests))
    for name, function in tests:
        run_one(name, function)
        sys.stdout.flush()
    ksft.finished()


def run_one(name, function):
    try:
        function()
        ksft.test_result_pass(name)
    except Skipped as why:
        ksft.test_result_skip(f"{name}: {why}")
    except Exception as error:  # a test that breaks is a test that fails
        if not isinstance(error, Failed):
            error = traceback.format_exc()
        for line in str(error).splitlines():
            ksft.print_msg(line)
        ksft.test_result_fail(name)
