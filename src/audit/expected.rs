//! What a policy expects of a device: which card it is, and how bad it is when pciback does not have it.

use super::Scene;
use super::facts::{about, device_file, file, finding, some_of, unread};
use super::statuses::Judged;
use crate::host::Device as HostDevice;
use crate::pci::{Address, Ids};
use crate::report::{Code, Evidence, Finding, Severity, Status};
use crate::request::Source;
use crate::request::policy::{self, Device, Policy};
use crate::tree::{Known, Obstacle};

/// Weighs what was found of the devices, and compares the cards.
pub(super) fn find(scene: &Scene<'_>, devices: &[Judged], findings: &mut Vec<Finding>) {
    let Some(policy) = scene.case.asked.policy() else { return };
    let mut cards = Vec::new();
    for judged in devices {
        if let Some(severity) = weight(policy, judged) {
            weigh(severity, judged.address, findings);
        }
        if let Some(expected) = policy.device(judged.address)
            && let Some((id, line)) = expected.id
        {
            cards.extend(Card { scene, policy, expected, id, line }.compare(judged));
        }
    }
    for card in cards.iter().filter(|card| card.code == Code::IdentityChanged) {
        hold_back(card, findings);
    }
    findings.append(&mut cards);
    findings.extend(not_compared(scene, policy));
}

/// How bad the policy says it is to miss a device: of one behind a bridge, what it says of the bridge that was asked for.
fn weight(policy: &Policy, judged: &Judged) -> Option<Severity> {
    let want = judged.want.as_ref()?;
    let expected = policy.device(judged.address).or_else(|| policy.device(want.behind?))?;
    expected.severity.map(|severity| match severity {
        policy::Severity::Warning => Severity::Warning,
        policy::Severity::Critical => Severity::Critical,
    })
}

/// A finding that says what became of the device gets this severity. Doubt stays doubt, and a note stays a note.
fn weigh(severity: Severity, address: Address, findings: &mut [Finding]) {
    let states = |finding: &&mut Finding| finding.address == Some(address) && finding.code.states_a_device();
    for finding in findings.iter_mut().filter(states) {
        if matches!(finding.severity, Severity::Critical | Severity::Warning) {
            finding.severity = severity;
        }
    }
}

/// Nothing is suggested that gives a card to pciback which nobody expects there.
fn hold_back(card: &Finding, findings: &mut [Finding]) {
    let same = |finding: &&mut Finding| finding.address == card.address && finding.code.states_a_device();
    for finding in findings.iter_mut().filter(same) {
        finding.remedy = vec!["# another card is here than the policy expects: settle that first".to_owned()];
    }
}

/// Without the host's files, no card is compared. That makes nothing worse, and has to be known.
fn not_compared(scene: &Scene<'_>, policy: &Policy) -> Option<Finding> {
    let expects = policy.devices.iter().any(|device| device.id.is_some());
    let message = "the ids in the policy were not compared: only the host's own files say which card is where";
    (expects && scene.host.is_none()).then(|| finding(Code::HostUnreadable, Severity::Info, message))
}

/// One card, and which one it should be.
struct Card<'a> {
    scene: &'a Scene<'a>,
    policy: &'a Policy,
    expected: &'a Device,
    id: Ids,
    /// The line of the policy that names it.
    line: usize,
}

impl Card<'_> {
    fn compare(&self, judged: &Judged) -> Option<Finding> {
        let devices = self.scene.host.as_ref()?.devices.is()?;
        // What is not there is absent, and no other card.
        match &devices.get(&judged.address)?.ids {
            Known::Is(found) if *found == self.id => None,
            Known::Is(found) => Some(self.changed(judged, *found)),
            Known::Absent => {
                let path = device_file(judged.address, "vendor");
                Some(self.unknown(&Obstacle { path, why: "does not say which card it is".to_owned() }))
            }
            Known::Unreadable(obstacle) => Some(self.unknown(obstacle)),
        }
    }

    fn changed(&self, judged: &Judged, found: Ids) -> Finding {
        let seized = matches!(judged.status, Status::Seized(_));
        let so = if seized { "pciback has the wrong card" } else { "it is the wrong card for pciback" };
        let message = format!("the card here is {found}, and the policy expects {}: {so}", self.id);
        let mut changed = about(judged.address, Code::IdentityChanged, Severity::Critical, message);
        let ids = [("vendor", found.vendor), ("device", found.device)];
        let ids = ids.map(|(name, id)| file(device_file(judged.address, name), Some(&format!("0x{id:04x}"))));
        changed.evidence.extend(ids);
        changed.evidence.push(self.written());
        changed.remedy = self.remedy(seized);
        changed
    }

    fn unknown(&self, obstacle: &Obstacle) -> Finding {
        let message =
            format!("whether it is the card that the policy expects, {}, cannot be told: {obstacle}", self.id);
        let mut unknown = about(self.expected.address, Code::HostUnreadable, Severity::Unknown, message);
        unknown.evidence.extend([unread(obstacle), self.written()]);
        unknown
    }

    fn written(&self) -> Evidence {
        let location = Some(self.policy.at(self.line));
        Evidence::Request { source: Source::Policy, location, text: self.id.to_string() }
    }

    fn remedy(&self, seized: bool) -> Vec<String> {
        let mut advice = Vec::new();
        if seized {
            advice.push(match &self.expected.guest {
                Some(guest) => format!("# stop the guest that has it: {guest}, by the policy"),
                None => "# stop the guest that has it".to_owned(),
            });
        }
        let elsewhere = self.elsewhere();
        if !elsewhere.is_empty() {
            advice.push(format!("# such a card, {}, is at {}", self.id, some_of(&elsewhere)));
        }
        advice.push("# mend the list, or the policy; lspci -Dn shows which card is where".to_owned());
        advice
    }

    /// Where such a card is, of which the policy says nothing.
    fn elsewhere(&self) -> Vec<Address> {
        let devices = self.scene.host.as_ref().and_then(|host| host.devices.is()).into_iter().flatten();
        let such = |(address, device): &(&Address, &HostDevice)| {
            device.ids.is() == Some(&self.id) && self.policy.device(**address).is_none()
        };
        devices.filter(such).map(|(address, _)| *address).collect()
    }
}
