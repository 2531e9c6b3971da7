"""Debian dom0s on disks of their own: the plan is pasted in them, and they boot again from what it made.

For each maker of boot images there are two boots, each of a fresh disk. `NAME-now`: drivers have the devices, and the block
`now` is pasted. Its report's block `for good` is then pasted into the files that the disk was made of, in a chroot, because a
boot image takes minutes inside an emulated dom0. `NAME-reboot` starts from these files and that boot image, and has the log of the
first boot.
"""

import json
import shutil
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import capture
import debian
import image
import judge
import scenario
from disk import DiskBoot
from kernels import KERNELS, Kernel
from packages import Suite

# Maker of boot images (the name of its package): a file that makes it pack quickly. All else is as Debian has it.
MAKERS = {
    "initramfs-tools": ("etc/initramfs-tools/conf.d/quick", "COMPRESS=zstd\nCOMPRESSLEVEL=1\n"),
    "dracut": ("etc/dracut.conf.d/quick.conf", 'compress="zstd -q -1"\ndo_strip="no"\n'),
}
KERNEL = "6.1"
UNITS = ["pciback-audit.service", "pciback-audit.timer", "pciback-audit-metrics.service", "pciback-audit-watch.service"]
TAIL = 40

# What the boot does not need, and what takes long under emulation.
MASKED = """
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer
    e2scrub_reap.service getty-static.service getty@tty1.service serial-getty@hvc0.service
    modprobe@configfs.service modprobe@dm_mod.service modprobe@drm.service modprobe@fuse.service modprobe@loop.service
    systemd-binfmt.service systemd-pstore.service systemd-random-seed.service systemd-update-utmp.service
    systemd-update-utmp-runlevel.service systemd-user-sessions.service xendomains.service
""".split()
# No time decides here.
PATIENT = "[Manager]\nDefaultTimeoutStartSec=3600\nDefaultDeviceTimeoutSec=3600\n"

# As grub-mkconfig's 20_linux_xen writes it.
GRUB = """set default="0"
menuentry 'Debian GNU/Linux, with Xen hypervisor' --class debian $menuentry_id_option 'xen-gnulinux-simple' {{
	echo	'Loading Xen 4.17-amd64 ...'
	multiboot2	/boot/xen-4.17-amd64.gz placeholder ${{xen_rm_opts}}
	echo	'Loading Linux {release} ...'
	module2	/boot/vmlinuz-{release} placeholder root=LABEL={label} ro {cmdline}
	module2	--nounzip	/boot/initrd.img-{release}
}}
"""


