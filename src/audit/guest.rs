//! The other end: whether a guest has the PCI devices that it was given.
//!
//! The guest's files decide what is so now, its log says why, as for dom0. A PV guest has its devices through pcifront; an HVM
//! guest sees them as ordinary PCI devices, and a PVH guest has none.

mod causes;
mod devices;
mod expected;
mod kernel;
mod story;

use std::collections::{BTreeMap, BTreeSet};

use super::facts::{file, finding, unread};
use super::{Case, Context, context, evidence, remedy, verdict};
use crate::event::{Event, Fact, GuestKind, Mark};
use crate::pci::{Address, KernelVersion};
use crate::record::Author;
use crate::report::{Code, Finding, Frontend, Guest, Report, Severity, Verdict};
use crate::timeline::Wanted;
use crate::tree::Known;
use kernel::{Bus, Support};
use story::Logged;

pub use kernel::CONFIG;

/// What to do about a kernel without pcifront.
const OTHER_KERNEL: &str =
    "# boot a guest kernel with CONFIG_XEN_PCIDEV_FRONTEND (Debian: linux-image-amd64, not -cloud-)";

/// All that is known of a guest's end.
struct End<'a> {
    context: &'a Context<'a>,
    logged: Logged,
    /// The virtual bus, by the guest's files. `None` where there are none.
    bus: Option<Known<Bus>>,
    kind: Option<GuestKind>,
    /// Where the guest is to have its devices, and where dom0 has them.
    expected: BTreeMap<Address, Option<Address>>,
    /// Devices of dom0 that it is to have, nobody knows where.
    unplaced: Vec<Address>,
}

/// Judges a case as one of a guest. The devices that are asked for are those that it is to have, by their addresses in it; a
/// configuration names them by their addresses in dom0.
pub fn conclude_guest(case: &Case) -> Report {
    let context = context(case, Wanted::Guest);
    let end = End::of(&context);
    let mut findings: Vec<Finding> =
        case.logs.iter().filter_map(|log| evidence::unreadable(log, Severity::Info)).collect();
    let doubt = evidence::doubt(&context).filter(|found| found.code != Code::NotDom0);
    let not_guest = doubt.is_none().then(|| end.not_guest()).flatten();
    let settled = doubt.is_none() && not_guest.is_none();
    findings.extend(doubt.into_iter().chain(not_guest));
    let (frontend, devices) = if settled { end.judge(&mut findings) } else { (Frontend::Unknown, Vec::new()) };
    let kind = end.kind.map(GuestKind::name);
    let guest = Guest { kind, frontend, devices };
    report(&context, end.by_log(frontend), findings, guest)
}

impl<'a> End<'a> {
    fn of(context: &'a Context<'a>) -> Self {
        let tree = context.case.tree.as_ref();
        let logged = Logged::of(&context.story);
        let proof = proof(context);
        let platform = proof.is_some_and(|fact| fact.text.starts_with(b"Xen Platform PCI"));
        let pv = logged.installed.is_some()
            || logged.no_driver.is_some()
            || proof.is_some_and(|fact| fact.text.starts_with(b"ACPI in unprivileged domain"));
        let by_log = logged.kind.or(platform.then_some(GuestKind::Hvm)).or(pv.then_some(GuestKind::Pv));
        let kind = tree.and_then(kernel::kind).or(by_log);
        let mut seen: BTreeSet<Address> = logged.devices.keys().copied().collect();
        seen.extend(context.host.iter().filter_map(|host| host.devices.is()).flat_map(|devices| devices.keys()));
        let (expected, unplaced) = expected::of(context.case, kind, &seen);
        Self { context, logged, bus: tree.map(kernel::bus), kind, expected, unplaced }
    }

    /// What shows that this is no guest of Xen.
    fn not_guest(&self) -> Option<Finding> {
        let host = self.context.host.as_ref().or(self.context.partial.as_ref());
        let found = |message: &str| finding(Code::NotGuest, Severity::Unknown, message);
        if host.is_some_and(|host| host.dom0 == Known::Is(true)) {
            let mut found = found("this is dom0, not a guest: `pciback-audit check` audits it");
            found.evidence.push(file("proc/xen/capabilities", Some("says control_d")));
            return Some(found);
        }
        let bare = proof(self.context).filter(|fact| matches!(fact.event, Event::NotDom0 { mark: Mark::NoXen }));
        if let Some(fact) = bare {
            let mut found = found("this kernel does not run on Xen: it has no pcifront to audit");
            found.evidence.push(self.context.shown(fact));
            return Some(found);
        }
        let pv = self.kind == Some(GuestKind::Pv);
        let unprivileged = self.logged.installed.is_some() || self.logged.no_driver.is_some();
        let own = self.logged.own_device.as_ref().filter(|_| pv && proof(self.context).is_none());
        let fact = self.logged.pciback.as_ref().or(own).filter(|_| !unprivileged)?;
        let mut found =
            found("this is the log of dom0, or of a driver domain, not of a guest: `pciback-audit check` audits it");
        found.evidence.push(self.context.shown(fact));
        Some(found)
    }

