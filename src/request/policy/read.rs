//! Reads a policy: TOML, every key of it known, or an error that says where and what to do.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Accept, Policy, PolicyDevice, Severity};
use crate::pci::{Address, Ids};

/// The longest policy that is read, in bytes: some ten thousand devices.
pub const LONGEST: usize = 1 << 20;

/// How many letters of a wrong word are repeated.
const QUOTED: usize = 40;

/// A table that policies will have, and this version cannot judge by. To pass over it would be to judge by half a policy.
const RESERVED: &str = "rule";

/// Why a policy cannot be used. None of it is then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyError {
    path: String,
    /// Line and column, counted from 1; `None` where it is about the whole file.
    at: Option<(usize, usize)>,
    what: String,
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Some((line, column)) => write!(f, "{}:{line}:{column}: {}", self.path, self.what),
            None => write!(f, "{}: {}", self.path, self.what),
        }
    }
}

impl std::error::Error for PolicyError {}

/// The policy in the `bytes` of the file that was given as `path`.
pub fn read(path: &str, bytes: &[u8]) -> Result<Policy, PolicyError> {
    let whole = |what: String| PolicyError { path: path.to_owned(), at: None, what };
    if bytes.len() > LONGEST {
        return Err(whole(format!("the file is longer than {} KiB, the most that a policy may have", LONGEST >> 10)));
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let (good, _) = bytes.split_at_checked(error.valid_up_to()).unwrap_or_default();
            let good = String::from_utf8_lossy(good);
            let what = "a byte that is no UTF-8: a policy is TOML, plain text in UTF-8";
            return Err(PolicyText::new(path, &good).fault(good.len(), what));
        }
    };
    let page = PolicyText::new(path, text);
    let (devices, accepts) = page.tables()?;
    if devices.is_empty() {
        return Err(whole(
            "it names no device; for each one write [[device]], and below it address = \"0000:00:1d.0\"".to_owned(),
        ));
    }
    Ok(Policy { path: path.to_owned(), devices, accepts })
}

/// A key of a table with its value.
type Pair<'a, 'i> = (&'a Spanned<std::borrow::Cow<'i, str>>, &'a Spanned<DeValue<'i>>);

/// The text of a policy, and where its lines begin.
struct PolicyText<'a> {
    path: &'a str,
    text: &'a str,
    lines: Vec<usize>,
}

impl<'a> PolicyText<'a> {
    fn new(path: &'a str, text: &'a str) -> Self {
        let behind = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self { path, text, lines: std::iter::once(0).chain(behind).collect() }
    }

    fn tables(&self) -> Result<(Vec<PolicyDevice>, Vec<Accept>), PolicyError> {
        let page = DeTable::parse(self.text).map_err(|error| {
            let at = error.span().map_or(self.text.len(), |span| span.start);
            self.fault(at, format!("this is no TOML: {}", quote(&error.message().replace('\n', ", "), 200)))
        })?;
        let (mut devices, mut accepts) = (Vec::new(), Vec::new());
        for (key, value) in in_order(page.get_ref()) {
            let name = key.get_ref().as_ref();
            if name != "device" && name != "accept" {
                return Err(self.fault(key.span().start, unknown_table(name)));
            }
            let single = || {
                let what = format!(
                    "`{name}` must be a list of tables: write [[{name}]], in double brackets, above each {name}"
                );
                self.fault(key.span().start, what)
            };
            for table in value.get_ref().as_array().ok_or_else(single)? {
                let (start, keys) = (table.span().start, table.get_ref().as_table().ok_or_else(single)?);
                if name == "device" {
                    devices.push(self.device(start, keys)?);
                } else {
                    accepts.push(self.accept(start, keys)?);
                }
            }
        }
        self.once_each(&devices)?;
        Ok((devices.into_iter().map(|(device, _)| device).collect(), accepts))
    }

    fn accept(&self, start: usize, keys: &DeTable<'_>) -> Result<Accept, PolicyError> {
        let (mut code, mut address, mut until, mut reason) = (None, None, None, None);
        for (key, value) in in_order(keys) {
            let name = key.get_ref().as_ref();
            match name {
                "code" => code = Some((self.name_in(name, value)?, self.place(value.span().start).0)),
                "address" => address = Some(self.address(name, value)?),
                "until" => until = Some(self.end(value)?),
                "reason" => reason = Some(self.name_in(name, value)?),
                _ => {
                    return Err(
                        self.fault(key.span().start, unknown_key(name, "accept", "code, address, until and reason"))
                    );
                }
            }
        }
        let missing = |name: &str, such: &str| {
            self.fault(start, format!("this accept has no {name}: write {name} = \"{such}\" below [[accept]]"))
        };
        let (code, line) = code.ok_or_else(|| missing("code", "late-seize"))?;
        let reason = reason.ok_or_else(|| missing("reason", "why it is no trouble here"))?;
        Ok(Accept { code, line, address, until, reason })
    }

    /// The end of the time that a date or an instant names: of a date, the end of its day.
    fn end(&self, value: &Spanned<DeValue<'_>>) -> Result<DateTime<Utc>, PolicyError> {
        let text = value.get_ref().as_datetime().map(ToString::to_string);
        let text = text.as_deref().or(value.get_ref().as_str()).unwrap_or_default();
        let day = || text.parse::<NaiveDate>().ok()?.succ_opt().map(|next| next.and_time(NaiveTime::MIN).and_utc());
        let local = || text.replacen(' ', "T", 1).parse::<NaiveDateTime>().ok().map(|local| local.and_utc());
        let instant = || DateTime::parse_from_rfc3339(text).ok().map(|instant| instant.to_utc());
        let wrong =
            || self.fault(value.span().start, "`until` must be a date such as 2027-03-31, or a time with its zone");
        day().or_else(instant).or_else(local).ok_or_else(wrong)
    }

