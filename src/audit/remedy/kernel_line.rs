//! Arguments on the line of dom0's kernel: lists where pciback is built in or the platform keeps its own there, and names of
//! modules.

use std::collections::BTreeSet;

use super::super::facts::some_of;
use super::draft::Draft;
use super::for_good::{self, Aim};
use super::lasting::{self, Lasting};
use crate::host::Distribution;
use crate::pci::Address;
use crate::request::{Source, boot_loader, hide, qubes, unmade};
use crate::tree::{Known, Node, Tree};

/// Files that `grub-mkconfig` of Debian and Ubuntu reads behind `/etc/default/grub`.
const DROP_IN: &str = "/etc/default/grub.d/xen-pciback.cfg";

/// Puts arguments on the line of the next kernel, each a key and its value: in GRUB's defaults, else in the boot loader's own file.
/// Says whether it could.
pub(super) fn put(aim: &Aim<'_>, draft: &mut Draft, arguments: &[(&str, &str)]) -> bool {
    let has_own_file = has_own_file(&draft.after);
    let is_new = arguments.iter().all(|(key, _)| unmade::argument(&draft.after, key).is_none());
    if aim.host.distribution == Distribution::Debian && is_new && !has_own_file {
        let all: Vec<String> = arguments.iter().map(|(key, value)| format!("{key}={value}")).collect();
        draft.file(DROP_IN, &format!("GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX {}\"\n", all.join(" ")));
    } else if has_own_file || !in_defaults(draft, arguments) {
        return has_own_file && in_own_file(draft, arguments);
    }
    make(aim, draft);
    draft.line("# before the reboot:");
    let menu = menu(&draft.after, aim.host.distribution);
    for (key, _) in arguments {
        draft.line(&format!("grep -o '{key}=[^ ]*' {menu}"));
    }
    true
}

/// Changes `/etc/default/grub` and the files beside it, each once.
fn in_defaults(draft: &mut Draft, arguments: &[(&str, &str)]) -> bool {
    let mut next = draft.after.clone();
    let mut paths = BTreeSet::new();
    for (key, value) in arguments {
        let Some(files) = unmade::with_argument(&next, key, value) else { return false };
        for (path, content) in files {
            next.insert(&path, Node::File(content.into_bytes()));
            paths.insert(path);
        }
    }
    write_changed(draft, &next, paths);
    true
}

fn write_changed(draft: &mut Draft, next: &Tree, paths: BTreeSet<String>) {
    for path in paths {
        if let Known::Is(content) = next.read(&path)
            && draft.after.read(&path) != Known::Is(content)
        {
            draft.file(&format!("/{path}"), &String::from_utf8_lossy(content));
        }
    }
}

/// Whether the boot loader is one whose file nothing makes: Xen's own on EFI, extlinux.
fn has_own_file(tree: &Tree) -> bool {
    let menus = boot_loader::menus(tree);
    let has_xen = |menu: &&boot_loader::Menu| menu.entries.iter().any(|entry| entry.xen);
    let mut with_xen = menus.iter().filter(has_xen).peekable();
    with_xen.peek().is_some() && with_xen.all(|menu| !menu.path.ends_with("grub.cfg"))
}

/// Changes the file of a boot loader itself.
fn in_own_file(draft: &mut Draft, arguments: &[(&str, &str)]) -> bool {
    let mut next = draft.after.clone();
    for (key, value) in arguments {
        boot_loader::change(&mut next, &|line| boot_loader::with_argument(line, key, value));
    }
    let paths = boot_loader::menus(&draft.after).into_iter().map(|menu| menu.path).collect();
    write_changed(draft, &next, paths);
    draft.line("# if a program makes that file (update-extlinux): in what it is made of as well");
    true
}

