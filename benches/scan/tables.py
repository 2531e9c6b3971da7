"""What is measured, and against what."""

import shlex
import statistics

from logs import forget, warm
from programs import run

TEXT = "seizing device"
MIB = 1 << 20

# So much `scan` reads at a time.
BLOCK = 64 << 10

# What resident memory may be: for everything, and for each host and boot.
MEMORY = 64 * MIB
MEMORY_EACH = 4096


class Row:
    """Ours and theirs, what the ratio of wall time (and of processor time) is to be, and what the log holds. `least` only gets at
    the text, by the same means, and does nothing with it."""

    def __init__(self, name, ours, theirs, target, about, cpu=None, counted="seizing", least=None):
        self.name, self.ours, self.theirs, self.least = name, ours, theirs, least
        self.target, self.cpu, self.about, self.counted = target, cpu, about, counted

    def measure(self, rounds):
        """The runs of each, by turns, after one of each that does not count."""
        commands = [self.ours, self.theirs, *([self.least] if self.least else [])]
        warming = 1 if rounds > 1 else 0
        runs = [[], [], []]
        for number in range(rounds + warming):
            for which in range(len(commands)) if number % 2 else reversed(range(len(commands))):
                one = run(commands[which])
                if number >= warming:
                    runs[which].append(one)
        return runs

    def faults(self, ours, theirs):
        limit, most = allowed(self.about), max(one.rss for one in ours)
        if most > limit:
            yield f"{self.name}: {most / MIB:.1f} MiB resident, {limit / MIB:.1f} MiB allowed"
        for one in ours:
            if one.status not in (0, 1, 2):
                yield f"{self.name}: {shown(self.ours)} ended with {one.status}"
            told = counts(one.output)
            for name, what in {"hosts": "hosts", "boots": "boots", "boots critical": "not_ok"}.items():
                if told.get(name) != self.about[what]:
                    yield f"{self.name}: {told.get(name)} {name} counted, the log has {self.about[what]}"
        for one in theirs:
            found = sum(int(line) for line in one.output.split())
            if found != self.about[self.counted]:
                yield f"{self.name}: {shown(self.theirs)} counted {found} lines of {self.about[self.counted]}"


def allowed(about):
    return MEMORY + MEMORY_EACH * (about["hosts"] + about["boots"])


def shown(command):
    return command if isinstance(command, str) else shlex.join(str(word) for word in command)


def middle(values):
    return statistics.median(values)


def ratio(ours, theirs, what):
    return middle([getattr(one, what) / getattr(other, what) for one, other in zip(ours, theirs)])


