"""The initramfs of dom0: programs out of Debian's packages, the modules, our binary, one scenario's steps."""

import stat
import subprocess
from pathlib import Path

LIBRARIES = "usr/lib/x86_64-linux-gnu/ lib/x86_64-linux-gnu/".split()

# package: what is taken of it. A name without a slash is a library, looked for where Debian puts them.
PROGRAMS = {
    "busybox-static": ["bin/busybox"],
    "kmod": ["bin/kmod"],
    "util-linux": ["bin/dmesg"],
    "libc6": ["libc.so.6", "ld-linux-x86-64.so.2"],
    "libkmod2": ["libkmod.so.2"],
    "liblzma5": ["liblzma.so.5"],
    "libzstd1": ["libzstd.so.1"],
    "libssl3": ["libcrypto.so.3"],
    "libtinfo6": ["libtinfo.so.6"],
}

APPLETS = """
    sh cat ls ln mkdir mount umount sleep grep sed cut tr head tail wc sort timeout tar test echo printf dd sync
    insmod rmmod lsmod env kill ps dmesg poweroff rm cp touch seq true false mke2fs swapon mkswap readlink basename tee ip uname
""".split()


class Cpio:
    """A `newc` archive, which is all the kernel needs; files belong to root, times are left at zero."""

    def __init__(self):
        self.chunks, self.inode, self.seen = [], 0, set()

    def entry(self, path, mode, data=b"", device=(0, 0)):
        self.parents(path)
        self.inode += 1
        name = path.encode() + b"\0"
        fields = (self.inode, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(name), 0)
        head = b"070701" + b"".join(b"%08X" % field for field in fields) + name
        self.chunks += [head, bytes(-len(head) % 4), data, bytes(-len(data) % 4)]

    def parents(self, path):
        for parent in reversed(Path(path).parents):
            if str(parent) != "." and str(parent) not in self.seen:
                self.seen.add(str(parent))
                self.entry(str(parent), stat.S_IFDIR | 0o755)

    def folder(self, path):
        self.parents(path + "/x")

    def file(self, path, data, mode=0o644):
        self.entry(path, stat.S_IFREG | mode, data)

    def link(self, path, target):
        self.entry(path, stat.S_IFLNK | 0o777, target.encode())

    def bytes(self):
        self.entry("TRAILER!!!", 0)
        return b"".join(self.chunks)


def find(folder, name):
    """A file of an unpacked package, through whatever links the package holds."""
    places = [name, "usr/" + name] if "/" in name else [place + name for place in LIBRARIES]
    for place in places:
        path = folder / place
        if path.exists():
            return path.resolve()
    raise FileNotFoundError(f"{name} is not in {folder}")


def programs(suite, wanted=None):
    """name inside -> file outside, for all that is wanted of the packages."""
    return {name: find(suite.unpacked(package), name) for package, names in (wanted or PROGRAMS).items() for name in names}


def depmod_with(suite):
    """Debian's depmod, run by Debian's own loader and libraries: nothing of it need be installed."""
    found = programs(suite)
    shelf = ":".join(sorted({str(path.parent) for path in found.values()}))

    def run(base, release):
        # kmod decides by the name it is called as which of its tools it is
        subprocess.run([found["ld-linux-x86-64.so.2"], "--library-path", shelf, "--argv0", "depmod",
                        found["bin/kmod"], "-b", base, release], check=True)
    return run


def add_programs(cpio, suite):
    for name, path in programs(suite).items():
        if "/" in name:
            cpio.file(name, path.read_bytes(), 0o755)
        else:
            cpio.file("lib/x86_64-linux-gnu/" + name, path.read_bytes(), 0o755)
    cpio.link("lib64", "lib/x86_64-linux-gnu")
    for applet in APPLETS:
        if applet != "dmesg":
            cpio.link("bin/" + applet, "busybox")
    for tool in ("modprobe", "depmod", "modinfo"):
        cpio.link("sbin/" + tool, "../bin/kmod")


def add_tree(cpio, base):
    """Everything below `base`, at the same place inside."""
    for path in sorted(Path(base).rglob("*")):
        if path.is_file() and not path.is_symlink():
            cpio.file(str(path.relative_to(base)), path.read_bytes(), 0o755 if path.stat().st_mode & 0o100 else 0o644)


def build(kernel, suite, files):
    """`files`: path inside -> (bytes, mode), on top of the programs and the kernel's modules."""
    cpio = Cpio()
    for folder in ("proc", "sys", "dev", "run", "tmp", "out", "etc/modprobe.d", "mnt", "var/log"):
        cpio.folder(folder)
    add_programs(cpio, suite)
    add_tree(cpio, kernel.modules)
    for path, (data, mode) in sorted(files.items()):
        cpio.file(path, data, mode)
    return cpio.bytes()
