#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Waits that any of several descriptors ends: poll, select, epoll, and the
descriptors that they are made for. A circle through them is one only if no
descriptor can become ready.
"""

from gltest import Case, run
from together import quiet, tests_of, twins

CASES = [
    Case("two_that_poll_each_other",
         ["p1: stream-a:0 !poll", "p2: stream-b:0 !poll"],
         ["p1: stream-a:0 !poll", "p2: stream-b:0 !poll-timed"],
         "p1>p2 p2>p1", "poll"),
    Case("select_and_epoll",
         ["p1: stream-a:0 seq-b:0 !select", "p2: stream-b:0 rend:0 !epoll",
          "p3: wend:0 !seq-a-recv:0"],
         ["p1: stream-a:0 seq-b:0 !select", "p2: stream-b:0 rend:0 !epoll",
          "p3: wend:0 seq-a:0"],
         "p1>p2,p3 p2>p1,p3 p3>p1", "poll poll unix"),
    Case("poll_of_two_both_stuck",
         ["p1: stream-a:0 seq-a:0 !poll", "p2: !stream-b-recv:0", "p3: !seq-b-recv:0"],
         ["p1: stream-a:0 seq-a:0 !poll", "p2: !stream-b-recv:0", "p3: seq-b:0"],
         "p1>p2,p3 p2>p1 p3>p1", "poll unix unix"),
    Case("poll_for_room",
         ["p1: rend:1 fill-quietly:0 !poll-out", "p2: rend:0 !fill:1"],
         ["p1: rend:1 fill-quietly:0 !poll-out", "p2: rend:0 wend:1"],
         "p1>p2 p2>p1", "poll pipe:W"),
    Case("poll_for_the_end_of_a_child",
         ["p1: rend:0 wend:0 fork:c1 pidfd:c1 !poll", "c1: !read:0"],
         ["p1: rend:0 wend:0 fork:c1 pidfd:c1 !poll", "c1: rend:0"],
         "p1>p1,c1 c1>p1", "poll pipe:R"),
    Case("eventfds_crosswise",
         ["p1: efd:0 efd:1 fork:c1 !efd-read:0", "c1: efd:0 !efd-fill:1"],
         ["p1: efd:0 efd:1 fork:c1 !efd-read:0", "c1: efd:0 efd:1"],
         "p1>p1,c1 c1>p1,c1", "eventfd", verdict="likely"),
    Case("eventfds_in_a_ring_of_3",
         ["p1: efd:0 !efd-read:1", "p2: efd:1 !efd-read:2", "p3: efd:2 !efd-read:0"],
         ["p1: efd:0 !efd-read:1", "p2: efd:1 !efd-read:2", "p3: efd:2 efd:0"],
         "p1>p1,p2 p2>p2,p3 p3>p3,p1", "eventfd", verdict="likely"),
    Case("pipe_to_oneself",
         ["p1: wend:0 !read:0"],
         ["p1: wend:0 handler !read:0"],
         "p1>p1", "pipe:R"),
]

SILENT = [
    quiet("poll_with_a_signal_handler", ["p1: stream-a:0 handler !poll", "p2: stream-b:0 !poll"]),
    quiet("poll_of_nothing", ["p1: !poll", "p2: !epoll", "p3: !select"]),
    quiet("eventfd_of_ones_own", ["p1: !efd-read:0", "p2: efd:1 !epoll"]),
    quiet("pipe_to_a_thread_of_ones_own", ["t1: wend:0 !read:0", "t2: !sleep"], threads=True),
]

if __name__ == "__main__":
    run(twins(CASES) + tests_of(SILENT))
