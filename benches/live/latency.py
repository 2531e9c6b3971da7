"""From the writing of a record to the arrival of its line in a pipe."""

import json
import os
import random
import re
import time

from programs import Follower, Reader, write, ring

# A message of the driver that has a number in it, and that no audit heeds when user space wrote it.
RECORD = "<6>pciback 0000:ff:1f.7: xen_pciback: MSI-X preparation failed (-{})"
NUMBER = re.compile(rb"MSI-X preparation failed \(-([0-9]+)\)")

ROUNDS = 6
# Records a second, and how many of them in a round; 0 is as fast as can be.
RATES = [(10, 100), (100, 300), (1000, 1000), *[(0, 500)] * 5]
ALONE = [(100, 200), *[(0, 500)] * 5]
SETTLED = 0.5

# How often rmesg asks syslog(2), and a little more.
POLL = 11

DEVICES = [f"0000:{bus:02x}:{slot:02x}.{function}" for bus in (0xFD, 0xFE) for slot in range(15) for function in (0, 1)]


def name(rate):
    return f"{rate}/s" if rate else "burst"


def write_all(rate, count, first):
    """Writes records, and returns when each was written. The kernel's ticks are not to be met always alike: hence chance."""
    written = {}
    due = time.monotonic()
    for number in range(first, first + count):
        if rate:
            due += random.uniform(0.5, 1.5) / rate
            time.sleep(max(0, due - time.monotonic()))
        written[number] = write(RECORD.format(number))
    time.sleep(SETTLED)
    return written


def numbers(lines):
    """The numbers of our records, each with the time of its arrival."""
    return [(int(found[1]), when) for when, line in lines if (found := NUMBER.search(line))]


def arrivals(lines, written):
    """Latencies in milliseconds of the records that were written, by number, and how many came more than once."""
    seen = {}
    twice = 0
    for number, when in numbers(lines):
        if number in written:
            twice += number in seen
            seen.setdefault(number, when)
    return {number: (when - written[number]) / 1e6 for number, when in seen.items()}, twice


def percentile(values, part):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def line(what, who, count, came, twice, base):
    values = came.values()
    head = f"| {what:12} | {who:14} | {count:5} | {count - len(values):4} | {twice:5} |"
    if not values:
        return f"{head} none came |"
    p50, p99 = percentile(values, 0.5), percentile(values, 0.99)
    beside = ""
    if base:
        shared = came.keys() & base.keys()
        behind = f"{percentile([came[record] - base[record] for record in shared], 0.5):+.3f}" if shared else ""
        ratios = p50 / percentile(base.values(), 0.5), p99 / percentile(base.values(), 0.99)
        beside = f"{ratios[0]:.2f} | {ratios[1]:.2f} | {behind}"
    return f"{head} {p50:.3f} | {p99:.3f} | {max(values):.3f} | {beside or '| |'} |"


# The last columns: p50 and p99 as parts of dmesg's, and by how much it is later than dmesg with one and the same record.
HEAD = (
    f"| {'rate':12} | {'reader':14} | {'n':>5} | lost | twice | p50 ms | p99 ms | max ms | p50 : dmesg | p99 : dmesg |"
    " median behind dmesg, ms |\n|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
)


def side_by_side(programs):
    """All but syslog(2) at every rate, in rounds; syslog(2) as well, which disturbs the others when it polls; each alone."""
    fast = [who for who in programs.followers if who != "rmesg klogctl"]
    rounds = [RATES] * ROUNDS
    print(HEAD)
    report(rates_in_rounds(programs, fast, rounds, SETTLED), fast)
    report(rates_in_rounds(programs, list(programs.followers), [[(5, 150)]], POLL), programs.followers)
    # Side by side they wait for each other's processor: this is what each needs itself.
    single = {}
    for who in fast * 3:
        for what, sums in rates_in_rounds(programs, [who], [ALONE], SETTLED).items():
            total = single.setdefault(f"{what}, alone", {}).setdefault(who, [0, {}, 0])
            count, came, twice = sums[who]
            total[0] += count
            total[1] |= came
            total[2] += twice
    report(single, fast)
    report({"no kmsg": {"driver alone": alone()}}, [])


