"""Inputs around the edges of the hide= grammar; the real kernel says what each of them means.

The order and the inputs are the same in every run, so two tables differ only where two kernels do.
"""

FULL, SHORT = "(0000:00:1d.0)", "(00:1d.0)"
FORMS = [FULL, "(0000:00:1d.*)", "(0000:00:*.*)", SHORT, "(00:1d.*)", "(00:*.*)"]
BLANKS = [" ", "\t", "\n", "\v", "\f", "\r", "\xa0"]  # 0xa0 is a blank to the kernel's Latin-1 table
NUMBERS = ["0x0", "0X0", "0x", "00x0", "0x0x0", "x0", "0x1", "-0", "+0", "-1", "", "0" * 17, "0" * 40, "0 ", " 0", "g",
           "7fffffff", "80000000", "fffffffe", "ffffffff", "100000000", "100000001", "1ffffffff", "180000000",
           "7fffffffffffffff", "ffffffffffffffff", "10000000000000000", "10000000000000001", "1ffffffff00000000"]


def forms():
    yield from FORMS
    yield from (form.upper() for form in FORMS if "d" in form)
    yield from ["(0:0:1d.0)", "(0:1d.0)", "(0:0:1d.00)", "(00000:000:01d.0000)", "(0:*.*)", "(0:0:*.*)", "(0:1d.*)", "",
                "(0000:00:0.0)", "(0001:00:1d.0)", "(ffff:ff:1f.7)", "(ff:1f.7)", "(ffff:ff:1f.*)", "(ffff:ff:*.*)"]


def blanks():
    for form in (FULL, SHORT, "(00:1d.*)", "(0:0:*.*)"):
        yield from (form[:at] + " " + form[at:] for at in range(len(form) + 1))
    for blank in BLANKS[1:] + ["\x1f", "\x85", "\xc2\xa0"]:
        yield from [blank, blank + FULL, FULL + blank, "(" + blank + "0000:00:1d.0)", "(0000:00:1d.0" + blank + ")",
                    FULL + blank + "(0000:00:1d.1)", f"(0000:{blank}00:1d.0)", f"(00:1d{blank}.0)"]
    yield from ["  ", " " + FULL + " ", "(0000: 00: 1d. 0)(0000:00:1d.1)", FULL + " \t\n " + "(00:1d.1)", "( 0000:00:1d.0)",
                "(00:1d. *)", "(00: *.*)", "(00:*. *)", "(00:* .*)"]


def numbers():
    for number in NUMBERS:
        yield from [f"({number}:00:1d.0)", f"(0000:{number}:1d.0)", f"(0000:00:{number}.0)", f"(0000:00:1d.{number})"]
    for number in ("0x1d", "0x", "ffffffff", "80000000", "10000001d", "1d00000000", "-1"):
        yield from [f"(00:{number}.0)", f"(00:{number}.*)", f"({number}:*.*)", f"(00:1d.{number})"]
    yield from ["(0000:00:ffffffff.ffffffff)", "(0000:00:80000000.80000000)", "(0000:ffffffff:ffffffff.ffffffff)",
                "(00:ffffffff.ffffffff)", "(ffffffff:ffffffff:ffffffff.ffffffff)", "(0X0:0X0:0X1D.0X0)"]


def ranges():
    for domain, bus, slot, function in [
            ("0", "0", "1f", "7"), ("0", "0", "20", "0"), ("0", "0", "1f", "8"), ("0", "ff", "1f", "7"), ("0", "100", "0", "0"),
            ("ffff", "0", "0", "0"), ("10000", "0", "0", "0"), ("0", "0", "3d", "0"), ("0", "0", "1d", "f"), ("0", "0", "ff", "0")]:
        yield from [f"({domain}:{bus}:{slot}.{function})", f"({bus}:{slot}.{function})", f"({domain}:{bus}:{slot}.*)"]
    yield from ["(100:*.*)", "(0:100:*.*)", "(10000:0:*.*)", "(12345:1d.0)", FULL + "(00:1d.9)", "(00:1d.9)" + FULL,
                FULL + "(00:20.0)(00:1d.1)", FULL + "(0000:82.0.0)(00:1d.9)", FULL + "(00:1d.9)(0000:82.0.0)"]


