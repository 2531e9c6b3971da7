"""Journals as systemd-journal-remote makes them and journalctl shows them."""

import re
import subprocess
from dataclasses import replace

from answers import same
from boots import LIST
from daemons import ENVIRONMENT

LISTENS = 15  # seconds after the start: what the kernel said before, journald wrote down then
FORMS = ["export", "json", "short", "short-iso", "short-precise", "short-full", "short-monotonic", "verbose"]
TELL_AUTHORS = ["export", "json", "verbose"]


def entry(boot, boot_id, number, record):
    """What journald makes of a record of the kernel's log (src/journal/journald-kmsg.c)."""
    wall = round(boot.wall(record, LISTENS) * 1e6)
    fields = [
        f"__CURSOR=s={'5' * 32};i={number:x};b={boot_id};m={wall:x};t={wall:x};x={number:x}",
        f"__REALTIME_TIMESTAMP={wall}",
        f"__MONOTONIC_TIMESTAMP={max(record.uptime, LISTENS * 10**6)}",
        f"_BOOT_ID={boot_id}",
        f"_SOURCE_MONOTONIC_TIMESTAMP={record.uptime}",
        "_TRANSPORT=kernel",
        f"PRIORITY={record.level}",
        f"SYSLOG_FACILITY={record.facility}",
        f"_MACHINE_ID={machine(boot.host)}",
        f"_HOSTNAME={boot.host}",
    ]
    text = record.text
    if record.facility == 0:
        fields.append("SYSLOG_IDENTIFIER=kernel")
    elif found := re.match(r"(\S+): (.*)", text):
        fields.append(f"SYSLOG_IDENTIFIER={found[1]}")
        text = found[2]
    if record.device:
        fields.append(f"_KERNEL_DEVICE={record.device}")
    lines = "".join(f"{field}\n" for field in fields).encode()
    message = text.encode("latin-1")
    if text.isprintable():
        return lines + b"MESSAGE=" + message + b"\n\n"
    return lines + b"MESSAGE\n" + len(message).to_bytes(8, "little") + message + b"\n\n"


def machine(host):
    return host.encode().hex().ljust(32, "0")


def export(boots):
    """The boots in the export format, in the order in which they were written down."""
    entries = []
    for turn, boot in enumerate(boots):
        boot_id = f"{turn + 1:x}".rjust(32, "b")
        entries += [(boot.wall(record, LISTENS), entry(boot, boot_id, number, record))
                    for number, record in enumerate(boot.records, 1)]
    return b"".join(text for _, text in sorted(entries, key=lambda one: one[0]))


def moved(original, boot):
    """journald's own export of a boot as if another host had written it at another time."""
    first = int(re.search(rb"__REALTIME_TIMESTAMP=(\d+)", original)[1])
    by = round(boot.start * 1e6) - first
    text = re.sub(rb"__REALTIME_TIMESTAMP=(\d+)", lambda at: b"__REALTIME_TIMESTAMP=%d" % (int(at[1]) + by), original)
    text = re.sub(rb"_SOURCE_REALTIME_TIMESTAMP=(\d+)",
                  lambda at: b"_SOURCE_REALTIME_TIMESTAMP=%d" % (int(at[1]) + by), text)
    boot_id = machine(boot.host)[::-1].encode()
    text = re.sub(rb"^_BOOT_ID=.*", b"_BOOT_ID=" + boot_id, text, flags=re.MULTILINE)
    text = re.sub(rb"^(__CURSOR=.*;b=)[0-9a-f]+", rb"\g<1>" + boot_id, text, flags=re.MULTILINE)
    return re.sub(rb"^_HOSTNAME=.*", b"_HOSTNAME=" + boot.host.encode(), text, flags=re.MULTILINE)


class Journal:
    def __init__(self, programs, file, *exports, compact=True):
        self.programs = programs
        self.file = file
        self.environment = {**ENVIRONMENT, **programs.libraries}
        for number, text in enumerate(exports):
            source = file.with_suffix(f".{number}.export")
            source.write_bytes(text)
            environment = {**self.environment, "SYSTEMD_JOURNAL_COMPACT": str(int(compact))}
            ran = subprocess.run([programs.journal_remote, "-o", file, source], env=environment, capture_output=True, text=True,
                                 check=False, stdin=subprocess.DEVNULL)
            if ran.returncode != 0:
                raise SystemExit(f"archives: systemd-journal-remote ended with {ran.returncode}: {ran.stderr}")

    def show(self, form, to, *more):
        with to.open("wb") as output:
            subprocess.run([self.programs.journalctl, "--file", self.file, "-o", form, "--all", "--no-pager", *more],
                           env=self.environment, stdout=output, check=True)


# What is fed: two hosts of two boots, one whose boots end differently, in one journal, at the same time.
HOSTS = ["dom0-a", "dom0-d"]


def check(scan, programs, captures, boots, logs, home):
    home.mkdir()
    fed = [boot for boot in boots if boot.host in HOSTS]
    journal = Journal(programs, home / "fed.journal", export(fed))
    yield from shown(scan, journal, "fed", fed, home)
    # What the real journald exported, as that of two hosts.
    original = (captures.folder / "journal-formats/journalctl-k-export.txt").read_bytes()
    twice = [replace(boot, capture="journal-formats", report=captures.report("journal-formats", "--hide", LIST))
             for boot in boots if boot.host in ("dom0-c", "dom0-f")]
    journal = Journal(programs, home / "moved.journal", *[moved(original, boot) for boot in twice], compact=False)
    yield from shown(scan, journal, "moved", twice, home)
    yield from beside_syslogs(scan, programs, boots, logs, home)


def shown(scan, journal, name, boots, home):
    # The file itself, in each of its forms: `scan` reads it without journalctl.
    yield from same(f"{name} journal file", scan, [journal.file], boots, set(), tells_authors=True)
    for form in FORMS:
        file = home / f"{name}-{form}"
        journal.show(form, file)
        yield from same(f"{name} journal, {form}", scan, [file], boots, may_differ(form), tells_authors=form in TELL_AUTHORS)


def may_differ(form):
    # Behind a name as of a daemon, journalctl's short forms show what user space wrote into the kernel's log.
    return set() if form in TELL_AUTHORS else {"forged-record"}


def beside_syslogs(scan, programs, boots, logs, home):
    """A host has its kernel's records three times: each load and each boot was there once."""
    for host in HOSTS:
        own = [boot for boot in boots if boot.host == host]
        journal = Journal(programs, home / f"{host}.journal", export(own))
        for form in ["export", "json", "short-iso", "short"]:
            file = home / f"{host}-{form}"
            journal.show(form, file)
            paths = [logs / "remote" / host, logs / "both" / host, logs / "auth" / host, file]
            yield from same(f"{host}: kern.log, syslog and journal, {form}", scan, paths, own, {"forged-record"},
                            tells_authors=form in TELL_AUTHORS)
