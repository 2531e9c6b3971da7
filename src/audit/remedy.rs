//! Commands that mend what was found. Printed, never run.
//!
//! None of them takes a device away from dom0 that dom0 uses, or that it may use for all that can be read: there the
//! remedy is advice, a line that starts with `#`.

use crate::host::{Device, Distribution, Host, Use};
use crate::pci::Address;
use crate::request::{Source, Written};
use crate::tree::Known;

/// Gives `address` to pciback, now and at the next boot.
pub(super) fn take(host: Option<&Host>, address: Address, device: Option<&Device>) -> Vec<String> {
    let (Some(host), Some(device)) = (host, device) else {
        return vec![format!("# on the host itself: pciback-audit check --device {address}")];
    };
    match &device.uses {
        Known::Is(uses) if uses.is_empty() => {}
        Known::Is(uses) => return leave_alone(address, uses),
        Known::Absent => return cannot_tell(address, "nothing says what dom0 uses it for"),
        Known::Unreadable(obstacle) => return cannot_tell(address, &obstacle.to_string()),
    }
    let mut commands = vec![format!("xl pci-assignable-add {address}")];
    commands.extend(for_good(host, address, device));
    commands
}

fn leave_alone(address: Address, uses: &[Use]) -> Vec<String> {
    let uses: Vec<String> = uses.iter().map(ToString::to_string).collect();
    vec![format!("# leave {address} to dom0 until that has ended: {}", uses.join("; "))]
}

fn cannot_tell(address: Address, why: &str) -> Vec<String> {
    vec![format!(
        "# before {address} is taken from dom0, make sure that nothing uses it; that cannot be told here ({why})"
    )]
}

/// How pciback comes before the other driver at the next boot.
fn for_good(host: &Host, address: Address, device: &Device) -> Vec<String> {
    if host.distribution == Distribution::XenServer {
        let advice = format!(
            "# for good: add ({address}) to the list of /opt/xensource/libexec/xen-cmdline --get-dom0 xen-pciback.hide"
        );
        return vec![advice];
    }
    let plain = |name: &&String| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    let Some(module) = device.module.is().filter(plain) else {
        return vec!["# for good: load xen-pciback with its list before that driver, from the initramfs".to_owned()];
    };
    let rebuild = match host.distribution {
        Distribution::Debian => "update-initramfs -u -k all",
        Distribution::Dracut => "dracut --force --add-drivers xen-pciback",
        Distribution::Arch => "mkinitcpio -P",
        Distribution::Alpine => "mkinitfs",
        Distribution::XenServer | Distribution::Other => "# then rebuild the initramfs",
    };
    vec![
        "# for good, let pciback load first:".to_owned(),
        format!("echo 'softdep {module} pre: xen-pciback' >> /etc/modprobe.d/xen-pciback.conf"),
        rebuild.to_owned(),
    ]
}

/// Lets pciback have a device that no driver holds.
pub(super) fn probe(address: Address, device: &Device, listed: bool) -> Vec<String> {
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

/// The corrected list, in the form of the place where the wrong one stands.
pub(super) fn list(place: &Written, list: &str) -> Vec<String> {
    let at = place.location.as_ref().map_or(String::new(), |location| format!(" in {location}"));
    match place.source {
        Source::Argument | Source::Module => vec![format!("modprobe xen-pciback {}", parameter(list))],
        Source::CommandLine | Source::Log => vec![
            "# on the kernel's line of the boot loader, then reboot:".to_owned(),
            format!("# xen-pciback.hide={list}"),
        ],
        Source::Modprobe => vec![format!("# put this line{at}:"), format!("# options xen-pciback hide={list}")],
        // Nobody writes these two for the kernel.
        Source::Policy | Source::Slots => Vec::new(),
    }
}

/// `hide=` for a shell: brackets and stars are the shell's own.
pub(super) fn parameter(list: &str) -> String {
    format!("'hide={}'", list.replace('\'', r"'\''"))
}
