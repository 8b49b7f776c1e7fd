#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""On an idle machine no spin wait is long, and the sums stay what they are.

GL_IDLE_SECONDS is how long to look (default 60).
"""

import os
import time

from gltest import claim, need_module, run
from kmod_count import read_locks, set_parameter, totals

SECONDS = float(os.environ.get("GL_IDLE_SECONDS", 60))
SPINNING = ("spinlock", "rwlock:R", "rwlock:W")
LONGEST_NS = 10_000_000


def no_long_spin_on_an_idle_machine():
    """A wait of seconds that nobody was in would be a mistake of the clock or of the pairing."""
    set_parameter("reset", 1)
    time.sleep(SECONDS)
    for kind, row in totals(read_locks()[1]).items():
        if kind in SPINNING:
            claim(row.max_ns < LONGEST_NS, f"{kind}: {row.max_ns / 1e6:.1f} ms")


if __name__ == "__main__":
    run([(test.__name__, test) for test in (no_long_spin_on_an_idle_machine,)], need_module)
