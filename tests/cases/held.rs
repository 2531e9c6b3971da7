//! What is wanted of a command (`expected.txt`), and whether it is so.

use std::collections::{BTreeMap, BTreeSet};

use regex::bytes::RegexBuilder;
use serde_json::Value;

use super::command::Command;

/// A line of `expected.txt`: key and value. What is planned only, and what is for a reader, is left out.
pub(crate) type Wanted = (String, String);

/// The sections `[N]`.
pub(crate) fn sections(text: &str) -> BTreeMap<usize, Vec<Wanted>> {
    let mut found = BTreeMap::new();
    let mut now: Option<&mut Vec<Wanted>> = None;
    for line in text.lines() {
        let number =
            line.strip_prefix('[').and_then(|line| line.strip_suffix(']')).and_then(|number| number.parse().ok());
        if let Some(number) = number {
            now = Some(found.entry(number).or_default());
        } else if let (Some(section), Some((key, value))) = (now.as_mut(), line.split_once(": "))
            && !line.ends_with("(planned)")
        {
            section.push((key.to_owned(), value.to_owned()));
        }
    }
    found
}

/// What of it is not so, and what is instead.
pub(crate) fn wrong(command: &Command, others: &[Command], wanted: &[Wanted]) -> impl Iterator<Item = String> {
    let mut faults = Vec::new();
    for (key, value) in wanted {
        match held(command, others, key, value) {
            Ok(()) => {}
            Err(instead) => {
                let short: String = instead.chars().take(200).collect();
                faults.push(format!("{key}: {value}   is: {}", short.replace('\n', " ")));
            }
        }
    }
    let ends: BTreeSet<&str> = wanted
        .iter()
        .filter(|(key, _)| key == "exit")
        .flat_map(|(_, value)| value.split('|'))
        .chain(["0", "1", "2", "3"])
        .collect();
    let plain = command.run().status;
    for (more, run) in command.runs() {
        let status = run.status.map_or("a signal".to_owned(), |status| status.to_string());
        if run.err.contains("panicked") || !ends.contains(status.as_str()) {
            faults.push(format!("{more} ends with {status}: {}", run.err.trim()));
        }
        if more == "--format json" && run.status != plain {
            faults.push(format!("ends with {plain:?}, as JSON with {status}"));
        }
    }
    faults.into_iter()
}

/// `Err` says what is instead. Limits of time and memory are held by `tests/cases/run` only.
fn held(command: &Command, others: &[Command], key: &str, value: &str) -> Result<(), String> {
    let run = command.run();
    match key {
        "wish" | "max-rss-mib" | "max-seconds" | "max-times" => Ok(()),
        "exit" => is_one(value, &run.status.map_or("a signal".to_owned(), |status| status.to_string())),
        "ends-within" => run.status.map(drop).ok_or("ended from outside".to_owned()),
        "stdout-must" | "stdout-must-not" => matches(key, value, &run.out),
        "text-must" | "text-must-not" => matches(key, value, &command.text()),
        "same-as" => {
            let (told, there) = (told(command), told(&others[value.parse::<usize>().unwrap() - 1]));
            if told == there { Ok(()) } else { Err(format!("{told:?}, and {there:?} there")) }
        }
        _ => of_reports(command, key, value),
    }
}

