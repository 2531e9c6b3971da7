//! What makes giving a device to guests a risk, though pciback has it: no way to reset it, and a driver that had it before.

use super::Context;
use super::facts::{about, device_file, file};
use super::statuses::Judged;
use crate::host::{Device, Reset};
use crate::report::{Code, Finding, Moment, Severity, Status};
use crate::tree::Known;

pub(super) fn find(context: &Context<'_>, devices: &[Judged<'_>], findings: &mut Vec<Finding>) {
    let Some(there) = context.host.as_ref().and_then(|host| host.devices.is()) else { return };
    for judged in devices.iter().filter(|judged| judged.want.is_some() && matches!(judged.status, Status::Seized(_))) {
        let Some(device) = there.get(&judged.address).filter(|device| !device.is_bridge()) else { continue };
        findings.extend(reset_missing(context, judged, device));
        findings.extend(late(context, judged, device));
    }
    if context.case.options.foretold == Some(Moment::Now) {
        let held = devices.iter().filter(|judged| judged.want.is_some() && judged.status == Status::Held);
        findings.extend(held.filter_map(|judged| late_by_hand(context, judged, there.get(&judged.address)?)));
    }
}

/// No method of a reset: what one guest left in the device, the next one finds.
fn reset_missing(context: &Context<'_>, judged: &Judged<'_>, device: &Device) -> Option<Finding> {
    if device.reset != Known::Is(Reset::None) {
        return None;
    }
    let severity = if context.case.options.foretold.is_some() { Severity::Warning } else { Severity::Info };
    let message = "the kernel has no way to reset it: a guest that is started anew finds it as the last one left it";
    let mut found = about(judged.address, Code::ResetMissing, severity, message);
    found.evidence.push(file(device_file(judged.address, "reset"), None));
    found.remedy = vec![
        "# try it: shut the guest down and start it again; some toolstacks refuse such a device unless they are told (Qubes: -o no-strict-reset=True)"
            .to_owned(),
    ];
    Some(found)
}

/// How long a boot takes at most.
const BOOT: u64 = 120_000_000;

/// Another driver spoke of the device in this boot, and pciback took it when the boot was over. Virtual functions are made late.
fn late(context: &Context<'_>, judged: &Judged<'_>, device: &Device) -> Option<Finding> {
    let trail = context.history.trails.get(&judged.address)?;
    let (seizing, before) = (trail.seizing.as_deref()?, trail.before.as_deref()?);
    let uptime = seizing.stamp.uptime.filter(|uptime| *uptime >= BOOT)?;
    if device.physical != Known::Absent {
        return None;
    }
    let message = format!(
        "another driver had it first, and pciback took it {} s after the boot: what that driver set up may still be in it",
        uptime / 1_000_000
    );
    let mut found = about(judged.address, Code::LateSeize, Severity::Info, message);
    found.stamp = seizing.stamp;
    found.time = context.date(&seizing.stamp);
    found.evidence = vec![context.shown(before), context.shown(seizing)];
    Some(found)
}

/// Before it happens: modprobe passes over a device that a driver has, and a command that takes it from that driver does so late.
fn late_by_hand(context: &Context<'_>, judged: &Judged<'_>, device: &Device) -> Option<Finding> {
    let driver = device.driver.is()?;
    let uptime = context.host.as_ref()?.uptime.is().filter(|uptime| **uptime >= BOOT)?;
    if device.is_bridge() || device.physical != Known::Absent {
        return None;
    }
    let seconds = uptime / 1_000_000;
    let message = format!(
        "{driver} has it, {seconds} s after the boot: taken now, it keeps what that driver set up; hidden from the next boot on, it does not"
    );
    let mut found = about(judged.address, Code::LateSeize, Severity::Warning, message);
    found.evidence = vec![
        file(device_file(judged.address, "driver"), Some(driver)),
        file("proc/uptime", Some(&seconds.to_string())),
    ];
    Some(found)
}
