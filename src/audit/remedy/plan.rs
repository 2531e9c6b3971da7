//! The plan: what all findings ask for, put together once.

use std::collections::BTreeMap;

use super::super::statuses::Judged;
use super::super::{Asked, Context};
use super::for_good::{self, Aim};
use super::safe::{Hindrance, hindrance};
use super::{FIRST, ehci, lasting, proof, to_one_line};
use crate::host::{Device, PCIBACK};
use crate::pci::Address;
use crate::report::{Code, Finding, Measure, Repair, Severity, Status};
use crate::tree::Tree;

/// The plan for these findings.
pub(in super::super) fn plan(context: &Context<'_>, devices: &[Judged<'_>], findings: &[Finding]) -> Repair {
    let mut counted: Vec<&Finding> = findings.iter().filter(|finding| finding.severity != Severity::Info).collect();
    let is_vain = |finding: &Finding| matches!(finding.code, Code::NotDom0 | Code::SeveralHosts | Code::OrderUnknown);
    if counted.iter().any(|finding| is_vain(finding)) {
        counted.retain(|finding| is_vain(finding));
    }
    in_safe_order(context, &mut counted);
    let (first, mut now): (Vec<String>, Vec<String>) =
        lines(&counted).into_iter().partition(|line| line.starts_with(FIRST));
    if findings.iter().any(|finding| finding.code == Code::BootCritical) {
        hold_back_lists(&mut now);
    }
    let is_off = findings.iter().any(|finding| finding.code == Code::IommuOff);
    if is_off && now.iter().any(|line| line.contains("xl pci-assignable-add ")) {
        now.push("# the IOMMU is off: xl fails to quarantine each device, and pciback has it all the same".to_owned());
    }
    let (for_good, after) = lasting_steps(context, devices, &counted);
    let promise = after.and_then(|after| proof::promise(context, devices, &after));
    let mut plan = Repair { first, now, for_good, promise, check: Vec::new() };
    for step in &mut plan.for_good {
        if let Measure::Line(line) = step {
            to_one_line(line);
        }
    }
    if plan.now.iter().any(|line| !line.starts_with('#')) || !plan.for_good.is_empty() {
        plan.check = check(context);
    }
    plan
}

/// Orders the findings of devices that drivers hold as these may be taken from them.
fn in_safe_order(context: &Context<'_>, findings: &mut [&Finding]) {
    let is_held = |finding: &Finding| finding.code == Code::HeldByDriver;
    let mut held: Vec<&Finding> = findings.iter().copied().filter(|finding| is_held(finding)).collect();
    held.sort_by_key(|finding| finding.address.is_none_or(|address| ehci::rank(context, address)));
    for (place, finding) in findings.iter_mut().filter(|finding| is_held(finding)).zip(held) {
        *place = finding;
    }
}

/// Puts commands that give pciback a list behind what has to come off that list first: dom0 cannot do without it.
fn hold_back_lists(now: &mut Vec<String>) {
    let gives_list = |line: &String| line.starts_with("modprobe ") && line.contains("hide=");
    if let Some(first) = now.iter().position(gives_list) {
        now.iter_mut().filter(|line| gives_list(line)).for_each(|line| line.insert(0, '#'));
        now.insert(first, "# take off the list what dom0 cannot do without; then:".to_owned());
    }
}

/// What these findings ask for at once, of a machine that is no dom0.
pub(in super::super) fn at_once(findings: &[Finding]) -> Repair {
    let counted: Vec<&Finding> = findings.iter().filter(|finding| finding.severity != Severity::Info).collect();
    Repair { now: lines(&counted), ..Repair::default() }
}

/// The same again, which must end with 0.
fn check(context: &Context<'_>) -> Vec<String> {
    let request = match &context.case.asked {
        Asked::Found { .. } => String::new(),
        Asked::Policy(_) => " --policy FILE".to_owned(),
        Asked::List(_) | Asked::Devices(_) => {
            lasting::asked(context).map_or(String::new(), |list| format!(" --hide '{list}'"))
        }
    };
    vec![
        format!("pciback-audit check{request}"),
        "# ends with 0: at once where `now` mends it, and after the reboot".to_owned(),
    ]
}

/// What each finding asks for, each line once. Advice that is the same but for its address is given once for all of them, and
/// many commands that differ in their address only become a loop.
fn lines(findings: &[&Finding]) -> Vec<String> {
    let mut order: Vec<String> = Vec::new();
    let mut about: BTreeMap<String, Vec<Address>> = BTreeMap::new();
    for finding in findings {
        for line in &finding.remedy {
            let named = finding.address.filter(|address| line.contains(&address.to_string()));
            let key = named.map_or_else(|| line.clone(), |address| line.replace(&address.to_string(), HOLE));
            let addresses = about.entry(key.clone()).or_insert_with(|| {
                order.push(key);
                Vec::new()
            });
            addresses.extend(named.filter(|address| !addresses.contains(address)));
        }
    }
    order.into_iter().flat_map(|key| filled(&key, &about.remove(&key).unwrap_or_default())).collect()
}

/// Stands for an address; no line of a remedy holds it otherwise.
const HOLE: &str = "\u{1}";

/// How many commands are printed one by one.
const SINGLE: usize = 2;

