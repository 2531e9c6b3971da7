"""Holds what ran beside the steps against what a scenario expects of it: how long an audit waited, what a watch told."""

import json

from scenario import long


def judge(name, lines, left):
    """What is wrong with a watch, a line for each. `left`: what it left behind."""
    wrong = []
    for check in (check_exit, check_events, check_stderr, check_memory):
        wrong += [f"{name}: {message}" for message in check(lines, left)]
    return wrong


def wanted(lines, *kinds):
    return [words for _, words in lines if words[0] in kinds]


def bound(what, sign, limit, value):
    """Nothing, or what is wrong with a value that must be below or above a limit."""
    holds = {"<": value < float(limit), ">": value > float(limit)}[sign]
    return [] if holds else [f"{what} is {value:g}, expected {sign} {limit}"]


def check_times(lines, left):
    took, late = (int(hundredths) / 100 for hundredths in left.get("took", "0 0").split())
    for kind, value in (("took", took), ("late", late)):
        for _, sign, limit in wanted(lines, kind):
            yield from bound(kind, sign, limit, value) if "took" in left else [f"{kind} of an audit that nobody waited for"]


def check_exit(lines, left):
    for _, status in wanted(lines, "exit"):
        if left["exit"].strip() != status:
            yield f"exit status {left['exit'].strip()}, expected {status}"


def check_events(lines, left):
    """All events, no more and no fewer, in their order."""
    events = [json.loads(line) for line in left["events"].splitlines()]
    at = 0
    for kind, *words in wanted(lines, "event", "events"):
        first = at
        while at < len(events) and is_meant(words, events[at]) and (kind == "events" or at == first):
            at += 1
        if at == first:
            yield f"expected `{' '.join(words)}`, but there came {shown(events[at]) if at < len(events) else 'nothing'}"
            return
    for event in events[at:]:
        yield f"not expected: {shown(event)}"


def is_meant(words, event):
    kind, *values = words
    held = {str(event[key]) for key in ("address", "status", "code", "severity", "lost")} | {event["driver"] or "-"}
    # every event names the verdict, but only these are about it
    held |= {event["verdict"]} if kind == "verdict" else set()
    return event["kind"] == kind and all(long(value) in held for value in values)


def shown(event):
    return f"{event['kind']} {event['address'] or ''}: {event['message']}"


def check_stderr(lines, left):
    expected = [" ".join(words[1:]) for words in wanted(lines, "stderr")]
    found = left["stderr"].splitlines()
    for number in range(max(len(expected), len(found))):
        part, line = (items[number] if number < len(items) else None for items in (expected, found))
        if part is None or line is None or part not in line:
            yield f"standard error says `{line}`, expected `{part}`"


def check_memory(lines, left):
    numbers = [int(line) for line in left.get("memory", "").split()]
    for kind, sign, limit in wanted(lines, "memory", "growth"):
        if len(numbers) < 2:
            yield f"{kind}: `memory` was asked {len(numbers)} times"
            continue
        for value in numbers if kind == "memory" else [numbers[-1] - numbers[0]]:
            yield from bound(kind, sign, limit, value)
