#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""measure.py WHAT PERF [ROUNDS] - the benchmarks, in a guest.

WHAT is instructions, scaling, throughput or reading: a file each, which tells what it
measures. PERF is a perf that has its BPF programs. Tables in Markdown go to stdout.
"""

import sys

import instructions
import reading
import scaling
import throughput

BENCHMARKS = {"instructions": instructions, "scaling": scaling, "throughput": throughput,
              "reading": reading}


def main():
    if len(sys.argv) < 3 or sys.argv[1] not in BENCHMARKS:
        sys.exit(__doc__)
    BENCHMARKS[sys.argv[1]].measure(sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 10)


if __name__ == "__main__":
    main()