/// The command that makes GRUB's menu, and what it comes to.
fn make(aim: &Aim<'_>, draft: &mut Draft) {
    match aim.host.distribution {
        Distribution::Debian => draft.line("update-grub"),
        Distribution::Dracut
        | Distribution::RedHat5
        | Distribution::Suse11
        | Distribution::Qubes
        | Distribution::XenServer
        | Distribution::Arch
        | Distribution::Alpine
        | Distribution::NixOs
        | Distribution::Other => {
            let path = menu(&draft.after, aim.host.distribution);
            let tool = if path.contains("/grub/") { "grub-mkconfig" } else { "grub2-mkconfig" };
            draft.line(&format!("{tool} -o {path}"));
        }
    }
    unmade::make(&mut draft.after);
}

/// The file of GRUB's menu with Xen, or where the family has it.
fn menu(tree: &Tree, distribution: Distribution) -> String {
    let menus = boot_loader::menus(tree);
    let has_xen =
        |menu: &&boot_loader::Menu| menu.path.ends_with("grub.cfg") && menu.entries.iter().any(|entry| entry.xen);
    let usual = match distribution {
        Distribution::Dracut | Distribution::Qubes | Distribution::RedHat5 | Distribution::Suse11 => {
            if tree.list("boot/grub").is().is_some() { "boot/grub/grub.cfg" } else { "boot/grub2/grub.cfg" }
        }
        Distribution::Debian
        | Distribution::XenServer
        | Distribution::Arch
        | Distribution::Alpine
        | Distribution::NixOs
        | Distribution::Other => "boot/grub/grub.cfg",
    };
    format!("/{}", menus.iter().find(has_xen).map_or(usual, |menu| &menu.path))
}

/// What puts the list there, by the platform.
pub(super) fn steps(aim: &Aim<'_>, lasting: &Lasting, draft: &mut Draft) {
    match aim.host.distribution {
        Distribution::XenServer => xen_server(aim, lasting, draft),
        Distribution::Qubes => qubes_line(aim, lasting, draft),
        Distribution::Debian
        | Distribution::Dracut
        | Distribution::RedHat5
        | Distribution::Suse11
        | Distribution::Arch
        | Distribution::Alpine
        | Distribution::NixOs
        | Distribution::Other => built_in(aim, lasting, draft),
    }
}

/// `xen-cmdline` of XCP-ng and XenServer replaces the value. XAPI reads it in slices of 14 characters: `(dddd:bb:dd.f)`.
fn xen_server(aim: &Aim<'_>, lasting: &Lasting, draft: &mut Draft) {
    let list = all(aim).iter().map(|address| format!("({address})")).collect::<Vec<_>>().concat();
    if list.is_empty() || matches!(lasting, Lasting::Holds(_)) {
        return;
    }
    let tool = "/opt/xensource/libexec/xen-cmdline";
    draft.line(&format!("{tool} --set-dom0 \"xen-pciback.hide={list}\""));
    boot_loader::change(&mut draft.after, &|line| boot_loader::with_argument(line, "xen-pciback.hide", &list));
    draft.line("# the next boot reads it; before the reboot:");
    draft.line(&format!("{tool} --get-dom0 xen-pciback.hide"));
}

/// dracut's module `90qubes-pciback` of Qubes: short addresses, with commas. Before Qubes 4.3 (April 2025) it put domain 0 before all
/// of them, and it stops the boot at a device that is not there.
fn qubes_line(aim: &Aim<'_>, lasting: &Lasting, draft: &mut Draft) {
    let (near, far): (Vec<Address>, Vec<Address>) = all(aim).into_iter().partition(|address| address.domain() == 0);
    if !far.is_empty() {
        let why = "before Qubes 4.3 only devices of domain 0 can be hidden, and others stop the boot";
        let text = format!("# left out of the list: {} ({why})", some_of(&far));
        if near.is_empty() { draft.by_hand(&text) } else { draft.line(&text) }
    }
    let list: Vec<String> = near.into_iter().map(Address::short).collect();
    if list.is_empty() || named_in_vain(aim, draft) {
        return;
    }
    let list = list.join(",");
    let mut arguments = vec![("rd.qubes.hide_pci", list.as_str())];
    // The kernel's own list counts there as well, and one with a fault keeps the module from being loaded.
    if let Lasting::Elsewhere { place, merged: Some(merged) } = lasting {
        if matches!(place.source, Source::CommandLine | Source::Log | Source::BootLoader) {
            arguments.push((&place.key, merged));
        } else if for_good::replace(draft, place, merged) {
            draft.line("dracut --force --regenerate-all");
        } else {
            draft.by_hand(&format!("# the list in {} must be mended: {merged}", place.source.in_words()));
        }
        for_good::make_same(draft, merged);
    }
    if put(aim, draft, &arguments) {
        return;
    }
    for (key, value) in &arguments {
        draft.by_hand(&format!("# in GRUB_CMDLINE_LINUX of /etc/default/grub: {key}={value}"));
    }
    make(aim, draft);
    draft.line("# before the reboot:");
    let menu = menu(&draft.after, aim.host.distribution);
    draft.line(&format!("grep -o 'rd.qubes.hide_pci=[^ ]*' {menu}"));
}

