//! Whether waiting can still change what was found: `check --wait` ends when it cannot.

use super::statuses::Judged;
use super::{Asked, Context};
use crate::event::Fact;
use crate::history::{Driver, Trail};
use crate::record::between;
use crate::report::{Code, Finding, Outlook, Severity, Status, Waiting};
use crate::tree::Known;

/// What is to be waited for, and how many requested devices need not be waited for any more.
pub(super) fn waiting(context: &Context<'_>, devices: &[Judged<'_>], findings: &[Finding]) -> Waiting {
    let loaded = loaded(context);
    let wanted = devices.iter().filter(|judged| judged.want.is_some());
    let wanted: Vec<Outlook> = wanted.map(|judged| device(context, judged, loaded)).collect();
    let settled = wanted.iter().filter(|outlook| **outlook == Outlook::Final).count();
    if is_void(context, findings) {
        return Waiting { outlook: Outlook::Final, settled: wanted.len(), unsteady: false };
    }
    let of_devices = wanted.into_iter().max().unwrap_or(Outlook::Open);
    let outlook = if context.demand.open { of_devices.max(Outlook::WhenQuiet) } else { of_devices };
    Waiting { outlook, settled, unsteady: devices.iter().any(|judged| is_unsteady(context, judged)) }
}

/// Bound to pciback, not set up, and no record says why. The driver link is there before pciback's probe routine runs, and
/// gone before its remove routine does; `irq_handlers` lists a device behind its set-up (drivers/base/dd.c, `really_probe`
/// and `__device_release_driver`; drivers/xen/xen-pciback/pci_stub.c, `pcistub_init_device`). The host's files are read one
/// after the other, so a look may fall into either, however long ago the load came to its end.
fn is_unsteady(context: &Context<'_>, judged: &Judged<'_>) -> bool {
    let trail = context.history.trails.get(&judged.address);
    judged.status == Status::Failed && trail.is_none_or(|trail| trail.trouble.is_none())
}

/// Whether no load can seize anything for this request: the list cannot be read, the kernel has just refused it, or there
/// is no Xen.
fn is_void(context: &Context<'_>, findings: &[Finding]) -> bool {
    let unreadable = context.demand.list.as_ref().is_some_and(|(_, list)| !list.accepted());
    let about_list = |code| {
        matches!(code, Code::ListMalformed | Code::ListOutOfRange | Code::ListCutShort | Code::ListTooLong)
            && (unreadable || refused_now(context))
    };
    let critical = findings.iter().filter(|finding| finding.severity == Severity::Critical);
    critical.map(|finding| finding.code).any(|code| code == Code::NotDom0 || about_list(code))
}

/// Whether a list was refused since we listen. An older refusal is the reason why somebody tries again.
fn refused_now(context: &Context<'_>) -> bool {
    let refused = match &context.history.driver {
        Driver::Refused(fact) => Some(fact),
        Driver::Unheard | Driver::Loading | Driver::Ready(_) => None,
    };
    refused.or(context.history.parameters.last()).is_some_and(|fact| is_new(context, fact))
}

fn seized_now(context: &Context<'_>, trail: &Trail) -> bool {
    trail.seizing.as_ref().is_some_and(|fact| is_new(context, fact))
}

fn is_new(context: &Context<'_>, fact: &Fact) -> bool {
    let since = context.case.listening.as_ref().map(|listening| listening.since);
    since.and_then(|since| between(&since, &fact.stamp)).is_some_and(|behind| behind > 0)
}

/// The outlook of one device, where this is that of the driver.
fn device(context: &Context<'_>, judged: &Judged<'_>, loaded: Outlook) -> Outlook {
    let is_there = context.host.as_ref().is_none_or(|host| !matches!(host.pciback, Known::Absent));
    let trail = context.history.trails.get(&judged.address);
    let probed = trail.is_some_and(|trail| trail.trouble.is_none() && seized_now(context, trail));
    match judged.status {
        Status::Seized(_) | Status::Bridge | Status::Lost { .. } => Outlook::Final,
        Status::Failed
        | Status::Held
        | Status::Unbound
        | Status::Absent
        | Status::Missing
        | Status::Unconfirmed
        | Status::Unrequested { .. }
            if !is_there =>
        {
            Outlook::Open
        }
        // It is bound, and its set-up may still be running: a set-up that fails says so.
        Status::Failed if probed => Outlook::Open,
        Status::Unconfirmed | Status::Unrequested { .. } => loaded.max(Outlook::WhenQuiet),
        Status::Failed | Status::Held | Status::Unbound | Status::Absent | Status::Missing => loaded,
    }
}

/// Whether the driver has done with its list. `backend is` says so of the load before it; what is older than our
/// listening may be of the load that is about to be replaced.
fn loaded(context: &Context<'_>) -> Outlook {
    match &context.history.driver {
        Driver::Ready(fact) if !context.history.seizing && is_new(context, fact) => Outlook::Final,
        Driver::Loading if context.is_complete => Outlook::Open,
        Driver::Loading if context.history.trails.values().any(|trail| seized_now(context, trail)) => Outlook::Open,
        // Without a host, only the log can say that there is a driver.
        Driver::Unheard | Driver::Refused(_) if context.host.is_none() => Outlook::Open,
        Driver::Ready(_) | Driver::Loading | Driver::Unheard | Driver::Refused(_) => Outlook::WhenQuiet,
    }
}

/// That bindings can change without being heard, where somebody listens.
pub(super) fn deaf(context: &Context<'_>) -> Option<Finding> {
    let why = context.case.listening.as_ref()?.deaf.as_ref()?;
    let silent = matches!(context.case.asked, Asked::Found { .. }) && context.demand.wanted.is_empty();
    let message =
        format!("the kernel's uevents cannot be heard ({why}): the host is looked at again and again instead");
    (!silent).then(|| super::facts::finding(Code::UeventsUnheard, Severity::Info, message))
}
