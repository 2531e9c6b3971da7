"""The programs, out of Debian packages: downloaded and unpacked, never installed."""

import subprocess
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "monitoring"))

import packages

PackageError = packages.PackageError

# What a small Debian lacks of the libraries that the programs need. journalctl and its library are of the same build.
LIBRARIES = ["libestr0", "libfastjson4", "liblognorm5", "libpopt0", "libmicrohttpd12", "libsystemd-shared", "libapparmor1",
             "libip4tc2", "libkmod2", "libssl3", "libseccomp2", "libgnutls30", "libacl1"]


class Programs:
    def __init__(self, home):
        tools = packages.Tools(home)
        self.rsyslogd = tools.program("rsyslog", "usr/sbin/rsyslogd")
        self.rsyslog_modules = tools.program("rsyslog", "usr/lib/x86_64-linux-gnu/rsyslog")
        self.logrotate = tools.program("logrotate", "usr/sbin/logrotate")
        self.xz = tools.program("xz-utils", "usr/bin/xz")
        self.zstd = tools.program("zstd", "usr/bin/zstd")
        self.journal_remote = tools.program("systemd-journal-remote", "lib/systemd/systemd-journal-remote")
        self.journalctl = tools.program("systemd", "bin/journalctl")
        folders = []
        for package in LIBRARIES:
            unpacked = tools.program(package, "usr/share/doc").parents[2]
            folders += {str(file.parent) for file in unpacked.rglob("*.so*") if "engines" not in str(file)}
        self.libraries = {"LD_LIBRARY_PATH": ":".join(sorted(set(folders)))}