fn filled(line: &str, addresses: &[Address]) -> Vec<String> {
    let names: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    if names.is_empty() {
        return vec![line.to_owned()];
    }
    let is_command = |line: &str| !line.starts_with('#');
    let is_held_back = |line: &str| line.starts_with('#') && !line.starts_with("# ");
    if names.len() <= SINGLE && (is_command(line) || is_held_back(line)) {
        return names.iter().map(|name| line.replace(HOLE, name)).collect();
    }
    let (comment, command) = if is_held_back(line) { line.split_at(1) } else { ("", line) };
    if is_command(command) && !command.contains('$') {
        let one = command.replace(HOLE, "$device");
        return vec![format!("{comment}for device in {}; do {one}; done", names.join(" "))];
    }
    if is_command(line) {
        return names.iter().map(|name| line.replace(HOLE, name)).collect();
    }
    vec![advice(line, &names)]
}

/// How many addresses a line of advice names.
const NAMED: usize = 8;

fn advice(line: &str, names: &[String]) -> String {
    let option = " --device ";
    let (front, back) = line.split_once(HOLE).unwrap_or((line, ""));
    if let Some(command) = front.strip_suffix(option) {
        let names = names.iter().map(|name| format!("{option}{name}")).collect::<Vec<_>>().concat();
        return if names.len() > NAMED * (option.len() + 12) {
            command.to_owned()
        } else {
            format!("{command}{names}{back}")
        };
    }
    let some: Vec<&str> = names.iter().take(NAMED).map(String::as_str).collect();
    let more = names.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    line.replace(HOLE, &format!("{}{more}", some.join(" ")))
}

/// What outlives a reboot, for findings that say what the next boot would do again. None where another card is at an address
/// than is expected, and none without the host's own files. With them, the files of the machine once they are taken.
fn lasting_steps(context: &Context<'_>, devices: &[Judged<'_>], findings: &[&Finding]) -> (Vec<Measure>, Option<Tree>) {
    let (Some(host), Some(tree)) = (&context.host, &context.case.tree) else { return (Vec::new(), None) };
    if findings.iter().any(|finding| matches!(finding.code, Code::IdentityChanged | Code::NotDom0)) {
        return (Vec::new(), None);
    }
    let load = findings
        .iter()
        .any(|found| found.code == Code::DriverAbsent && found.remedy.iter().any(|line| line.starts_with("modprobe")));
    let list = findings.iter().any(|found| {
        matches!(found.code, Code::ListMalformed | Code::ListOutOfRange | Code::ListCutShort | Code::ListTooLong)
            && !found.remedy.is_empty()
    });
    let there = host.devices.is();
    let held = |judged: &Judged<'_>| {
        let is_held = matches!(judged.status, Status::Held) && judged.want.is_some();
        if is_held { there?.get(&judged.address).map(|device| (judged.address, device)) } else { None }
    };
    let mut all: BTreeMap<Address, &Device> = devices.iter().filter_map(held).collect();
    // A list that the kernel refuses may name more than can be read of it.
    for address in lasting::corrected(context) {
        let device = there.and_then(|there| there.get(&address));
        let is_held = |device: &&Device| !device.is_bridge() && device.driver.is().is_some_and(|name| name != PCIBACK);
        all.extend(device.filter(is_held).map(|device| (address, device)));
    }
    let free =
        |(address, device): &(Address, &Device)| !matches!(hindrance(context, *address, device), Hindrance::Used(_));
    let takeable: Vec<(Address, &Device)> =
        all.iter().map(|(address, device)| (*address, *device)).filter(free).collect();
    let some = if all.is_empty() { load || list } else { !takeable.is_empty() };
    if !some {
        return (Vec::new(), None);
    }
    let vital: Vec<Address> =
        findings.iter().filter(|found| found.code == Code::BootCritical).filter_map(|found| found.address).collect();
    for_good::steps(&Aim { context, host, tree, held: &takeable, vital: &vital })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Stamp;

    fn held(function: u8, remedy: &[&str]) -> Finding {
        let address = Address::new(0, 0, 0x1d, function).unwrap();
        Finding {
            code: Code::HeldByDriver,
            severity: Severity::Critical,
            address: Some(address),
            time: None,
            stamp: Stamp::default(),
            message: String::new(),
            evidence: Vec::new(),
            remedy: remedy.iter().map(|line| line.replace('B', &address.to_string())).collect(),
        }
    }

    fn of(findings: &[Finding]) -> Vec<String> {
        lines(&findings.iter().collect::<Vec<_>>())
    }

    #[test]
    fn what_findings_share_is_given_once() {
        let remedy = ["# look after B", "xl add B", "dmesg"];
        let found = of(&[held(0, &remedy), held(1, &remedy)]);
        let wanted = ["# look after 0000:00:1d.0 0000:00:1d.1", "xl add 0000:00:1d.0", "xl add 0000:00:1d.1", "dmesg"];
        assert_eq!(found, wanted);
    }

    #[test]
    fn many_commands_become_a_loop_and_advice_stays_advice() {
        let all: Vec<Finding> = (0..4).map(|function| held(function, &["xl add B", "#xl take B"])).collect();
        let names = "0000:00:1d.0 0000:00:1d.1 0000:00:1d.2 0000:00:1d.3";
        let looped = |front: &str, what: &str| format!("{front}for device in {names}; do xl {what} $device; done");
        assert_eq!(of(&all), [looped("", "add"), looped("#", "take")]);
    }
}
