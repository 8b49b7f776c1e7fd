#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""A minute of healthy contention of all kinds at once: check after check finds nothing.

GL_SECONDS is how long (default 60).
"""

import os
import time

from gltest import (Report, Scenario, brief, claim, need_kernel_locks, need_module, run)

SECONDS = float(os.environ.get("GL_SECONDS", 60))

LOCKERS = [f"p{i}*: shm:0 shm:1 shm:2" for i in range(8)]
CROWD = (["long: mtx:0 sync"] + [f"q{i}: sync !mtx:0" for i in range(8)] +
         [f"c{i}: !cond:1" for i in range(4)] + [f"s{i}: !sem:2" for i in range(4)] +
         ["z1: !sleep", "z2: !sleep"])
KERNEL = [f"k{i}*: kmutex:0 krwsem-w:1 flock:2" for i in range(4)]


def a_minute_of_contention_has_no_finding():
    checks = 0
    with Scenario(LOCKERS), Scenario(CROWD, threads=True), Scenario(KERNEL):
        end = time.monotonic() + SECONDS
        while time.monotonic() < end or not checks:
            report = Report(window=2.0)
            checks += 1
            claim(report.status == 0, f"check {checks}: {brief(report.findings)}")
    print(f"# {checks} checks")


def need_both():
    need_module()
    need_kernel_locks()


if __name__ == "__main__":
    run([(test.__name__, test) for test in (a_minute_of_contention_has_no_finding,)], need_both)
