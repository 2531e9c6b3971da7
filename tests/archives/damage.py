"""Logs that are cut, or change while they are read."""

import os
import shutil
import subprocess
import threading
import time

from answers import held, sane
from boots import LIST
from central import BY_THE_FORM
from daemons import ENVIRONMENT, WITHIN

OPTIONS = ["--hide", LIST, "--trust-log"]
CUT = 100  # bytes
LARGE = 48 << 20  # bytes; such a file is read in parts
TRIES = 30
READ = 4 << 20  # bytes after which a reader is in the middle of a large file


def check(scan, programs, boots, logs, home):
    home.mkdir()
    yield from cut(scan, boots, logs, home)
    yield from appended(scan, boots, logs, home)
    yield from before_it_is_read(scan, programs, boots, logs, home)
    yield from while_it_is_read(scan, logs, home)


def without(boots, host):
    return [boot for boot in boots if boot.host != host]


def others(answer, host):
    """Without what it says of one host, and of files."""
    answer.reports = [report for report in answer.reports if report["host"] not in (host, None)]
    return answer


def told(name, answer, *words):
    """Holds that something is said to be unreadable in these words, and that nothing is ok for it."""
    if not any(all(word in message for word in words) for message in answer.unreadable()):
        yield f"{name}: {' and '.join(words)} is not told, but {answer.unreadable()}"


def cut(scan, boots, logs, home):
    """A packed file without its end."""
    for name, ending in [("hosts-gz", ".gz"), ("hosts-xz", ".xz"), ("hosts-zst", ".zst")]:
        copy = home / name
        shutil.copytree(logs / name, copy)
        for host in ["dom0-a", "dom0-h"]:
            packed = max((copy / host).glob(f"*{ending}"), key=lambda file: file.stat().st_size)
            whole = packed.read_bytes()
            packed.write_bytes(whole[:-CUT])
            answer = scan.run([copy], *OPTIONS)
            yield from sane(f"cut {ending}", answer)
            yield from told(f"cut {ending}", answer, str(packed))
            # What was critical stays so; beside a host that is ok, what was ok and is cut leaves nothing but unknown.
            if answer.status not in (2, 3):
                yield f"cut {ending}: status {answer.status}"
            pair = scan.run([copy / "dom0-b", packed.parent], *OPTIONS)
            if host == "dom0-h" and pair.status != 3:
                yield f"cut {ending}: status {pair.status} beside a host that is ok"
            yield from held(f"cut {ending} of {host}", others(answer, host), without(boots, host), BY_THE_FORM)
            packed.write_bytes(whole)


def large(logs, file):
    """A log of this size: hosts that say nothing, and those of all boots in front."""
    noise = b"".join(b"Nov 22 12:00:%02d mail-%d postfix/smtpd[%d]: connect from unknown[192.0.2.%d]\n"
                     % (number % 60, number % 9, number, number % 250) for number in range(8192))
    with file.open("wb") as output:
        output.write((logs / "traditional/all.log").read_bytes())
        while output.tell() < LARGE:
            output.write(noise)


def appended(scan, boots, logs, home):
    """A file that grows while it is read, now and then by half a line."""
    file = home / "growing.log"
    large(logs, file)
    stop = threading.Event()

    def write():
        with file.open("ab", buffering=0) as output:
            while not stop.is_set():
                output.write(b"Nov 22 13:00:00 mail-1 postfix/smtpd[1]: connect ")
                output.write(b"from unknown\n")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for threads in ["1", "2"]:
            before = file.stat().st_size
            answer = scan.run([file], *OPTIONS, "--threads", threads)
            if file.stat().st_size == before:
                yield f"growing, {threads} threads: it did not grow"
            yield from sane("growing", answer)
            yield from held("growing", answer, boots, BY_THE_FORM)
    finally:
        stop.set()
        writer.join()
    file.unlink()


def between(scan, fifo, paths, change):
    """Runs `scan` with `change` between its look at the files and its reading them: the pipe comes first, and is waited for."""
    command = scan.command([fifo, *paths], "--threads", "1", *OPTIONS)
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with fifo.open("wb"):  # opens when the other end does
        change()
    output, errors = process.communicate(timeout=WITHIN)
    return scan.answer(command, subprocess.CompletedProcess(command, process.returncode, output, errors))


def before_it_is_read(scan, programs, boots, logs, home):
    fifo = home / "fifo"
    os.mkfifo(fifo)
    for size, name in [(0, "small"), (1, "large")]:
        folder = home / f"copytruncate-{name}"
        folder.mkdir()
        file = folder / "kern.log"
        if size:
            large(logs, file)
        else:
            shutil.copy(logs / "traditional/all.log", file)
        answer = between(scan, fifo, [file, logs / "hosts-gz/dom0-h"],
                         lambda: logrotate(programs, folder, "copytruncate"))
        yield from sane(f"truncated, {name}", answer)
        yield from told(f"truncated, {name}", answer, str(file), "shorter")
        if answer.status != 3:
            yield f"truncated, {name}: status {answer.status}"
        shutil.rmtree(folder)
    # Files that change their names: what is behind a name is not what was found there.
    folder = home / "renamed"
    shutil.copytree(logs / "hosts-gz/dom0-a", folder / "dom0-a")
    answer = between(scan, fifo, [folder], lambda: logrotate(programs, folder / "dom0-a", "compress\ncreate"))
    yield from sane("renamed", answer)
    yield from told("renamed", answer, str(folder / "dom0-a"))


def logrotate(programs, folder, how):
    config = folder.parent / f"{folder.name}.conf"
    config.write_text(f"{folder}/kern.log {{\nrotate 9\n{how}\n}}\n")
    config.chmod(0o600)
    subprocess.run([programs.logrotate, "-f", "-s", folder.parent / f"{folder.name}.state", config], check=True,
                   env={**ENVIRONMENT, **programs.libraries})


def while_it_is_read(scan, logs, home):
    """A file that becomes shorter in the middle of being read, as `copytruncate` makes it."""
    file = home / "shrinking.log"
    for threads in ["1", "2"]:
        said = 0
        for _ in range(TRIES):
            large(logs, file)
            command = scan.command([file], "--threads", threads, *OPTIONS)
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, text=True)
            caught = reads(process)
            os.truncate(file, 0)
            output, errors = process.communicate(timeout=WITHIN)
            answer = scan.answer(command, subprocess.CompletedProcess(command, process.returncode, output, errors))
            yield from sane(f"shrinking, {threads} threads", answer)
            said += any(str(file) in message and "shorter" in message for message in answer.unreadable())
            if caught and said:
                break
        else:
            yield f"shrinking, {threads} threads: not said in {TRIES} runs: {answer.unreadable()}"
    file.unlink()


def reads(process):
    """Waits until a process has read a part of its input; false if it is over before."""
    end = time.monotonic() + WITHIN
    while process.poll() is None and time.monotonic() < end:
        try:
            with open(f"/proc/{process.pid}/io") as io:
                if int(io.readline().split()[1]) > READ:
                    return True
        except (OSError, ValueError, IndexError):
            return False
    return False
