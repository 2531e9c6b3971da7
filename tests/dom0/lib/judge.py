"""Holds a JSON report against what a scenario expects of it."""

import json
from collections import Counter

import live
from scenario import long


def judge(name, lines, left):
    """What is wrong, a line for each; nothing when the report says what it should. `left`: what the audit left behind."""
    exit_status, text, stderr = int(left["exit"]), left.get("json", ""), left["stderr"]
    try:
        report = json.loads(text)
    except ValueError as error:
        return [f"{name}: exit status {exit_status}, and no JSON report ({error}): {text[:200]!r} {stderr.strip()[-600:]}"]
    wrong = []
    for kind, check in (("exit", check_exit), ("verdict", check_verdict), ("device", check_devices),
                        ("finding", check_findings), ("info", check_info), ("says", check_says),
                        ("never", check_never), ("json", check_json)):
        expected = [words[1:] for _, words in lines if words[0] == kind]
        wrong += [f"{name}: {message}" for message in check(expected, report, exit_status)]
    return wrong + [f"{name}: {message}" for message in live.check_times(lines, left)]


def check_exit(expected, report, exit_status):
    for (status,) in expected:
        if exit_status != int(status):
            yield f"exit status {exit_status}, expected {status}"
    if report.get("exit_status") != exit_status:
        yield f"the report says exit_status {report.get('exit_status')}, the process said {exit_status}"
    for log in report.get("logs", []):
        # the program's own count, beside lib/wording.py: here they must agree that there is nothing new
        if log.get("unrecognised"):
            yield f"{log['unrecognised']} records about pciback that the program does not recognise"


def check_verdict(expected, report, _):
    for (verdict,) in expected:
        if report.get("verdict") != verdict:
            yield f"verdict {report.get('verdict')}, expected {verdict}"


def check_devices(expected, report, _):
    wanted = {long(words[0]): words[1:] for words in expected}
    found = {device["address"]: device for device in report.get("devices", [])}
    for address, (status, *driver) in sorted(wanted.items()):
        if address not in found:
            yield f"{address} is not in the report, expected {status}"
        elif found[address]["status"] != status:
            yield f"{address} is {found[address]['status']}, expected {status}"
        elif driver and (found[address]["driver"] or "-") != driver[0]:
            yield f"{address} has driver {found[address]['driver']}, expected {driver[0]}"
    for address in sorted(set(found) - set(wanted)):
        yield f"{address} is {found[address]['status']}, but should not be in the report"


def findings(report, severities):
    return [finding for finding in report.get("findings", []) if finding["severity"] in severities]


def short(finding):
    return finding["code"] + (" " + finding["address"] if finding["address"] else "")


def check_findings(expected, report, _):
    wanted = Counter(" ".join(long(word) for word in words) for words in expected)
    serious = findings(report, ("critical", "unknown", "warning"))
    found = Counter(short(finding) for finding in serious)
    for key in wanted - found:
        informal = [short(finding) for finding in findings(report, ("info",))]
        yield f"no finding `{key}`" + (", only as info" if key in informal else "")
    for key in found - wanted:
        messages = "; ".join(f"{f['severity']}: {f['message']}" for f in serious if short(f) == key)
        yield f"finding `{key}` is not expected ({messages})"


def check_info(expected, report, _):
    found = [short(finding) for finding in findings(report, ("info",))]
    for words in expected:
        key = " ".join(long(word) for word in words)
        if key not in found and not (len(words) == 1 and any(item.startswith(key + " ") for item in found)):
            yield f"no info `{key}`"


def check_says(expected, report, _):
    for code, *words in expected:
        messages = [finding["message"] for finding in report.get("findings", []) if finding["code"] == code]
        if not any(" ".join(words) in message for message in messages):
            yield f"`{code}` says {messages or 'nothing'}, expected `{' '.join(words)}`"


def check_never(expected, report, _):
    for code, *address in expected:
        for finding in report.get("findings", []):
            if finding["code"] == code and (not address or finding["address"] == long(address[0])):
                yield f"`{short(finding)}` ({finding['severity']}) must not be found: {finding['message']}"


def check_json(expected, report, _):
    for path, value in expected:
        found = report
        for step in path.split("."):
            try:
                found = found[int(step) if isinstance(found, list) else step]
            except (KeyError, IndexError, ValueError, TypeError):
                found = "nothing"
                break
        shown = found if isinstance(found, str) else json.dumps(found)
        if shown != value:
            yield f"{path} is {shown}, expected {value}"