def wildcards():
    return ["*", "(*)", "(*.*)", "(*:*.*)", "(*:00:1d.0)", "(0000:*:1d.0)", "(0000:00:*.0)", "(00:*.0)", "(*:1d.0)", "(*:*:*.*)",
            "(0000:*:*.*)", "(0000:*:1d.*)", "(00:1*.0)", "(00:1d*.0)", "(00:1d.0*)", "(00:1d.**)", "(00:**.*)", "(00:*.*.*)", "(00:*)",
            "(0000:00:*)", "(00:.*)", "(00:1d.?)", "(00:1d.[0-7])", "(00:1d.0-7)", "(00:1d.{0,1})", "(00:1d.0,1)", "(00:1d.*",
            "(00:*.*", "(0000:00:1d.*", "(0000:00:*.*", "(00:1d.*)(00:1d.*)", "(00:*.*)(01:*.*)", "(00:1d.*)" + FULL, "(0:00:*.*)(0001:00:*.*)",
            "(00:1d.*)(00:1e.*)(00:1f.*)", "(00:1d.7)(00:1d.*)", "(*:*)", "(00:00:*.*)(00:1d.*)"]


def punctuation():
    for form in (FULL, SHORT, "(00:1d.*)", "(00:*.*)"):
        yield from (form[:at] + form[at + 1:] for at in range(len(form)))
        yield from (form[:at] + form[at] + form[at:] for at in range(len(form)))
    for mark in ":.,;-/_ \\|@#%!'`~":
        yield from [f"(0000{mark}00:1d.0)", f"(00{mark}1d.0)", f"(00:1d{mark}0)", f"(0000:00:1d{mark}0)"]
        yield from [FULL + mark + "(00:1d.1)", FULL + mark, mark + FULL]
    yield from ["[0000:00:1d.0]", "<0000:00:1d.0>", "{0000:00:1d.0}", "()", "(())", "(", ")", ")(", "((00:1d.0))", "(00:1d.0))", "(00:1d.0)(",
                "(00:1d.0)()", "(:00:1d.0)", "(0000::1d.0)", "(0000:00:.0)", "(0000:00:1d.)", "(::.)", "(:.)", "(00:1d.0(00:1d.1))",
                FULL + ", (00:1d.1)", FULL + " ,(00:1d.1)", FULL + "garbage", "garbage" + FULL, FULL + "=", "=" + FULL]


def mistakes():
    return ["0000:00:1d.0", "00:1d.0", "00:1d.0 00:1d.1", "00:1d.0,00:1d.1", "(0000:82.0.0)", "(82.0.0)", "(82:0:0)", "1:0:1:0:", "(1:0:1:0:)",
            "(0000:00:1d)", "(0000:00)", "(00.1d.0)", "(0000.00.1d.0)", "(8086:2934)", "8086:2934", "(8086:10fb.0)", "pci_0000_00_1d_0",
            "(pci:0000:00:1d.0)", "all", "none", "(null)", "0", "1", "(0000:00:1d.0-7)", "(0000:00:1d.0@5)", "(0000:00:1d.0,permissive=1)",
            "0000:00:1d.0,permissive=1", "\u201c(00:1d.0)\u201d".encode().decode("latin-1"), "(00\uff1a1d.0)".encode().decode("latin-1"),
            "'(00:1d.0)'", "('00:1d.0')", '"(00:1d.0)"', '("00:1d.0")', '(00:1d.0)"', '"(00:1d.0)', '(00:1d".0)', '"', '""', "'",
            "(0000:00:1d.0)\\n(0000:00:1d.1)", "(0000:00:1d.O)", "(0000:00:ld.0)", "(00:1d.0)(02:00.0)(03:00.0)", "(O0:1d.0)",
            "$(0000:00:1d.0)", "(0000:00:1d.0)&(00:1d.1)", "(0x0000:0x00:0x1d.0x0)", "(0000:00:1D.0)", "hide=(00:1d.0)", "(00:1d.0);reboot"]


def lists():
    functions = ["(0000:00:1d.0)", "(0000:00:1d.1)", "(0000:00:1d.2)", "(0000:00:1d.7)"]
    yield from ["".join(functions), " ".join(functions), "".join(reversed(functions)), FULL * 2, FULL + SHORT, FULL * 3 + "(00:1d.1)",
                "(00:1d.7)(00:1d.0)(02:01.0)(05:00.0)", "(0000:00:1e.0)", "(0000:00:07.0)", "(0000:01:00.0)(0000:02:01.0)"]
    for bad in ("(00:1d.)", "00:1d.1", "(00:1d.1", ",(00:1d.1)", "(00:1d.1 )", "(00:1d.f)", "(00:1d.10)"):
        yield from [FULL + bad, bad + FULL, FULL + bad + "(00:1d.2)", FULL + " " + bad]


def lengths():
    for length in (840, 952, 1000, 1023, 1024, 1025, 1026, 2000):
        yield FULL + " " * (length - len(FULL))
        yield "(" + "0" * (length - 10) + ":00:1d.0)"
        yield "x" * length
        yield FULL + "(" * (length - len(FULL))
    for count in (72, 73, 74, 113, 114):
        yield "".join(f"(0000:{0x10 + at // 32:02x}:{at % 32:02x}.0)" for at in range(count))
        yield "".join(f"({0x10 + at // 32:02x}:{at % 32:02x}.0)" for at in range(count))


