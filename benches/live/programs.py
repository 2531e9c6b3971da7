"""The programs that are measured, and the processes that read their pipes."""

import gc
import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]


class Programs:
    def __init__(self, debug=False):
        target = Path(os.environ.get("CARGO_TARGET_DIR", TOP / "target")) / ("debug" if debug else "release")
        self.audit = target / "pciback-audit"
        self.endless = target / "examples/endless"
        self.followers = {
            "ours": [target / "examples/follow"],
            "dmesg": ["dmesg", "--follow"],
            "rmesg": [target / "examples/rmesg_follow", "kmsg"],
            "rmesg klogctl": [target / "examples/rmesg_follow", "klogctl"],
        }
        for path in [self.audit, self.endless, *(command[0] for command in self.followers.values())]:
            if isinstance(path, Path) and not path.exists():
                sys.exit(f"{path} is not there: cargo build --bins --examples{'' if debug else ' --release'}")


class Follower:
    """A running program, and a process of its own that notes when each piece of its output came."""

    def __init__(self, name, command):
        self.name = name
        self.program = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.reader = Reader(self.program.stdout)

    def end(self):
        """Every line with the time of its arrival, in nanoseconds of the monotonic clock."""
        self.program.terminate()
        self.program.wait()
        return self.reader.lines()


class Reader:
    def __init__(self, pipe, other_end=None):
        self.parent, child = multiprocessing.Pipe(duplex=False)
        self.process = multiprocessing.Process(target=read, args=(pipe.fileno(), other_end, child))
        self.process.start()
        child.close()
        pipe.close()

    def lines(self):
        pieces = self.parent.recv()
        self.process.join()
        lines, rest = [], b""
        for when, piece in pieces:
            *whole, rest = (rest + piece).split(b"\n")
            lines.extend((when, line) for line in whole)
        return lines


def read(pipe, other_end, parent):
    gc.disable()
    if other_end is not None:
        # As long as it has this itself, it would never come to the end.
        os.close(other_end)
    pieces = []
    while piece := os.read(pipe, 1 << 16):
        pieces.append((time.monotonic_ns(), piece))
    parent.send(pieces)


def write(record):
    """Writes a record, and returns the time just before. The kernel limits the rate of each open file."""
    device = os.open("/dev/kmsg", os.O_WRONLY)
    try:
        when = time.monotonic_ns()
        # Without the line feed it would not be seen before the next record is written.
        os.write(device, record.encode() + b"\n")
    finally:
        os.close(device)
    return when


def ring():
    """Every record that the ring buffer holds."""
    device = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
    records = []
    try:
        while True:
            try:
                records.append(os.read(device, 16384))
            except BrokenPipeError:
                pass
    except BlockingIOError:
        return records
    finally:
        os.close(device)
