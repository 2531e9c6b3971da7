//! One event of `watch`: a line of text, or of JSON by the schema `pciback-audit/event/1` (`schema/event-1.json`).

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{text, time};
use crate::report::{Change, Verdict};

/// Stays the same as long as readers of it need not change.
const SCHEMA: &str = "pciback-audit/event/1";

#[derive(Serialize)]
struct Object<'a> {
    schema: &'static str,
    time: String,
    kind: &'static str,
    address: Option<String>,
    status: Option<&'static str>,
    driver: Option<&'a str>,
    code: Option<&'static str>,
    severity: Option<&'static str>,
    lost: Option<u64>,
    verdict: &'static str,
    message: &'a str,
}

/// The event as one JSON object and a line feed. `verdict` is that of the report it came from.
pub fn event_json(change: &Change, verdict: Verdict, now: DateTime<Utc>) -> String {
    let object = Object {
        schema: SCHEMA,
        time: time::date(now),
        kind: change.kind.name(),
        address: change.address.map(|address| address.to_string()),
        status: change.status,
        driver: change.driver.as_deref(),
        code: change.code.map(crate::report::Code::name),
        severity: change.severity.map(crate::report::Severity::name),
        lost: change.lost,
        verdict: verdict.name(),
        message: &change.message,
    };
    // Plain strings and numbers: there is nothing that could fail.
    let mut line = serde_json::to_string(&object).unwrap_or_default();
    line.push('\n');
    line
}

/// The event as a line of text: time, kind, device, what happened.
pub fn event_text(change: &Change, now: DateTime<Utc>) -> String {
    let device = change.address.map(|address| format!(" {address}")).unwrap_or_default();
    format!("{} {}{device}: {}\n", time::to_the_second(now), change.kind.name(), text::escape(&change.message))
}
