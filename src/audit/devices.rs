//! Findings about single devices.

use super::facts::{about, device_file, file, unread};
use super::statuses::{Judged, why};
use super::{Context, remedy};
use crate::event::{Event, Fact, Stage};
use crate::history::Trail;
use crate::host::Device;
use crate::pci::Address;
use crate::report::{Basis, Code, Evidence, Finding, Severity, Status};
use crate::request::Source;
use crate::tree::{Known, Obstacle};

pub(super) fn find(context: &Context<'_>, devices: &[Judged<'_>], findings: &mut Vec<Finding>) {
    let empty = Trail::default();
    for judged in devices {
        let address = judged.address;
        let trail = context.history.trails.get(&address).unwrap_or(&empty);
        let device = context.host.as_ref().and_then(|host| host.devices.is()).and_then(|devices| devices.get(&address));
        let subject = Subject { context, address, trail, device, basis: judged.basis };
        findings.extend(match &judged.status {
            Status::Held => Some(subject.held()),
            Status::Unbound => Some(subject.unbound()),
            Status::Absent => Some(subject.absent()),
            Status::Failed => Some(subject.failed()),
            Status::Lost { by_hand } => Some(subject.lost(*by_hand)),
            Status::Unrequested { explained } => Some(subject.unrequested(*explained)),
            Status::Missing => Some(subject.missing()),
            Status::Unconfirmed => subject.unconfirmed(),
            Status::Seized(_) | Status::Bridge => None,
        });
    }
    findings.extend(devices.iter().filter_map(|judged| xen_refused(context, judged)));
    findings.extend(remains(context));
    findings.extend(visible(context, devices));
}

/// One device with all that is known about it.
struct Subject<'a> {
    context: &'a Context<'a>,
    address: Address,
    trail: &'a Trail,
    device: Option<&'a Device>,
    basis: Basis,
}

