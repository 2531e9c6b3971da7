"""promtool reads the metrics of each run and finds nothing to say; node_exporter's textfile collector serves them."""

import re
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
STARTS_WITHIN = 30  # seconds; it takes less than one


def check(runs, tools, folder):
    promtool = tools.program("prometheus", "usr/bin/promtool")
    exporter = tools.program("prometheus-node-exporter", "usr/bin/prometheus-node-exporter")
    textfiles = folder / "textfiles"
    textfiles.mkdir()
    faults = [*rules(promtool)]
    with Exporter(exporter, textfiles) as served:
        for run in runs:
            # As a timer does: --output, which is written even where the run says nothing.
            file = textfiles / "pciback-audit.prom"
            ran = run.once("--format", "prometheus", "--output", file)
            report, status = run.report()
            told = [*lint(promtool, file), *compare(served.metrics(), report)]
            if ran.returncode != status or file.stat().st_mode & 0o7777 != 0o644:
                told.append(f"exit status {ran.returncode}, not {status}, or mode {file.stat().st_mode:o}")
            faults += [f"{run.name}: {fault}" for fault in told]
    return faults


def rules(promtool):
    """What promtool has against the alerting rules that are shipped, and when they alert."""
    for command in [["check", "rules", HERE.parents[1] / "contrib/pciback-audit.rules.yml"],
                    ["test", "rules", HERE / "alerts.yml"]]:
        ran = subprocess.run([promtool, *command], capture_output=True, text=True, check=False)
        if ran.returncode != 0:
            yield f"promtool {command[0]} rules: {ran.stdout}{ran.stderr}"


def lint(promtool, file):
    with file.open() as text:
        ran = subprocess.run([promtool, "check", "metrics"], stdin=text, capture_output=True, text=True, check=False)
    if ran.returncode != 0 or ran.stdout or ran.stderr:
        yield f"promtool ended with {ran.returncode}: {ran.stdout}{ran.stderr}"


def compare(served, report):
    """What is wrong with what node_exporter serves, by the JSON report of the same run."""
    errors = [line for line in served.splitlines() if line.startswith("node_textfile_scrape_error ")]
    if errors != ["node_textfile_scrape_error 0"]:
        yield f"node_exporter says {errors}"
    ours = dict(re.findall(r"^pciback_audit_(\w+(?:\{.*\})?) (\S+)$", served, re.MULTILINE))
    wanted = {f'devices{{status="{name}"}}': count for name, count in report["summary"].items() if name != "requested"}
    # With --if-requested nothing requested is fine, and must not alarm.
    silent = report["exit_status"] == 0 and report["verdict"] == "unknown"
    wanted["verdict"] = 0 if silent else ["ok", "warning", "critical", "unknown"].index(report["verdict"])
    wanted["log_records"] = sum(log["records"] for log in report["logs"])
    wanted["log_records_lost"] = sum(log["lost"] for log in report["logs"])
    wanted['build_info{version="%s"}' % report["tool"]["version"]] = 1
    for device in report["devices"]:
        if device["requested"] and device["status"] != "bridge":
            wanted[f'device_seized{{address="{device["address"]}"}}'] = int(device["status"] == "seized")
    for name, value in wanted.items():
        if name not in ours or float(ours[name]) != value:
            yield f"node_exporter serves {name} {ours.get(name)}, the report says {value}"
    seized = [name for name in ours if name.startswith("device_seized")]
    if set(seized) - set(wanted):
        yield f"node_exporter serves {set(seized) - set(wanted)}"


class Exporter:
    """A node_exporter with the textfile collector alone, on a free port of this machine."""

    def __init__(self, program, textfiles):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        self.command = [program, "--collector.disable-defaults", "--collector.textfile",
                        f"--collector.textfile.directory={textfiles}", f"--web.listen-address={self.address}"]
        self.process = None

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        return self

    def metrics(self):
        end = time.monotonic() + STARTS_WITHIN
        while True:
            try:
                with urllib.request.urlopen(f"http://{self.address}/metrics", timeout=10) as answer:
                    return answer.read().decode()
            except urllib.error.URLError as error:
                if time.monotonic() > end or self.process.poll() is not None:
                    raise SystemExit(f"node_exporter does not answer: {error}") from error
                time.sleep(0.1)

    def __exit__(self, *ended):
        self.process.terminate()
        self.process.wait()
