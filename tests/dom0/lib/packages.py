"""Debian packages, downloaded and unpacked below target/dom0/, nothing installed.

Each suite gets its own apt configuration (sources, lists, cache), so the machine's own package lists stay
as they are, and a Debian 12 machine can fetch kernels of Debian 11 and of sid.
"""

import re
import subprocess
import time
from pathlib import Path

DEBIAN = "http://deb.debian.org/debian/"
SECURITY = "http://deb.debian.org/debian-security/"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
LISTS_ARE_FRESH = 12 * 3600  # seconds; a new kernel in sid is met within half a day


class PackageError(Exception):
    pass


def mirrors():
    """The Debian mirror and the security mirror this machine uses, as apt itself names them."""
    shown = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(CODENAME) $(REPO_URI)", "Created-By: Packages"],
        capture_output=True, text=True, check=False).stdout
    debian, security = DEBIAN, SECURITY
    for line in shown.splitlines():
        codename, _, uri = line.partition(" ")
        if codename == "bookworm":
            debian = uri
        elif codename == "bookworm-security":
            security = uri
    return debian, security


def version_key(text):
    """Orders `6.1.0-9` before `6.1.0-56`: digits count as numbers."""
    return [int(part) if part.isdigit() else part for part in re.findall(r"\d+|\D+", text)]


class Suite:
    """One Debian suite seen through a private apt configuration."""

    def __init__(self, top, name):
        self.name = name
        self.home = Path(top) / "apt" / name
        self.store = Path(top) / "packages"
        self.names = None

    def options(self):
        settings = {
            "Dir::Etc::sourcelist": self.home / "sources.list",
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::Etc::preferencesparts": "/dev/null",
            "Dir::State::lists": self.home / "lists",
            "Dir::State::status": "/dev/null",  # nothing counts as installed: every dependency is offered
            "Dir::Cache": self.home / "cache",
            "Acquire::Languages": "none",
            "Acquire::Check-Valid-Until": "false",  # archived suites stop renewing their signature
            "Acquire::Retries": "3",
            "Acquire::http::Timeout": "60",
            "APT::Sandbox::User": "root",
            "APT::Architecture": "amd64",
        }
        return [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]

    def write_sources(self):
        debian, security = mirrors()
        signed = f"[signed-by={KEYRING}] " if KEYRING.exists() else ""
        lines = [f"deb {signed}{debian} {self.name} main"]
        if self.name == "bookworm":
            lines.append(f"deb {signed}{security} {self.name}-security main")
        for folder in ("lists/partial", "cache/archives/partial"):
            (self.home / folder).mkdir(parents=True, exist_ok=True)
        (self.home / "sources.list").write_text("\n".join(lines) + "\n")

    def update(self):
        stamp = self.home / "updated"
        if stamp.exists() and time.time() - stamp.stat().st_mtime < LISTS_ARE_FRESH:
            return
        self.write_sources()
        done = subprocess.run(["apt-get", "-q", *self.options(), "update", "--error-on=any"],
                              capture_output=True, text=True, check=False)
        if done.returncode == 0:
            stamp.touch()
        elif stamp.exists():
            print(f"note: package lists of {self.name} could not be renewed, using those of an earlier run")
        else:
            raise PackageError(f"apt-get update for {self.name} failed:\n{done.stdout}{done.stderr}")

    def newest(self, pattern):
        """The newest package whose whole name matches; the first group is what versions are compared by."""
        if self.names is None:
            self.update()
            self.names = subprocess.run(["apt-cache", *self.options(), "pkgnames"],
                                        capture_output=True, text=True, check=True).stdout.split()
        found = [hit for hit in (re.fullmatch(pattern, name) for name in self.names) if hit]
        if not found:
            raise PackageError(f"{self.name} offers no package named {pattern}")
        return max(found, key=lambda hit: version_key(hit.group(1) if hit.groups() else hit.group(0))).group(0)

    def unpacked(self, name):
        """The folder that holds the package's files, downloaded and unpacked if it is not there yet."""
        self.update()
        shown = subprocess.run(["apt-cache", *self.options(), "show", "--no-all-versions", name],
                               capture_output=True, text=True, check=False)
        version = re.search(r"^Version: (.*)$", shown.stdout, re.M)
        if not version:
            raise PackageError(f"{self.name} offers no package {name}")
        folder = self.store / f"{name}_{version.group(1).replace(':', '%3a')}"
        if not folder.exists():
            self.download(name, folder)
        return folder

    def download(self, name, folder):
        partial = folder.with_name(folder.name + ".partial")
        subprocess.run(["rm", "-rf", partial], check=True)
        partial.mkdir(parents=True)
        done = subprocess.run(["apt-get", "-q", *self.options(), "download", name],
                              cwd=partial, capture_output=True, text=True, check=False)
        archives = list(partial.glob("*.deb"))
        if done.returncode or len(archives) != 1:
            raise PackageError(f"apt-get download {name} ({self.name}) failed:\n{done.stdout}{done.stderr}")
        subprocess.run(["dpkg-deb", "-x", archives[0], partial], check=True)
        archives[0].unlink()
        # Only a whole download gets the final name, so that an interrupted run is repeated, not believed.
        partial.rename(folder)