impl Subject<'_> {
    fn holder(&self) -> Option<&str> {
        match (self.basis, self.trail.held.as_ref().map(|fact| &fact.event)) {
            (Basis::Host, _) => self.device?.driver.is().map(String::as_str),
            (Basis::Log, Some(Event::HeldBy { driver, .. })) => Some(driver),
            (Basis::Log, _) => None,
        }
    }

    fn driver_link(&self) -> Option<Evidence> {
        let told = self.context.host.as_ref().and_then(|host| host.lspci.clone());
        let path = told.unwrap_or_else(|| device_file(self.address, "driver"));
        (self.basis == Basis::Host).then(|| file(path, self.holder()))
    }

    fn record(&self, fact: Option<&Fact>) -> Option<Evidence> {
        fact.map(|fact| self.context.shown(fact))
    }

    /// Says of an alarm that rests on a single record whether anybody else could have written that.
    fn name_hand(&self, found: &mut Finding, fact: Option<&Fact>) {
        if let Some(fact) = fact.filter(|_| self.basis == Basis::Log) {
            found.message.push_str(self.context.whose_hand(fact));
        }
    }

    fn take(&self) -> Vec<String> {
        remedy::take(self.context, self.address, self.device)
    }

    fn held(&self) -> Finding {
        let driver = self.holder().unwrap_or("another driver");
        let message = if self.context.demand.source() == Some(Source::Qubes) {
            format!(
                "{driver} has it: the hook of Qubes' boot image, which takes devices from their drivers, did not take it"
            )
        } else {
            format!("{driver} already had it, so pciback passed over it without a word")
        };
        let mut found = about(self.address, Code::HeldByDriver, Severity::Critical, message);
        found.evidence.extend(self.driver_link());
        // When that driver first spoke: before pciback's load it was first, behind it, it took the device since.
        let since = self
            .trail
            .held
            .as_ref()
            .filter(|fact| matches!(&fact.event, Event::HeldBy { driver: said, .. } if said == driver));
        found.evidence.extend(self.record(since.map(AsRef::as_ref)));
        found.evidence.extend(self.record(self.trail.earlier.as_deref()));
        self.name_hand(&mut found, since.map(AsRef::as_ref));
        if self.trail.earlier.is_some() {
            found.message.push_str("; an earlier load of the module had seized it");
        }
        found.remedy = self.take();
        found
    }

    fn unbound(&self) -> Finding {
        let forced = self.device.and_then(|device| device.driver_override.is());
        let autoprobe = self.context.case.tree.as_ref().map(|tree| tree.read_text("sys/bus/pci/drivers_autoprobe"));
        let off = autoprobe.and_then(|value| value.is().cloned()).filter(|value| value == "0");
        let mut evidence: Vec<Evidence> = self.driver_link().into_iter().collect();
        let message = if let Some(name) = forced {
            evidence.push(file(device_file(self.address, "driver_override"), Some(name)));
            format!("no driver has it: its driver_override allows only {name}")
        } else if let Some(value) = off {
            evidence.push(file("sys/bus/pci/drivers_autoprobe", Some(&value)));
            "no driver has it: the PCI bus does not probe drivers by itself (drivers_autoprobe is 0)".to_owned()
        } else {
            "no driver has it: it was unbound by hand, or came up behind pciback's load".to_owned()
        };
        let mut found = about(self.address, Code::Unbound, Severity::Critical, message);
        found.evidence = evidence;
        let listed = self.slots_list_it() == Some(true);
        found.remedy =
            self.device.map_or_else(Vec::new, |device| remedy::probe(self.context, self.address, device, listed));
        found
    }

    fn slots_list_it(&self) -> Option<bool> {
        let pciback = self.context.host.as_ref()?.pciback.is()?;
        pciback.slots.is()?.lists(self.address)
    }

    fn absent(&self) -> Finding {
        let message = if self.trail.seizing.is_some() {
            "there is no such device any more: it was seized, and removed since"
        } else if self.context.history.found.contains(&self.address) {
            "there is no such device any more: it was there at boot"
        } else {
            "there is no such device (a virtual function that is not created yet looks the same)"
        };
        let mut found = about(self.address, Code::Absent, Severity::Critical, message);
        found.evidence.push(file(format!("sys/bus/pci/devices/{}", self.address), None));
        found.evidence.extend(self.record(self.trail.seizing.as_deref()));
        found.remedy = vec![format!(
            "# look where it is now, lspci -D lists what there is, and correct the list; or take {} off it",
            self.address
        )];
        found
    }

    fn failed(&self) -> Finding {
        let (code, message) = match self.trail.trouble.as_ref().map(|fact| &fact.event) {
            Some(Event::Refused { .. }) => (
                Code::Refused,
                "pciback takes only devices and PCI bridges: this one has another header type, as CardBus bridges do"
                    .to_owned(),
            ),
            Some(Event::Failed { errno, stage, .. }) => {
                let bound = if *stage == Stage::Load { "; it stays bound, and no guest can have it" } else { "" };
                (
                    Code::SeizeFailed,
                    format!("pciback tried to take it and failed with {errno}: {}{bound}", errno.meaning()),
                )
            }
            _ => (Code::SeizeFailed, "bound to pciback, but not set up: no guest can have it".to_owned()),
        };
        let mut found = about(self.address, code, Severity::Critical, message);
        found.evidence.extend(self.driver_link());
        let handlers =
            self.context.host.as_ref().and_then(|host| host.pciback.is()).and_then(|pciback| pciback.irq_handlers.is());
        if handlers.is_some_and(|page| page.lists(self.address) == Some(false)) {
            found.evidence.push(file("sys/bus/pci/drivers/pciback/irq_handlers", Some("does not list it")));
        }
        found.evidence.extend(self.record(self.trail.seizing.as_deref()));
        found.evidence.extend(self.record(self.trail.trouble.as_deref()));
        self.name_hand(&mut found, self.trail.trouble.as_deref());
        found.remedy = if code == Code::Refused {
            vec!["# take it off the list".to_owned()]
        } else {
            vec![
                "# read the records just before the error: they name the resource that is missing".to_owned(),
                format!("dmesg | grep -F {}", self.address),
            ]
        };
        found
    }

    /// Taken from a guest that still had it: its guest comes first.
    fn taken(&self, fact: &Fact, domid: Option<u32>, now: &str) -> Finding {
        let guest = domid.map_or("a guest".to_owned(), |domid| format!("guest {domid}"));
        let message =
            format!("pciback was unbound from it while {guest} had it, and the guest may still reach it; {now}");
        let mut found = about(self.address, Code::TakenFromGuest, Severity::Critical, message);
        found.evidence.extend(self.driver_link());
        found.evidence.push(self.context.shown(fact));
        self.name_hand(&mut found, Some(fact));
        let guest = domid.map_or("that guest".to_owned(), |domid| format!("guest {domid} (xl shutdown {domid})"));
        found.remedy = vec![format!("# shut {guest} down first; then give the device back to pciback:")];
        found
            .remedy
            .extend(self.take().into_iter().map(|line| if line.starts_with('#') { line } else { format!("# {line}") }));
        found
    }

    fn lost(&self, by_hand: bool) -> Finding {
        let now = self.holder().map_or("no driver has it now".to_owned(), |driver| format!("{driver} has it now"));
        if let Some(fact) = &self.trail.taken
            && let Event::RemovedInUse { domid, .. } = fact.event
        {
            return self.taken(fact, domid, &now);
        }
        let mut found = if by_hand {
            let message = format!("seized earlier, then taken off pciback's list by hand; {now}");
            let mut found = about(self.address, Code::ReleasedByHand, Severity::Warning, message);
            found.evidence.push(file("sys/bus/pci/drivers/pciback/slots", Some("does not list it")));
            found
        } else {
            let message = format!("pciback had seized it and has lost it since; {now}");
            about(self.address, Code::LostAfterSeize, Severity::Critical, message)
        };
        found.evidence.extend(self.driver_link());
        found.evidence.extend(self.record(self.trail.seizing.as_deref()));
        found.evidence.extend(self.record(self.trail.taken.as_deref()));
        self.name_hand(&mut found, self.trail.taken.as_deref());
        if !by_hand {
            let unbound = self.device.filter(|device| device.driver.is().is_none());
            found.remedy = unbound.map_or_else(
                || self.take(),
                |device| remedy::probe(self.context, self.address, device, self.slots_list_it() == Some(true)),
            );
        }
        found
    }

    /// The log alone can say who had it instead, or that the kernel found no such device; or only that nothing came.
    fn missing(&self) -> Finding {
        if self.holder().is_some() {
            return self.held();
        }
        let found = &self.context.history.found;
        if !found.is_empty() && !found.contains(&self.address) {
            let message = "the kernel found no such device in this boot";
            return about(self.address, Code::Absent, Severity::Critical, message);
        }
        let message = "the log is complete, and does not say that pciback took it";
        let mut finding = about(self.address, Code::Missing, Severity::Critical, message);
        finding.evidence.extend(self.record(self.trail.earlier.as_deref()));
        if self.trail.earlier.is_some() {
            finding.message.push_str("; an earlier load of the module had seized it");
        }
        finding.remedy = self.take();
        finding
    }

    /// Why neither host nor log settles it, where no finding about the whole log or host says so.
    fn unconfirmed(&self) -> Option<Finding> {
        if let Some(obstacle) = self.obstacle() {
            let mut found =
                about(self.address, Code::HostUnreadable, Severity::Unknown, format!("cannot be judged: {obstacle}"));
            found.evidence.push(unread(obstacle));
            return Some(found);
        }
        if self.context.story.doubt.is_some() {
            return None;
        }
        let (message, record) = super::unsettled::why(self.context, self.trail)?;
        let mut found = about(self.address, Code::Unsettled, Severity::Unknown, message);
        found.evidence.extend(self.record(record));
        found.evidence.extend(self.record(self.trail.doubt.as_deref()));
        Some(found)
    }

    /// The file about this device that could not be read.
    fn obstacle(&self) -> Option<&Obstacle> {
        let device = self.device?;
        let pciback = &self.context.host.as_ref()?.pciback;
        let handlers = pciback.is().map(|pciback| &pciback.irq_handlers);
        let unseen = || pciback.obstacle().filter(|_| self.trail.seizing.is_none());
        device.driver.obstacle().or_else(|| handlers.and_then(Known::obstacle)).or_else(unseen)
    }

    fn unrequested(&self, explained: bool) -> Finding {
        let why = self.device.and_then(|device| why(self.context, self.address, device));
        let message = match why {
            Some(why) => format!("pciback has it, though the list does not name it: {why}"),
            None if explained && self.device.is_none() && self.context.demand.source() == Some(Source::Qubes) => {
                "pciback has it, though the list does not name it: Qubes takes every network device".to_owned()
            }
            None => "pciback has it, though no list names it".to_owned(),
        };
        let severity = if explained { Severity::Info } else { Severity::Warning };
        let mut found = about(self.address, Code::Unrequested, severity, message);
        found.evidence.extend(self.driver_link().filter(|_| self.device.is_some()));
        found.evidence.extend(self.record(self.trail.seizing.as_deref()));
        found
    }
}