class Installed:
    """One run of all of it."""

    def __init__(self, here, binary, options):
        self.here, self.binary, self.options = here, binary, options
        self.top = here.parents[1]
        self.work = self.top / "target/dom0-installed"
        self.print_lock = threading.Lock()
        self.began = time.monotonic()
        self.kernel = None

    def say(self, *lines):
        with self.print_lock:
            for line in lines:
                print(line, flush=True)

    def run(self, makers):
        self.clean()
        with ThreadPoolExecutor(2) as pool:
            kernel = pool.submit(self.fetch_kernel)
            base = self.base()
            self.kernel = kernel.result()
        self.say(f"{time.monotonic() - self.began:5.0f} s  a Debian without a kernel is there")
        if self.options.prepare:
            return True
        with ThreadPoolExecutor(len(makers)) as pool:
            return all(list(pool.map(lambda maker: self.story(maker, base), makers)))

    def clean(self):
        self.work.mkdir(parents=True, exist_ok=True)
        for path in self.work.iterdir():
            if path.is_file():
                path.unlink()
            elif path.name != "base" or not self.options.reuse:
                shutil.rmtree(path)

    def fetch_kernel(self):
        top = self.top / "target/dom0"
        (top / "packages").mkdir(parents=True, exist_ok=True)
        suite = Suite(top, KERNELS[KERNEL][0])
        return Kernel(top, KERNEL, suite, image.depmod_with(suite))

    def base(self):
        path, log = self.work / "base", self.work / "base.log"
        if not path.exists():
            debian.base(self.work / "base.part", log).path.rename(path)
        return debian.Root(path, log)

    def equip(self, root):
        """What is tested, and what runs the test inside."""
        root.write("usr/bin/pciback-audit", self.binary, 0o755)
        for unit in UNITS:
            root.write(f"etc/systemd/system/{unit}", (self.top / "contrib" / unit).read_text())
        root.write("var/lib/prometheus/node-exporter/.keep", "")
        root.write("etc/systemd/system/job.service", (self.here / "installed/job.service").read_text())
        root.write("usr/local/lib/job", (self.here / "installed/job").read_text())
        root.write("etc/systemd/system.conf.d/patient.conf", PATIENT)
        root.run("systemctl", "enable", "job.service")
        root.run("systemctl", "mask", *MASKED)

    def story(self, maker, base):
        """Whether all of it went well; says what did not."""
        try:
            wrong = self.tell(maker, base)
        except Exception:  # one maker's fault must not hide the other's results
            wrong = traceback.format_exc().splitlines()
        self.say(f"{'FAILED' if wrong else 'ok':6} {time.monotonic() - self.began:5.0f} s  {maker}", *(f"    {line}" for line in wrong))
        if wrong:
            self.say(f"    all it left is in {self.work / maker}")
        return not wrong

    def tell(self, maker, base):
        folder = self.work / maker
        folder.mkdir()
        root = debian.Root(folder / "root", folder / "install.log")
        self.install(maker, base, root)
        self.equip(root)
        wrong, found = self.boot(maker, "now", root)
        if "held.json" in found:
            # A boot changes its disk, and not the files that the disk was made of.
            root.log = folder / "for-good.log"
            shutil.copy(self.boot_file(root, "initrd.img"), root.path / "root/initrd-before")
            plan = json.loads(found["held.json"])["plan"]
            self.paste(plan["for_good"], root, folder)
            root.write("root/earlier.log", found["dmesg"])
            more, found = self.boot(maker, "reboot", root)
            wrong += more + list(promised(plan, found))
        shutil.rmtree(root.path)
        return wrong

    def scenario(self, maker, boot):
        return scenario.read(self.here / "installed" / f"{maker}-{boot}.scenario")

    def install(self, maker, base, root):
        """A kernel and a maker of boot images, which makes the first one."""
        debian.copy(base, root.path, root.log)
        cmdline = self.scenario(maker, "now").settings["cmdline"]
        root.write("boot/grub/grub.cfg", GRUB.format(release=self.kernel.release, label=debian.LABEL, cmdline=cmdline))
        root.install(maker)  # before the kernel, or its image would be made twice
        root.write(*MAKERS[maker])
        root.install(f"linux-image-{self.kernel.release}-unsigned")
        self.say(f"{time.monotonic() - self.began:5.0f} s  {maker}: installed")

    def paste(self, block, root, folder):
        """The block `for good`, pasted into a shell as a whole; what it says is kept."""
        text = "\n".join(block) + "\n"
        (folder / "for-good").write_text(text)
        root.write("root/for-good", text)
        with root.uname(self.kernel.release):
            root.run("bash", "-c", "bash < /root/for-good")
        self.say(f"{time.monotonic() - self.began:5.0f} s  {folder.name}: `for good` is pasted")

    def boot(self, maker, which, root):
        """What is wrong with a boot of a fresh disk, a line for each, and what it left."""
        plot, folder = self.scenario(maker, which), self.work / maker / which
        folder.mkdir()
        disk = folder.with_suffix(".img")
        root.image(disk)
        names = {"dom0.sh": "guest/dom0.sh", "system.sh": "installed/system.sh"}
        job = {name: (self.here / path).read_bytes() for name, path in names.items()}
        job["run"] = b"PS4='+ $SECONDS s: '; . ./dom0.sh; . ./system.sh; . ./steps\n"
        job["steps"] = plot.steps.encode()
        vmlinuz, initrd = self.boot_file(root, "vmlinuz"), self.boot_file(root, "initrd.img")
        boot = DiskBoot(folder, self.kernel.xen, vmlinuz, initrd, disk, job, plot.settings["cmdline"])
        seconds = int(plot.settings["seconds"]) * self.options.slow
        ended = boot.run(seconds)
        found = capture.unpack(boot.disk, folder)
        disk.unlink()
        self.say(f"{time.monotonic() - self.began:5.0f} s  {maker}: boot `{which}` took {boot.seconds:.0f} s")
        if not ended or "steps.rc" not in found:
            tail = [line for line in boot.serial_text().splitlines() if line.strip()][-TAIL:]
            return [f"the boot {which} {'ended without results' if ended else 'hung'}; the end of its serial log:", *tail], found
        return list(self.check(plot, found)), found

    def boot_file(self, root, name):
        return root.path / f"boot/{name}-{self.kernel.release}"

    def check(self, plot, found):
        text = {name: data.decode("utf-8", "replace") for name, data in found.items()}
        if text["steps.rc"].strip() != "0":
            yield f"{plot.name}: the steps ended with status {text['steps.rc'].strip()}; their trace ends with:"
            yield from text.get("steps.log", "").splitlines()[-12:]
        for name, lines in plot.expected.items():
            if f"{name}.exit" not in text:
                yield f"{plot.name}: {name}: was never judged"
                continue
            left = {kind.removeprefix(name + "."): it for kind, it in text.items() if kind.startswith(name + ".")}
            yield from (f"{plot.name}: {line}" for line in judge.judge(name, lines, left))


def promised(plan, found):
    """What the report promised of the next boot, and did not come."""
    promise = plan.get("promise")
    if promise and "booted.json" in found:
        summary = json.loads(found["booted.json"])["summary"]
        came = {"wanted": summary["requested"], "seized": summary["seized"]}
        if came != {key: promise[key] for key in came}:
            yield f"the next boot came to {came}, promised was {promise}"