fn of_reports(command: &Command, key: &str, value: &str) -> Result<(), String> {
    let reports = command.reports();
    let words: Vec<&str> = value.split_whitespace().collect();
    let each = |what: &dyn Fn(&Value) -> Result<(), String>| {
        if reports.is_empty() { Err("no report".to_owned()) } else { reports.iter().try_for_each(what) }
    };
    match (key, words.as_slice()) {
        ("boots", [number]) => is_one(number, &reports.len().to_string()),
        ("hosts", [number]) => {
            let hosts: BTreeSet<String> = reports.iter().map(|report| report["host"].to_string()).collect();
            is_one(number, &hosts.len().to_string())
        }
        ("host-status", [host, address, some]) => is_one(some, &status(command.last(Some(host)).as_ref(), address)),
        ("host-verdict", [host, some]) => {
            let last = command.last(Some(host));
            is_one(some, last.as_ref().and_then(|report| report["verdict"].as_str()).unwrap_or("-"))
        }
        ("status", [address, some]) => each(&|report| is_one(some, &status(Some(report), address))),
        ("never-status", [address, some]) => each(&|report| match status(Some(report), address) {
            found if is_one(some, &found).is_ok() => Err(found),
            _ => Ok(()),
        }),
        ("verdict", [some]) => each(&|report| is_one(some, report["verdict"].as_str().unwrap_or("-"))),
        ("value", [path, ..]) => {
            let some = value.split_once(char::is_whitespace).map_or("", |(_, some)| some.trim());
            each(&|report| is_one(some, &at(report, path)))
        }
        ("must" | "must-not", [finding]) => {
            let said: BTreeSet<String> = reports.iter().flat_map(findings).collect();
            let right = (said.contains(*finding)) == (key == "must") && !reports.is_empty();
            if right { Ok(()) } else { Err(format!("{said:?}")) }
        }
        ("remedy-must" | "remedy-must-not", _) => {
            each(&|_| Ok(()))?;
            let mut texts = Vec::new();
            for report in &reports {
                advice(report, false, &mut texts);
            }
            matches(key, value, &texts.join("\n"))
        }
        _ => Err("no such key".to_owned()),
    }
}

fn is_one(some: &str, found: &str) -> Result<(), String> {
    if some.split('|').any(|one| one == found) { Ok(()) } else { Err(found.to_owned()) }
}

fn matches(key: &str, pattern: &str, text: &str) -> Result<(), String> {
    let pattern = RegexBuilder::new(pattern).unicode(false).build().unwrap();
    let wanted = !key.ends_with("-not");
    if pattern.is_match(text.as_bytes()) == wanted { Ok(()) } else { Err(text.to_owned()) }
}

fn status(report: Option<&Value>, address: &str) -> String {
    let devices = report.and_then(|report| report["devices"].as_array());
    let device = devices.into_iter().flatten().find(|device| device["address"] == address);
    device.and_then(|device| device["status"].as_str()).unwrap_or("-").to_owned()
}

/// Exit status, verdict and statuses (of the last boot).
fn told(command: &Command) -> (Option<i32>, String, Vec<String>) {
    let report = command.last(None).unwrap_or_default();
    let devices = report["devices"].as_array().into_iter().flatten();
    let statuses = devices.map(|device| format!("{} {}", device["address"], device["status"])).collect();
    (command.run().status, report["verdict"].to_string(), statuses)
}

fn findings(report: &Value) -> Vec<String> {
    let said = |finding: &Value| {
        let code = finding["code"].as_str().unwrap_or_default();
        let address = finding["address"].as_str().map(|address| format!("{code}@{address}"));
        [Some(code.to_owned()), address].into_iter().flatten().collect::<Vec<_>>()
    };
    report["findings"].as_array().into_iter().flatten().flat_map(said).collect()
}

/// A member by its path, as `logs.0.complete`.
fn at(report: &Value, path: &str) -> String {
    let mut found = Some(report);
    for name in path.split('.') {
        found = found.and_then(|value| match name.parse::<usize>() {
            Ok(index) if value.is_array() => value.get(index),
            _ => value.get(name),
        });
    }
    found.map_or("-".to_owned(), |value| value.as_str().map_or(value.to_string(), str::to_owned))
}

/// All that a report says of what to do: every text below a `remedy` or a `plan`.
fn advice(part: &Value, inside: bool, texts: &mut Vec<String>) {
    match part {
        Value::String(text) if inside => texts.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| advice(item, inside, texts)),
        Value::Object(members) => {
            for (name, member) in members {
                advice(member, inside || ["remedy", "remedies", "plan"].contains(&name.as_str()), texts);
            }
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
