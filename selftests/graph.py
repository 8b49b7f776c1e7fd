#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""gridlock graph on real waits: what is in the picture, what is red in it, and
what becomes of it on the way to a file.
"""

import contextlib
import json
import os
import re
import subprocess
import tempfile

from gltest import HERE, READY_SECS, Scenario, claim, gridlock, read_line, run, wait_until, wchan

ABBA = ["p1: flock:0 sync !flock:1", "p2: flock:1 sync !flock:0"]
# p1 waits for p2 alone, which was faster.
ORDERED = ["p1: sync !flock:1", "p2: flock:1 sync"]


def graph_json():
    status, out, err = gridlock("graph", "--json")
    claim(status == 0, f"graph --json exits {status}: {err}")
    graph = json.loads(out)
    claim(graph["schema"] == "gridlock.graph/1", f"schema is {graph['schema']}")
    return graph


def task_nodes(graph, tids):
    return {n["tid"]: n for n in graph["nodes"] if n["type"] == "task" and n["tid"] in tids}


def leads_to(graph, node):
    return {e["to"] for e in graph["edges"] if e["from"] == node}


def claim_waits_for(graph, who, whom):
    """A path of two edges: a resource that who waits for and whom can release."""
    nodes = task_nodes(graph, {who, whom})
    ways = {after for to in leads_to(graph, nodes[who]["id"]) for after in leads_to(graph, to)}
    claim(nodes[whom]["id"] in ways, f"no way from {who} to {whom}: {graph['edges']}")


def circle_is_marked_in_json():
    with Scenario(ABBA) as scenario:
        graph = graph_json()
        tids = set(scenario.tid.values())
        roles = {n["role"] for n in task_nodes(graph, tids).values()}
        claim(roles == {"deadlock"}, f"roles are {roles}")
        claim_waits_for(graph, scenario.tid["p1"], scenario.tid["p2"])
        claim_waits_for(graph, scenario.tid["p2"], scenario.tid["p1"])


def wait_without_circle_is_not_marked_in_json():
    with Scenario(ORDERED) as scenario:
        graph = graph_json()
        roles = {n["role"] for n in graph["nodes"] if n["type"] == "task"}
        claim(roles == {"none"}, f"roles are {roles}")
        claim_waits_for(graph, scenario.tid["p1"], scenario.tid["p2"])


def red_boxes(dot):
    return set(re.findall(r'shape=box, color="red".*label="(\w+\[\d+\])', dot))


def circle_is_red():
    with Scenario(ABBA) as scenario:
        status, out, err = gridlock("graph")
        claim(status == 0, f"graph exits {status}: {err}")
        names = {f"{name}[{tid}]" for name, tid in scenario.tid.items()}
        claim(red_boxes(out) == names, f"red is {red_boxes(out)}, not {names}")


def wait_without_circle_is_not_red():
    with Scenario(ORDERED) as scenario:
        status, out, _ = gridlock("graph")
        claim(status == 0 and "red" not in out, f"something is red: {out}")
        claim(f"p1[{scenario.tid['p1']}]" in out, f"p1 is not drawn: {out}")


def crowd_is_collapsed():
    crowd = [f"late{i}: sync !flock:0" for i in range(30)]
    with Scenario(["p1: flock:0 sync"] + crowd):
        _, out, _ = gridlock("graph")
        claim('label="29 more like' in out, f"30 waiters are not collapsed: {out}")


@contextlib.contextmanager
def crowd_of_500(shape):
    """Threads of one process, all asleep (scenario/crowd.c); its first one's number."""
    process = subprocess.Popen([os.path.join(HERE, "scenario", "crowd"), shape, "500"],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        _, pid, first = read_line(process.stdout, READY_SECS).split()
        tids = os.listdir(f"/proc/{pid}/task")
        wait_until(lambda: all(wchan(tid) for tid in tids), "all of the crowd sleep")
        yield int(pid), int(first)
    finally:
        process.communicate()


def crowd_boxes(dot):
    """Names in the boxes of the crowd's threads, and how many each stands for."""
    return [(int(more or 1), int(tid)) for more, tid in
            re.findall(r'shape=box,.*label="(?:(\d+) more like\\n)?crowd\[(\d+)\]', dot)]


def crowd_of_500_is_three_boxes():
    """Who has the mutex, one that waits for it, and the others."""
    with crowd_of_500("queue") as (pid, _):
        _, out, _ = gridlock("graph")
        boxes = crowd_boxes(out)
        claim(sorted(nr for nr, _ in boxes) == [1, 1, 499], f"boxes: {boxes}")
        claim(pid in [tid for _, tid in boxes], f"the owner is not drawn: {boxes}")
        claim(not re.findall("red|dashed", out), f"something is red, or dashed: {out}")


def circle_in_a_crowd_of_500_is_seen():
    with crowd_of_500("knot") as (_, first):
        _, out, _ = gridlock("graph")
        boxes = crowd_boxes(out)
        claim(sorted(nr for nr, _ in boxes) == [1, 1, 1, 1, 497], f"boxes: {boxes}")
        red = red_boxes(out)
        claim(len(red) == 2 and f"crowd[{first}]" in red, f"red is {red}")
        edges = re.findall(r"->.*red", out)
        claim(len(edges) == 4, f"a circle of two has four edges: {edges}")


def dot_file_is_what_stdout_is():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "x.dot")
        status, out, err = gridlock("graph", "-o", path)
        claim(status == 0 and not out, f"graph -o exits {status}: {out} {err}")
        with open(path, encoding="ascii") as file:
            claim(file.read().startswith("digraph"), "the file holds no graph")


