//! The story of one device: what the log says of it in order, and what the host and the lists say now.

use super::claims::Claims;
use super::facts::{device_file, file, some_of, written};
use super::{Case, Context, conclude, context};
use crate::event::{Event, Fact, Incident};
use crate::host::{Device, Devices, PCIBACK};
use crate::pci::Address;
use crate::record::{Stamp, between};
use crate::report::{DeviceStory, Evidence, Step};
use crate::request::guests;
use crate::timeline::{Moment, Wanted};
use crate::tree::Known;

/// Tells the story of the device at `address`, by all the evidence of a case.
pub fn explain_device(case: &Case, address: Address) -> DeviceStory {
    let report = conclude(case);
    let context = context(case, Wanted::Dom0);
    DeviceStory {
        address,
        device: report.devices.into_iter().find(|device| device.address == address),
        steps: steps(&context, address),
        facts: facts(&context, address),
        findings: report.findings.into_iter().filter(|finding| finding.address == Some(address)).collect(),
        verdict: report.verdict,
    }
}

/// What is known of who has it while the log is read.
#[derive(Default)]
struct Holder {
    /// The driver that spoke about it first since it was free, and when.
    driver: Option<(String, Stamp)>,
    /// Whether pciback took it since.
    seized: bool,
}

fn steps(context: &Context<'_>, address: Address) -> Vec<Step> {
    let mut holder = Holder::default();
    let mut steps = Vec::new();
    for moment in &context.story.moments {
        let Moment::Fact(fact) = moment else { continue };
        let of_all = matches!(fact.event, Event::BackendReady | Event::ListRefused { .. });
        if fact.event.address() != Some(address) && !of_all {
            continue;
        }
        if let Some(text) = holder.says(fact) {
            steps.push(Step { stamp: fact.stamp, text, evidence: context.shown(fact) });
        }
    }
    // The loads of the module are a part of the story only where there is one.
    let about = |step: &Step| !step.text.starts_with(LOADED) && !step.text.starts_with(REFUSED);
    if steps.iter().any(about) { steps } else { Vec::new() }
}

const LOADED: &str = "pciback's load came to its end";
const REFUSED: &str = "pciback refused its list";

impl Holder {
    /// What a record about it says in plain words. `None` for one that says nothing new.
    fn says(&mut self, fact: &Fact) -> Option<String> {
        Some(match &fact.event {
            Event::Found { .. } => "the kernel found it".to_owned(),
            Event::HeldBy { driver, .. } => {
                let known = self.driver.as_ref().is_some_and(|(known, _)| known == driver);
                if known {
                    return None;
                }
                let lost = if std::mem::take(&mut self.seized) { ", which pciback had before" } else { "" };
                self.driver = Some((driver.clone(), fact.stamp));
                format!("{driver} has it{lost}")
            }
            Event::Probed { .. } => {
                let lost = if std::mem::take(&mut self.seized) { ", which pciback had before" } else { "" };
                format!("a driver could not take it{lost}")
            }
            Event::Seizing { .. } => {
                (self.driver, self.seized) = (None, true);
                "pciback is about to take it".to_owned()
            }
            Event::Failed { errno, .. } => {
                self.seized = false;
                format!("setting it up failed with {errno}: {}", errno.meaning())
            }
            Event::Refused { .. } => "pciback refused it for its kind of header".to_owned(),
            Event::BackendReady => self.loaded(fact),
            Event::ListRefused { .. } => format!("{REFUSED}, and took no device"),
            Event::Assigned { domid: Some(domid), .. } => format!("given to guest {domid}"),
            Event::Assigned { domid: None, .. } => "given to a guest".to_owned(),
            Event::AssignFailed { domid, .. } => format!("guest {domid} could not have it"),
            Event::RemovedInUse { .. } => {
                self.seized = false;
                "pciback was taken off it while a guest had it".to_owned()
            }
            Event::Released { .. } => {
                self.seized = false;
                "pciback let it go".to_owned()
            }
            Event::MaybeReleased { .. } => "pciback let it go, or a guest gave it back".to_owned(),
            Event::XenRefused { .. } => "the hypervisor did not register it".to_owned(),
            Event::Damaged { .. } => "a record about it cannot be read".to_owned(),
            Event::Incident { kind, .. } => incident(*kind),
            Event::Noted { .. } | Event::Unrecognised { .. } => "pciback has it, and says".to_owned(),
            Event::Booted { .. }
            | Event::CommandLine { .. }
            | Event::Bridge { .. }
            | Event::SettingUp { .. }
            | Event::GuestMsiFailed { .. }
            | Event::ParameterRefused { .. }
            | Event::Bound { .. }
            | Event::NotDom0 { .. }
            | Event::Frontend { .. }
            | Event::BootEnds
            | Event::UserSpaceUp
            | Event::Quoted { .. }
            | Event::Remark => return None,
        })
    }

