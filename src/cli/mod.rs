//! The command line: what was typed becomes a [`Plan`], the plan becomes a report, the report is written.

mod args;
mod check;
mod demo;
mod evidence;
mod explain;
mod forecast;
mod guest;
mod listen;
mod manual;
mod mistyped;
mod outcome;
mod plan;
mod request;
mod rights;
mod scan;
mod signals;
mod wait;
mod watch;
mod watchdog;
mod when;
mod write;

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::error::ErrorKind;

use args::Format;
use outcome::Outcome;
use plan::{Plan, Work};
use watchdog::{AtSignal, Limits, Stage};
use write::Page;

/// The exit status of whatever keeps this program from judging: bad usage, unreadable input, a time limit, a defect.
const CANNOT_SAY: u8 = 3;

/// Does what the command line asks for.
pub(crate) fn run() -> ExitCode {
    watchdog::name_defects();
    signals::survive_file_size_limit();
    signals::survive_lack_of_memory(CANNOT_SAY);
    signals::note_ignored();
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let status = std::panic::catch_unwind(|| match mistyped::read(&arguments).and_then(Plan::of) {
        Ok(plan) => work(plan),
        Err(usage) => refuse(&usage),
    });
    let status = status.unwrap_or_else(|_defect| {
        if is_nagios() { write::unknown("a defect of pciback-audit ended it") } else { CANNOT_SAY }
    });
    ExitCode::from(status)
}

fn is_nagios() -> bool {
    Format::is_nagios(std::env::args_os().skip(1))
}

#[expect(clippy::disallowed_methods, reason = "an edge: how long the audit takes")]
fn work(plan: Plan) -> u8 {
    let began = Instant::now();
    let Plan { work, page } = plan;
    match work {
        Work::Check(check) => {
            let limits = Limits { timeout: check.timeout, at_signal: AtSignal::Die, spent: Duration::ZERO };
            let heard = rights::of_check(&check, &page);
            audit(&limits, page, began, move |stage| check::audit(&check, heard, stage))
        }
        Work::Guest(check) => {
            let limits = Limits { timeout: check.timeout, at_signal: AtSignal::Die, spent: Duration::ZERO };
            rights::of_check(&check, &page);
            audit(&limits, page, began, move |stage| guest::audit(&check, stage))
        }
        Work::Demo(None) => page.write(&demo::list(), page.quiet, 0),
        Work::Demo(Some(name)) => {
            let limits = Limits { timeout: None, at_signal: AtSignal::Die, spent: Duration::ZERO };
            rights::of_page(&page);
            let page = Page { preface: Some(demo::PREFACE), ..page };
            let verbose = page.verbose;
            audit(&limits, page, began, move |_| Outcome {
                report: demo::report(name, verbose),
                complaints: Vec::new(),
            })
        }
        Work::Forecast(forecast) => forecast::guarded(forecast, page),
        Work::Watch(watch) => watch::guarded(watch),
        Work::Scan(scan) => scan::guarded(scan, page),
        Work::EveryBoot(check, scan) => scan::every_boot(check, scan, page),
        Work::Story(check, address) => {
            rights::of_check(&check, &page);
            explain::story(check, address, page)
        }
        Work::Explain(code) => match explain::explain(code.as_deref()) {
            Ok(text) => page.write(&text, page.quiet, 0),
            Err(why) => write::complain(&why, CANNOT_SAY),
        },
        Work::Completions(shell) => say(Ok(manual::completions(shell))),
        Work::Man(command) => say(manual::man(command.as_deref())),
    }
}

/// Prints a text, or why there is none.
fn say(text: Result<String, String>) -> u8 {
    text.and_then(|text| write::stdout(&text)).map_or_else(|why| write::complain(&why, CANNOT_SAY), |()| 0)
}

/// Makes a report and writes it, within the limits.
fn audit(limits: &Limits, page: Page, began: Instant, judge: impl FnOnce(&Stage) -> Outcome + Send + 'static) -> u8 {
    let page = Arc::new(page);
    let report = {
        let page = Arc::clone(&page);
        move |outcome: &Outcome| page.report(&outcome.report, &outcome.complaints, began.elapsed())
    };
    let otherwise = report.clone();
    let work = move |stage: &Stage| {
        let outcome = judge(stage);
        if stage.write() { report(&outcome) } else { CANNOT_SAY }
    };
    watchdog::run(limits, work, move |why| otherwise(&Outcome::unfinished(&why)))
}

/// Help and version were asked for; everything else that clap reports is bad usage. A monitor hears standard output
/// only, and must not take a help text for an ok.
fn refuse(usage: &clap::Error) -> u8 {
    let asked_for = matches!(usage.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    if is_nagios() && !asked_for {
        return write::unknown(&usage.to_string());
    }
    // A closed pipe or a full disk does not change what was asked.
    if usage.kind() == ErrorKind::DisplayVersion {
        write::stdout(&manual::version(std::env::args_os())).unwrap_or_default();
    } else {
        usage.print().unwrap_or_default();
    }
    if asked_for && !is_nagios() { 0 } else { CANNOT_SAY }
}
