"""The logs, each made once. What is in them is written beside them."""

import json
import os
import shutil
import subprocess
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
PARTS = 8
MIB = 1 << 20


class Logs:
    def __init__(self, programs, size, rfc3339):
        self.archive = programs.archive
        self.size = size
        self.options = ["--rfc3339"] if rfc3339 else []
        name = f"{size >> 20}{'-rfc3339' if rfc3339 else ''}"
        self.directory = TOP / "target/scan-bench" / name
        self.directory.mkdir(parents=True, exist_ok=True)

    def log(self, *options):
        """A log of this size, and what it holds."""
        path = self.directory / f"{'-'.join(['log', *(option.strip('-') for option in options)])}"
        about = path.with_suffix(".json")
        if not about.exists():
            with path.open("wb") as out:
                command = [self.archive, "--bytes", str(self.size), *self.options, *options]
                said = subprocess.run(command, stdout=out, stderr=subprocess.PIPE, check=True).stderr
            forget(path)
            about.write_bytes(said)
        warm(path)
        return path, json.loads(about.read_text())

    def packed(self, path, tool, suffix):
        packed = path.with_name(path.name + suffix)
        if not packed.exists():
            self.pack([tool, "--stdout", path], packed)
            forget(packed)
        warm(packed)
        return packed

    def rotated(self, path):
        """The log in parts, as logrotate leaves them, the oldest with the highest number."""
        directory = path.with_name(path.name + "-rotated")
        parts = [directory / f"kern.log.{number}.gz" for number in range(PARTS, 0, -1)]
        if not directory.exists():
            making = directory.with_name(directory.name + ".part")
            shutil.rmtree(making, ignore_errors=True)
            making.mkdir()
            ends = ends_of_lines(path, PARTS)
            with path.open("rb") as log:
                for part, end in zip(parts, ends):
                    plain = making / part.stem
                    with plain.open("wb") as out:
                        while block := log.read(min(end - log.tell(), MIB)):
                            out.write(block)
                    subprocess.run(["gzip", plain], check=True)
                    forget(making / part.name)
            making.rename(directory)
        for part in parts:
            warm(part)
        return directory, parts

    @staticmethod
    def pack(command, path):
        making = path.with_name(path.name + ".part")
        with making.open("wb") as out:
            subprocess.run(command, stdout=out, check=True)
        making.rename(path)


def ends_of_lines(path, parts):
    """Where equal parts of a log end, with the line that does."""
    size = path.stat().st_size
    with path.open("rb") as log:
        for number in range(1, parts + 1):
            log.seek(size * number // parts)
            log.readline()
            yield log.tell()


def forget(path):
    """Has the page cache forget a file: so it comes from the disk the next time, as an archive does."""
    with path.open("rb") as log:
        os.fsync(log.fileno())
        os.posix_fadvise(log.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def warm(path):
    with path.open("rb", buffering=0) as log:
        block = bytearray(1 << 17)
        while log.readinto(block):
            pass
