//! Commands that mend what was found. Printed, never run.
//!
//! None of them takes a device away from dom0 that dom0 uses, or that it may use for all that can be read: there the
//! remedy is advice, a line that starts with `#`.

mod draft;
mod ehci;
mod family;
mod for_good;
mod kernel_line;
mod lasting;
mod plan;
mod proof;
mod safe;
mod words;

use std::collections::BTreeSet;

use super::{Asked, Context};
use crate::host::{Device, Distribution, Host, PCIBACK};
use crate::pci::Address;
use crate::request::{Source, Written};
use crate::tree::Known;
pub use family::families;
use lasting::Lasting;
pub(super) use plan::{at_once, plan};
use safe::{Hindrance, hindrance};

/// Where NixOS has the options of modules: files below `/etc/modprobe.d` are made of it.
const NIXOS: &str = " of boot.extraModprobeConfig in /etc/nixos, then nixos-rebuild boot";

/// How advice begins that has to be settled before anything else is done.
const FIRST: &str = "# first, ";

/// pciback's module as this host's kernel names it.
pub(super) fn module(context: &Context<'_>) -> &'static str {
    context.host.as_ref().map_or("xen-pciback", |host| host.modules.pciback())
}

/// Gives `address` to pciback.
pub(super) fn take(context: &Context<'_>, address: Address, device: Option<&Device>) -> Vec<String> {
    match (&context.host, device) {
        (Some(host), Some(device)) => assign(context, host, address, device),
        _ => vec![format!("# on the host itself: pciback-audit check --device {address}")],
    }
}

/// The command that takes `address` from the driver that has it, or why it must not be given. Where it is not known whether
/// dom0 uses the device, the command is behind that question.
fn assign(context: &Context<'_>, host: &Host, address: Address, device: &Device) -> Vec<String> {
    if let Some(companion) = ehci::seized_companion(context, address, device) {
        return vec![format!(
            "{FIRST}leave {address} to its driver until the next boot: while pciback has {companion} of the same USB slot, the kernel may crash when that driver lets go"
        )];
    }
    match hindrance(context, address, device) {
        Hindrance::None => vec![add(host, address)],
        Hindrance::Used(why) => vec![leave(address, &why)],
        Hindrance::Unknown(why) => vec![
            format!("{FIRST}make sure that nothing uses {address}; that cannot be told here ({why})"),
            format!("#{}", add(host, address)),
        ],
    }
}

fn leave(address: Address, why: &str) -> String {
    format!("{FIRST}leave {address} to dom0 until that has ended: {why}")
}

/// `xl pci-assignable-add` came with Xen 4.2; the dom0 kernels of 2.6.18's kind run on older ones.
fn add(host: &Host, address: Address) -> String {
    if host.modules.pciback() != PCIBACK {
        return format!("xl pci-assignable-add {address}");
    }
    let files = format!("devices/{address}/driver/unbind drivers/pciback/new_slot drivers/pciback/bind");
    format!("for file in {files}; do echo -n {address} > /sys/bus/pci/$file; done")
}

/// Loads pciback, and takes from other drivers those of its devices that they have.
pub(super) fn load(context: &Context<'_>) -> Vec<String> {
    let list = match (&context.case.asked, lasting::now(context, context.demand.wanted.keys())) {
        (Asked::List(_), _) => lasting::asked(context),
        (_, Lasting::Holds(_)) => None,
        (_, Lasting::Elsewhere { merged: list, .. } | Lasting::Nowhere(list)) => list,
    };
    let mut lines = load_with(context, list.as_deref());
    lines.insert(1, "# if there is no such module: install the package with all modules of this kernel".to_owned());
    lines
}

/// Loads pciback with this list, or with that of its configuration; and takes those of its devices that other drivers have.
fn load_with(context: &Context<'_>, list: Option<&str>) -> Vec<String> {
    let module = module(context);
    let list = list.map_or(String::new(), |list| format!(" {}", parameter(list)));
    let mut lines = vec![format!("modprobe {module}{list}")];
    lines.extend(take_meant(context));
    lines
}

/// Takes those devices of the list, or of the corrected one, that other drivers have.
fn take_meant(context: &Context<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    let Some(host) = &context.host else { return lines };
    let Some(devices) = host.devices.is() else { return lines };
    let other = |device: &&Device| !device.is_bridge() && device.driver.is().is_some_and(|name| name != PCIBACK);
    let meant = context.demand.wanted.keys().copied().chain(lasting::corrected(context)).collect::<BTreeSet<Address>>();
    let mut meant: Vec<Address> = meant.into_iter().collect();
    meant.sort_by_key(|address| ehci::rank(context, *address));
    for address in meant {
        if let Some(device) = devices.get(&address).filter(other) {
            lines.extend(assign(context, host, address, device));
        }
    }
    lines
}

/// Lets pciback have a device that no driver holds. The firmware's screen needs no driver (`boot_vga`, with the console on tty0).
pub(super) fn probe(context: &Context<'_>, address: Address, device: &Device, listed: bool) -> Vec<String> {
    if let Hindrance::Used(why) = hindrance(context, address, device) {
        return vec![leave(address, &why)];
    }
    let mut commands = Vec::new();
    if device.driver_override.is().is_some() {
        commands.push(format!("echo > /sys/bus/pci/devices/{address}/driver_override"));
    }
    commands.push(if listed {
        format!("echo {address} > /sys/bus/pci/drivers/pciback/bind")
    } else {
        format!("xl pci-assignable-add {address}")
    });
    commands
}

/// The corrected list: for the module, where it can be loaded at once; else in the form of the place where the wrong one stands.
pub(super) fn list(context: &Context<'_>, place: &Written, list: &str) -> Vec<String> {
    let module = module(context);
    let can_load = |host: &Host| {
        let is_built_in = host.modules.has_pciback_built_in() || host.distribution == Distribution::XenServer;
        matches!(host.pciback, Known::Absent) && !is_built_in
    };
    if context.host.as_ref().is_some_and(can_load) && !matches!(place.source, Source::Policy | Source::Slots) {
        return load_with(context, Some(list));
    }
    let at = place.location.as_ref().map_or(String::new(), |location| format!(" in {location}"));
    let is_loaded = context.host.as_ref().is_some_and(|host| host.pciback.is().is_some());
    match place.source {
        // modprobe gives nothing to a module that is there.
        Source::Argument if is_loaded => take_meant(context),
        Source::Argument | Source::Module => vec![format!("modprobe {module} {}", parameter(list))],
        Source::CommandLine | Source::Log => vec![
            "# on the kernel's line of the boot loader, then reboot:".to_owned(),
            format!("# {module}.hide={list}"),
        ],
        Source::Modprobe => {
            let is_nixos = context.host.as_ref().is_some_and(|host| host.distribution == Distribution::NixOs);
            let at = if is_nixos { NIXOS } else { &at };
            vec![format!("# put this line{at}:"), format!("# options {module} hide={list}")]
        }
        // Nobody writes these two for the kernel.
        Source::Policy
        | Source::Slots
        | Source::Modules
        | Source::Qubes
        | Source::Sysconfig
        | Source::Xapi
        | Source::BootLoader
        | Source::NixOs
        | Source::Guests
        | Source::Override => Vec::new(),
    }
}

/// Where a list goes on this host.
pub(super) fn place(context: &Context<'_>) -> Vec<String> {
    let distribution = context.host.as_ref().map_or(Distribution::Other, |host| host.distribution);
    match distribution {
        Distribution::XenServer => vec![
            "# or give pciback its list:".to_owned(),
            "# /opt/xensource/libexec/xen-cmdline --set-dom0 \"xen-pciback.hide=(0000:bb:dd.f)(0000:bb:dd.f)\""
                .to_owned(),
        ],
        Distribution::Qubes => {
            vec!["# or name them in rd.qubes.hide_pci=bb:dd.f,bb:dd.f on the line of dom0's kernel".to_owned()]
        }
        Distribution::NixOs => vec![
            format!("# or give pciback its list, by a line{NIXOS}:"),
            format!("# options {} hide=(0000:bb:dd.f)(0000:bb:dd.f)", module(context)),
        ],
        Distribution::Debian
        | Distribution::Dracut
        | Distribution::RedHat5
        | Distribution::Suse11
        | Distribution::Arch
        | Distribution::Alpine
        | Distribution::Other => vec![
            format!("# or give pciback its list, by a line in {}:", options_file(context)),
            format!("# options {} hide=(0000:bb:dd.f)(0000:bb:dd.f)", module(context)),
        ],
    }
}

/// The file in which a family writes the options of modules, or the directory of such files.
fn options_file(context: &Context<'_>) -> &'static str {
    let machine = context.host.as_ref().zip(context.case.tree.as_ref());
    let row = machine.and_then(|(host, tree)| family::row(host, tree));
    row.filter(|family| family.shared).map_or("/etc/modprobe.d", |family| family.options)
}

/// `hide=` for a shell: brackets and stars are the shell's own.
fn parameter(list: &str) -> String {
    format!("'hide={}'", list.replace('\'', r"'\''"))
}

/// Makes a remedy safe to paste: a name with a line feed in it would end a comment and begin a command.
///
/// White space of any kind becomes a blank, which separates the entries of a list as well; what holds any other control
/// character becomes advice.
pub(super) fn to_one_line(line: &mut String) {
    let blank = |letter: char| if letter.is_ascii_whitespace() || letter == '\u{b}' { ' ' } else { letter };
    let blanked: String = line.chars().map(blank).collect();
    *line = if blanked.contains(char::is_control) {
        format!("# {}", blanked.trim_start_matches(['#', ' ']).replace(char::is_control, "?"))
    } else {
        blanked
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remedy_is_one_line_that_means_the_same_or_is_advice() {
        for (line, safe) in [
            ("modprobe xen-pciback 'hide=(a)\t(b)'", "modprobe xen-pciback 'hide=(a) (b)'"),
            ("# x\nrm -r y", "# x rm -r y"),
            ("modprobe x\u{1b}[2J", "# modprobe x?[2J"),
            ("# x\u{7}", "# x?"),
        ] {
            let mut line = line.to_owned();
            to_one_line(&mut line);
            assert_eq!(line, safe);
        }
    }

    #[test]
    fn a_list_is_quoted_for_a_shell() {
        assert_eq!(parameter("(a)'"), r"'hide=(a)'\'''");
    }
}
