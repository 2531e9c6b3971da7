//! Findings about the driver and the machine it runs on.

use super::Context;
use super::facts::{file, finding, unread, written};
use crate::history::Driver;
use crate::host::Host;
use crate::report::{Code, Finding, Severity};
use crate::request::Source;
use crate::tree::Known;

pub(super) fn find(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let requested = !context.demand.wanted.is_empty() || context.demand.list.is_some();
    // Only what is seen counts of a tree that shows a part of the machine.
    if let Some(partial) = context.partial.as_ref().filter(|partial| partial.dom0 == Known::Is(false)) {
        findings.extend(not_dom0(context, partial, requested));
    }
    let Some(host) = &context.host else { return };
    let dom0 = not_dom0(context, host, requested);
    let is_dom0 = dom0.is_none();
    findings.extend(dom0);
    let list_is_why =
        findings.iter().any(|finding| finding.code.explains_devices() && finding.severity == Severity::Critical);
    if requested && is_dom0 && !list_is_why && matches!(host.pciback, Known::Absent) {
        findings.push(absent(context));
    }
}

fn not_dom0(context: &Context<'_>, host: &Host, requested: bool) -> Option<Finding> {
    let capabilities = "proc/xen/capabilities";
    let features = "sys/hypervisor/properties/features";
    // A boot entry without Xen leaves the host's own list where it was, and a policy is about this host.
    let mut written_down = context.demand.places.iter().flat_map(|said| &said.written);
    let own =
        written_down.rfind(|written| matches!(written.source, Source::Module | Source::CommandLine | Source::Modprobe));
    let expected = context.case.asked.policy().is_some();
    let severity = if expected || own.is_some() { Severity::Critical } else { Severity::Unknown };
    let mut found = match &host.dom0 {
        Known::Is(true) => return None,
        // `lspci` shows no sign of Xen, and no lack of one.
        Known::Absent | Known::Unreadable(_) if host.lspci.is_some() => return None,
        Known::Is(false) => {
            let message = "this is a Xen guest, not dom0: pciback takes no device here";
            let mut found = finding(Code::NotDom0, severity, message);
            found.evidence.push(file(capabilities, Some("does not say control_d")));
            found
        }
        Known::Absent if host.devices.is().is_some() => {
            let message = "nothing shows that this kernel runs as Xen's dom0: pciback takes no device without Xen";
            let mut found = finding(Code::NotDom0, severity, message);
            found.evidence.extend([file(capabilities, None), file(features, None)]);
            found
        }
        Known::Absent => {
            let message = "cannot tell whether this is a dom0: neither xenfs nor the hypervisor's features are there";
            let mut found = finding(Code::NotDom0, Severity::Unknown, message);
            found.evidence.extend([file(capabilities, None), file(features, None)]);
            found
        }
        Known::Unreadable(obstacle) => {
            let mut found =
                finding(Code::NotDom0, Severity::Unknown, format!("cannot tell whether this is a dom0: {obstacle}"));
            found.evidence.push(unread(obstacle));
            found
        }
    };
    if !requested {
        found.severity = Severity::Info;
    }
    found.evidence.extend(own.map(written));
    if found.severity == Severity::Critical {
        found.remedy = vec![
            "# boot the entry that starts Xen (in the boot menu it has Xen in its name); the one without it was chosen"
                .to_owned(),
            "# make it the default: GRUB_DEFAULT in /etc/default/grub and update-grub (Debian), or grub2-set-default"
                .to_owned(),
        ];
    } else {
        found.remedy.push("# run it in dom0, or give it dom0's log (check LOG) or files (--root DIR)".to_owned());
    }
    Some(found)
}

fn absent(context: &Context<'_>) -> Finding {
    let loaded = context.case.tree.as_ref().is_some_and(|tree| tree.list("sys/module/xen_pciback").is().is_some());
    let message = if loaded {
        "pciback is built in or loaded, but its driver is not registered: it refused its list, or failed to start"
    } else {
        match context.history.driver {
            Driver::Ready(_) => "pciback was loaded in this boot, and is not there any more",
            Driver::Unheard | Driver::Loading | Driver::Refused(_) => "pciback is not loaded",
        }
    };
    let mut found = finding(Code::DriverAbsent, Severity::Critical, message);
    found.evidence.push(file("sys/bus/pci/drivers/pciback", None));
    if let Driver::Ready(fact) = &context.history.driver {
        found.evidence.push(context.shown(fact));
    }
    if loaded {
        found.remedy.push("# look for the driver's own error: dmesg | grep -i pciback".to_owned());
        return found;
    }
    found.remedy = super::remedy::load(context);
    found
}
