"""A real rsyslogd that writes what several hosts send, and a real logrotate beside it."""

import os
import signal
import socket
import subprocess
import time
from datetime import datetime, timezone

WITHIN = 30  # seconds for what takes a fraction of one
LISTENS = 20  # seconds after the start of a host: what the kernel said before is written down then
ENVIRONMENT = {"TZ": "UTC", "LC_ALL": "C", "PATH": os.environ["PATH"]}

# Where rsyslogd writes, by the name of the directory: what, in which form, and the file below it. These are not rotated.
WHOLE = {
    "traditional": ("*.*", "TraditionalFileFormat", "all.log"),
    "rfc3339": ("*.*", "FileFormat", "all.log"),
    "rfc5424": ("*.*", "SyslogProtocol23Format", "all.log"),
    "remote": ("kern.*", "TraditionalFileFormat", "%HOSTNAME%/kern.log"),
    "both": ("*.*", "TraditionalFileFormat", "%HOSTNAME%/syslog"),
    "auth": ("auth,authpriv.*", "TraditionalFileFormat", "%HOSTNAME%/auth.log"),
}
# And these are: how, besides.
XZ = "compress\ncompresscmd {xz}\nuncompresscmd {xz}\ncompressext .xz"
ZSTD = "compress\ncompresscmd {zstd}\ncompressoptions -q --rm\nuncompresscmd {zstd}\ncompressext .zst"
ROTATED = {
    "numbered": ("*.*", "TraditionalFileFormat", "kern.log", "compress\ndelaycompress"),
    "dated": ("*.*", "FileFormat", "messages", "compress\ndateext"),
    "xz": ("*.*", "SyslogProtocol23Format", "kern.log", XZ),
    "zstd": ("*.*", "TraditionalFileFormat", "kern.log", ZSTD + "\ndelaycompress\ndateext"),
    "copied": ("*.*", "TraditionalFileFormat", "kern.log", "copytruncate\nnocompress"),
    "hosts-gz": ("kern.*", "TraditionalFileFormat", "%HOSTNAME%/kern.log", "compress"),
    "hosts-xz": ("kern.*", "FileFormat", "%HOSTNAME%/kern.log", XZ + "\ndateext"),
    "hosts-zst": ("kern.*", "TraditionalFileFormat", "%HOSTNAME%/kern.log", ZSTD),
}

# How hosts send, where not by RFC 3164 and TCP.
FORMS = {"dom0-b": 5424, "dom0-d": 5424, "dom0-f": "forward", "dom0-h": "forward"}
BY_UDP = "dom0-g"

NOISE = [
    (30, "systemd[1]", "Started Session {} of user root."),
    (86, "sshd[{}]", "Accepted publickey for root from 192.0.2.7 port 22 ssh2"),
    (78, "CRON[{}]", "(root) CMD (test -x /usr/sbin/anacron || run-parts /etc/cron.daily)"),
    (13, "root", "the maintenance of 0000:00:1d.7 is over, pciback stays loaded"),
]


def until(holds, what):
    """Polls until something is so; that it never is ends the suite."""
    end = time.monotonic() + WITHIN
    while not holds():
        if time.monotonic() > end:
            raise SystemExit(f"archives: {what} did not come about within {WITHIN} s")
        time.sleep(0.01)


