"""The truth table of the hide= grammar: what hidetable brought out of dom0, as a file a test can read."""

import errno
import re

import grammar

HEADER = ("kind", "input", "result", "loaded", "rest", "rest_cut", "slots", "readback", "other_messages")
PARSE_ERROR = re.compile(r"xen_pciback: Error parsing pci_devs_to_hide at \"(.*?)(\"?)$")
ROUTINE = re.compile(r"pciback: (backend is|seizing device)|enabling device|BAR \d|Unable to change power state|reset")


SURE = 900  # characters of a cut message that every kernel prints; the limit itself differs by a few
LONG = re.compile(r"([`'])([^`']{60})[^`']+('|$)")  # a message repeats the whole parameter: its beginning will do


def escape(text):
    return "".join("\\\\" if char == "\\" else char if " " <= char <= "~" else f"\\x{ord(char):02x}" for char in text)


def unescape(text):
    return re.sub(r"\\(?:x([0-9a-f]{2})|(\\))", lambda hit: chr(int(hit.group(1), 16)) if hit.group(1) else "\\", text)


def input_file():
    """What hidetable reads: a number for each input, and the argument string."""
    return "".join(f"{at}\t{escape(row[2])}\n" for at, row in enumerate(grammar.inputs())).encode()


def runs(lines):
    """`0000:00:1d.*` for its eight functions in a row, `0000:00:*.*` for its 256: a list of slots stays readable."""
    out = []
    while lines:
        place = lines[0].rpartition(".")[0]
        bus = place.rpartition(":")[0]
        for count, name, whole in (
                (256, bus + ":*.*", [f"{bus}:{slot:02x}.{function}" for slot in range(32) for function in range(8)]),
                (8, place + ".*", [f"{place}.{function}" for function in range(8)]),
                (1, lines[0], lines[:1])):
            if lines[:count] == whole:
                out.append(name)
                lines = lines[count:]
                break
    return " ".join(out)


def facts(text):
    """input's number -> key -> values"""
    table = {}
    for line in text.splitlines():
        number, key, value = line.split("\t", 2)
        table.setdefault(int(number), {}).setdefault(key, []).append(value)
    return table


def row(given, found):
    kind, text, _ = given
    code = int(found["errno"][0])
    rest, cut, others = "", "", []
    for message in (unescape(value) for value in found.get("message", [])):
        hit = PARSE_ERROR.search(message.replace("\n", "\0"))
        if hit:
            rest, cut = hit.group(1).replace("\0", "\n"), "" if hit.group(2) else "cut"
            if cut:
                rest = rest[:SURE]
        elif not ROUTINE.search(message):
            others.append(LONG.sub(r"\1\2...\3", message))
    loaded = "slots" in found or "readback" in found
    slots = unescape(found.get("slots", [""])[0]).split()
    readback = unescape(found["readback"][0]).removesuffix("\n") if "readback" in found else ""
    return [kind, escape(text), errno.errorcode[code] if code else "ok", "y" if loaded else "n", escape(rest), cut,
            runs(slots), escape(readback), escape(" | ".join(others))]


def table(text):
    """The finished table. Raises when the guest did not get through all inputs."""
    found, given = facts(text), grammar.inputs()
    missing = [at for at in range(len(given)) if "errno" not in found.get(at, {})]
    if missing:
        raise ValueError(f"{len(missing)} of {len(given)} inputs have no result, the first is {given[missing[0]][1]!r}")
    lines = [HEADER] + [row(given[at], found[at]) for at in range(len(given))]
    return "".join("\t".join(line) + "\n" for line in lines)


def difference(kept, made, most=20):
    """The rows that are not alike, so many at most."""
    old, new = set(kept.splitlines()), set(made.splitlines())
    rows = [f"- {line}" for line in kept.splitlines() if line not in new] + [f"+ {line}" for line in made.splitlines() if line not in old]
    yield from (line[:300] for line in rows[:most])
    if len(rows) > most:
        yield f"and {len(rows) - most} more rows"
