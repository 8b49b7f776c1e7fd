#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""gridlock chain on live waits: the whole way to the root, however long."""

import json
import os
import subprocess

from gltest import HERE, READY_SECS, Scenario, claim, gridlock, read_line, run, wait_until, wchan

CROWD = os.path.join(HERE, "scenario", "crowd")
LENGTH = 1000


class Crowd:
    """crowd KIND NR, running; first is its first thread."""

    def __init__(self, kind, number):
        self.command = [CROWD, kind, str(number)]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        _, self.pid, self.first = (int(word) if word.isdigit() else word for word in
                                   read_line(self.process.stdout, READY_SECS).split())
        tids = [int(tid) for tid in os.listdir(f"/proc/{self.pid}/task")]
        # The last may have counted itself and not be asleep yet.
        wait_until(lambda: all(wchan(tid) for tid in tids), "all of the crowd sleep")
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(READY_SECS)
        self.process.stdout.close()


def chain_json(tid):
    status, out, err = gridlock("chain", tid, "--json", secs=120)
    claim(status == 0, f"chain exits {status}: {err}")
    return json.loads(out)


def chain_of_1000_ends_at_its_root():
    with Crowd("chain", LENGTH) as crowd:
        chain = chain_json(crowd.first)
        tids = [node["tid"] for node in chain["nodes"]]
        claim(tids[0] == crowd.first and len(set(tids)) == len(tids) == LENGTH,
              f"{len(tids)} hops from {tids[0]}")
        claim(all(before["blocked_by"][0]["tids"] == [after["tid"]]
                  for before, after in zip(chain["nodes"], chain["nodes"][1:])), "a hop is missing")
        claim([(end["tid"], end["end"]) for end in chain["ends"]] == [(tids[-1], "running")],
              f"it ends in {chain['ends']}")


def circle_of_1000_leads_back():
    with Crowd("ring", LENGTH) as crowd:
        chain = chain_json(crowd.first)
        claim(len(chain["nodes"]) == LENGTH, f"{len(chain['nodes'])} hops")
        claim([(end["tid"], end["end"]) for end in chain["ends"]] == [(crowd.first, "circle")],
              f"it ends in {chain['ends']}")


def text_has_a_line_for_each_hop():
    with Crowd("queue", 3) as crowd:
        status, out, err = gridlock("chain", crowd.first)
        lines = out.splitlines()
        claim(status == 0 and len(lines) >= 3, f"{status}: {out} {err}")
        claim(lines[0].startswith(f"crowd[{crowd.first}] waits for pthread mutex"), lines[0])
        # Its owner reads from this test, by a pipe.
        claim(lines[1].startswith(f"crowd[{crowd.pid}] waits for pipe"), lines[1])
        claim(f"[{os.getpid()}]" in lines[2], lines[2])


def several_holders_are_branches():
    actors = ["w1: wend:0 sync", "w2: wend:0 sync", "r: rend:0 sync !read:0"]
    with Scenario(actors) as scenario:
        chain = chain_json(scenario.tid["r"])
        by = chain["nodes"][0]["blocked_by"]
        claim(len(by) == 1 and by[0]["needs"] == "any" and
              set(by[0]["tids"]) == scenario.tids("w1 w2"), f"blocked by {by}")
        claim({node["tid"] for node in chain["nodes"]} >= scenario.tids("r w1 w2"), "nodes")
        _, out, _ = gridlock("chain", scenario.tid["r"])
        claim(out.splitlines()[0].endswith("; any of these:"), out)


run([(test.__name__, test) for test in (
    chain_of_1000_ends_at_its_root, circle_of_1000_leads_back, text_has_a_line_for_each_hop,
    several_holders_are_branches)])
