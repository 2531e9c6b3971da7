"""What listening costs while nothing happens, and how much memory it needs in the end."""

import subprocess
import tempfile
import time
from pathlib import Path

from programs import Follower, ring

SECONDS = 60


def sample(process):
    """Switches (voluntary, involuntary), processor time (ms), ticks and memory (KiB) of a process, with all its threads."""
    proc = Path(f"/proc/{process}")
    switches, time_on = [0, 0], 0
    for task in (proc / "task").iterdir():
        status = fields(task / "status")
        switches[0] += status["voluntary_ctxt_switches"]
        switches[1] += status["nonvoluntary_ctxt_switches"]
        time_on += int((task / "schedstat").read_text().split()[0])
    ticks = (proc / "stat").read_text().rpartition(")")[2].split()
    status = fields(proc / "status")
    return {
        "woken": switches[0],
        "preempted": switches[1],
        "ms": time_on / 1e6,
        "ticks": int(ticks[11]) + int(ticks[12]),
        "VmRSS": status["VmRSS"],
        "RssAnon": status["RssAnon"],
    }


def fields(path):
    """The lines of a status file that have a number."""
    lines = (line.split() for line in path.read_text().splitlines())
    return {words[0].rstrip(":"): int(words[1]) for words in lines if len(words) > 1 and words[1].isdigit()}


def idle(programs):
    """All of them for a minute, side by side, with nothing in the log."""
    with tempfile.TemporaryDirectory() as scratch:
        watch = [programs.audit, "watch", "--device", "0000:00:1d.0"]
        commands = {"watch": watch, "watch --textfile": [*watch, "--textfile", f"{scratch}/metrics.prom"]}
        commands |= {"follow": programs.followers["ours"]}
        commands |= {who: command for who, command in programs.followers.items() if who != "ours"}
        followers = [Follower(who, command) for who, command in commands.items()]
        time.sleep(5)
        number = last()
        before = [sample(follower.program.pid) for follower in followers]
        time.sleep(SECONDS)
        after = [sample(follower.program.pid) for follower in followers]
        came = last() - number
        for follower in followers:
            follower.end()
    print(f"{SECONDS} s, in which {came} records came\n")
    print(f"| {'reader':16} | woken | preempted | CPU ms | ticks | VmRSS KiB | RssAnon KiB |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    for follower, old, new in zip(followers, before, after):
        used = {key: new[key] - old[key] for key in new}
        print(
            f"| {follower.name:16} | {used['woken']:5} | {used['preempted']:9} | {used['ms']:6.1f} | {used['ticks']:5} |"
            f" {new['VmRSS']:9} | {new['RssAnon']:11} |"
        )


def last():
    """The number of the newest record."""
    return int(ring()[-1].split(b",")[1])


def memory(programs):
    subprocess.run([programs.endless], check=True)