def seven(programs, logs):
    """The rows, each made only when it comes to it."""
    audit, rg = [programs.audit, "scan", "--summary"], [programs.rg, "-c", TEXT]
    search = f"'{programs.rg}' -c '{TEXT}'"
    scan = shlex.join(map(str, audit))
    count = f"grep -c '{TEXT}'"

    def plain(threads, target):
        def row(name):
            log, about = logs.log()
            part = -(-about["bytes"] // threads // BLOCK)
            read = f"dd if='{log}' of=/dev/null bs={BLOCK} count={part} status=none skip="
            least = " & ".join(f"{read}{number * part}" for number in range(threads)) + " & wait"
            return Row(name, [*audit, "--threads", str(threads), log], [*rg, log], target, about, least=least)

        return row

    def packed(tool, suffix, cat, target, cpu):
        def row(name):
            log, about = logs.log()
            log = logs.packed(log, tool, suffix)
            theirs = f"{cat} '{log}' | {count}"
            return Row(name, [*audit, log], theirs, target, about, cpu, least=[tool, "-t", "-q", log])

        return row

    def dense(name):
        log, about = logs.log("--dense")
        # As much of a dense log for ripgrep as for us: next to every line has this.
        theirs = [programs.rg, "-c", "pciback", log]
        return Row(name, [*audit, "--threads", "2", log], theirs, 5, about, counted="pciback")

    def pipe(name):
        log, about = logs.log()
        return Row(name, f"cat '{log}' | {scan} -", f"cat '{log}' | {search}", 0.9, about)

    def rotated(name):
        log, about = logs.log()
        directory, parts = logs.rotated(log)
        each = "; ".join(f"zcat '{part}' | {count}" for part in parts)
        return Row(name, [*audit, "--threads", "2", directory], each, 0.14, about)

    return {
        "plain, one thread": (plain(1, 1.15), True),
        "plain, two threads": (plain(2, 0.65), True),
        "gzip": (packed("gzip", ".gz", "zcat", 0.28, None), False),
        "zstd": (packed("zstd", ".zst", "zstdcat", 0.9, None), False),
        "dense": (dense, True),
        "a pipe": (pipe, True),
        "eight rotated gzip files": (rotated, False),
    }


def work(programs, logs, rounds, only):
    print(
        "| work | ours s | CPU s | MiB | theirs s | CPU s | wall, ours : theirs | to be | least : theirs |"
        " CPU, ours : theirs | to be |"
    )
    print("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    faults = []
    for name, (make, needs_ripgrep) in seven(programs, logs).items():
        if only not in name or (needs_ripgrep and not programs.rg):
            continue
        row = make(name)
        ours, theirs, least = row.measure(rounds)
        limit = f"{ratio(least, theirs, 'wall'):.2f}" if least else ""
        wall, cpu = ratio(ours, theirs, "wall"), ratio(ours, theirs, "cpu")
        print(
            f"| {name} | {middle([one.wall for one in ours]):.3f} | {middle([one.cpu for one in ours]):.3f} |"
            f" {max(one.rss for one in ours) / MIB:.1f} | {middle([one.wall for one in theirs]):.3f} |"
            f" {middle([one.cpu for one in theirs]):.3f} | **{wall:.2f}** | {row.target} | {limit} | {cpu:.2f} | {row.cpu or ''} |",
            flush=True,
        )
        faults += row.faults(ours, theirs)
    return faults


def counts(summary):
    """What a summary says: a name of some words and a number, a line."""
    lines = (line.rpartition(" ") for line in summary.decode().splitlines())
    return {name.strip(): int(number) for name, _, number in lines if number.isdigit()}


def hosts(programs, logs, rounds, only):
    """The same number of bytes from ever more hosts, each of which booted at least once."""
    print("| hosts | boots | lines of ours | s | CPU s | MiB | allowed | GB/s | more CPU than for ten, per boot, µs |")
    print("|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    faults, least = [], None
    for count in [10, 1000, 100_000]:
        log, about = logs.log(*([] if count == 10 else ["--hosts", str(count)]))
        command = [programs.audit, "scan", "--summary", "--threads", "1", log]
        row = Row(f"{count} hosts", command, None, None, about)
        runs = [run(command) for _ in range(rounds)]
        cpu = middle([one.cpu for one in runs])
        wall = middle([one.wall for one in runs])
        least = least or (cpu, about["boots"])
        more = (cpu - least[0]) / max(about["boots"] - least[1], 1) * 1e6
        print(
            f"| {about['hosts']} | {about['boots']} | {about['ours']} | {wall:.3f} | {cpu:.3f} |"
            f" {max(one.rss for one in runs) / MIB:.1f} | {allowed(about) / MIB:.1f} |"
            f" {about['bytes'] / wall / 1e9:.2f} | {more:.1f} |",
            flush=True,
        )
        faults += row.faults(runs, [])
    return faults


def cache(programs, logs, rounds, only):
    """Plain files beside ripgrep, which maps a file and so depends on the size of the pages in the page cache; a program that
    reads does not."""
    if not programs.rg:
        print("ripgrep is not there")
        return []
    scan = [programs.audit, "scan", "--summary", "--threads"]
    commands = {
        "rg": [programs.rg, "-c", TEXT],
        "rg --no-mmap": [programs.rg, "--no-mmap", "-c", TEXT],
        "one thread": [*scan, "1"],
        "two": [*scan, "2"],
    }
    names = [*commands, "read(2) alone, 64 KiB"]
    pairs = [(ours, theirs) for theirs in ("rg", "rg --no-mmap") for ours in ("one thread", "two")]
    headings = [*(f"{name}, s" for name in names), *(f"{ours} : {theirs}" for ours, theirs in pairs)]
    print(f"| log, and how it came into the page cache | {' | '.join(headings)} |")
    print("|---" + "|--:" * len(headings) + "|")
    for options in ([], ["--idle"]):
        log, _ = logs.log(*options)
        copy = log.with_name("copy")
        states = {
            "written, 4 KiB at a time": lambda: copied(log, copy, 12),
            "written, 1 MiB at a time": lambda: copied(log, copy, 20),
            "read from the disk": lambda: (forget(log), warm(log), log)[2],
        }
        for state, make in states.items():
            if only not in state:
                continue
            times = {name: [] for name in names}
            for number in range(rounds):
                # Where the pages lie in memory counts as well, so each round gets others.
                path = make()
                for name in names if number % 2 else reversed(names):
                    read = ["dd", f"if={path}", "of=/dev/null", "bs=64k", "status=none"]
                    times[name].append(run([*commands[name], path] if name in commands else read).wall)
            columns = [f"{middle(times[name]):.3f}" for name in names]
            for ours, theirs in pairs:
                columns.append(f"{middle([one / other for one, other in zip(times[ours], times[theirs])]):.2f}")
            print(f"| {' '.join(['idle talk,' if options else 'own log,', state])} | {' | '.join(columns)} |", flush=True)
        copy.unlink(missing_ok=True)
    return []


def small(programs, logs, rounds, only):
    """A log of 100 KB: what a process costs to start. Each round runs every program 20 times."""
    log, _ = logs.log()
    head = log.with_name("head")
    with log.open("rb") as whole:
        head.write_bytes(whole.read(100_000).rpartition(b"\n")[0] + b"\n")
    commands = {
        "scan": [programs.audit, "scan", "--summary", head],
        "rg": [programs.rg, "-c", "session", head],
        "--version": [programs.audit, "--version"],
    }
    if not programs.rg:
        del commands["rg"]
    times = {name: [] for name in commands}
    for _ in range(rounds * 20):
        for name, command in commands.items():
            times[name].append(run(command))
    print("| program | wall, ms | CPU, ms | of rg's wall |")
    print("|---|--:|--:|--:|")
    for name, runs in times.items():
        wall, cpu = middle([one.wall for one in runs]), middle([one.cpu for one in runs])
        to_rg = f"{ratio(runs, times['rg'], 'wall'):.2f}" if "rg" in times else ""
        print(f"| {name} | {wall * 1e3:.2f} | {cpu * 1e3:.2f} | {to_rg} |", flush=True)
    return []


def copied(log, copy, bits):
    copy.unlink(missing_ok=True)
    with log.open("rb", buffering=0) as source, copy.open("wb", buffering=0) as target:
        while block := source.read(1 << bits):
            target.write(block)
    return copy