    /// How far the guest's end came, and every device of it.
    fn judge(&self, findings: &mut Vec<Finding>) -> (Frontend, Vec<crate::report::GuestDevice>) {
        let frontend = match self.kind {
            Some(GuestKind::Hvm) => self.hvm(findings),
            Some(GuestKind::Pvh) => self.pvh(findings),
            Some(GuestKind::Pv) | None => self.pv(findings),
        };
        let devices = devices::judge(self, frontend, findings);
        if frontend == Frontend::Working && devices.is_empty() {
            findings.push(self.without_devices());
        }
        (frontend, devices)
    }

    /// pcifront has its bus, and no device of it is known.
    fn without_devices(&self) -> Finding {
        if self.context.host.is_none() && !self.names_devices() {
            let message =
                "pcifront has its bus, and the log does not say which devices are on it: `lspci` in the guest does";
            let mut found = finding(Code::Unsettled, Severity::Unknown, message);
            found.evidence.extend(self.logged.bus.iter().map(|fact| self.context.shown(fact)));
            return found;
        }
        let message = "pcifront has its bus, and no device is on it: dom0 took them back, or gave none";
        let mut found = finding(Code::FrontendFailed, Severity::Warning, message);
        found.remedy = causes::in_dom0();
        found
    }

    /// Whether the log would name a device that is on the bus. Kernels before 2.6.37 say nothing of one at the levels that are logged
    /// (drivers/pci/xen-pcifront.c, "claiming resource": debug in 2.6.18, info in 2.6.37 and later), and a log that ends too soon
    /// does not either.
    fn names_devices(&self) -> bool {
        const FIRST: KernelVersion = KernelVersion { major: 3, minor: 0 };
        let story = &self.context.story;
        let kernel = story.release.as_deref().and_then(KernelVersion::of_release);
        kernel.is_some_and(|kernel| kernel >= FIRST) && story.is_long()
    }

    fn hvm(&self, findings: &mut Vec<Finding>) -> Frontend {
        findings.extend(self.unplaced.iter().map(|address| expected::unplaced(*address)));
        if self.expected.is_empty() && self.unplaced.is_empty() {
            let message = "an HVM guest has no pcifront: it sees its devices as ordinary PCI devices, beside those that QEMU makes; --device ADDRESS names those to look for";
            findings.push(finding(Code::NothingRequested, Severity::Unknown, message));
        }
        Frontend::NotNeeded
    }

    fn pvh(&self, findings: &mut Vec<Finding>) -> Frontend {
        let (severity, end) = if self.expected.is_empty() {
            (Severity::Unknown, "")
        } else {
            (Severity::Critical, ", whatever its configuration says")
        };
        let message = format!("this is a PVH guest: Xen gives it no PCI device{end}");
        let code = if self.expected.is_empty() { Code::NothingRequested } else { Code::NoFrontend };
        let mut found = finding(code, severity, message);
        found.remedy = vec![
            "# give the device to a guest of another kind: type = \"pv\" or type = \"hvm\" in its configuration"
                .to_owned(),
        ];
        findings.push(found);
        Frontend::NotNeeded
    }

    fn pv(&self, findings: &mut Vec<Finding>) -> Frontend {
        match &self.bus {
            Some(Known::Is(bus)) => self.pv_by_host(bus, findings),
            Some(Known::Absent) if self.context.case.tree.as_ref().is_some_and(has_bus) => {
                self.without_bus(findings, true);
                Frontend::NotNeeded
            }
            Some(Known::Unreadable(obstacle)) => {
                let message = format!("the guest's virtual bus cannot be seen: {obstacle}");
                let mut found = finding(Code::HostUnreadable, Severity::Unknown, message);
                found.evidence.push(unread(obstacle));
                findings.push(found);
                Frontend::Unknown
            }
            Some(Known::Absent) | None => self.pv_by_log(findings),
        }
    }

