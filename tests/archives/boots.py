"""The captures as boots of several hosts, and what `check` says of each."""

import json
import re
import subprocess
from dataclasses import dataclass
from functools import cache

LIST = "(0000:00:1d.0)(0000:00:1d.1)(0000:00:1d.2)(0000:00:1d.7)"

# Every capture, hosts with two boots that end differently, and one with the same boot twice.
HOSTS = {
    "dom0-a": ["all-seized", "silently-ignored"],
    "dom0-b": ["no-xen", "all-seized"],
    "dom0-c": ["list-refused"],
    "dom0-d": ["stale-seizing-lines", "forged-lines"],
    "dom0-e": ["absent-devices", "list-on-command-line"],
    "dom0-f": ["bound-but-unusable"],
    "dom0-g": ["silently-ignored", "journal-formats"],
    "dom0-h": ["all-seized", "all-seized"],
}
STAGGERED = 7  # seconds between the starts of two hosts: their lines stand among each other
APART = 1200  # seconds between the boots of one


@dataclass
class Record:
    level: int  # the lowest three bits of what the kernel calls the priority
    facility: int
    uptime: int  # microseconds
    text: str
    device: str


@dataclass
class Boot:
    host: str
    capture: str
    start: float  # seconds since 1970, when its clock showed zero
    records: list
    report: dict  # what `check` says of the original
    own: dict  # and what it says when it is not told of a list

    def wall(self, record, listens):
        """When a daemon that began to listen so many seconds after the start wrote a record down."""
        return self.start + max(record.uptime / 1e6, listens)


class Captures:
    def __init__(self, top, binary):
        self.folder = top / "testdata/captures"
        self.binary = binary

    @cache
    def records(self, capture):
        found = []
        for line in (self.folder / capture / "kmsg.raw").read_text("latin-1").splitlines():
            if line.startswith(" DEVICE="):
                found[-1].device = line.removeprefix(" DEVICE=")
            elif not line.startswith(" "):
                head, _, text = line.partition(";")
                priority, _, uptime, *_ = head.split(",")
                text = re.sub(r"\\x([0-9a-f]{2})", lambda code: chr(int(code[1], 16)), text)
                found.append(Record(int(priority) & 7, int(priority) >> 3, int(uptime), text, ""))
        return found

    @cache
    def report(self, capture, *asked):
        log = self.folder / capture / "kmsg.raw"
        command = [self.binary, "check", "--format", "json", "--log", log, *asked]
        return json.loads(subprocess.run(command, capture_output=True, text=True, check=False).stdout)

    def boots(self, now):
        """The boots of all hosts, all of them over by `now`."""
        start = now - 2 * 3600
        for number, (host, captures) in enumerate(HOSTS.items()):
            for turn, capture in enumerate(captures):
                begin = start + number * STAGGERED + turn * APART
                yield Boot(host, capture, begin, self.records(capture), self.report(capture, "--hide", LIST),
                           self.report(capture))
