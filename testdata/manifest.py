#!/usr/bin/env python3
"""Writes a directory as the manifest that `Tree::from_manifest` reads: manifest.py DIRECTORY > root.txt

Left out: `config` (binary, and never read by the program), `dev/kmsg` (kept beside it as kmsg.raw).
"""
import os
import sys

SPECIAL = {ord("\\"): "\\\\", ord("\n"): "\\n", ord("\r"): "\\r", ord("\t"): "\\t"}


def escape(data):
    return "".join(SPECIAL.get(b) or (chr(b) if 0x20 <= b <= 0x7E else f"\\x{b:02x}") for b in data)


def lines(root):
    for above, directories, files in os.walk(root):
        for name in directories + files:
            path = os.path.join(above, name)
            shown = os.path.relpath(path, root)
            if name == "config" or shown == "dev/kmsg" or shown == "dev":
                continue
            if os.path.islink(path):
                yield f"{shown} -> {escape(os.fsencode(os.readlink(path)))}"
            elif os.path.isdir(path):
                yield f"{shown}/"
            else:
                with open(path, "rb") as file:
                    data = file.read()
                yield f"{shown} = {escape(data)}" if data else f"{shown} ="


print("\n".join(sorted(lines(sys.argv[1]))))
