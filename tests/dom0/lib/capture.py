"""Captures: what a boot leaves behind, and how it becomes test data."""

import shutil
import tarfile
from pathlib import PurePosixPath

SAVED = ("kmsg.raw", "root.txt", "guest.log", "xl-dmesg.txt")


def unpack(disk, folder):
    """The results that dom0 wrote to its raw disk: name -> bytes. Empty when it never came to that."""
    found = {}
    try:
        with tarfile.open(disk, "r:") as archive:
            for member in archive:
                if member.isfile():
                    found[member.name.removeprefix("./")] = archive.extractfile(member).read()
    except tarfile.TarError:
        return {}
    if "root.txt" in found:
        found["root.txt"] = manifest(found["root.txt"])
    for name, data in found.items():
        (folder / name).write_bytes(data)
    disk.unlink()
    return found


def manifest(text):
    """Sorted by path, with the folders above each path, so that the tree can be built by reading downwards."""
    nodes = {}
    for line in text.decode("latin-1").splitlines():
        path = line.split(" ")[0]
        nodes[path.rstrip("/")] = line
        for parent in PurePosixPath(path).parents:
            if str(parent) != ".":
                nodes.setdefault(str(parent), f"{parent}/")
    return "".join(nodes[path] + "\n" for path in sorted(nodes)).encode("latin-1")


def whole(folder):
    """Whether the steps came to their end, so that the capture is of what the scenario describes."""
    status = folder / "steps.rc"
    return status.exists() and status.read_text().strip() == "0" and all((folder / name).exists() for name in SAVED[:2])


def save(scenario, source, target, forms):
    """Copies a capture to the test data, with the scenario that made it; with every form of the log if asked for."""
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted(source.iterdir()):
        if path.name in SAVED or (forms and (path.name.startswith("dmesg") or path.name == "serial.log")):
            shutil.copyfile(path, target / path.name)
    shutil.copyfile(scenario.path, target / "made-by.scenario")
