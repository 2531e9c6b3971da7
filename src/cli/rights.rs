//! Which rights each command keeps. Given up before its threads start, so that none of them has more.

use pciback_audit::scan::Found;
use pciback_audit::source::{self, Rights, Uevents, UeventsError};

use super::plan::{self, Check, Forecast, HostSource, LogSource, Scan, Watch};
use super::request::Request;
use super::write::Page;

/// What was opened with rights that are given up now.
pub(super) type OpenUevents = Option<Result<Uevents, UeventsError>>;

/// Keeps what a check needs.
pub(super) fn of_check(check: &Check, page: &Page) -> OpenUevents {
    let mut rights = Rights::default();
    evidence(check, &mut rights);
    rights.writes(page.file.as_ref());
    // A large buffer of uevents needs CAP_NET_ADMIN.
    let uevents = (check.wait.is_some() && check.logs == [LogSource::Ring]).then(Uevents::open);
    for _ in check.logs.iter().filter(|log| **log == LogSource::Journal) {
        source::start_journal(plan::needs_other_boots(check));
        rights.child();
    }
    rights.keep_only();
    uevents
}

/// Keeps what a watch needs.
pub(super) fn of_watch(watch: &Watch) -> OpenUevents {
    let mut rights = Rights::default();
    evidence(&watch.check, &mut rights);
    rights.writes([&watch.output, &watch.textfile, &watch.resume].into_iter().flatten());
    rights.local_sockets();
    let uevents = (watch.check.logs == [LogSource::Ring]).then(Uevents::open);
    rights.keep_only();
    uevents
}

/// Keeps what a forecast needs.
pub(super) fn of_forecast(forecast: &Forecast, page: &Page) {
    let mut rights = Rights::default();
    match &forecast.host {
        HostSource::Below(root) => rights.reads([root]),
        HostSource::Here | HostSource::Nowhere => rights.reads(source::places()),
    };
    rights.writes(page.file.as_ref()).keep_only();
}

/// Keeps what a scan needs that has found its files.
pub(super) fn of_scan(found: &Found, scan: &Scan, page: &Page) {
    let mut rights = Rights::default();
    policy(&scan.request, &mut rights);
    rights.reads(&scan.work.paths).reads(found.links()).reads(&scan.baseline).writes(page.file.as_ref());
    rights.keep_only();
}

/// Keeps what a command needs that has all it reads in itself.
pub(super) fn of_page(page: &Page) {
    Rights::default().writes(page.file.as_ref()).keep_only();
}

fn evidence(check: &Check, rights: &mut Rights) {
    policy(&check.request, rights);
    for log in &check.logs {
        match log {
            LogSource::Ring => rights.ring(),
            LogSource::Journal => rights,
            LogSource::File(path) if source::is_ring(path) => rights.ring(),
            LogSource::File(path) | LogSource::Below(path) => rights.reads([path]),
        };
    }
    match &check.host {
        HostSource::Here => rights.reads(source::places()),
        HostSource::Below(root) => rights.reads([root]),
        HostSource::Nowhere => rights,
    };
    rights.reads(&check.lspci).reads(&check.guest_config).reads(&check.xen_logs);
}

fn policy(request: &Request, rights: &mut Rights) {
    match request {
        Request::Policy(path) => rights.reads([path]),
        Request::Typed(_) => rights,
    };
}
