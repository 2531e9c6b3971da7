"""The programs that are measured, and one run of them."""

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
TOOLS = TOP / "target/tools"
RIPGREP = "^15"


class Programs:
    def __init__(self, quick, binary):
        target = Path(os.environ.get("CARGO_TARGET_DIR", TOP / "target"))
        builds = ["release", "debug"] if quick else ["dist"]
        self.archive = self.built(target, builds, "examples/archive")
        self.audit = binary or self.built(target, builds, "pciback-audit")
        if subprocess.run([self.audit, "scan", "--help"], capture_output=True).returncode != 0:
            sys.exit(f"{self.audit} has no `scan`")
        self.rg = ripgrep(quick)

    @staticmethod
    def built(target, builds, name):
        found = [target / build / name for build in builds if (target / build / name).exists()]
        if not found:
            sys.exit(f"{target / builds[0] / name} is not there: cargo build --profile dist --bins --example archive")
        return max(found, key=lambda path: path.stat().st_mtime)


def ripgrep(quick):
    """ripgrep, built if it is not there. A quick run does without rather than build it."""
    path = TOOLS / "bin/rg"
    if not path.exists() and not quick:
        install = ["cargo", "install", "--quiet", "--locked", "--root", TOOLS, "--target-dir", TOOLS / "build"]
        subprocess.run([*install, "ripgrep", "--version", RIPGREP], check=True)
    return path if path.exists() else None


@dataclass
class Run:
    wall: float
    cpu: float
    rss: int
    output: bytes
    status: int


def run(command, directory=None):
    """Runs a command to its end: a list, or a text for the shell. Memory is that of its largest process, in bytes, and at
    least what this one once had itself, which the kernel counts as well: so this one reads nothing large at once."""
    environment = {**os.environ, "LC_ALL": "C"}
    with tempfile.TemporaryFile() as output:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, shell=isinstance(command, str), stdin=subprocess.DEVNULL, stdout=output, env=environment, cwd=directory
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        said = output.read()
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, said, process.returncode)
