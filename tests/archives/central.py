"""Logs of a central rsyslogd, whole and rotated while it writes."""

from dataclasses import replace

from answers import held, same
from boots import LIST
from daemons import ROTATED, WHOLE, Rsyslogd, messages, rotate

# Several of them at once: as a machine has them, and as a central server keeps them.
TOGETHER = [("remote", "both", "auth"), ("numbered", "dated", "xz", "zstd", "copied"), ("hosts-gz", "both")]

# In the kernel's log, what user space wrote there stands among its records. A syslog has the writer's name before it.
BY_THE_FORM = {"forged-record"}


def write(programs, boots, home):
    """Three days in a minute: everything is sent, and rotated twice in between."""
    sent = messages(boots)
    daemon = Rsyslogd(programs, home)
    try:
        first, second = cuts(sent, boots)
        for turn, part in enumerate([sent[:first], sent[first:second], sent[second:]]):
            if turn > 0:
                rotate(programs, daemon, turn - 1)
            daemon.send(part)
    finally:
        daemon.stop()


def cuts(sent, boots):
    """Where to rotate: in the middle of one host's load, and within the second boot of several."""
    second = next(boot for boot in boots if boot.host == "dom0-a" and boot.capture == "silently-ignored")
    seizing = [at for at, (_, host, _, tag, text) in enumerate(sent)
               if host == "dom0-a" and tag == "kernel" and text.endswith("seizing device")]
    late = next(at for at, (when, *_) in enumerate(sent) if when > second.start + 29)
    return seizing[1] + 1, late


def check(scan, home, boots):
    for name in [*WHOLE, *ROTATED]:
        if name != "auth":
            yield from same(name, scan, [home / name], boots, BY_THE_FORM)
    for names in TOGETHER:
        yield from same("+".join(names), scan, [home / name for name in names], boots, BY_THE_FORM)
    # Logs that the kernel does not write into tell of no boot.
    answer = scan.run([home / "auth"], "--hide", LIST)
    if answer.reports or answer.status != 3:
        yield f"auth alone: status {answer.status}, {answer.text}"
    yield from own_lists(scan, home, boots)


def own_lists(scan, home, boots):
    """Without `--hide` each boot is held against its own command line, from the first on that speaks of pciback."""
    speaking = {}
    for boot in boots:
        if boot.host in speaking or any("pciback" in record.text for record in boot.records):
            speaking.setdefault(boot.host, []).append(replace(boot, report=boot.own))
    for name in ["rfc5424", "remote"]:
        answer = scan.run([home / name], "--trust-log")
        yield from held(f"{name}, own lists", answer, sum(speaking.values(), []), BY_THE_FORM)
