//! Reads what an earlier scan came to (`scan --baseline`): the lines that `scan --format json` printed.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;

use serde::Deserialize;

use super::error::FileError;
use super::inside::words;
use super::regular::open_regular;
use crate::report::{Baseline, FoundBefore, JudgedBefore, Severity, Verdict};

/// What such a line says that it is (`render/json.rs`).
const SCHEMA: &str = "pciback-audit/report/1";

/// Far more than the report of a boot with 65,536 devices.
const LONGEST: u64 = 256 << 20;

#[derive(Deserialize)]
struct SavedReport {
    schema: String,
    verdict: String,
    host: Option<String>,
    boot: Option<SavedBoot>,
    devices: Vec<SavedDevice>,
    findings: Vec<SavedFinding>,
}

#[derive(Deserialize)]
struct SavedBoot {
    last: bool,
}

#[derive(Deserialize)]
struct SavedDevice {
    address: String,
    requested: bool,
    status: String,
}

#[derive(Deserialize)]
struct SavedFinding {
    code: String,
    severity: String,
    address: Option<String>,
    message: String,
}

/// Reads the file at `path`. An error names the line.
pub fn baseline(path: &Path) -> Result<Baseline, FileError> {
    lines(path).map_err(|why| FileError::of(path, why))
}

fn lines(path: &Path) -> Result<Baseline, String> {
    let mut reader = BufReader::new(open_regular(path).map_err(|error| words(&error))?);
    let (mut baseline, mut line, mut number) = (Baseline::default(), Vec::new(), 0_u64);
    loop {
        line.clear();
        number += 1;
        let read = reader.by_ref().take(LONGEST).read_until(b'\n', &mut line);
        let length = read.map_err(|error| format!("line {number}: {}", words(&error)))?;
        if length == 0 {
            return Ok(baseline);
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        if let Some(judged) = judged(&line).map_err(|why| format!("line {number} {why}"))? {
            baseline.remember(&judged);
        }
    }
}

/// What a line says of the last boot of a host, or of what could not be read.
fn judged(line: &[u8]) -> Result<Option<JudgedBefore>, String> {
    let object: SavedReport = serde_json::from_slice(line).map_err(|error| {
        format!("is no report of `scan --format json`, column {}: {}", error.column(), plain(&error))
    })?;
    if object.schema != SCHEMA {
        return Err(format!("has the schema `{}`, not `{SCHEMA}`", object.schema));
    }
    if object.boot.is_some_and(|boot| !boot.last) {
        return Ok(None);
    }
    let verdict = Verdict::named(&object.verdict).ok_or_else(|| format!("has no verdict: `{}`", object.verdict))?;
    let found = |finding: SavedFinding| {
        let SavedFinding { code, severity, address, message } = finding;
        let severity = Severity::named(&severity).ok_or_else(|| format!("has no severity: `{severity}`"))?;
        Ok(FoundBefore { code, severity, address, message })
    };
    let requested = object.devices.into_iter().filter(|device| device.requested);
    Ok(Some(JudgedBefore {
        host: object.host,
        verdict: Some(verdict),
        devices: requested.map(|device| (device.address, device.status)).collect(),
        findings: object.findings.into_iter().map(found).collect::<Result<_, String>>()?,
    }))
}

/// An error without its place, which is counted from the beginning of the line.
fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<usize, String> {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("scan.jsonl");
        std::fs::write(&file, text).unwrap();
        lines(&file).map(|baseline| baseline.rest().0.len())
    }

    fn line(host: &str, last: bool) -> String {
        let device = r#"{"address":"0000:00:1d.0","requested":true,"status":"missing"}"#;
        format!(
            r#"{{"schema":"{SCHEMA}","verdict":"critical","host":"{host}","boot":{{"last":{last}}},"devices":[{device}],"findings":[],"more":1}}"#
        )
    }

    #[test]
    fn only_the_last_boot_of_each_host_counts() {
        let text = [line("a", false), line("a", true), String::new(), line("b", true)].join("\n");
        assert_eq!((read(&text), read("")), (Ok(2), Ok(0)));
    }

    #[test]
    fn an_error_names_the_line() {
        let wrong = |text: String| read(&text).unwrap_err();
        let cut = wrong(line("a", true) + "\n" + line("b", true).get(..100).unwrap());
        assert!(cut.starts_with("line 2 is no report of `scan --format json`, column 100: EOF"), "{cut}");
        let other = wrong(line("a", true).replace("report/1", "report/2"));
        assert_eq!(other, "line 1 has the schema `pciback-audit/report/2`, not `pciback-audit/report/1`");
        assert_eq!(wrong(line("a", true).replace("critical", "fine")), "line 1 has no verdict: `fine`");
        assert!(baseline(Path::new("/nowhere")).is_err());
    }
}
