"""The runs that are shown to monitors: captured machines, a log alone, the demo, and runs that cannot judge."""

import json
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\"}
FOUR = "(0000:00:1d.0)(0000:00:1d.1)(0000:00:1d.2)(0000:00:1d.7)"


@dataclass
class Run:
    name: str
    command: list  # without the form

    def once(self, *more):
        return subprocess.run([*self.command, *more], capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL)

    def report(self):
        """The JSON report, which a file gets even where nothing is printed, and the exit status."""
        with tempfile.NamedTemporaryFile() as file:
            status = self.once("--format", "json", "--output", file.name).returncode
            return json.loads(Path(file.name).read_bytes()), status


def contents(text):
    """The bytes that a line of a manifest stands for (testdata/manifest.py)."""
    def letter(found):
        code = found.group(1)
        return chr(int(code[1:], 16)) if code.startswith("x") else ESCAPES[code]
    return re.sub(r"\\(x[0-9a-f]{2}|[nrt\\])", letter, text).encode("latin-1")


def unpack(capture, root):
    """Makes the directory that a capture was made from."""
    for line in (capture / "root.txt").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        path, _, rest = line.partition(" ")
        kind, _, value = rest.partition(" ")
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if kind == "=":
            target.write_bytes(contents(value))
        elif kind == "->":
            target.symlink_to(contents(value).decode())
        else:
            # What could not be read there cannot be read here either: a directory is no file.
            target.mkdir(exist_ok=True)
    (root / "dev").mkdir(exist_ok=True)
    (root / "dev/kmsg").write_bytes((capture / "kmsg.raw").read_bytes())


def runs(top, binary, folder):
    found = []
    for capture in sorted([*(top / "testdata/dom0").iterdir(), *(top / "testdata/captures").iterdir()]):
        if (capture / "root.txt").exists():
            root = folder / capture.parent.name / capture.name
            unpack(capture, root)
            found.append(Run(f"{capture.parent.name}-{capture.name}", [binary, "--root", root]))
    plain = top / "testdata/captures/all-seized/dmesg.txt"
    hostile = folder / "a|b=9;;'x'.log"
    hostile.write_bytes(b"<3>[    1.0] xen_pciback: Error parsing pci_devs_to_hide at \"|x=1;\\n\x1b[2J\"\n" * 2)
    found += [
        Run("author-unstated", [binary, "--hide", FOUR, plain]),
        Run("author-accepted", [binary, "--fail-on", "critical", "--hide", FOUR, plain]),
        Run("hostile", [binary, "-v", "--hide", "(00:1d.0", hostile]),
        Run("nothing-requested", [binary, "--if-requested", "--root", folder]),
        Run("log-unreadable", [binary, "--device", "00:1d.0", "/nowhere"]),
        Run("demo", [binary, "demo"]),
        Run("demo-verbose", [binary, "demo", "-v"]),
    ]
    return found
