"""What `scan` says, held against what `check` says of the original captures."""

import json
import subprocess
from collections import Counter

from boots import LIST


class Answer:
    """One run of `scan`."""

    def __init__(self, command, ran):
        self.command = command
        self.status = ran.returncode
        self.errors = ran.stderr
        self.reports = [json.loads(line) for line in ran.stdout.splitlines()]
        # The time of the judgement is all that may differ from run to run.
        self.text = json.dumps([{**report, "time": None} for report in self.reports])

    def of(self, host):
        return [report for report in self.reports if report["host"] == host]

    def unreadable(self):
        """What could not be read, in words."""
        return [finding["message"] for report in self.reports for finding in report["findings"]
                if finding["code"] == "log-unreadable"]


class Scan:
    """The program, and how often it ran."""

    def __init__(self, binary):
        self.binary = binary
        self.runs = 0

    def command(self, paths, *more):
        return [self.binary, "scan", "--format", "json", "--timeout", "60", *more, *paths]

    def run(self, paths, *more, stdin=subprocess.DEVNULL):
        command = self.command(paths, *more)
        return self.answer(command, subprocess.run(command, stdin=stdin, capture_output=True, text=True, check=False))

    def answer(self, command, ran):
        self.runs += 1
        return Answer(command, ran)


def sane(name, answer):
    """What no run may do, whatever it was given."""
    if answer.status not in range(4) or "panicked" in answer.errors or "defect" in answer.errors:
        yield f"{name}: status {answer.status}, {answer.errors.strip()}"


def same(name, scan, paths, boots, may_differ=frozenset(), *, tells_authors=False):
    """Holds that these logs have these boots and no more, each judged as its original is, for any number of threads."""
    options = ["--hide", LIST] if tells_authors else ["--hide", LIST, "--trust-log"]
    answer = scan.run(paths, "--threads", "1", *options)
    yield from sane(name, answer)
    if answer.errors:
        yield f"{name}: says {answer.errors.strip()}"
    if scan.run(paths, "--threads", "2", *options).text != answer.text:
        yield f"{name}: another answer with two threads"
    yield from held(name, answer, boots, may_differ)
    if not tells_authors:
        answer = scan.run(paths, "--hide", LIST)
        yield from held(f"{name}, not trusted", answer, boots, may_differ, doubted=True)


def held(name, answer, boots, may_differ=frozenset(), *, doubted=False):
    """Holds an answer against the boots that went in. `doubted`: the form does not say who wrote a record, and was not trusted."""
    expected = {}
    for boot in boots:
        # A boot without Xen says nothing of dom0, and is set aside where the host has another one.
        if boot.capture != "no-xen":
            expected.setdefault(boot.host, []).append(boot)
    hosts = Counter(report["host"] for report in answer.reports)
    wanted = Counter({host: len(of) for host, of in expected.items()})
    if hosts != wanted:
        yield f"{name}: boots {dict(hosts)}, not {dict(wanted)} {answer.unreadable()}"
        return
    for host, of in expected.items():
        for number, (boot, report) in enumerate(zip(of, answer.of(host))):
            said, original = in_short(report, may_differ), in_short(boot.report, may_differ, doubted)
            # What user space wrote into the kernel's log casts a doubt where another log of the boot does not say who wrote it.
            if boot.capture == "forged-lines" and said[0] == "unknown":
                continue
            if said != original:
                yield f"{name}: {host}, boot {number} ({boot.capture}): {said}, but the original: {original}"


def in_short(report, may_differ=frozenset(), doubted=False):
    """Verdict, statuses and codes, without the codes that may differ. These always may:

    `author-unstated` says that the form does not tell who wrote a record, and that of the originals does;
    `stale-boot` says that a log has older boots, and a scan judges each on its own."""
    left_out = {"author-unstated", "stale-boot", *may_differ}
    verdict = report["verdict"]
    if doubted and verdict == "ok":
        # What any user can have written is good for a warning at best.
        verdict = "warning"
    codes = sorted({finding["code"] for finding in report["findings"]} - left_out)
    return verdict, [(device["address"], device["status"]) for device in report["devices"]], codes
