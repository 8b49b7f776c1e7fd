# SPDX-License-Identifier: GPL-2.0
"""What a contention costs in instructions when several CPUs have some at once, for the
same locks; the machine's clock must count them. It counts those of all CPUs, which take
turns: so contentions are measured one by one, and few have a turn of another CPU in them.
"""

import os
import sys

from tools import (BENCH_KO, FEW, KINDS, PAIRS, cost_of, gridlock, module, nothing,
                   progress, table)

CPUS = (1, 2, 4, 8)

# What it may cost more on many CPUs than on one.
MOST_MORE = 1.02


def measure(_perf, _rounds):
    if os.cpu_count() < max(CPUS):
        sys.exit(f"measure: this machine has {os.cpu_count()} CPUs, not {max(CPUS)}")
    cost = {}
    with module(BENCH_KO):
        for tool in (nothing, gridlock):
            with tool() as prefix:
                for kind in KINDS:
                    for cpus in CPUS:
                        what = f"{KINDS[kind]:x} {FEW} {PAIRS} {cpus} 1"
                        cost[tool, kind, cpus] = cost_of(prefix, "run", what)[1]
                        progress(kind, cpus, cost[tool, kind, cpus])
    net = {(kind, cpus): cost[gridlock, kind, cpus] - cost[nothing, kind, cpus]
           for kind in KINDS for cpus in CPUS}
    table(["instructions per contention (of one CPU's)", *(f"on {n}" for n in CPUS)],
          [[kind] + [f"{net[kind, n]:.0f} ({net[kind, n] / net[kind, 1]:.3f})" for n in CPUS]
           for kind in KINDS])
    for (kind, cpus), value in net.items():
        if value > MOST_MORE * net[kind, 1]:
            sys.exit(f"measure: {kind}: dearer on {cpus} CPUs than on one")
