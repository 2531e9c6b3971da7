"""What the machine that runs the tests must have, and what is built on it."""

import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

# program -> the Debian package that holds it
NEEDED = {
    "qemu-system-x86_64": "qemu-system-x86",
    "gcc": "gcc",
    "apt-get": "apt",
    "dpkg-deb": "dpkg",
    "gunzip": "gzip",
}
STATIC_LIBC = ("libc6-dev", ["/usr/lib/x86_64-linux-gnu/libc.a", "/usr/lib/libc.a"])
LARGEST = 8_090_000  # bytes; what a dom0's small root file system should be asked to hold


class HostError(Exception):
    pass


def install_what_lacks(more=None):
    """Installs missing packages when root, says which they are when not. `more`: as NEEDED."""
    needed = {**NEEDED, **(more or {})}
    lacking = sorted({package for program, package in needed.items() if not shutil.which(program)})
    if not any(Path(place).exists() for place in STATIC_LIBC[1]):
        lacking.append(STATIC_LIBC[0])
    if not lacking:
        return
    command = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *lacking]
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise HostError(f"not installed: {' '.join(lacking)}; as root: {' '.join(command)}")
    print(f"installing {' '.join(lacking)}", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (["apt-get", "update", "-q"], command):
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise HostError(f"{' '.join(words)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


def static_binary(top):
    """Builds the binary that runs in dom0: one file without shared libraries."""
    print("building the static binary", flush=True)
    target = Path(top) / os.environ.get("CARGO_TARGET_DIR", "target")
    if subprocess.run(["contrib/packages/static", target / "packages"], cwd=top, stdout=sys.stdout, check=False).returncode:
        raise HostError("contrib/packages/static failed")
    return target / "packages/pciback-audit"


def check_binary(path):
    """Refuses a binary that needs a dynamic loader (dom0's initramfs has none for it) or is too large."""
    data = Path(path).read_bytes()
    offset, size, count = struct.unpack_from("<Q", data, 32)[0], *struct.unpack_from("<HH", data, 54)
    kinds = [struct.unpack_from("<I", data, offset + at * size)[0] for at in range(count)]
    if 3 in kinds:  # PT_INTERP
        raise HostError(f"{path} is not static")
    if len(data) > LARGEST:
        raise HostError(f"{path} has {len(data)} bytes, {LARGEST} are allowed")
    print(f"static binary: {len(data) / 1e6:.1f} MB", flush=True)
    return data


def helpers(sources, folder):
    """The C programs of guest/, compiled: name -> bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for source in sorted(sources.glob("*.c")):
        program = folder / source.stem
        if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
            subprocess.run(["gcc", "-O2", "-s", "-Wall", "-Wextra", "-Werror", "-static", "-o", program, source], check=True)
        found[source.stem] = program.read_bytes()
    return found
