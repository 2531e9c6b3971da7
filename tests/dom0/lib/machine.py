"""The machine that every scenario runs on, and how QEMU is started.

This is the one description of dom0's hardware:

    00:00.0  host bridge            00:1d.0  UHCI       (the layout of the USB controllers is the one that the
    00:02.0  e1000                  00:1d.1  UHCI        tool was first written for)
    00:03.0  e1000e                 00:1d.2  UHCI
    00:04.0  rtl8139                00:1d.7  EHCI
    00:05.0  nvme                   00:1e.0  PCI bridge, no driver of its own
    00:06.0  virtio-rng             02:01.0  e1000, behind 1e.0
    00:07.0  PCIe root port         00:1f.0  ISA bridge
    01:00.0  e1000e, behind 07.0    00:1f.2  AHCI, with the disk that the results are written to
                                    00:1f.3  SMBus

Only with `machine: xen broken-bar`: 00:0a.0, which cannot be enabled, and 00:09.0, which makes it so.
Only with `machine: xen vga`: 00:0b.0, a display with an option ROM.
Only with `machine: xen card`: 02:00.0 and 02:00.1, e1000s, two functions of one card behind 1e.0.
"""

import shutil
import subprocess
import time
from pathlib import Path

QEMU = "qemu-system-x86_64"
DISK = 64 << 20  # bytes; the results of one boot are a tar of a few megabytes

DEVICES = """
    e1000,addr=02.0
    e1000e,addr=03.0
    rtl8139,addr=04.0
    nvme,addr=05.0,drive=nvm,serial=nvm0
    virtio-rng-pci,addr=06.0
    pcie-root-port,addr=07.0,id=rootport,chassis=1
    e1000e,bus=rootport
    ich9-usb-ehci1,addr=1d.7,multifunction=on,id=ehci
    ich9-usb-uhci1,addr=1d.0,multifunction=on,masterbus=ehci.0,firstport=0
    ich9-usb-uhci2,addr=1d.1,multifunction=on,masterbus=ehci.0,firstport=2
    ich9-usb-uhci3,addr=1d.2,multifunction=on,masterbus=ehci.0,firstport=4
    i82801b11-bridge,addr=1e.0,id=bridge
    e1000,bus=bridge,addr=01.0
    ide-hd,drive=results
""".split()

# 09.0's memory is so large that the firmware puts all 64-bit BARs beyond what a processor of 36 bits can address.
# The kernel moves such BARs, except those of host bridges: and that is what 0a.0 says it is.
BROKEN_BAR = ["pci-testdev,addr=09.0,membar=128G", "virtio-blk-pci,addr=0a.0,class=0x0600,disable-legacy=on,drive=broken"]

# Without power management, and not on a root bus: what is left to reset 02:00.0 is its bus, as the kernel looks for ways before it has
# found the other functions (drivers/pci/probe.c, `pci_device_add`).
CARD = ["e1000,bus=bridge,addr=00.0,multifunction=on", "e1000,bus=bridge,addr=00.1"]

XEN = ("placeholder console=com1 com1=115200,8n1 dom0_mem=640M,max:640M dom0_max_vcpus=1"
       " loglvl=all guest_loglvl=all noreboot=0")
FINISHED = "dom0: results written"  # guest/init says so when its tar is on the disk
CONSOLE = {"xen": "console=hvc0 earlyprintk=xen", "bare": "console=ttyS0,115200"}


class Boot:
    """One run of QEMU: started, waited for with a limit; its results are on the raw disk then."""

    def __init__(self, folder, kernel, initramfs, machine=("xen",), cmdline="", memory=1024):
        self.folder = Path(folder)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        (self.folder / "initramfs").write_bytes(initramfs)
        self.serial = self.folder / "serial.log"
        self.disk = self.folder / "results.tar"
        for path, size in ((self.disk, DISK), (self.folder / "nvme.img", 32 << 20)):
            with open(path, "wb") as image:
                image.truncate(size)
        self.command = self.words(kernel, machine, cmdline, memory)

    def words(self, kernel, flags, cmdline, memory):
        bare = "bare" in flags
        line = " ".join(f"{CONSOLE['bare' if bare else 'xen']} loglevel=7 panic=-1 {cmdline}".split())
        words = [QEMU, "-accel", "tcg,tb-size=512", "-cpu", "Nehalem,phys-bits=36" if "broken-bar" in flags else "Nehalem", "-m", str(memory), "-smp", "1",
                 "-nodefaults", "-display", "none", "-no-reboot", "-serial", f"file:{self.serial}",
                 "-M", "q35",
                 "-drive", f"if=none,id=results,format=raw,file={self.disk}",
                 "-drive", f"if=none,id=nvm,format=raw,file={self.folder}/nvme.img"]
        if "iommu" in flags:
            words += ["-device", f"intel-iommu,intremap={'off' if 'no-intremap' in flags else 'on'}"]
        for device in DEVICES:
            words += ["-device", device]
        if "broken-bar" in flags:
            words += ["-drive", "if=none,id=broken,driver=null-co,size=1M"]
            words += [word for device in BROKEN_BAR for word in ("-device", device)]
        if "vga" in flags:
            words += ["-device", "VGA,addr=0b.0"]
        if "card" in flags:
            words += [word for device in CARD for word in ("-device", device)]
        initramfs = self.folder / "initramfs"
        if bare:
            return words + ["-kernel", str(kernel.vmlinuz), "-append", line, "-initrd", str(initramfs)]
        # QEMU splits -initrd at commas into modules, each with its own command line; a doubled one is a comma
        modules = f"{kernel.vmlinuz} {line.replace(',', ',,')},{initramfs}"
        return words + ["-kernel", str(kernel.xen), "-append", XEN, "-initrd", modules]

    def run(self, seconds):
        """True when the results were written, or QEMU came to its own end, within the limit."""
        started = time.monotonic()
        with open(self.folder / "qemu.log", "wb") as log:
            process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            ended = self.wait(process, started + seconds)
        finally:
            process.kill()
            process.wait()
        self.seconds = time.monotonic() - started
        for name in ("initramfs", "nvme.img"):
            (self.folder / name).unlink()
        return ended

    def wait(self, process, deadline):
        """The machine is not asked to power itself off: that takes seconds, and sometimes for ever, under emulation."""
        while time.monotonic() < deadline:
            if process.poll() is not None or FINISHED in self.serial_text()[-4096:]:
                return True
            time.sleep(0.2)
        return False

    def serial_text(self):
        return self.serial.read_bytes().decode("utf-8", "replace") if self.serial.exists() else ""
