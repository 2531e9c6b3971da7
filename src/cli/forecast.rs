//! `plan`: what a list would come to, by modprobe now and at the next boot.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pciback_audit::audit::{self, Asked, Case, conclude, list_in_force};
use pciback_audit::host::Host as Machine;
use pciback_audit::render::{plan_json, plan_table};
use pciback_audit::report::{Code, Expectation, Moment, Plan};
use pciback_audit::source::{keep, keep_archive, keep_boot_image};
use pciback_audit::tree::Tree;

use super::evidence::files;
use super::outcome::Outcome;
use super::plan::{Forecast, HostSource};
use super::rights;
use super::watchdog::{self, AtSignal, Limits, Stage};
use super::write::{Form, Page, complain};
use super::{CANNOT_SAY, when};

/// Makes the plan and writes it, within the limits.
pub(super) fn guarded(forecast: Forecast, page: Page) -> u8 {
    let limits = Limits { timeout: forecast.timeout, at_signal: AtSignal::Die, spent: Duration::ZERO };
    rights::of_forecast(&forecast, &page);
    let page = Arc::new(page);
    let own = Arc::clone(&page);
    let work = move |stage: &Stage| {
        let mut complaints = Vec::new();
        let plan = plan(&forecast, stage, &mut complaints);
        if stage.write() { write(&own, &plan, &complaints) } else { CANNOT_SAY }
    };
    watchdog::run(&limits, work, move |why| {
        let outcome = Outcome::unfinished(&why);
        page.report(&outcome.report, &outcome.complaints, Duration::ZERO)
    })
}

fn write(page: &Page, plan: &Plan, complaints: &[String]) -> u8 {
    let status = plan.chosen().report.exit_status;
    let hushed = page.quiet && status == 0;
    for complaint in complaints.iter().filter(|_| !hushed) {
        complain(complaint, status);
    }
    let text = match page.form {
        Form::Json => plan_json(plan, env!("CARGO_PKG_VERSION")),
        Form::Table | Form::Tree | Form::Nagios | Form::Prometheus => plan_table(plan, &page.style()),
    };
    page.write(&text, hushed, status)
}

fn plan(forecast: &Forecast, stage: &Stage, complaints: &mut Vec<String>) -> Plan {
    let mut tree = match &forecast.host {
        HostSource::Below(root) => files(root, keep_archive, stage, complaints),
        HostSource::Here | HostSource::Nowhere => files(Path::new("/"), keep, stage, complaints),
    };
    stage.enter("reading the boot image");
    let root = match &forecast.host {
        HostSource::Below(root) => root.as_path(),
        HostSource::Here | HostSource::Nowhere => Path::new("/"),
    };
    keep_boot_image(root, &mut tree);
    stage.enter("judging");
    let asked = forecast.list.clone().map_or_else(Asked::default, Asked::List);
    let case = case(forecast, asked, tree);
    let (written, grammar) = list_in_force(&case);
    let list = written.map(|written| written.text);
    let asked = list.clone().map_or_else(Asked::default, Asked::List);
    let expect = |moment: Moment, made: audit::Forecast| {
        let mut case = self::case(forecast, asked.clone(), made.tree);
        case.options.foretold = Some(moment);
        let mut report = conclude(&case);
        // What has not happened is in no log.
        report.findings.retain(|finding| finding.code != Code::LogUnreadable);
        Expectation { report, notes: made.notes }
    };
    let tree = case.tree.unwrap_or_default();
    let as_written = || expect(Moment::Boot, audit::next_boot(&tree, None, grammar));
    let text = list.as_deref().unwrap_or_default();
    let boot = match &forecast.list {
        Some(given) => expect(Moment::Boot, audit::next_boot(&tree, Some(given), grammar)),
        None => as_written(),
    };
    let mut plan = Plan {
        moment: forecast.moment.unwrap_or_else(|| moment(&tree)),
        list: String::from_utf8_lossy(text).into_owned(),
        now: expect(Moment::Now, audit::after_load(&tree, text, grammar)),
        boot,
        as_written: forecast.list.as_ref().map(|_| as_written()),
    };
    // What has to be done is done on the machine as it is.
    let repair = conclude(&self::case(forecast, asked, tree)).plan;
    for outcome in [&mut plan.now, &mut plan.boot] {
        if outcome.report.exit_status != 0 && !repair.for_good.is_empty() {
            outcome.report.plan = repair.clone();
        }
    }
    plan
}

/// A driver that is there cannot be loaded.
fn moment(tree: &Tree) -> Moment {
    let host = Machine::read(tree);
    if host.modules.has_pciback_built_in() || host.pciback.is().is_some() { Moment::Boot } else { Moment::Now }
}

fn case(forecast: &Forecast, asked: Asked, tree: Tree) -> Case {
    Case { asked, tree: Some(tree), options: forecast.options.clone(), now: Some(when::now()), ..Case::default() }
}
