"""Programs out of Debian packages: downloaded and unpacked, never installed."""

import os
import subprocess


class PackageError(Exception):
    pass


class Tools:
    def __init__(self, home):
        self.home = home

    def program(self, package, path):
        """The program at `path` of `package`, fetched unless it is here from an earlier run."""
        unpacked = self.home / package
        program = unpacked / path
        if not program.exists():
            self.fetch(package, unpacked)
        if not program.exists():
            raise PackageError(f"Debian's package {package} holds no {path}")
        return program

    def fetch(self, package, unpacked):
        self.home.mkdir(parents=True, exist_ok=True)
        if self.download(package).returncode != 0 and os.geteuid() == 0:
            # A fresh machine has no package lists, and old ones name files that are gone.
            subprocess.run(["apt-get", "-q", "update"], capture_output=True, check=False)
        done = self.download(package)
        files = sorted(self.home.glob(f"{package}_*.deb"), key=lambda file: file.stat().st_mtime)
        if done.returncode != 0 or not files:
            raise PackageError(f"apt-get download {package}: {done.stderr.strip()}")
        subprocess.run(["dpkg", "-x", files[-1], unpacked], check=True)

    def download(self, package):
        """Downloads nothing when the file is here already."""
        command = ["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", package]
        return subprocess.run(command, cwd=self.home, capture_output=True, text=True, check=False)
