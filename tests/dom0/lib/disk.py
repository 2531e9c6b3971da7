"""One boot of a Debian dom0 from its own disk: QEMU, the job that runs inside, and what it leaves."""

import io
import tarfile

import debian
import machine

MEMORY = 1536  # megabytes; Debian's own boot image unpacks to about a hundred
XEN = machine.XEN.replace("640M", "1024M")

# The disks are told apart by their serial numbers, in /dev/disk/by-id.
DISKS = """
    ide-hd,drive=root,bus=ide.0,serial=ROOT
    ide-hd,drive=job,bus=ide.1,serial=JOB
    ide-hd,drive=results,bus=ide.2,serial=RESULTS
""".split()


class DiskBoot(machine.Boot):
    """As its parent, with a root disk and a job in place of an initramfs that holds everything."""

    def __init__(self, folder, xen, vmlinuz, initrd, root, job, cmdline):
        self.files = {"xen": xen, "vmlinuz": vmlinuz, "initrd": initrd, "root": root}
        self.job = job
        super().__init__(folder, None, b"", cmdline=cmdline, memory=MEMORY)

    def words(self, kernel, flags, cmdline, memory):
        (self.folder / "job.tar").write_bytes(packed(self.job))
        line = " ".join(f"{machine.CONSOLE['xen']} loglevel=7 panic=-1 root=LABEL={debian.LABEL} ro udev.event_timeout=3600 net.ifnames=0 {cmdline}".split())
        words = [machine.QEMU, "-accel", "tcg,tb-size=512", "-cpu", "Nehalem", "-m", str(memory), "-smp", "1",
                 "-nodefaults", "-display", "none", "-no-reboot", "-serial", f"file:{self.serial}", "-M", "q35"]
        drives = {"root": f"{self.files['root']},cache=unsafe", "job": self.folder / "job.tar", "results": self.disk,
                  "nvm": self.folder / "nvme.img"}
        for name, path in drives.items():
            words += ["-drive", f"if=none,id={name},format=raw,file={path}"]
        for device in [device for device in machine.DEVICES if not device.startswith("ide-hd")] + DISKS:
            words += ["-device", device]
        # QEMU splits -initrd at commas into modules; a doubled one is a comma
        modules = f"{self.files['vmlinuz']} {line.replace(',', ',,')},{self.files['initrd']}"
        return words + ["-kernel", str(self.files["xen"]), "-append", XEN, "-initrd", modules]


def packed(files):
    """A tar of these files, filled up to whole sectors."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o755
            archive.addfile(member, io.BytesIO(content))
    text = data.getvalue()
    return text + bytes(-len(text) % 4096)