def with_dot(script, path):
    """gridlock graph -o PATH, with SCRIPT in the place of graphviz's dot."""
    with tempfile.TemporaryDirectory() as folder:
        if script:
            dot = os.path.join(folder, "dot")
            with open(dot, "w", encoding="ascii") as file:
                file.write(f"#!/bin/sh\n{script}\n")
            os.chmod(dot, 0o755)
        reader = next(os.path.join(d, "gridlock") for d in os.environ["PATH"].split(":")
                      if os.path.exists(os.path.join(d, "gridlock")))
        os.symlink(reader, os.path.join(folder, "gridlock"))
        return gridlock("graph", "-o", path, env={"PATH": f"{folder}:/bin" if script else folder})


def svg_is_made_by_dot():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "x.svg")
        status, _, err = with_dot("echo \"<svg $*>\"; head -n 1", path)
        claim(status == 0, f"exit status {status}: {err}")
        with open(path, encoding="ascii") as file:
            text = file.read()
        claim(text == "<svg -Tsvg>\ndigraph gridlock {\n", f"the file holds {text!r}")


def refused(script, word):
    """No file is left, and one sentence says why."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "x.svg")
        status, _, err = with_dot(script, path)
        lines = [line for line in err.splitlines() if line]
        claim(status == 2 and len(lines) == 1 and word in err, f"{status}: {err!r}")
        claim(not os.path.exists(path), "a file was left")


def svg_without_dot_is_one_sentence():
    refused(None, "not installed")


def svg_of_a_failing_dot_is_one_sentence():
    refused("exit 1", "made no picture")


def file_of_unknown_kind_is_refused():
    status, _, err = gridlock("graph", "-o", "x.jpeg")
    claim(status == 2 and "x.jpeg" in err, f"{status}: {err}")


def file_that_cannot_be_written_is_refused():
    status, _, err = gridlock("graph", "-o", "/nowhere/x.dot")
    claim(status == 2 and "/nowhere/x.dot" in err, f"{status}: {err}")


run([(test.__name__, test) for test in (
    circle_is_marked_in_json, wait_without_circle_is_not_marked_in_json, circle_is_red,
    wait_without_circle_is_not_red, crowd_is_collapsed, crowd_of_500_is_three_boxes,
    circle_in_a_crowd_of_500_is_seen, dot_file_is_what_stdout_is,
    svg_is_made_by_dot, svg_without_dot_is_one_sentence, svg_of_a_failing_dot_is_one_sentence,
    file_of_unknown_kind_is_refused, file_that_cannot_be_written_is_refused)])
