"""Which kernels run on which hypervisor, and the modules a dom0 needs of them."""

import lzma
import re
import shutil
import subprocess
from pathlib import Path

from packages import PackageError

# name: (suite, packages of the kernel, package of the hypervisor). The newest match is taken, so `newest`
# follows sid: a new kernel's wording is met here before a user meets it.
KERNELS = {
    "5.10": ("bullseye", [r"linux-image-5\.10\.0-\d+-amd64-unsigned"], r"xen-hypervisor-4\.14-amd64"),
    "6.1": ("bookworm", [r"linux-image-6\.1\.0-\d+-amd64-unsigned"], r"xen-hypervisor-4\.17-amd64"),
    "6.12": ("bookworm", [r"linux-image-6\.12\.\d+\+deb12-amd64-unsigned"], r"xen-hypervisor-4\.17-amd64"),
    "newest": ("sid", [r"linux-binary-unsigned-\d[\d.]*\+deb\d+-amd64", r"linux-modules-\d[\d.]*\+deb\d+-amd64",
                       r"linux-base-\d[\d.]*\+deb\d+-amd64"], r"xen-hypervisor-\d[\d.]*-amd64"),
}

# What modprobe finds inside, with all they depend on. ehci-pci is uhci-hcd's soft dependency.
MODULES = """
    xen-pciback xenfs xen-privcmd xen-evtchn xen-gntdev xen-gntalloc xen-pcifront
    uhci-hcd ehci-hcd ehci-pci e1000 e1000e 8139too 8139cp nvme virtio_pci virtio-rng
    pci-stub vfio-pci ahci sd_mod ext4
""".split()


class Kernel:
    """A kernel and its hypervisor, ready to boot: `xen`, `vmlinuz`, `release`, `modules` (a folder)."""

    def __init__(self, top, name, suite, depmod):
        _, packages, hypervisor = KERNELS[name]
        folders = [suite.unpacked(pattern) for pattern in packages]
        self.name = name
        self.vmlinuz, self.release, source = find_kernel(folders)
        self.xen = elf_image(suite.unpacked(hypervisor), Path(top) / "images")
        self.modules = Path(top) / "images" / f"modules-{folders[0].name}"
        wanted = self.modules / "wanted"
        if not wanted.exists() or wanted.read_text().split() != MODULES:
            shutil.rmtree(self.modules, ignore_errors=True)
            pick_modules(source, self.modules / "lib/modules" / self.release)
            depmod(self.modules, self.release)
            wanted.write_text("\n".join(MODULES))


def find_kernel(folders):
    """vmlinuz, the release it calls itself, and the folder of its modules, wherever the suite puts them."""
    images = [path for folder in folders for pattern in ("boot/vmlinuz-*", "**/vmlinuz*") for path in folder.glob(pattern)]
    sources = [path for folder in folders for path in folder.glob("**/lib/modules/*/kernel")]
    if not images or not sources:
        raise PackageError(f"no vmlinuz or no modules in {', '.join(str(folder) for folder in folders)}")
    source = sources[0].parent
    merged = {}
    for folder in folders:  # sid spreads one modules folder over three packages
        for path in folder.glob(f"**/lib/modules/{source.name}/modules.*"):
            merged[path.name] = path
    return images[0], source.name, (source, list(merged.values()))


def elf_image(folder, images):
    """The hypervisor as QEMU's multiboot loader wants it: not compressed."""
    images.mkdir(parents=True, exist_ok=True)
    target = images / f"{folder.name}.elf"
    if not target.exists():
        packed = sorted(folder.glob("boot/xen-*.gz"))[0]
        partial = target.with_suffix(".partial")
        with open(partial, "wb") as out:
            subprocess.run(["gunzip", "-c", packed], stdout=out, check=True)
        partial.rename(target)
    return target


def pick_modules(source, target):
    """Copies MODULES and what they depend on, not compressed, so that any modprobe can load them."""
    folder, lists = source
    files = {}
    for path in folder.glob("kernel/**/*.ko*"):
        files[path.name.split(".")[0].replace("-", "_")] = path
    target.mkdir(parents=True)
    for path in lists:
        if path.name in ("modules.builtin", "modules.builtin.modinfo", "modules.order"):
            shutil.copy(path, target)
    builtin = {Path(line).stem.replace("-", "_") for line in (target / "modules.builtin").read_text().split()}
    queue, seen = [name.replace("-", "_") for name in MODULES], set()
    while queue:
        name = queue.pop()
        if name in seen or name in builtin:
            continue
        seen.add(name)
        if name not in files:
            raise PackageError(f"this kernel has no module {name}: {folder}")
        path = files[name]
        data = lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()
        copy = target / path.relative_to(folder).with_name(path.name.split(".ko")[0] + ".ko")
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(data)
        depends = re.search(rb"\0depends=([^\0]*)\0", data)
        queue += [part.replace("-", "_") for part in depends.group(1).decode().split(",") if part] if depends else []
