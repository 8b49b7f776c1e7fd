#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Deadlocks through things with two ends: sockets. Each is found with exactly its
members; of its twin, which differs in one step, nothing is said.
"""

from gltest import Case, run
from together import twins

CASES = [
    Case("stream_both_receive",
         ["p1: !stream-a-recv:0", "p2: !stream-b-recv:0"],
         ["p1: !stream-a-recv:0", "p2: stream-b:0"],
         "p1>p2 p2>p1", "unix"),
    Case("streams_in_a_ring_of_3",
         ["p1: stream-a:0 !stream-b-recv:2", "p2: stream-a:1 !stream-b-recv:0",
          "p3: stream-a:2 !stream-b-recv:1"],
         ["p1: stream-a:0 !stream-b-recv:2", "p2: stream-a:1 !stream-b-recv:0",
          "p3: stream-a:2 stream-b:1"],
         "p1>p3 p2>p1 p3>p2", "unix"),
    Case("stream_both_full",
         ["p1: !stream-a-send:0", "p2: !stream-b-send:0"],
         ["p1: !stream-a-send:0", "p2: stream-b:0"],
         "p1>p2 p2>p1", "unix"),
    Case("seqpacket_both_receive",
         ["p1: !seq-a-recv:0", "p2: !seq-b-recv:0"],
         ["p1: !seq-a-recv:0", "p2: !seq-b-recv:0", "p3: seq-a:0 seq-b:0"],
         "p1>p2 p2>p1", "unix"),
    Case("seqpacket_full_behind_a_mutex",
         ["p1: shm:0 sync !seq-a-send:0", "p2: seq-b:0 sync !shm:0"],
         ["p1: shm:0 sync !seq-a-send:0", "p2: seq-b:0 sync"],
         "p1>p2 p2>p1", "unix futex"),
    Case("datagrams_both_receive",
         ["p1: !dgram-a-recv:0", "p2: !dgram-b-recv:0"],
         ["p1: !dgram-a-recv:0", "p2: dgram-b:0"],
         "p1>p2 p2>p1", "unix", verdict="likely"),
    Case("datagrams_both_full",
         ["p1: !dgram-a-send:0", "p2: !dgram-b-send:0"],
         ["p1: !dgram-a-send:0", "p2: dgram-b:0"],
         "p1>p2 p2>p1", "unix", verdict="likely"),
    Case("tcp_both_receive",
         ["p1: !tcp-a-recv:0", "p2: !tcp-b-recv:0"],
         ["p1: !tcp-a-recv:0", "p2: tcp-b:0"],
         "p1>p2 p2>p1", "tcp"),
    Case("tcp_both_full",
         ["p1: !tcp-a-send:0", "p2: !tcp-b-send:0"],
         ["p1: !tcp-a-send:0", "p2: tcp-b:0"],
         "p1>p2 p2>p1", "tcp"),
    Case("tcp_in_a_ring_of_3",
         ["p1: tcp-a:0 !tcp-b-recv:1", "p2: tcp-a:1 !tcp-b-recv:2", "p3: tcp-a:2 !tcp-b-recv:0"],
         ["p1: tcp-a:0 !tcp-b-recv:1", "p2: tcp-a:1 !tcp-b-recv:2", "p3: tcp-a:2 tcp-b:0"],
         "p1>p2 p2>p3 p3>p1", "tcp"),
    Case("connection_not_accepted",
         ["p1: listen:0 sync !flock:0", "p2: flock:0 sync connect:0 !connect-recv:0"],
         ["p1: listen:0 sync flock:0", "p2: sync connect:0 !connect-recv:0"],
         "p1>p2 p2>p1", "flock unix"),
    Case("receive_with_timeout",
         ["p1: timeo-a:0 !stream-a-recv:0", "p2: !stream-b-recv:0"],
         ["p1: timeo-a:0 !stream-a-recv:0", "p2: stream-b:0"],
         "p1>p2 p2>p1", "unix", type="transient-cycle"),
    # The passed end is seen by nobody until it is received: no proof, of others neither.
    Case("descriptor_on_its_way",
         ["p1: pass-a:1 !stream-a-recv:0", "p2: stream-b:1 !stream-b-recv:0"],
         ["p1: pass-a:1 !stream-a-recv:0", "p2: stream-b:1 stream-b:0"],
         "p1>p2 p2>p1", "unix", verdict="likely", alone=True),
    Case("end_shared_with_an_idle_child",
         ["p1: shm:0 fork:c1 sync !stream-a-recv:0", "c1: stream-a:0", "p2: stream-b:0 sync !shm:0"],
         ["p1: shm:0 fork:c1 sync !stream-a-recv:0", "c1: stream-a:0", "p2: stream-b:0 sync"],
         "p1>p2 p2>p1", "unix futex", verdict="likely"),
    Case("socket_mutex_pipe_and_flock",
         ["p1: stream-a:0 flock:0 sync !shm:0", "p2: shm:0 sync !read:0",
          "p3: wend:0 sync !stream-b-recv:0", "p4: sync !flock:0"],
         ["p1: stream-a:0 flock:0 sync", "p2: shm:0 sync !read:0",
          "p3: wend:0 sync !stream-b-recv:0", "p4: sync !flock:0"],
         "p1>p2 p2>p3 p3>p1", "futex pipe:R unix", victims="p4"),
]

if __name__ == "__main__":
    run(twins(CASES))
