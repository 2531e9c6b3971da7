"""What a scenario with a real guest needs inside dom0: Xen's tools, and a guest to start with them."""

import image
from packages import PackageError

BIN = "usr/lib/xen-4.17/bin/"
PROGRAMS = {
    "xen-utils-4.17": [BIN + name for name in ("xl", "xenstored", "xenconsoled", "xen-init-dom0")],
    "xenstore-utils": ["usr/bin/xenstore", "usr/bin/xenstore-ls", "usr/bin/xenstore-read"],
    "libxenmisc4.17": [f"libxen{name}.so.4.17" for name in ("ctrl", "guest", "light")] + ["libxlutil.so.4.17"],
    "libxenstore4": ["libxenstore.so.4"],
    "libxencall1": ["libxencall.so.1"],
    "libxenevtchn1": ["libxenevtchn.so.1"],
    "libxenforeignmemory1": ["libxenforeignmemory.so.1"],
    "libxengnttab1": ["libxengnttab.so.1"],
    "libxentoollog1": ["libxentoollog.so.1"],
    "libxentoolcore1": ["libxentoolcore.so.1"],
    "libxendevicemodel1": ["libxendevicemodel.so.1"],
    "libxenhypfs1": ["libxenhypfs.so.1"],
    "libyajl2": ["libyajl.so.2"],
    "libnl-3-200": ["libnl-3.so.200"],
    "libnl-route-3-200": ["libnl-route-3.so.200"],
    "libuuid1": ["libuuid.so.1"],
    "zlib1g": ["libz.so.1"],
    "libgcc-s1": ["libgcc_s.so.1"],  # loaded by name when a thread ends
}
MODULES = ("xen-pcifront", "uhci-hcd", "usbcore", "usb-common")

CONFIG = """\
name = "guest"
type = "pv"
kernel = "/guest/vmlinuz"
ramdisk = "/guest/initramfs"
memory = 192
vcpus = 1
extra = "console=hvc0 loglevel=7 iommu=soft panic=5"
on_crash = "destroy"
on_reboot = "destroy"
"""


def programs(suite):
    return image.programs(suite, PROGRAMS)


def initramfs(suite, kernel, here, binary):
    """The guest's own: busybox, our binary, and the modules it needs to find and drive a device that pciback exports."""
    cpio = image.Cpio()
    for folder in ("proc", "sys", "dev"):
        cpio.folder(folder)
    cpio.file("bin/busybox", image.programs(suite)["bin/busybox"].read_bytes(), 0o755)
    cpio.file("bin/pciback-audit", binary, 0o755)
    cpio.file("init", (here / "guest/domu-init").read_bytes(), 0o755)
    for name in MODULES:
        found = list(kernel.modules.glob(f"**/{name}.ko"))
        if not found:
            raise PackageError(f"{kernel.release} has no module {name} for the guest")
        cpio.file(f"modules/{name}.ko", found[0].read_bytes())
    return cpio.bytes()


def files(suite, kernel, here, binary):
    """Path inside dom0 -> (bytes, mode)."""
    out = {}
    for name, path in programs(suite).items():
        where = name if "/" in name else "lib/x86_64-linux-gnu/" + name
        out[where] = (path.read_bytes(), 0o755)
    out["guest/vmlinuz"] = (kernel.vmlinuz.read_bytes(), 0o644)
    out["guest/initramfs"] = (initramfs(suite, kernel, here, binary), 0o644)
    out["guest/config"] = (CONFIG.encode(), 0o644)
    out["etc/xen/xl.conf"] = (b'autoballoon="off"\n', 0o644)
    out["lib/guest.sh"] = ((here / "guest/guest.sh").read_bytes(), 0o644)
    return out