class Dice:
    """A generator of our own: Python's may change from one version to the next."""

    def __init__(self, seed):
        self.state = seed

    def below(self, limit):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.state >> 33) % limit

    def one(self, choices):
        return choices[self.below(len(choices))]


def mutations(count=260):
    dice = Dice(20261122)
    entries = FORMS[:2] + FORMS[3:5] + ["(0000:00:1d.7)", "(0:0:1d.1)", "(00:1d.2)", "(1d:00.0)", "(0000:00:1f.*)"]
    alphabet = "0019afF8dxX(()):..**  ,\t\v\xa0\"'-"
    for _ in range(count):
        text = dice.one(["", " "]).join(dice.one(entries) for _ in range(1 + dice.below(3)))
        for _ in range(1 + dice.below(3)):
            at, kind = dice.below(len(text)), dice.below(5)
            if kind == 0:
                text = text[:at] + dice.one(alphabet) + text[at:]
            elif kind == 1:
                text = text[:at] + text[at + 1:] or "("
            elif kind == 2:
                text = text[:at] + dice.one(alphabet) + text[at + 1:]
            elif kind == 3:
                text = text[:at] + text[at:at + 4] + text[at:]
            else:
                text = text[:at] + text[at + 1:at + 2] + text[at:at + 1] + text[at + 2:]
        yield text


def arguments():
    """Whole argument strings, as insmod would pass them: here the kernel's own splitting is asked about."""
    one, two = "(00:1d.0)", "(00:1d.1)"
    return ["", "hide", "hide=", 'hide=""', f"hide={one}", f"hide={one} {two}", f"hide={one}\t{two}", f"hide={one}\n{two}", f"hide={one}\v{two}",
            f"hide={one}\xa0{two}", f'hide="{one} {two}"', f'"hide={one} {two}"', f'"hide={one}"', f'hide="{one}', f'hide={one}"', f'hi"de={one}"',
            f'hide={one}" "{two}', f'hide={one}" {two}"', f'hide="{one}"{two}', f'hide="{one}" {two}', f"hide={one} hide={two}",
            f"hide={one} hide=", f"hide= hide={two}", f"hide={one} hide", f"hide={one}  ", f"  hide={one}", f"\thide={one}\n", f"hides={one}",
            f"HIDE={one}", f"Hide={one}", f"xen-pciback.hide={one}", f"xen_pciback.hide={one}", f"pciback.hide={one}", f"hide ={one}",
            f"hide= {one}", f"hide = {one}", f"hide:{one}", f"hide=={one}", f"hide='{one}'", f"hide='{one} {two}'", f"hide={one} passthrough=1",
            f"passthrough=1 hide={one}", f"passthrough=2 hide={one}", f"hide={one} permissive=1", f"hide={one} verbose_request=1",
            f"hide={one} -- hide={two}", f"-- hide={one}", f"--hide={one}", f"-hide={one}", f"hide={one},hide={two}", f"hide={one};hide={two}",
            f"hide={one} #", f"# hide={one}", f"hide={one} unknown=1", f"{one}", f"{one} hide={two}", "hide=(00:1d.9)",
            f"hide=(00:1d.9) hide={one}", f"hide={one} hide=(00:1d.9)", f"hide=bad hide={one}", f"hide={one} hide=bad", 'hide=" "', "hide=\\ ",
            'hide="' + "x" * 1025 + f'" hide={one}', f"hide={one} " + "x" * 1100, 'hide="' + one + " " * 1015 + '"', 'hide="' + one + " " * 1016 + '"']


def next_arg(text):
    """The value that lib/cmdline.c makes of `text`, which begins with `hide=`; None when it is not all one argument."""
    quoted = False
    for at, char in enumerate(text):
        if not quoted and (char in " \t\n\v\f\r\xa0"):
            return None
        if char == '"':
            quoted = not quoted
    value = text[len("hide="):]
    if value.startswith('"'):
        value = value[1:-1] if value.endswith('"') and len(value) > 1 else value[1:]
    return value


def inputs():
    """(kind, text, arguments): kind `value` is the value of hide= and nothing else, `args` a whole argument string."""
    rows, seen = [], set()
    for part in (forms, blanks, numbers, ranges, wildcards, punctuation, mistakes, lists, lengths, mutations):
        for text in part():
            # Without a way to hand the kernel exactly this value, the row would say something about another.
            if text not in seen and "\0" not in text and next_arg(f'hide="{text}"') == text:
                seen.add(text)
                rows.append(("value", text, f'hide="{text}"'))
    return rows + [("args", text, text) for text in arguments()]
