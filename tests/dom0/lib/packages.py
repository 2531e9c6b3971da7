"""Debian packages, downloaded and unpacked below target/dom0/, nothing installed.

Each suite gets its own apt configuration (sources, lists, cache), so the machine's own package lists stay
as they are, and a Debian 12 machine can fetch kernels of Debian 11 and of sid.
"""

import json
import re
import shutil
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
    named = dict(line.split(" ", 1) for line in shown.splitlines() if " " in line)
    return named.get("bookworm", DEBIAN), named.get("bookworm-security", SECURITY)


def version_key(text):
    """Orders `6.1.0-9` before `6.1.0-56`: digits count as numbers."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.findall(r"\d+|\D+", text)]


class Suite:
    """One Debian suite seen through a private apt configuration."""

    def __init__(self, top, name):
        self.name = name
        self.home = Path(top) / "apt" / name
        self.store = Path(top) / "packages"
        self.names = None
        # What a pattern was resolved to, so that a second run asks apt (a second per question) nothing.
        self.memory = self.home / "resolved.json"
        self.update()
        self.resolved = json.loads(self.memory.read_text()) if self.memory.exists() else {}

    def apt(self, *words, **settings):
        return subprocess.run([words[0], "-q", *self.options(), *words[1:]],
                              capture_output=True, text=True, check=False, **settings)

    def options(self):
        settings = {
            "Dir::Etc::sourcelist": self.home / "sources.list",
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::Etc::preferencesparts": "/dev/null",
            "Dir::State::lists": self.home / "lists",
            "Dir::State::status": "/dev/null",  # nothing counts as installed: every package is offered
            "Dir::Cache": self.home / "cache",
            "Acquire::Languages": "none",
            "Acquire::Check-Valid-Until": "false",  # archived suites stop renewing their signature
            "Acquire::Retries": "3",
            "Acquire::http::Timeout": "60",
            "APT::Sandbox::User": "root",
            "APT::Architecture": "amd64",
        }
        return [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]

    def update(self):
        stamp = self.home / "updated"
        if stamp.exists() and time.time() - stamp.stat().st_mtime < LISTS_ARE_FRESH:
            return
        self.write_sources()
        done = self.apt("apt-get", "update", "--error-on=any")
        if done.returncode == 0:
            stamp.touch()
            self.memory.unlink(missing_ok=True)
        elif stamp.exists():
            print(f"note: package lists of {self.name} could not be renewed, using those of an earlier run")
        else:
            raise PackageError(f"apt-get update for {self.name} failed:\n{done.stdout}{done.stderr}")

    def write_sources(self):
        debian, security = mirrors()
        signed = f"[signed-by={KEYRING}] " if KEYRING.exists() else ""
        lines = [f"deb {signed}{debian} {self.name} main"]
        if self.name == "bookworm":
            lines.append(f"deb {signed}{security} {self.name}-security main")
        for folder in ("lists/partial", "cache/archives/partial"):
            (self.home / folder).mkdir(parents=True, exist_ok=True)
        (self.home / "sources.list").write_text("\n".join(lines) + "\n")

    def unpacked(self, pattern):
        """The folder with the files of the newest package whose name matches; fetched if it is not there."""
        if pattern not in self.resolved:
            self.resolved[pattern] = self.resolve(pattern)
            self.memory.write_text(json.dumps(self.resolved, indent=1))
        name, version = self.resolved[pattern]
        folder = self.store / f"{name}_{version.replace(':', '%3a')}"
        if not folder.exists():
            self.download(name, folder)
        return folder

    def resolve(self, pattern):
        if self.names is None:
            self.names = self.apt("apt-cache", "pkgnames").stdout.split()
        found = [name for name in self.names if re.fullmatch(pattern, name)]
        if not found:
            raise PackageError(f"{self.name} offers no package named {pattern}")
        name = max(found, key=version_key)
        shown = self.apt("apt-cache", "show", "--no-all-versions", name).stdout
        version = re.search(r"^Version: (.*)$", shown, re.M)
        if not version:
            raise PackageError(f"{self.name} offers no version of {name}")
        return name, version.group(1)

    def download(self, name, folder):
        partial = folder.with_name(folder.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        done = self.apt("apt-get", "download", name, cwd=partial)
        archives = list(partial.glob("*.deb"))
        if done.returncode or len(archives) != 1:
            raise PackageError(f"apt-get download {name} ({self.name}) failed:\n{done.stdout}{done.stderr}")
        subprocess.run(["dpkg-deb", "-x", archives[0], partial], check=True)
        archives[0].unlink()
        # Only a whole download gets the final name, so that an interrupted run is repeated, not believed.
        partial.rename(folder)