    fn loaded(&self, fact: &Fact) -> String {
        let late = self.driver.as_ref().filter(|_| !self.seized).and_then(|(driver, since)| {
            let micros = between(since, &fact.stamp).filter(|micros| *micros >= 0)?;
            Some(format!(", {}.{} s behind {driver}: too late", micros / 1_000_000, micros / 100_000 % 10))
        });
        format!("{LOADED}{}", late.unwrap_or_default())
    }
}

/// What an incident is called in a story.
fn incident(kind: Incident) -> String {
    match kind {
        Incident::Permissive => "its configuration space was opened to its guest".to_owned(),
        Incident::WriteBlocked { offset, size } => {
            format!("a guest's write of {size} bytes to its configuration space at 0x{offset:x} was dropped")
        }
        Incident::MsiFailed => "its message signalled interrupts could not be set up".to_owned(),
        Incident::OwnershipStolen => "it was given to a guest while another one had it".to_owned(),
        Incident::ResetStalled => "it did not come back from a reset".to_owned(),
        Incident::PowerStuck => "it did not change its power state".to_owned(),
        Incident::Aer => "an error was reported of it".to_owned(),
        Incident::RemovedInUse => "pciback was taken off it while a guest had it".to_owned(),
        Incident::AssignFailed(_) => "a guest could not have it".to_owned(),
    }
}

fn facts(context: &Context<'_>, address: Address) -> Vec<(&'static str, String, Option<Evidence>)> {
    let mut facts: Vec<(&'static str, String, Option<Evidence>)> = Vec::new();
    for said in &context.demand.places {
        for list in &said.written {
            let entries = list.read(context.demand.grammar).entries;
            let names = entries.iter().any(|entry| entry.pattern.matches(address));
            if names {
                facts.push(("wanted", format!("by {}", said.source.in_words()), Some(written(list))));
            }
        }
    }
    let guests = context.case.tree.as_ref().map(guests::read).unwrap_or_default();
    let claims = Claims::of(&guests, context).stories(address);
    facts.extend(claims.into_iter().map(|(text, evidence)| ("guest", text, Some(evidence))));
    let Some(devices) = context.host.as_ref().and_then(|host| host.devices.is()) else { return facts };
    let Some(device) = devices.get(&address) else {
        facts.push((
            "now",
            "there is no such device".to_owned(),
            Some(file(format!("sys/bus/pci/devices/{address}"), None)),
        ));
        return facts;
    };
    facts.extend(now(context, address, device));
    facts.extend(around(address, device, devices));
    facts
}

fn now(context: &Context<'_>, address: Address, device: &Device) -> Vec<(&'static str, String, Option<Evidence>)> {
    let link = device_file(address, "driver");
    let mut facts = vec![match &device.driver {
        Known::Is(driver) => ("now", format!("{driver} has it"), Some(file(link, Some(driver)))),
        Known::Absent => ("now", "no driver has it".to_owned(), Some(file(link, None))),
        Known::Unreadable(obstacle) => ("now", format!("cannot be told: {obstacle}"), None),
    }];
    let pciback = context.host.as_ref().and_then(|host| host.pciback.is());
    let set_up = pciback.and_then(|pciback| pciback.irq_handlers.is()).and_then(|page| page.lists(address));
    if device.driver.is().is_some_and(|driver| driver == PCIBACK)
        && let Some(set_up) = set_up
    {
        let (text, value) = if set_up {
            ("set up for guests", "lists it")
        } else {
            ("not set up: no guest can have it", "does not list it")
        };
        facts.push(("now", text.to_owned(), Some(file("sys/bus/pci/drivers/pciback/irq_handlers", Some(value)))));
    }
    match &device.uses {
        Known::Is(uses) => facts.extend(uses.iter().map(|used| ("dom0 uses", used.to_string(), None))),
        Known::Unreadable(obstacle) => facts.push(("dom0 uses", format!("cannot be told: {obstacle}"), None)),
        Known::Absent => {}
    }
    facts
}

/// The other functions of its slot, and the bridges above it.
fn around(address: Address, device: &Device, devices: &Devices) -> Vec<(&'static str, String, Option<Evidence>)> {
    let of_slot = |other: &Address| (other.domain(), other.bus(), other.slot());
    let who = |(other, device): (&Address, &Device)| {
        let driver = device.driver.is().map_or("no driver", String::as_str);
        format!("{} ({driver})", other.short())
    };
    let siblings: Vec<String> = devices
        .iter()
        .filter(|(other, _)| **other != address && of_slot(other) == of_slot(&address))
        .map(who)
        .collect();
    let bridges: Vec<String> =
        device.bridges.iter().filter_map(|bridge| devices.get_key_value(bridge)).map(who).collect();
    let mut facts = Vec::new();
    for (label, all) in [("same slot", siblings), ("bridges", bridges)] {
        if !all.is_empty() {
            facts.push((label, some_of(&all), None));
        }
    }
    facts
}