/// A requested device that the hypervisor does not know: pciback may have it, and no guest can.
fn xen_refused(context: &Context<'_>, judged: &Judged<'_>) -> Option<Finding> {
    judged.want?;
    let fact = context.history.trails.get(&judged.address)?.xen_refused.as_deref()?;
    let message = "the hypervisor did not register it, so that no guest can have it: Failed to add - passthrough or MSI/MSI-X might fail";
    let mut found = about(judged.address, Code::XenRefused, Severity::Critical, message);
    found.stamp = fact.stamp;
    found.time = context.date(&fact.stamp);
    found.evidence.push(context.shown(fact));
    found.remedy = vec![
        "# the hypervisor's own log says why: xl dmesg; its IOMMU is off or does not know the device's PCI segment"
            .to_owned(),
    ];
    Some(found)
}

/// Addresses that only `slots` names and that do not exist.
fn remains(context: &Context<'_>) -> Vec<Finding> {
    const EACH: usize = 8;
    let remains = &context.demand.remains;
    let slots = || file("sys/bus/pci/drivers/pciback/slots", Some("lists it"));
    let message = "pciback's slots names it, and there is no such device: perhaps it comes from a wildcard";
    if remains.len() <= EACH {
        let each = |address: &Address| {
            let mut found = about(*address, Code::Absent, Severity::Info, message);
            found.evidence.extend([slots(), file(format!("sys/bus/pci/devices/{address}"), None)]);
            found
        };
        return remains.iter().map(each).collect();
    }
    let message = format!(
        "pciback's slots names {} addresses where there is no device: they come from a wildcard",
        remains.len()
    );
    let mut found = super::facts::finding(Code::Absent, Severity::Info, message);
    found.evidence.push(slots());
    vec![found]
}

fn visible(context: &Context<'_>, devices: &[Judged<'_>]) -> Option<Finding> {
    let seized = devices.iter().any(|judged| matches!(judged.status, Status::Seized(_)));
    (context.case.options.verbose && seized).then(|| {
        let message = "seized devices stay visible in dom0's lspci: their driver there is pciback";
        super::facts::finding(Code::VisibleByDesign, Severity::Info, message)
    })
}
