"""A scenario: one file that says what to do in dom0 and what the report must say.

    # What is shown, in words.
    kernels: 6.1 newest
    cmdline: xen-pciback.hide=(0000:00:1d.0)
    --- steps
    modprobe xen-pciback
    audit now
    --- now
    exit 0
    device 1d.0 seized pciback

The keys before `--- steps` are those of KEYS; what steps can say is in guest/dom0.sh, guest/live.sh and guest/guest.sh; each other
part is named after an `audit NAME` (`audit_start`, `audit_inside`, `watch_start`) of the steps and holds lines of the kinds in
EXPECTATIONS. A part `--- file PATH` is a file that is there from the start, older than the boot.
"""

import re
from dataclasses import dataclass
from pathlib import Path

KEYS = {
    "kernels": "6.1",   # names out of kernels.py
    "further": "",      # kernels that only `run --further` boots: what is shown does not depend on them as far as is known
    "machine": "xen",   # or `bare` (no hypervisor); more flags: iommu, no-intremap, broken-bar, vga, card, guest (Xen's tools inside)
    "cmdline": "",      # more of dom0's kernel command line
    "seconds": "150",   # the whole boot's limit
    "memory": "1024",   # megabytes of the machine
    "table": "",        # a truth table that this boot makes
}
# kind: how many words follow at least, at most
EXPECTATIONS = {
    "exit": (1, 1),       # exit status
    "verdict": (1, 1),
    "device": (2, 3),     # ADDRESS STATUS [DRIVER]; all devices of the report, no more and no fewer
    "finding": (1, 2),    # CODE [ADDRESS]; all findings above info, no more and no fewer
    "info": (1, 2),       # CODE [ADDRESS]; among the findings of severity info
    "says": (2, 30),      # CODE WORD...; part of the message of a finding with this code, of any severity
    "never": (1, 2),      # CODE [ADDRESS]; with no severity at all
    "json": (2, 2),       # PATH VALUE; a member of the report, such as request.accepted false
    # of `audit_start` only:
    "took": (2, 2),       # < or >, SECONDS; from its start to its end
    "late": (2, 2),       # the same; from `audit_wait` to its end
    # of `watch_start` only, beside `exit`:
    "event": (1, 5),      # KIND [WORD...]; all its events in their order; each word is a value of the event
    "events": (1, 5),     # the same, once or more
    "stderr": (1, 30),    # part of a line of standard error; all its lines in their order
    "memory": (2, 2),     # < or >, KILOBYTES; each number that `memory` wrote down
    "growth": (2, 2),     # the same; from the first such number to the last
}


class ScenarioError(Exception):
    pass


@dataclass
class Scenario:
    name: str
    path: Path
    about: str
    settings: dict
    steps: str
    files: dict  # path inside -> text
    expected: dict  # name of a judgement -> [(line number, words)]

    @property
    def is_live(self):
        """Whether it is about what happens meanwhile: what its boot leaves shows nothing to a later judge."""
        return bool(re.search(r"^\s*(audit|watch)_start ", self.steps, re.M))

    @property
    def kernels(self):
        return self.settings["kernels"].split()

    @property
    def further(self):
        return self.settings["further"].split()

    @property
    def machine(self):
        return self.settings["machine"].split()


def long(address):
    """1d.0 -> 0000:00:1d.0; anything that is not an address stays as it is"""
    if re.fullmatch(r"[0-9a-f]{2}\.[0-7]", address):
        return "0000:00:" + address
    return "0000:" + address if re.fullmatch(r"[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]", address) else address


def read(path):
    path = Path(path)
    about, settings, parts = [], dict(KEYS), {}
    part = None
    for number, line in enumerate(path.read_text().splitlines(), 1):
        try:
            if line.startswith("--- "):
                part = line[4:].strip()
                if part in parts:
                    raise ScenarioError(f"second part named {part}")
                parts[part] = []
            elif part is not None:
                parts[part].append((number, line))
            elif line.startswith("#"):
                about.append(line.lstrip("# "))
            elif line.strip():
                key, _, value = line.partition(":")
                if key not in KEYS:
                    raise ScenarioError(f"unknown key {key}")
                settings[key] = value.strip()
        except ScenarioError as error:
            raise ScenarioError(f"{path}:{number}: {error}") from None
    if "steps" not in parts:
        raise ScenarioError(f"{path}: no part named steps")
    steps = text_of(parts.pop("steps"))
    files = {name.split()[1].lstrip("/"): text_of(lines) for name, lines in parts.items() if name.startswith("file ")}
    expected = {name: expectations(path, lines) for name, lines in parts.items() if not name.startswith("file ")}
    scenario = Scenario(path.stem, path, " ".join(about), settings, steps, files, expected)
    check_names(scenario)
    return scenario


def text_of(lines):
    return "".join(line + "\n" for _, line in lines)


def expectations(path, lines):
    out = []
    for number, line in lines:
        words = line.split("#")[0].split()
        if not words:
            continue
        least, most = EXPECTATIONS.get(words[0], (0, -1))
        if not least <= len(words) - 1 <= most:
            raise ScenarioError(f"{path}:{number}: not an expectation: {line}")
        out.append((number, words))
    return out


def check_names(scenario):
    """A judgement that nothing is expected of, or an expectation that is never judged, is a slip of the pen."""
    asked = set(re.findall(r"^(?:[^#\n]*[ {;])?(?:audit(?:_start|_inside|_console)?|watch_start) (\S+)", scenario.steps, re.M))
    if asked != set(scenario.expected):
        odd = ", ".join(sorted(asked ^ set(scenario.expected)))
        raise ScenarioError(f"{scenario.path}: `audit NAME` and `--- NAME` do not pair up: {odd}")