/// Whether this boot's line names every held device already: its hook did not take them, and the same line promises nothing. It
/// ends at the first device that it cannot bind (qubes-core-admin-linux, dracut/modules.d/90qubes-pciback/qubes-pciback.sh).
fn named_in_vain(aim: &Aim<'_>, draft: &mut Draft) -> bool {
    let list = qubes::written(aim.tree).written.last().map(|list| list.read(aim.context.demand.grammar));
    let names =
        |address: Address| list.iter().flat_map(hide::HideList::in_force).any(|entry| entry.pattern.matches(address));
    if aim.held.is_empty() || !aim.held.iter().all(|(address, _)| names(*address)) {
        return false;
    }
    draft.by_hand("# the line names them already, and the hook of the boot image did not take them. What it said:");
    draft.line("journalctl -b | grep -i -e pciback -e 'cannot unbind'");
    draft.line("# whether it and its driver are in the image; if not: dracut --force --regenerate-all");
    draft.line("lsinitrd | grep pciback");
    true
}

/// Every address that a written list names and that is there, and those that are asked for; not what dom0 uses. pciback's `slots`
/// are no written list: the platform adds to them.
fn all(aim: &Aim<'_>) -> BTreeSet<Address> {
    let (context, devices) = (aim.context, aim.host.devices.is());
    let wanted = context.demand.wanted.keys().filter(|address| !context.demand.bridges.contains(address));
    let lists = context
        .demand
        .places
        .iter()
        .filter(|said| said.source != Source::Slots)
        .flat_map(|said| &said.written)
        .map(|written| written.read(context.demand.grammar));
    let patterns: Vec<_> =
        lists.flat_map(|list| list.in_force().map(|entry| entry.pattern).collect::<Vec<_>>()).collect();
    let is_named = |address: &&Address| patterns.iter().any(|pattern| pattern.matches(**address));
    let named = devices.into_iter().flatten().map(|(address, _)| address).filter(is_named);
    let meant = lasting::corrected(context);
    let all: BTreeSet<Address> = wanted.chain(named).copied().chain(meant).collect();
    let risk = lasting::at_risk(context, all.iter().copied());
    all.into_iter().filter(|address| !risk.contains_key(address)).collect()
}

fn built_in(aim: &Aim<'_>, lasting: &Lasting, draft: &mut Draft) {
    let text = match lasting {
        Lasting::Holds(_) => return,
        Lasting::Nowhere(text) | Lasting::Elsewhere { merged: text, .. } => text.clone(),
    };
    let key = format!("{}.hide", aim.host.modules.pciback());
    draft.line("# pciback is built in to this kernel: its list goes on the line of dom0's kernel, then reboot");
    let is_plain = |text: &&String| hide::read(text.as_bytes(), aim.context.demand.grammar).accepted();
    match text.as_ref().filter(is_plain) {
        Some(text) if put(aim, draft, &[(&key, text)]) => {}
        Some(text) if aim.host.distribution == Distribution::NixOs => {
            draft.by_hand("# in /etc/nixos/configuration.nix, then nixos-rebuild boot:");
            draft.line(&format!("#   boot.kernelParams = [ \"{key}={text}\" ];"));
        }
        Some(text) => draft.by_hand(&format!("# {key}={text}")),
        None => draft.by_hand(&format!("# {key}=...")),
    }
}