    fn pv_by_host(&self, bus: &Bus, findings: &mut Vec<Finding>) -> Frontend {
        let path = format!("sys/bus/xen/devices/{}", bus.name);
        match &bus.driver {
            Known::Absent => {
                let mut found = self.no_frontend();
                found.evidence.insert(0, file(format!("{path}/driver"), None));
                findings.push(found);
                return Frontend::NoDriver;
            }
            Known::Unreadable(obstacle) => {
                let mut found =
                    finding(Code::HostUnreadable, Severity::Unknown, format!("cannot be judged: {obstacle}"));
                found.evidence.push(unread(obstacle));
                findings.push(found);
                return Frontend::Unknown;
            }
            Known::Is(_) => {}
        }
        let connected = bus.state.as_deref().is_none_or(|state| state == "Connected");
        let severity = if connected { Severity::Warning } else { Severity::Critical };
        findings.extend(self.logged.failures.iter().map(|fact| self.failure(fact, severity)));
        if connected {
            return Frontend::Working;
        }
        let state = bus.state.as_deref().unwrap_or_default();
        let message = format!("pcifront has the bus, and stays in the state {state}: it is not connected with dom0");
        let mut found = finding(Code::FrontendFailed, Severity::Critical, message);
        found.evidence.push(file(format!("{path}/state"), Some(state)));
        found.remedy = causes::in_dom0();
        findings.push(found);
        Frontend::Failed
    }

    fn pv_by_log(&self, findings: &mut Vec<Finding>) -> Frontend {
        let logged = &self.logged;
        if let Some(fact) = &logged.no_driver {
            let mut found = self.no_frontend();
            found.evidence.insert(0, self.context.shown(fact));
            self.name_hand(&mut found, fact);
            findings.push(found);
            return Frontend::NoDriver;
        }
        findings.extend(logged.failures.iter().map(|fact| self.failure(fact, Severity::Critical)));
        if !logged.failures.is_empty() {
            return Frontend::Failed;
        }
        // A log that begins late may hold the bus alone, or only what became of it.
        let Some(installed) = logged.installed.as_ref().or(logged.bus.as_ref()).or(logged.released.as_ref()) else {
            // Whatever has a driver or none is told when the kernel is up (`print_device_status`): a bus would be.
            let proved = self.context.is_complete && self.context.story.is_long();
            self.without_bus(findings, proved);
            let told = proved && !logged.lossy && self.kind == Some(GuestKind::Pv) && !self.expected.is_empty();
            return if told { Frontend::NotNeeded } else { Frontend::Unknown };
        };
        if let Some(fact) = &logged.released {
            let message = "the devices went back to dom0: they were detached, or dom0's end closed";
            let mut found = finding(Code::FrontendFailed, Severity::Warning, message);
            found.evidence.push(self.context.shown(fact));
            found.remedy =
                vec!["# in dom0: xl pci-list GUEST shows what the guest has; xl pci-attach GUEST ADDRESS".to_owned()];
            findings.push(found);
            return Frontend::Released;
        }
        if let (Some(fact), None) = (&logged.no_roots, &logged.bus) {
            findings.push(self.failure(fact, Severity::Critical));
            return Frontend::Failed;
        }
        if logged.lossy {
            let message = "records are missing behind those of pcifront: a failure may be among them";
            findings.push(finding(Code::RecordsLost, Severity::Unknown, message));
        }
        if logged.bus.is_some() {
            return Frontend::Working;
        }
        let message = "pcifront took the bus, and the log does not say that it came to be: it ends too soon, or dom0 does not answer";
        let mut found = finding(Code::Unsettled, Severity::Unknown, message);
        found.evidence.push(self.context.shown(installed));
        findings.push(found);
        Frontend::Installed
    }

    /// The guest has no virtual bus, which `proved` says, or nothing shows one.
    fn without_bus(&self, findings: &mut Vec<Finding>, proved: bool) {
        let found = if !proved {
            let message =
                "no record is about pcifront or a virtual PCI bus, and the log does not hold all that the kernel said";
            finding(Code::LogBeginsLate, Severity::Unknown, message)
        } else if self.expected.is_empty() {
            let message = "no PCI device was given to this guest: it has no virtual PCI bus";
            let mut found = finding(Code::NothingRequested, Severity::Unknown, message);
            found.remedy.push(
                "# in its configuration: pci = [ 'ADDRESS' ], or from dom0: xl pci-attach GUEST ADDRESS".to_owned(),
            );
            found
        } else {
            return;
        };
        findings.push(found);
    }

