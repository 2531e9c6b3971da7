//! Whether waiting can still change what was found: `check --wait` ends when it cannot.

use super::statuses::Judged;
use super::{Asked, Scene};
use crate::event::Fact;
use crate::history::{Driver, Trail};
use crate::record::between;
use crate::report::{Code, Finding, Outlook, Severity, Status, Waiting};
use crate::tree::Known;

/// What is to be waited for, and how many requested devices need not be waited for any more.
pub(super) fn waiting(scene: &Scene<'_>, devices: &[Judged<'_>], findings: &[Finding]) -> Waiting {
    let loaded = loaded(scene);
    let wanted = devices.iter().filter(|judged| judged.want.is_some());
    let wanted: Vec<Outlook> = wanted.map(|judged| device(scene, judged, loaded)).collect();
    let settled = wanted.iter().filter(|outlook| **outlook == Outlook::Final).count();
    if is_void(scene, findings) {
        return Waiting { outlook: Outlook::Final, settled: wanted.len(), unsteady: false };
    }
    let of_devices = wanted.into_iter().max().unwrap_or(Outlook::Open);
    let outlook = if scene.demand.open { of_devices.max(Outlook::WhenQuiet) } else { of_devices };
    Waiting { outlook, settled, unsteady: devices.iter().any(|judged| is_unsteady(scene, judged)) }
}

/// Bound to pciback, not set up, and no record says why. The driver link is there before pciback's probe routine runs, and
/// gone before its remove routine does; `irq_handlers` lists a device behind its set-up (drivers/base/dd.c, `really_probe`
/// and `__device_release_driver`; drivers/xen/xen-pciback/pci_stub.c, `pcistub_init_device`). The host's files are read one
/// after the other, so a look may fall into either, however long ago the load came to its end.
fn is_unsteady(scene: &Scene<'_>, judged: &Judged<'_>) -> bool {
    let trail = scene.history.trails.get(&judged.address);
    judged.status == Status::Failed && trail.is_none_or(|trail| trail.trouble.is_none())
}

/// Whether no load can seize anything for this request: the list cannot be read, the kernel has just refused it, or there
/// is no Xen.
fn is_void(scene: &Scene<'_>, findings: &[Finding]) -> bool {
    let unreadable = scene.demand.list.as_ref().is_some_and(|(_, list)| !list.accepted());
    let about_list = |code| {
        matches!(code, Code::ListMalformed | Code::ListOutOfRange | Code::ListCutShort | Code::ListTooLong)
            && (unreadable || refused_now(scene))
    };
    let critical = findings.iter().filter(|finding| finding.severity == Severity::Critical);
    critical.map(|finding| finding.code).any(|code| code == Code::NotDom0 || about_list(code))
}

/// Whether a list was refused since we listen. An older refusal is the reason why somebody tries again.
fn refused_now(scene: &Scene<'_>) -> bool {
    let refused = match &scene.history.driver {
        Driver::Refused(fact) => Some(fact),
        Driver::Unheard | Driver::Loading | Driver::Ready(_) => None,
    };
    refused.or(scene.history.parameters.last()).is_some_and(|fact| is_new(scene, fact))
}

fn seized_now(scene: &Scene<'_>, trail: &Trail) -> bool {
    trail.seizing.as_ref().is_some_and(|fact| is_new(scene, fact))
}

fn is_new(scene: &Scene<'_>, fact: &Fact) -> bool {
    let since = scene.case.listening.as_ref().map(|listening| listening.since);
    since.and_then(|since| between(&since, &fact.stamp)).is_some_and(|behind| behind > 0)
}

/// The outlook of one device, where this is that of the driver.
fn device(scene: &Scene<'_>, judged: &Judged<'_>, loaded: Outlook) -> Outlook {
    let is_there = scene.host.as_ref().is_none_or(|host| !matches!(host.pciback, Known::Absent));
    let trail = scene.history.trails.get(&judged.address);
    let probed = trail.is_some_and(|trail| trail.trouble.is_none() && seized_now(scene, trail));
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
fn loaded(scene: &Scene<'_>) -> Outlook {
    match &scene.history.driver {
        Driver::Ready(fact) if !scene.history.seizing && is_new(scene, fact) => Outlook::Final,
        Driver::Loading if scene.is_complete => Outlook::Open,
        Driver::Loading if scene.history.trails.values().any(|trail| seized_now(scene, trail)) => Outlook::Open,
        // Without a host, only the log can say that there is a driver.
        Driver::Unheard | Driver::Refused(_) if scene.host.is_none() => Outlook::Open,
        Driver::Ready(_) | Driver::Loading | Driver::Unheard | Driver::Refused(_) => Outlook::WhenQuiet,
    }
}

/// That bindings can change without being heard, where somebody listens.
pub(super) fn deaf(scene: &Scene<'_>) -> Option<Finding> {
    let why = scene.case.listening.as_ref()?.deaf.as_ref()?;
    let silent = matches!(scene.case.asked, Asked::Found { .. }) && scene.demand.wanted.is_empty();
    let message =
        format!("the kernel's uevents cannot be heard ({why}): the host is looked at again and again instead");
    (!silent).then(|| super::facts::finding(Code::UeventsUnheard, Severity::Info, message))
}