def rates_in_rounds(programs, names, rounds, patience):
    """Latencies by rate and follower: all read the same records at the same time."""
    found = {}
    next_number = random.randrange(1, 1 << 40) << 20
    for turn, rates in enumerate(rounds):
        # Whoever begins to wait first may be woken first: take turns.
        order = names[turn % len(names) :] + names[: turn % len(names)]
        followers = [Follower(who, programs.followers[who]) for who in order]
        time.sleep(1)
        written = {}
        for rate, count in rates:
            written.setdefault(rate, {}).update(write_all(rate, count, next_number))
            next_number += count
        time.sleep(patience)
        for follower in followers:
            lines = follower.end()
            for rate, records in written.items():
                values, twice = arrivals(lines, records)
                sums = found.setdefault(name(rate), {}).setdefault(follower.name, [0, {}, 0])
                sums[0] += len(records)
                sums[1] |= values
                sums[2] += twice
    return found


def report(found, names):
    for what, by_name in found.items():
        base = by_name.get("dmesg", [0, {}, 0])[1]
        for who in names or by_name:
            print(line(what, who, *by_name[who], base), flush=True)


def alone():
    """What the driver itself adds: the same writes and reads, through a pipe with nobody in between."""
    source, sink = os.pipe()
    reader = Reader(os.fdopen(source, "rb"), sink)
    written = {}
    for number in range(500):
        time.sleep(random.uniform(0.005, 0.015))
        written[number] = time.monotonic_ns()
        os.write(sink, RECORD.format(number).encode() + b"\n")
    os.close(sink)
    values, twice = arrivals(reader.lines(), written)
    return [len(written), values, twice]


def whole_watch(programs):
    """From a forged seizing line to the finding that `watch` prints, with a look at the whole host in between."""
    forget()
    command = [programs.audit, "watch", "-J", *(word for device in DEVICES for word in ("--device", device))]
    followers = [Follower("watch -J", command), Follower("dmesg", programs.followers["dmesg"])]
    time.sleep(2)
    written = {}
    for device in DEVICES:
        time.sleep(random.uniform(0.2, 0.3))
        written[device] = write(f"<6>pciback {device}: xen_pciback: seizing device")
    time.sleep(1)
    print(HEAD)
    found = {follower.name: times(follower.end(), written) for follower in followers}
    report({"4/s": {who: [len(written), *values] for who, values in found.items()}}, [])
    forget()


def times(lines, written):
    """Latencies by device, of a finding or of the line itself, and how many came twice."""
    seen = {}
    twice = 0
    for when, text in lines:
        device = told(text)
        if device in written:
            twice += device in seen
            seen.setdefault(device, when)
    return {device: (when - written[device]) / 1e6 for device, when in seen.items()}, twice


def told(text):
    if text.startswith(b"{"):
        event = json.loads(text)
        return event["address"] if event["code"] == "forged-record" else None
    found = re.search(rb"pciback (\S+): xen_pciback: seizing device", text)
    return found and found[1].decode()


def forget():
    """Has the ring buffer overwritten until no forged line is left: a device that one names has its finding from the start."""
    while any(b": seizing device" in record for record in ring()):
        for _ in range(200):
            write(RECORD.format(0))


def quick(programs):
    """Whether every record comes exactly once, in order, although the readers are disturbed."""
    follower = Follower("ours", programs.followers["ours"])
    time.sleep(0.5)
    first = random.randrange(1, 1 << 40) << 20
    written = {**write_all(0, 50, first), **write_all(200, 50, first + 50)}
    came = [number for number, _ in numbers(follower.end()) if number in written]
    if came != list(written):
        return f"written: {list(written)}\nprinted: {came}"
    print(f"{len(came)} records of /dev/kmsg, each printed once, in order")
    return None