    fn address(&self, name: &str, value: &Spanned<DeValue<'_>>) -> Result<Address, PolicyError> {
        let text = self.text_of(name, value)?;
        text.parse().map_err(|error| self.fault(value.span().start, format!("`{}`: {error}", quote(text, QUOTED))))
    }

    /// One device, and where its address stands.
    fn device(&self, start: usize, keys: &DeTable<'_>) -> Result<(PolicyDevice, usize), PolicyError> {
        let (mut address, mut id, mut label, mut guest, mut severity) = (None, None, None, None, None);
        for (key, value) in in_order(keys) {
            let name = key.get_ref().as_ref();
            let at = value.span().start;
            let wrong = |what: String| self.fault(at, what);
            match name {
                "address" => address = Some((self.address(name, value)?, at)),
                "id" => {
                    let text = self.text_of(name, value)?;
                    let read: Ids =
                        text.parse().map_err(|error| wrong(format!("`{}`: {error}", quote(text, QUOTED))))?;
                    id = Some((read, self.place(at).0));
                }
                "label" => label = Some(self.name_in(name, value)?),
                "guest" => guest = Some(self.name_in(name, value)?),
                "severity" => severity = Some(read_severity(self.text_of(name, value)?).map_err(wrong)?),
                _ => {
                    let known = "address, id, label, guest and severity";
                    return Err(self.fault(key.span().start, unknown_key(name, "device", known)));
                }
            }
        }
        let missing =
            || self.fault(start, "this device has no address: write address = \"0000:00:1d.0\" below [[device]]");
        let (address, at) = address.ok_or_else(missing)?;
        Ok((PolicyDevice { address, line: self.place(at).0, id, label, guest, severity }, at))
    }

    fn text_of<'v>(&self, name: &str, value: &'v Spanned<DeValue<'_>>) -> Result<&'v str, PolicyError> {
        let what = || self.fault(value.span().start, format!("`{name}` must be a text in quotes"));
        value.get_ref().as_str().ok_or_else(what)
    }

    fn name_in(&self, name: &str, value: &Spanned<DeValue<'_>>) -> Result<String, PolicyError> {
        let text = self.text_of(name, value)?;
        if text.trim().is_empty() {
            return Err(
                self.fault(value.span().start, format!("`{name}` is empty: write a name, or leave the key out"))
            );
        }
        Ok(text.to_owned())
    }

    fn once_each(&self, devices: &[(PolicyDevice, usize)]) -> Result<(), PolicyError> {
        let mut lines = BTreeMap::new();
        for (device, at) in devices {
            if let Some(first) = lines.insert(device.address, device.line) {
                let what = format!("{} stands in line {first} already: keep one of the two", device.address);
                return Err(self.fault(*at, what));
            }
        }
        Ok(())
    }

    fn fault(&self, at: usize, what: impl Into<String>) -> PolicyError {
        PolicyError { path: self.path.to_owned(), at: Some(self.place(at)), what: what.into() }
    }

    /// Line and column of a byte, counted from 1; columns are letters.
    fn place(&self, at: usize) -> (usize, usize) {
        let line = self.lines.partition_point(|start| *start <= at).max(1);
        let start = self.lines.get(line - 1).copied().unwrap_or_default();
        // A syntax error may be said to be in the middle of a letter, or behind the end.
        let before = self.text.bytes().skip(start).take(at.saturating_sub(start));
        (line, before.filter(|byte| *byte & 0xc0 != 0x80).count() + 1)
    }
}

/// A table's keys as they are written, so that the first mistake is the one that is told.
fn in_order<'a, 'i>(table: &'a DeTable<'i>) -> Vec<Pair<'a, 'i>> {
    let mut pairs: Vec<Pair<'a, 'i>> = table.iter().collect();
    pairs.sort_by_key(|(key, _)| key.span().start);
    pairs
}

fn read_severity(text: &str) -> Result<Severity, String> {
    match text {
        "critical" => Ok(Severity::Critical),
        "warning" => Ok(Severity::Warning),
        "info" | "ok" => Err(format!(
            "severity `{text}` would hide a missing device: write \"warning\", or accept the finding with --ignore"
        )),
        _ => Err(format!("`{}` is no severity of a device: write \"critical\" or \"warning\"", quote(text, QUOTED))),
    }
}

fn unknown_table(name: &str) -> String {
    if name == RESERVED {
        return format!(
            "[[{name}]] is reserved for a version that is to come: take it out; a policy is used as a whole or not at all"
        );
    }
    format!("this version does not know `{}`: a policy has [[device]] and [[accept]] tables", quote(name, QUOTED))
}

fn unknown_key(name: &str, table: &str, known: &str) -> String {
    let article = if table == "accept" { "an" } else { "a" };
    format!("this version does not know `{}`: {article} {table} has {known}", quote(name, QUOTED))
}

/// A text that stands in a message, or its beginning.
fn quote(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => text.get(..end).map(|start| format!("{start}...")).unwrap_or_default(),
        None => text.to_owned(),
    }
}
