"""Root file systems of Debian, made by its own tools: debootstrap, apt in a chroot, mke2fs."""

import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path

import packages

SUITE = "bookworm"
BASE = "systemd-sysv,udev,kmod,zstd,ca-certificates,procps"
XEN = ["xen-utils-4.17", "xen-utils-common", "xenstore-utils"]
DISK = 2 << 30      # bytes; sparse
LABEL = "dom0root"
# The tree is thrown away; and what no machine here has is not unpacked, nor packed into boot images.
DPKG = """force-unsafe-io
path-exclude=/usr/share/doc/*
path-exclude=/usr/share/man/*
path-exclude=/usr/share/locale/*
path-exclude=/lib/modules/*/kernel/drivers/gpu/*
path-exclude=/lib/modules/*/kernel/drivers/infiniband/*
path-exclude=/lib/modules/*/kernel/drivers/media/*
path-exclude=/lib/modules/*/kernel/drivers/net/wireless/*
path-exclude=/lib/modules/*/kernel/drivers/staging/*
path-exclude=/lib/modules/*/kernel/sound/*
"""
SHIMS = "run/shims"  # below a root while commands run in it, and in the PATH of these


class TreeError(Exception):
    pass


def command(words, log, **settings):
    """Runs a command whose words go to a log file; its end is in the error."""
    with open(log, "ab") as out:
        out.write(f"+ {' '.join(str(word) for word in words)}\n".encode())
        out.flush()
        done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=False, **settings)
    if done.returncode:
        tail = Path(log).read_text(errors="replace").splitlines()[-20:]
        raise TreeError("\n".join([f"{words[0]} ended with status {done.returncode}; {log} ends with:", *tail]))


class Root:
    """The files of a machine, below a directory of this one."""

    def __init__(self, path, log):
        self.path, self.log = Path(path), log

    def write(self, path, text, mode=0o644):
        target = self.path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text if isinstance(text, bytes) else text.encode())
        target.chmod(mode)

    def run(self, *words):
        """A command in a chroot. Directories of this machine are in no path of its environment."""
        environment = {"PATH": f"/{SHIMS}:/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", "HOME": "/root",
                       "LC_ALL": "C.UTF-8"}
        environment.update({key: os.environ[key] for key in ("http_proxy", "https_proxy", "no_proxy") if key in os.environ})
        # In a mount namespace of its own nothing stays mounted, however it ends.
        inside = 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"'
        command(["unshare", "--mount", "sh", "-c", inside, self.path, *words], self.log, env=environment)

    def install(self, *names):
        self.run("apt-get", "install", "-y", "-q", "--no-install-recommends", *names)

    @contextmanager
    def uname(self, release):
        """What asks for the running kernel's release is told that of the dom0: a chroot shows this machine's."""
        self.write(f"{SHIMS}/uname", f'#!/bin/sh\n[ "$*" = -r ] && exec echo {release}\nexec /bin/uname "$@"\n', 0o755)
        try:
            yield
        finally:
            shutil.rmtree(self.path / SHIMS)

    def image(self, path):
        """An ext4 image of these files; mke2fs needs no loop device."""
        Path(path).unlink(missing_ok=True)
        with open(path, "wb") as disk:
            disk.truncate(DISK)
        command(["mke2fs", "-q", "-t", "ext4", "-L", LABEL, "-d", self.path, "-E", "root_owner=0:0,lazy_itable_init=0", path], self.log)


def base(path, log):
    """What every dom0 here starts from: systemd, and Xen's own tools, but no kernel and no maker of boot images."""
    debian, security = packages.mirrors()
    command(["debootstrap", "--variant=minbase", f"--include={BASE}", SUITE, path, debian], log)
    root = Root(path, log)
    sources = [f"deb {debian} {SUITE} main", f"deb {debian} {SUITE}-updates main", f"deb {security} {SUITE}-security main"]
    root.write("etc/apt/sources.list", "\n".join(sources) + "\n")
    root.write("etc/dpkg/dpkg.cfg.d/quick", DPKG)
    root.write("etc/apt/apt.conf.d/quick", 'Acquire::Languages "none";\n')
    root.write("usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", 0o755)  # no service is started in a chroot
    root.run("apt-get", "update", "-q")
    root.install(*XEN)
    root.write("etc/fstab", f"LABEL={LABEL} / ext4 errors=remount-ro 0 1\n")
    root.write("etc/hostname", "dom0\n")
    root.run("passwd", "-d", "root")
    return root


def copy(root, path, log):
    command(["cp", "-a", "--reflink=auto", root.path, path], log)
    return Root(path, log)
