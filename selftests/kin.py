# SPDX-License-Identifier: GPL-2.0
"""Processes that lock files crosswise, and parents of one that waits for a file; some are
the reader's kin.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile

from gltest import READY_SECS, read_line, wait_until, wchan

# With little of what it looks for first: it starts slowly, and imports what it needs.
PYTHON = (sys.executable, "-I", "-S", "-c")

# Takes its first file, tells so, and waits for the second; with "thread" another
# thread of it is there, and has both; with "reader" a child that becomes the reader
# has the first, too.
LOCKER = """
import fcntl, sys
a, b = (open(name, "w") for name in sys.argv[1:3])
fcntl.flock(a, fcntl.LOCK_EX)
if "thread" in sys.argv:
    import threading, time
    threading.Thread(target=time.sleep, args=(3000,)).start()
if "reader" in sys.argv:
    import subprocess
    subprocess.Popen(["sh", "-c", "read _ <go; exec gridlock check --for 1 --json >told"],
                     pass_fds=[a.fileno()])
print("ready", flush=True)
sys.stdin.readline()
fcntl.flock(b, fcntl.LOCK_EX)
"""

# Has a file that its child waits for, and waits: for any child, or with "pipe" for
# what comes by a pipe that the child could write to, too. With "reader" it is the
# reader's parent, and waits for that; it then tells what the reader said.
PARENT = """
import fcntl, os, sys, time
path = sys.argv[1]
lock, ends = open(path, "w"), os.pipe()
fcntl.flock(lock, fcntl.LOCK_EX)
child = os.fork()
if not child:
    os.close(ends[0])
    lock.close()
    fcntl.flock(open(path, "w"), fcntl.LOCK_EX)
    os._exit(0)
while "lock" not in open(f"/proc/{child}/wchan").read():
    time.sleep(0.001)
if "reader" in sys.argv:
    import json, subprocess
    told = ends[1] if "pipe" in sys.argv else open(path + ".told", "w")
    subprocess.Popen(["gridlock", "check", "--for", "1", "--json"], stdout=told)
os.close(ends[1])
print(os.getpid(), child, flush=True)
said = ""
while "pipe" in sys.argv and not said.endswith("\\n}\\n"):
    said += os.read(ends[0], 1 << 20).decode()
if "pipe" not in sys.argv:
    os.wait()
    said = open(path + ".told").read()
print(json.dumps(json.loads(said)), flush=True)
os.kill(child, 9)
"""


@contextlib.contextmanager
def lockers(*extra, cwd=None):
    """Two processes that take two files crosswise; the first with @extra arguments."""
    folder = tempfile.mkdtemp()
    files = [os.path.join(folder, name) for name in "ab"]
    running = [subprocess.Popen([*PYTHON, LOCKER, *order, *more], cwd=cwd,
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
               for order, more in ((files, extra), (files[::-1], ()))]
    try:
        for process in running:
            read_line(process.stdout, READY_SECS)
        for process in running:
            print(file=process.stdin, flush=True)
        for process in running:
            wait_until(lambda: "lock" in wchan(process.pid), "both wait for a file")
        yield [process.pid for process in running]
    finally:
        for process in running:
            process.kill()
            process.communicate()
        shutil.rmtree(folder)


@contextlib.contextmanager
def parent(*how):
    """Gives the process and its child, and what it says next."""
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen([*PYTHON, PARENT, f"{folder}/file", *how],
                                   stdout=subprocess.PIPE, text=True)
        pids = []
        try:
            pids = [int(pid) for pid in read_line(process.stdout, READY_SECS).split()]
            yield pids, process.stdout
        finally:
            for pid in pids[1:]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.kill()
            process.wait()
            process.stdout.close()
