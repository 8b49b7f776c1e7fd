#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""How the lens comes and goes: with programs that are executed and processes that end;
it leaves nothing behind, and says why when it cannot.
"""

import json
import subprocess

from gltest import claim, gridlock, need_module, run, wait_until, wchan
from lens import (FIRST_IS_OPPOSITE, HALLWAY, SECS, Hallway, claim_only_of_the_first, look,
                  refused)
from puppets import Look
from watch import Watch

# A breakpoint of x86: what a uprobe puts in the place of the first byte.
BREAKPOINT = 0xcc

# --- other programs ---

class Changing(Hallway):
    """A shell that becomes another program when it is told."""

    def __init__(self, *way, program=HALLWAY):
        self.way = (program, *map(str, way))
        super().__init__(program=("sh", "-c", 'read line; exec "$0" "$@"', *self.way))

    def get_ready(self):
        wait_until(lambda: wchan(self.pid).endswith("pipe_read"), "the shell waits for its input")

    def change(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        super().get_ready()


def executed_program_with_the_same_library_is_seen():
    with Changing(*FIRST_IS_OPPOSITE) as hall, Look("--lens", hall.pid, secs=SECS) as beside:
        beside.looked()
        hall.change()
        claim_only_of_the_first(hall, beside.findings())


def executed_program_that_is_not_seen_is_told():
    with Changing("opposite", program=HALLWAY + "_static") as hall, \
            Watch("--json", "--lens", str(hall.pid)) as watch:
        watch.silent_rounds(1)
        hall.change()
        told = watch.event()
        claim(told["event"] == "lens", f"it says {told}")
        claim(told["blind"] == 1 and not told["ended"], f"it says {told}")
        hall.process.kill()
        hall.process.wait()
        told = watch.event()
        claim(told["event"] == "lens", f"it says {told}")
        claim(told["ended"] == 1 and not told["blind"], f"it says {told}")


# --- how it comes and goes ---

def links():
    """Of BPF programs, by numbers that are not given twice: a lens before may still go."""
    done = subprocess.run(["bpftool", "--json", "link", "list"], check=True, text=True,
                          capture_output=True)
    return {link["id"] for link in json.loads(done.stdout or "[]")}


def it_leaves_nothing_behind():
    with Hallway("same") as hall:
        before = hall.first_byte()
        claim(before != BREAKPOINT, "there is a breakpoint before the lens is")
        links_before = links()
        with Look("--lens", hall.pid, secs=SECS) as beside:
            beside.looked()
            claim(hall.first_byte() == BREAKPOINT, "the lens sets no breakpoint")
            claim(links() - links_before, "the lens has no links")
            beside.findings()
        left = links() - links_before
        claim(not left, f"it leaves links behind: {left}")
        claim(hall.first_byte() == before, "the lens leaves its breakpoint behind")
        claim(hall.process.poll() is None, "the process does not outlive the lens")


def it_leaves_nothing_behind_when_it_is_killed():
    with Hallway("same") as hall:
        before = hall.first_byte()
        with Look("--lens", hall.pid, secs=60) as beside:
            beside.looked()
            claim(hall.first_byte() == BREAKPOINT, "the lens sets no breakpoint")
        # Its child is gone when its last descriptor is: the next lens waits for nobody.
        look(hall, secs=1)
        wait_until(lambda: hall.first_byte() == before, "the lens takes its breakpoint away")


def process_may_end_under_the_lens():
    with Hallway("opposite") as hall, Look("--lens", hall.pid, secs=SECS) as beside:
        beside.looked()
        hall.process.kill()
        hall.process.wait()
        report = beside.report()
        claim(beside.process.returncode in (0, 1), f"it exits {beside.process.returncode}")
        claim(report["lens"]["ended"] == 1, f"it says {report['lens']}")


def watch_has_a_lens_too():
    with Hallway(*FIRST_IS_OPPOSITE) as hall, Watch("--json", "--lens", str(hall.pid)) as watch:
        claim_only_of_the_first(hall, [watch.finding("begin")])
        watch.silent_rounds()


def what_it_cannot_do_it_says():
    with subprocess.Popen(["sleep", "1000"]) as sleep:
        try:
            refused("--lens", sleep.pid, command=("setpriv", "--bounding-set=-all,+sys_ptrace",
                                                  "gridlock"),
                    why="the kernel does not take BPF programs")
        finally:
            sleep.kill()
    # Its number is free; nobody gets it so soon.
    refused("--lens", sleep.pid, why=f"process {sleep.pid} cannot be read: No such")
    refused("--lens", 2, why="process 2 has no C library that the lens knows")
    with Hallway("same") as hall:
        refused("--lens", hall.two, why=f"process {hall.two} cannot be read: No such")


def no_pid_is_refused():
    for arg in ("0", "-1", "x", "1x", "", "99999999999999999999"):
        status, _, err = gridlock("check", "--lens", arg)
        claim(status not in (0, 1) and "--lens takes a PID" in err, f"{arg!r}: {status}: {err}")


TESTS = [
    executed_program_with_the_same_library_is_seen, executed_program_that_is_not_seen_is_told,
    it_leaves_nothing_behind, it_leaves_nothing_behind_when_it_is_killed,
    process_may_end_under_the_lens, watch_has_a_lens_too,
    what_it_cannot_do_it_says, no_pid_is_refused,
]


if __name__ == "__main__":
    run([(test.__name__, test) for test in TESTS], need_module)
