"""Nagios Core runs the program as the check of a service for each run; its status file says what it heard."""

import grp
import os
import pwd
import re
import shlex
import subprocess
import time
from pathlib import Path

CONTRIB = Path(__file__).resolve().parents[2] / "contrib"
STARTS_WITHIN = 60  # seconds; it takes four
STATES = {0: "OK", 1: "WARNING", 2: "CRITICAL", 3: "UNKNOWN"}

MAIN = """
cfg_file={folder}/objects.cfg
log_file={folder}/log
object_cache_file={folder}/objects.cache
precached_object_file={folder}/objects.precache
status_file={folder}/status.dat
temp_file={folder}/temp
temp_path={folder}
check_result_path={folder}/results
lock_file={folder}/lock
query_socket={folder}/query
nagios_user={user}
nagios_group={group}
use_syslog=0
illegal_macro_output_chars=`~$&|'"<>
check_external_commands=0
enable_notifications=0
retain_state_information=0
process_performance_data=0
interval_length=1
status_update_interval=1
service_inter_check_delay_method=n
max_service_check_spread=1
"""

HOST = """
define timeperiod {
    timeperiod_name always
    alias always
    sunday 00:00-24:00
    monday 00:00-24:00
    tuesday 00:00-24:00
    wednesday 00:00-24:00
    thursday 00:00-24:00
    friday 00:00-24:00
    saturday 00:00-24:00
}
define command {
    command_name nobody
    command_line /bin/true
}
define contact {
    contact_name nobody
    host_notification_period always
    service_notification_period always
    host_notification_commands nobody
    service_notification_commands nobody
    host_notification_options n
    service_notification_options n
}
define host {
    host_name dom0
    contacts nobody
    notification_period always
    notification_interval 0
    address 127.0.0.1
    max_check_attempts 1
    active_checks_enabled 0
    check_period always
}
"""

# What the object file in contrib/ expects of the site that it goes to.
SITE = """
define hostgroup {
    hostgroup_name dom0
    members dom0
}
define service {
    name generic-service
    register 0
    contacts nobody
    check_period always
    notification_period always
    notification_interval 0
}
"""

SERVICE = """
define command {{
    command_name {name}
    command_line {command}
}}
define service {{
    host_name dom0
    service_description {name}
    check_command {name}
    max_check_attempts 1
    check_interval 1000
    retry_interval 1000
    check_period always
    contacts nobody
    notification_period always
    notification_interval 0
}}
"""


def check(runs, tools, folder):
    program = tools.program("nagios4-core", "usr/sbin/nagios4")
    commands = {run.name: [*run.command, "--format", "nagios"] for run in runs}
    binary = runs[0].command[0]
    commands["bad-usage"] = [binary, "--format", "nagios", "--bogus"]
    commands["help"] = [binary, "--format=nagios", "--help"]
    heard = listen(program, commands, folder)
    faults = [*verify(program, folder)]
    for run in runs:
        report, status = run.report()
        faults += [f"{run.name}: {fault}" for fault in compare(heard[run.name], report, status)]
    for name in ["bad-usage", "help"]:
        if heard[name]["current_state"] != "3":
            faults.append(f"{name} is state {heard[name]['current_state']}")
    if "--bogus" not in heard["bad-usage"]["plugin_output"]:
        faults.append(f"bad usage is not explained: {heard['bad-usage']['plugin_output']}")
    return faults


def compare(heard, report, status):
    """What is wrong with what Nagios heard, by the JSON report of the same run."""
    said = heard["plugin_output"]
    if heard["current_state"] != str(status):
        yield f"state {heard['current_state']}, exit status {status}: {said}"
    if not said.startswith(f"PCIBACK {STATES[status]} - ") or re.search(r"[|\x00-\x1f\x7f]", said):
        yield f"says {said!r}"
    data = dict(entry.split("=", 1) for entry in heard["performance_data"].split())
    values = {label: value.split(";")[0] for label, value in data.items()}
    wanted = {name: str(count) for name, count in report["summary"].items()}
    wanted["log_records_lost"] = str(sum(log["lost"] for log in report["logs"]))
    if values != wanted:
        yield f"performance data {values}, report {wanted}"


def settings(home):
    return MAIN.format(folder=home, user=pwd.getpwuid(os.geteuid()).pw_name, group=grp.getgrgid(os.getegid()).gr_name)


def verify(program, folder):
    """What Nagios has against the object file that is shipped."""
    home = folder / "contrib"
    (home / "results").mkdir(parents=True)
    shipped = CONTRIB / "pciback-audit.nagios.cfg"
    (home / "objects.cfg").write_text(HOST + SITE + shipped.read_text())
    (home / "nagios.cfg").write_text(settings(home))
    ran = subprocess.run([program, "-v", home / "nagios.cfg"], capture_output=True, text=True, check=False)
    if ran.returncode != 0 or "Checked 1 services" not in ran.stdout:
        yield f"{shipped.name}: {ran.stdout[-1500:]}"


def listen(program, commands, folder):
    """Starts Nagios, waits until each service was checked, and hands back what it knows of each."""
    home = folder / "nagios"
    (home / "results").mkdir(parents=True)
    services = [SERVICE.format(name=name, command=shell(command)) for name, command in commands.items()]
    (home / "objects.cfg").write_text(HOST + "".join(services))
    (home / "nagios.cfg").write_text(settings(home))
    output = (home / "output").open("w")
    core = subprocess.Popen([program, home / "nagios.cfg"], stdout=output, stderr=output, stdin=subprocess.DEVNULL)
    try:
        end = time.monotonic() + STARTS_WITHIN
        while time.monotonic() < end and core.poll() is None:
            heard = services_of(home / "status.dat")
            if len(heard) == len(commands) and all(one["has_been_checked"] == "1" for one in heard.values()):
                return heard
            time.sleep(0.2)
    finally:
        core.terminate()
        core.wait()
    raise SystemExit(f"Nagios did not check every service:\n{(home / 'output').read_text()[-2000:]}")


def shell(command):
    # A dollar sign begins a macro there, and a semicolon a comment.
    return shlex.join(map(str, command)).replace("$", "$$").replace(";", r"\;")


def services_of(file):
    text = file.read_text(errors="replace") if file.exists() else ""
    found = {}
    for block in re.findall(r"^servicestatus \{\n(.*?)^\t\}", text, re.DOTALL | re.MULTILINE):
        one = dict(line.strip().split("=", 1) for line in block.splitlines() if "=" in line)
        found[one["service_description"]] = one
    return found