    fn no_frontend(&self) -> Finding {
        let host = self.context.host.as_ref().or(self.context.partial.as_ref());
        let support = self.context.case.tree.as_ref().zip(host).map(|(tree, host)| kernel::support(tree, host));
        let (support, path) = support.unwrap_or((Support::Unknown, String::new()));
        let (why, remedy) = match support {
            Support::Missing => ("this kernel has no pcifront", vec![OTHER_KERNEL.to_owned()]),
            Support::Module => ("pcifront is a module that is not loaded", vec!["modprobe xen-pcifront".to_owned()]),
            Support::BuiltIn => (
                "pcifront is built into this kernel, and did not take it",
                vec!["# look for its own error: dmesg | grep -i -e pcifront -e xenbus".to_owned()],
            ),
            Support::Unknown if self.lacks_stub() => (
                "this kernel has no pcifront, as it never says \"setting up Xen PCI frontend stub\"",
                vec![OTHER_KERNEL.to_owned()],
            ),
            Support::Unknown => (
                "the kernel has no pcifront, or it is not loaded",
                vec![
                    "modprobe xen-pcifront".to_owned(),
                    "# without such a module: a guest kernel with CONFIG_XEN_PCIDEV_FRONTEND".to_owned(),
                ],
            ),
        };
        let message = format!("dom0 gave PCI devices to this guest, and no driver took their bus: {why}");
        let mut found = finding(Code::NoFrontend, Severity::Critical, message);
        if support != Support::Unknown {
            let value = match support {
                Support::Missing if path.ends_with(kernel::MODULE) => None,
                Support::Missing => Some("does not name it"),
                Support::BuiltIn | Support::Module | Support::Unknown => Some("has it"),
            };
            found.evidence.push(file(path, value));
        }
        found.remedy = remedy;
        if support == Support::Module || (support == Support::Unknown && !self.lacks_stub()) {
            found.remedy.push("# for good: echo xen-pcifront > /etc/modules-load.d/xen-pcifront.conf".to_owned());
        }
        found
    }

    /// Whether the log shows that the kernel cannot have pcifront, whose option brings in code that says so at each boot
    /// (arch/x86/pci/xen.c `pci_xen_init`; drivers/pci/Kconfig, `XEN_PCIDEV_FRONTEND`, 2.6.37 to 7.1).
    fn lacks_stub(&self) -> bool {
        const FIRST: KernelVersion = KernelVersion { major: 3, minor: 0 };
        let story = &self.context.story;
        let kernel = story.release.as_deref().and_then(KernelVersion::of_release);
        let stub = story.parts.iter().any(|(_, boot)| boot.not_dom0.has_frontend_stub());
        !stub && self.context.is_complete && story.is_long() && kernel.is_some_and(|kernel| kernel >= FIRST)
    }

    fn failure(&self, fact: &Fact, severity: Severity) -> Finding {
        let (message, remedy) = causes::of(fact);
        let mut found = finding(Code::FrontendFailed, severity, message);
        found.stamp = fact.stamp;
        found.time = self.context.date(&fact.stamp);
        found.evidence.push(self.context.shown(fact));
        found.remedy = remedy;
        self.name_hand(&mut found, fact);
        found
    }

    /// Says of an alarm that rests on a single record whether anybody else could have written that.
    fn name_hand(&self, found: &mut Finding, fact: &Fact) {
        if fact.author == Author::Unstated && !self.context.case.options.trust_log && self.context.host.is_none() {
            found.message.push_str("; the log does not say who wrote that line");
        }
    }

    /// Whether a working end is proved by the log alone.
    fn by_log(&self, frontend: Frontend) -> bool {
        match frontend {
            Frontend::Working => !matches!(self.bus, Some(Known::Is(_))),
            Frontend::NotNeeded => self.context.host.is_none(),
            Frontend::Unknown | Frontend::NoDriver | Frontend::Failed | Frontend::Released | Frontend::Installed => {
                false
            }
        }
    }
}

/// The record that shows that the boot is not dom0's.
fn proof<'a>(context: &'a Context<'_>) -> Option<&'a Fact> {
    context.story.parts.iter().find_map(|(_, boot)| boot.not_dom0.proof())
}

/// Whether Xen's own bus was listed.
fn has_bus(tree: &crate::tree::Tree) -> bool {
    tree.list("sys/bus/xen/devices").is().is_some()
}

fn report(context: &Context<'_>, by_log: bool, mut findings: Vec<Finding>, guest: Guest) -> Report {
    let options = &context.case.options;
    let logs = context.logs();
    let worst =
        |findings: &[Finding]| findings.iter().map(|finding| finding.severity.verdict()).max().unwrap_or(Verdict::Ok);
    let untrusted = logs.iter().find(|log| !log.trusted && log.records > 0).filter(|_| by_log && !options.trust_log);
    if let Some(log) = untrusted
        && worst(&findings) <= Verdict::Warning
    {
        let message = format!("the form of {} does not say who wrote its lines", log.source);
        findings.push(finding(Code::AuthorUnstated, Severity::Warning, message));
    }
    verdict::accept(context.case, &mut findings);
    verdict::put_in_order(&mut findings);
    let nothing = findings.iter().any(|found| found.code == Code::NothingRequested);
    let verdict = worst(&findings);
    let silent = options.if_requested && nothing;
    let plan = remedy::at_once(&findings);
    Report { plan, guest: Some(guest), ..verdict::conclusion(context, logs, findings, verdict, silent) }
}
