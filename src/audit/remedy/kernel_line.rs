//! Lists on the line of dom0's kernel: where pciback is built in, and where the platform keeps its own list there.

use std::collections::BTreeSet;

use super::for_good::{Aim, line};
use super::lasting::{self, Lasting};
use crate::host::Distribution;
use crate::pci::Address;
use crate::report::{File, Measure};
use crate::request::{Source, hide};

/// What puts the list there, by the platform.
pub(super) fn steps(aim: &Aim<'_>) -> Vec<Measure> {
    match aim.host.distribution {
        Distribution::XenServer => xen_server(aim),
        Distribution::Qubes => qubes(aim),
        Distribution::Debian
        | Distribution::Dracut
        | Distribution::RedHat5
        | Distribution::Suse11
        | Distribution::Arch
        | Distribution::Alpine
        | Distribution::NixOs
        | Distribution::Other => built_in(aim),
    }
}

/// `xen-cmdline` of XCP-ng and XenServer replaces the value. XAPI reads it in slices of 14 characters: `(dddd:bb:dd.f)`.
fn xen_server(aim: &Aim<'_>) -> Vec<Measure> {
    if matches!(lasting::of(aim.scene, aim.scene.demand.wanted.keys()), Lasting::Holds(_)) {
        return Vec::new();
    }
    let list = all(aim).iter().map(|address| format!("({address})")).collect::<Vec<_>>().concat();
    if list.is_empty() {
        return Vec::new();
    }
    let tool = "/opt/xensource/libexec/xen-cmdline";
    vec![
        line(&format!("{tool} --set-dom0 \"xen-pciback.hide={list}\"")),
        line("# the next boot reads it; before the reboot:"),
        line(&format!("{tool} --get-dom0 xen-pciback.hide")),
    ]
}

/// dracut's module `90qubes-pciback` of Qubes: short addresses, with commas.
fn qubes(aim: &Aim<'_>) -> Vec<Measure> {
    let list: Vec<String> = all(aim).into_iter().map(Address::short).collect();
    if list.is_empty() {
        return Vec::new();
    }
    vec![
        line(&format!("# in GRUB_CMDLINE_LINUX of /etc/default/grub: rd.qubes.hide_pci={}", list.join(","))),
        line("grub2-mkconfig -o /boot/grub2/grub.cfg"),
        line("# before the reboot:"),
        line("grep -o 'rd.qubes.hide_pci=[^ ]*' /boot/grub2/grub.cfg"),
    ]
}

/// Every address that a written list names and that is there, and those that are asked for; not what dom0 uses. pciback's `slots`
/// are no written list: the platform adds to them.
fn all(aim: &Aim<'_>) -> BTreeSet<Address> {
    let (scene, devices) = (aim.scene, aim.host.devices.is());
    let wanted = scene.demand.wanted.keys().filter(|address| !scene.demand.bridges.contains(address));
    let lists = scene
        .demand
        .places
        .iter()
        .filter(|said| said.source != Source::Slots)
        .flat_map(|said| &said.written)
        .map(|written| written.read(scene.demand.grammar));
    let patterns: Vec<_> =
        lists.flat_map(|list| list.in_force().map(|entry| entry.pattern).collect::<Vec<_>>()).collect();
    let is_named = |address: &&Address| patterns.iter().any(|pattern| pattern.matches(**address));
    let named = devices.into_iter().flatten().map(|(address, _)| address).filter(is_named);
    let all: BTreeSet<Address> = wanted.chain(named).copied().collect();
    let risk = lasting::at_risk(scene, all.iter().copied());
    all.into_iter().filter(|address| !risk.contains_key(address)).collect()
}

fn built_in(aim: &Aim<'_>) -> Vec<Measure> {
    let scene = aim.scene;
    let (text, replaced) = match lasting::of(scene, scene.demand.wanted.keys()) {
        Lasting::Holds(_) => return Vec::new(),
        Lasting::Nowhere(list) => (list, false),
        Lasting::Elsewhere { merged, .. } => (merged, true),
    };
    let argument = format!("{}.hide={}", aim.host.modules.pciback(), text.as_deref().unwrap_or("..."));
    let mut steps =
        vec![line("# pciback is built in to this kernel: its list goes on the line of dom0's kernel, then reboot")];
    let plain = text.is_some_and(|text| hide::read(text.as_bytes(), scene.demand.grammar).accepted());
    if aim.host.distribution == Distribution::Debian && plain && !replaced {
        // grub-mkconfig of Debian and Ubuntu reads these files behind /etc/default/grub.
        let content = format!("GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX {argument}\"\n");
        steps.push(Measure::File(File { path: "/etc/default/grub.d/xen-pciback.cfg".to_owned(), content }));
        steps.extend([line("update-grub"), line("# before the reboot:")]);
        steps.push(line(&format!("grep -o '{}.hide=[^ ]*' /boot/grub/grub.cfg", aim.host.modules.pciback())));
        return steps;
    }
    steps.push(line(&format!("# {argument}")));
    steps
}
