"""One run: fetches what the boots need, boots them side by side, judges each, prints a line for each."""

import concurrent.futures
import threading
import time
import traceback
from pathlib import Path

import capture
import guest
import hidetable
import host
import image
import judge
import live
import wording
from kernels import KERNELS, Kernel
from machine import Boot
from packages import Suite
from scenario import ScenarioError

TAIL = 40      # lines of a serial log that are printed of a boot that hung
AROUND = 30    # seconds of a boot's limit that are not the steps': firmware, hypervisor, kernel, results


class Session:
    def __init__(self, here, binary, options):
        self.here, self.binary, self.options = here, binary, options
        self.top = here.parents[1]
        self.work = self.top / "target/dom0"
        self.data = self.top / "testdata/dom0"
        self.helpers = host.helpers(here / "guest", self.work / "tools")
        self.print_lock = threading.Lock()
        self.suites, self.kernels = {}, {}

    def suite(self, name):
        if name not in self.suites:
            self.suites[name] = Suite(self.work, name)
        return self.suites[name]

    def prepare(self, boots):
        """Downloads come first and one after the other, so that no boot's time depends on the network."""
        (self.work / "packages").mkdir(parents=True, exist_ok=True)
        for name in dict.fromkeys(kernel for _, kernel in boots):
            if name not in KERNELS:
                raise ScenarioError(f"no kernel {name}; there are: {' '.join(KERNELS)}")
            started = time.monotonic()
            depmod = image.depmod_with(self.suite("bookworm"))
            self.kernels[name] = Kernel(self.work, name, self.suite(KERNELS[name][0]), depmod)
            kernel = self.kernels[name]
            print(f"kernel {name}: {kernel.release} on {kernel.xen.stem} ({time.monotonic() - started:.0f} s)", flush=True)
        if any("guest" in scenario.machine for scenario, _ in boots):
            guest.programs(self.suite("bookworm"))

    def run(self, boots):
        self.prepare(boots)
        # The longest first, or the last one would run alone for minutes.
        boots.sort(key=lambda boot: -int(boot[0].settings["seconds"]))
        with concurrent.futures.ThreadPoolExecutor(self.options.jobs) as pool:
            results = list(pool.map(lambda boot: self.one(*boot), boots))
        return results.count(True), results.count(False)

    def one(self, scenario, kernel_name):
        name = scenario.name if kernel_name == scenario.kernels[0] else f"{scenario.name}@{kernel_name}"
        folder = self.work / "captures" / name
        try:
            wrong, seconds = self.boot(scenario, self.kernels[kernel_name], folder)
            # What the kernel did is worth keeping even where our verdict on it is wrong.
            if self.options.save and not scenario.settings["table"] and not scenario.is_live and capture.whole(folder):
                capture.save(scenario, folder, self.data / name, self.options.forms)
        except Exception:  # a fault of ours in one boot must not hide the others' results
            wrong, seconds = traceback.format_exc().splitlines(), 0
        with self.print_lock:
            print(f"{'FAILED' if wrong else 'ok':6} {seconds:5.0f} s  {kernel_name:6} {scenario.name}", flush=True)
            for line in wrong:
                print(f"    {line}", flush=True)
            if wrong:
                print(f"    all it left is in {folder}", flush=True)
        return not wrong

    def boot(self, scenario, kernel, folder):
        """What is wrong with the boot, a line for each, and how long it took."""
        seconds = int(scenario.settings["seconds"]) * self.options.slow
        initramfs = image.build(kernel, self.suite("bookworm"), self.files(scenario, kernel, seconds))
        boot = Boot(folder, kernel, initramfs, scenario.machine, scenario.settings["cmdline"], scenario.settings["memory"])
        ended = boot.run(seconds)
        found = capture.unpack(boot.disk, folder)
        if not ended or "steps.rc" not in found:
            why = f"hung, and was stopped after {seconds:.0f} s" if not ended else "ended without results"
            tail = [line for line in boot.serial_text().splitlines() if line.strip()][-TAIL:]
            return [f"the boot {why}; the end of its serial log:", *tail], boot.seconds
        return list(self.check(scenario, kernel, found)), boot.seconds

    def files(self, scenario, kernel, seconds):
        """Path inside dom0 -> (bytes, mode)."""
        files = {"init": ((self.here / "guest/init").read_bytes(), 0o755), "bin/pciback-audit": (self.binary, 0o755)}
        for name in ("steps.sh", "dom0.sh", "live.sh", "manifest-paths"):
            files["lib/" + name] = ((self.here / "guest" / name).read_bytes(), 0o644)
        for name, data in self.helpers.items():
            files["bin/" + name] = (data, 0o755)
        files.update({path: (text.encode(), 0o644) for path, text in scenario.files.items()})
        files["scenario/steps"] = (scenario.steps.encode(), 0o644)
        files["scenario/seconds"] = (f"{max(30, seconds - AROUND):.0f}\n".encode(), 0o644)
        if scenario.settings["table"]:
            files["scenario/inputs"] = (hidetable.input_file(), 0o644)
        if self.options.save:
            files["scenario/forms"] = (b"", 0o644)
        if "guest" in scenario.machine:
            files.update(guest.files(self.suite("bookworm"), kernel, self.here, self.binary))
        return files

    def check(self, scenario, kernel, found):
        text = {name: data.decode("utf-8", "replace") for name, data in found.items()}
        if text["steps.rc"].strip() != "0":
            yield f"the steps ended with status {text['steps.rc'].strip()}; their trace ends with:"
            yield from text.get("steps.log", "").splitlines()[-12:]
        for name, lines in scenario.expected.items():
            if f"{name}.exit" in text:
                left = {kind.removeprefix(name + "."): it for kind, it in text.items() if kind.startswith(name + ".")}
                yield from live.judge(name, lines, left) if "events" in left else judge.judge(name, lines, left)
            else:
                yield f"{name}: was never judged"
        for record in wording.unrecognised(found.get("kmsg.raw", b"")):
            yield f"a record about pciback in no known wording: {record[:300]}"
        if scenario.settings["table"]:
            yield from self.check_table(scenario, kernel, text)

    def check_table(self, scenario, kernel, text):
        """The truth table as this kernel made it, against the one in the test data."""
        try:
            made = hidetable.table(text.get("hide-table", ""))
        except ValueError as error:
            yield str(error)
            return
        # A kernel has a table of its own only where it differs from the scenario's first kernel.
        own, first = (self.data / f"{scenario.settings['table']}-{name}.tsv" for name in (kernel.name, scenario.kernels[0]))
        kept = own if own.exists() else first
        if self.options.save and not (kept.exists() and kept.read_text() == made):
            kept = own
            own.write_text(made)
        old = kept.read_text() if kept.exists() else ""
        if made != old:
            yield f"{kernel.release} does not do what {kept.name} says (--save writes it anew):"
            yield from hidetable.difference(old, made)
