# SPDX-License-Identifier: GPL-2.0
"""The kernel's search for memory that nobody points to any more."""

import re
import time

FILE = "/sys/kernel/debug/kmemleak"

# The kernel says nothing of objects younger than this, or at the first sight.
LEAST_AGE_SECS = 5
SCANS = 3


def write(command):
    with open(FILE, "w", encoding="ascii") as file:
        file.write(command)


def is_on():
    """Is it built in, and switched on at boot (kmemleak=on)?"""
    try:
        write("scan")
    except OSError:
        return False
    return True


def clear():
    """Forget what has leaked until now."""
    for _ in range(SCANS):
        write("scan")
    write("clear")


def leaks():
    """What has leaked since: a text for each object."""
    time.sleep(LEAST_AGE_SECS + 1)
    for _ in range(SCANS):
        write("scan")
    with open(FILE, encoding="ascii", errors="replace") as file:
        return [text for text in re.split(r"(?m)^(?=unreferenced object)", file.read()) if text]
