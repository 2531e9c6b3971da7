//! A plan for a person, and as one JSON object: schema `pciback-audit/plan/1`, `schema/plan-1.json`.

use std::fmt::Write as _;

use serde::Serialize;

use super::json::{Object, Tool, object, spell_out};
use super::style::Style;
use super::table::table;
use super::text::escape;
use crate::report::{Expectation, Moment, Plan, Status};

/// How many devices are named that pciback would pass over.
const PASSED_OVER: usize = 3;

#[derive(Serialize)]
struct PlanObject<'a> {
    schema: &'static str,
    tool: Tool<'a>,
    #[serde(rename = "for")]
    moment: &'static str,
    exit_status: u8,
    list: &'a str,
    now: Outcome<'a>,
    boot: Outcome<'a>,
    as_written: Option<Outcome<'a>>,
}

#[derive(Serialize)]
struct Outcome<'a> {
    wanted: usize,
    seized: usize,
    notes: &'a [String],
    report: Object<'a>,
}

/// A plan as one JSON object.
pub fn plan_json(plan: &Plan, tool_version: &str) -> String {
    let written = PlanObject {
        schema: "pciback-audit/plan/1",
        tool: Tool { name: "pciback-audit", version: tool_version },
        moment: plan.moment.name(),
        exit_status: plan.chosen().report.exit_status,
        list: &plan.list,
        now: outcome(&plan.now, tool_version),
        boot: outcome(&plan.boot, tool_version),
        as_written: plan.as_written.as_ref().map(|expectation| outcome(expectation, tool_version)),
    };
    // These structs hold nothing that JSON cannot.
    spell_out(serde_json::to_string_pretty(&written).unwrap_or_default()) + "\n"
}

fn outcome<'a>(expectation: &'a Expectation, tool_version: &'a str) -> Outcome<'a> {
    let report = &expectation.report;
    let (wanted, seized) = (report.wanted(), report.count("seized"));
    Outcome { wanted, seized, notes: &expectation.notes, report: object(report, tool_version) }
}

/// A plan for a person: the counts first, then the report of the moment that decides, as if it were so.
pub fn plan_table(plan: &Plan, style: &Style) -> String {
    let mut text = String::new();
    let list = escape(&plan.list);
    // Writes to a string cannot fail.
    let list = if list.is_empty() { "no list: none was given or found" } else { &list };
    writeln!(text, "plan for {list}").unwrap_or_default();
    say(&mut text, "now, by modprobe:      ", &plan.now);
    match &plan.as_written {
        Some(as_written) => {
            say(&mut text, "after a reboot as is:  ", as_written);
            say(&mut text, "with this list then:   ", &plan.boot);
        }
        None => say(&mut text, "after a reboot as is:  ", &plan.boot),
    }
    if let Some(promise) = &plan.chosen().report.plan.promise {
        writeln!(text, "with the plan below:   {} would be seized", promise.count()).unwrap_or_default();
    }
    let when = match plan.moment {
        Moment::Now => "the machine as it would be after modprobe",
        Moment::Boot => "the machine as it would be after the next boot",
    };
    for note in &plan.chosen().notes {
        writeln!(text, "  {}", escape(note)).unwrap_or_default();
    }
    writeln!(text, "\n{when}:\n").unwrap_or_default();
    text + &table(&plan.chosen().report, style)
}

fn say(text: &mut String, when: &str, outcome: &Expectation) {
    let unknown = outcome.report.count("unconfirmed");
    let unknown = if unknown > 0 { format!(", {unknown} not known") } else { String::new() };
    writeln!(text, "{when}{} would be seized{unknown}", outcome.count()).unwrap_or_default();
    let held = outcome.report.devices.iter().filter(|device| device.requested && device.status == Status::Held);
    let held: Vec<String> = held
        .map(|device| format!("{} ({})", device.address, device.driver.as_deref().unwrap_or("another driver")))
        .collect();
    if !held.is_empty() {
        let more = held.len().saturating_sub(PASSED_OVER);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let some: Vec<String> = held.into_iter().take(PASSED_OVER).collect();
        writeln!(text, "  silently ignored: {}{more}", escape(&some.join(", "))).unwrap_or_default();
    }
}