def messages(boots):
    """(when, host, priority, tag, text) of everything the hosts send, in the order of time."""
    sent = []
    for boot in boots:
        for number, record in enumerate(boot.records):
            when = boot.wall(record, LISTENS)
            if record.facility:
                # imklog leaves out what user space wrote into the kernel's log. Such a text mostly comes from logger.
                sent.append((when, boot.host, record.facility * 8 + record.level, "root", record.text))
                continue
            clock = f"[{record.uptime // 10**6:5}.{record.uptime % 10**6:06}]"
            sent += [(when, boot.host, record.level, "kernel", f"{clock} {line}") for line in record.text.split("\n")]
            if number % 5 == 0:
                priority, tag, text = NOISE[number // 5 % len(NOISE)]
                sent.append((when, boot.host, priority, tag.format(number), text.format(number)))
    return sorted(sent, key=lambda one: one[0])


def line(form, when, host, priority, tag, text):
    at = datetime.fromtimestamp(when, timezone.utc)
    if form == "forward":  # rsyslog's own, when it sends to another
        return f"<{priority}>{at.isoformat('T', 'microseconds')} {host} {tag}: {text}"
    if form == 5424:
        name, _, process = tag.rstrip("]").partition("[")
        return f"<{priority}>1 {at.isoformat('T', 'microseconds')} {host} {name} {process or '-'} - - {text}"
    return f"<{priority}>{at:%b} {at.day:2} {at:%H:%M:%S} {host} {tag}: {text}"


class Rsyslogd:
    """Listens on ports of its own, and writes below `home`."""

    def __init__(self, programs, home):
        self.home = home
        self.marks = 0
        home.mkdir()
        self.config = home / "rsyslog.conf"
        self.ports = {kind: free_port(kind) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)}
        self.config.write_text("\n".join(self.settings()) + "\n")
        self.output = (home / "output").open("w+")
        command = [programs.rsyslogd, "-n", "-f", self.config, "-i", home / "pid", "-M", programs.rsyslog_modules]
        self.process = subprocess.Popen(command, env={**ENVIRONMENT, **programs.libraries}, stdin=subprocess.DEVNULL,
                                        stdout=self.output, stderr=self.output)
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.connect(("127.0.0.1", self.ports[socket.SOCK_DGRAM]))
        self.tcp = None
        until(self.connects, "rsyslogd's port")

    def settings(self):
        yield f'global(workDirectory="{self.home}" net.enableDNS="off")'
        yield "module(load=\"imtcp\")\nmodule(load=\"imudp\")"
        yield f'input(type="imtcp" address="127.0.0.1" port="{self.ports[socket.SOCK_STREAM]}")'
        yield f'input(type="imudp" address="127.0.0.1" port="{self.ports[socket.SOCK_DGRAM]}")'
        for name, (chosen, form, file, *_) in {**WHOLE, **ROTATED}.items():
            path = self.home / name / file
            target = f'file="{path}"'
            if "%" in file:
                yield f'template(name="{name}" type="string" string="{path}")'
                target = f'dynaFile="{name}"'
            yield f'{chosen} action(type="omfile" template="RSYSLOG_{form}" {target} createDirs="on")'

    def connects(self):
        if self.process.poll() is not None:
            self.output.seek(0)
            raise SystemExit(f"archives: rsyslogd ended with {self.process.returncode}: {self.output.read()[-2000:]}")
        try:
            self.tcp = socket.create_connection(("127.0.0.1", self.ports[socket.SOCK_STREAM]))
        except OSError:
            return False
        return True

    def send(self, sent):
        """Sends messages by the way that is each host's own, and waits until they are written."""
        for count, (when, host, *what) in enumerate(sent):
            if host == BY_UDP:
                self.udp.send(line(3164, when, host, *what).encode("latin-1"))
                if count % 64 == 0:
                    self.mark(self.udp.send)  # a datagram that finds no room is lost
            else:
                self.tcp.sendall(line(FORMS.get(host, 3164), when, host, *what).encode("latin-1") + b"\n")
        self.mark(self.udp.send)
        self.mark(self.tcp.sendall)

    def mark(self, send):
        """What was sent by the same way before is written when this is: one thread does it."""
        self.marks += 1
        text = f"mark {self.marks} is here"
        file = self.home / "rfc3339/all.log"
        before = file.stat().st_size if file.exists() else 0
        send(line(3164, time.time() - 3600, "loghost", 6, "marks", text).encode() + b"\n")
        until(lambda: text.encode() in behind(file, before), text)

    def hang_up(self):
        """Has it open its files anew, and waits until it did."""
        os.kill(self.process.pid, signal.SIGHUP)
        new = [self.home / name / of[2].replace("%HOSTNAME%", "loghost") for name, of in ROTATED.items()]
        until(lambda: self.mark(self.tcp.sendall) or all(file.exists() for file in new), "the next files")

    def files(self, name):
        return sorted(path for path in (self.home / name).rglob("*") if path.is_file())

    def stop(self):
        if self.tcp:
            self.tcp.close()
        self.udp.close()
        self.process.terminate()
        self.process.wait(WITHIN)
        self.output.close()


def behind(file, offset):
    if not file.exists():
        return b""
    with file.open("rb") as opened:
        opened.seek(offset)
        return opened.read()


def free_port(kind):
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def rotate(programs, daemon, turn):
    """Rotates what is to be rotated, for the first or the second time. With `dateext` a day has one file."""
    for name, (_, _, file, how) in ROTATED.items():
        pattern = daemon.home / name / file.replace("%HOSTNAME%", "*")
        how = how.format(xz=programs.xz, zstd=programs.zstd)
        if "dateext" in how and turn == 0:
            how += "\ndateyesterday"
        config = daemon.home / f"logrotate-{name}.conf"
        config.write_text(f"{pattern} {{\nrotate 9\n{how}\n}}\n")
        config.chmod(0o600)
        command = [programs.logrotate, "-f", "-s", daemon.home / f"logrotate-{name}.state", config]
        ran = subprocess.run(command, capture_output=True, text=True, check=False,
                             env={**ENVIRONMENT, **programs.libraries})
        if ran.returncode != 0:
            raise SystemExit(f"archives: logrotate of {name} ended with {ran.returncode}: {ran.stderr}")
    # It may have packed files that the daemon still has open, and nothing was written into them.
    daemon.hang_up()
