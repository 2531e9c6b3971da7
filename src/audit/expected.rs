//! What a policy expects of a device: which card it is, and how bad it is when pciback does not have it.

use std::collections::{BTreeMap, BTreeSet};

use super::Context;
use super::facts::{about, device_file, file, finding, some_of, unread};
use super::statuses::Judged;
use crate::pci::{Address, Ids};
use crate::report::{Code, Evidence, Finding, Severity, Status};
use crate::request::Source;
use crate::request::policy::{self, Policy, PolicyDevice};
use crate::tree::{Known, Obstacle};

/// Weighs what was found of the devices, and compares the cards.
pub(super) fn find(context: &Context<'_>, devices: &[Judged<'_>], findings: &mut Vec<Finding>) {
    let Some(policy) = context.case.asked.policy() else { return };
    let weights = devices.iter().filter_map(|judged| Some((judged.address, weight(context, judged)?)));
    weigh(&weights.collect(), findings);
    let spare = spare(context);
    let card = |judged: &Judged<'_>| {
        let expected = context.expected.get(&judged.address)?;
        let (id, line) = expected.id?;
        Card { context, policy, spare: &spare, expected, id, line }.compare(judged)
    };
    let mut cards: Vec<Finding> = devices.iter().filter_map(card).collect();
    let changed = cards.iter().filter(|card| card.code == Code::IdentityChanged);
    hold_back(&changed.filter_map(|card| card.address).collect(), findings);
    findings.append(&mut cards);
    findings.extend(not_compared(context, policy));
}

/// How bad the policy says it is to miss a device: of one behind a bridge, what it says of the bridge that was asked for.
fn weight(context: &Context<'_>, judged: &Judged<'_>) -> Option<Severity> {
    let want = judged.want.as_ref()?;
    let expected = context.expected.get(&judged.address).or_else(|| context.expected.get(&want.behind?))?;
    expected.severity.map(|severity| match severity {
        policy::Severity::Warning => Severity::Warning,
        policy::Severity::Critical => Severity::Critical,
    })
}

/// A finding that says what became of a device gets its severity. Doubt stays doubt, and a note stays a note.
fn weigh(weights: &BTreeMap<Address, Severity>, findings: &mut [Finding]) {
    for finding in findings.iter_mut().filter(|finding| finding.code.states_a_device()) {
        if let Some(severity) = finding.address.and_then(|address| weights.get(&address))
            && matches!(finding.severity, Severity::Critical | Severity::Warning)
        {
            finding.severity = *severity;
        }
    }
}

/// Nothing is suggested that gives a card to pciback which nobody expects there.
fn hold_back(changed: &BTreeSet<Address>, findings: &mut [Finding]) {
    let same = |finding: &&mut Finding| finding.address.is_some_and(|address| changed.contains(&address));
    for finding in findings.iter_mut().filter(same).filter(|finding| finding.code.states_a_device()) {
        finding.remedy = vec!["# another card is here than the policy expects: settle that first".to_owned()];
    }
}

/// Where there are cards of which the policy says nothing, by vendor and device.
fn spare(context: &Context<'_>) -> Spare {
    let mut spare = Spare::new();
    let devices = context.host.as_ref().and_then(|host| host.devices.is()).into_iter().flatten();
    for (address, device) in devices.filter(|(address, _)| !context.expected.contains_key(address)) {
        if let Some(ids) = device.ids.is() {
            spare.entry((ids.vendor, ids.device)).or_default().push(*address);
        }
    }
    spare
}

/// Without the host's files, no card is compared. That makes nothing worse, and has to be known.
fn not_compared(context: &Context<'_>, policy: &Policy) -> Option<Finding> {
    let expects = policy.devices.iter().any(|device| device.id.is_some());
    let message = "the ids in the policy were not compared: only the host's own files say which card is where";
    (expects && context.host.is_none()).then(|| finding(Code::HostUnreadable, Severity::Info, message))
}

type Spare = BTreeMap<(u16, u16), Vec<Address>>;

/// One card, and which one it should be.
struct Card<'a> {
    context: &'a Context<'a>,
    policy: &'a Policy,
    /// Where other cards are.
    spare: &'a Spare,
    expected: &'a PolicyDevice,
    id: Ids,
    /// The line of the policy that names it.
    line: usize,
}

impl Card<'_> {
    fn compare(&self, judged: &Judged<'_>) -> Option<Finding> {
        let devices = self.context.host.as_ref()?.devices.is()?;
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

    fn changed(&self, judged: &Judged<'_>, found: Ids) -> Finding {
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
        if let Some(elsewhere) = self.spare.get(&(self.id.vendor, self.id.device)) {
            advice.push(format!("# such a card, {}, is at {}", self.id, some_of(elsewhere)));
        }
        advice.push("# mend the list, or the policy; lspci -Dn shows which card is where".to_owned());
        advice
    }
}
