//! Whether a device may be taken from dom0: not what it uses, and not what it may use for all that can be read.

use super::super::Context;
use super::super::siblings::later_companions;
use crate::host::{Device, PCIBACK};
use crate::pci::Address;
use crate::report::Moment;
use crate::tree::{Known, Tree};

/// What stands against taking a device from its driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Hindrance {
    /// Nothing.
    None,
    /// Something is known to use it.
    Used(String),
    /// Something may use it, and that cannot be read.
    Unknown(String),
}

impl Hindrance {
    /// What it is, in words.
    pub(super) fn why(&self) -> Option<&str> {
        match self {
            Self::None => None,
            Self::Used(why) | Self::Unknown(why) => Some(why),
        }
    }
}

/// What stands against taking the device at `address`.
pub(super) fn hindrance(context: &Context<'_>, address: Address, device: &Device) -> Hindrance {
    match &device.uses {
        Known::Is(uses) if !uses.is_empty() => {
            let uses: Vec<String> = uses.iter().map(ToString::to_string).collect();
            return Hindrance::Used(uses.join("; "));
        }
        Known::Is(_) => {}
        Known::Absent => return Hindrance::Unknown("nothing says what dom0 uses it for".to_owned()),
        Known::Unreadable(obstacle) => return Hindrance::Unknown(obstacle.to_string()),
    }
    if let Some(hindrance) = crash(context, address, context.case.options.foretold == Some(Moment::Boot)) {
        return hindrance;
    }
    let guest = context.history.trails.get(&address).and_then(|trail| trail.guest.as_ref());
    if let Some((domid, _)) = guest.filter(|_| device.driver.is().is_none_or(|driver| driver != PCIBACK)) {
        return Hindrance::Unknown(format!("guest {domid} had it last, and nothing says that this guest has ended"));
    }
    context.case.tree.as_ref().filter(|_| is_usb(device)).map_or(Hindrance::None, |tree| keyboard(tree, address))
}

/// Whether the kernel may crash, now or at the next boot, when a driver takes another USB function of the device's slot.
pub(super) fn crash(context: &Context<'_>, address: Address, at_boot: bool) -> Option<Hindrance> {
    let companions = later_companions(context, address, at_boot);
    let (first, _) = companions.first()?;
    Some(Hindrance::Used(format!("a driver of {} may crash dom0", first.short())))
}

/// Whether it is a USB controller: by its class, else by the name of its driver (drivers/usb/host).
fn is_usb(device: &Device) -> bool {
    let by_driver =
        || device.driver.is().is_some_and(|driver| driver.contains("hci_hcd") || driver.contains("hci-pci"));
    device.class.is().map_or_else(by_driver, |class| class >> 8 == 0x0c03)
}

/// The table of input devices (drivers/input/input.c, `input_devices_seq_show`).
const INPUT: &str = "proc/bus/input/devices";

/// Whether a keyboard is behind a USB controller. Where the table of input devices is not at hand, that matters if dom0 is
/// operated at a screen: if `tty0` is the console that `/dev/console` leads to (flag `C`, fs/proc/consoles.c).
fn keyboard(tree: &Tree, address: Address) -> Hindrance {
    let table = match tree.read_text(INPUT) {
        Known::Is(table) if !table.is_empty() => table,
        Known::Is(_) | Known::Absent | Known::Unreadable(_) => {
            let consoles = tree.read_text("proc/consoles").is().cloned().unwrap_or_default();
            let on_screen = |line: &str| {
                let flags = line.split_once('(').and_then(|(_, rest)| rest.split_once(')'));
                line.starts_with("tty0 ") && flags.is_some_and(|(flags, _)| flags.contains('C'))
            };
            let why = format!("the keyboard may be on it: /{INPUT} is not at hand");
            return if consoles.lines().any(on_screen) { Hindrance::Unknown(why) } else { Hindrance::None };
        }
    };
    let address = format!("/{address}/");
    let found = table.split("\n\n").find(|input| is_keyboard(input) && sysfs(input).contains(&address));
    found.map_or(Hindrance::None, |_| Hindrance::Used("the keyboard is on it".to_owned()))
}

/// Whether it has keys that repeat (`EV_REP`, bit 0x14 of `B: EV=`): power buttons have the handler `kbd` as well, and none.
fn is_keyboard(input: &str) -> bool {
    let handlers = input.lines().find_map(|line| line.strip_prefix("H: Handlers="));
    let events = input.lines().find_map(|line| line.strip_prefix("B: EV="));
    let repeats =
        events.and_then(|bits| u32::from_str_radix(bits.trim(), 16).ok()).is_none_or(|bits| bits >> 0x14 & 1 == 1);
    handlers.is_some_and(|names| names.split(' ').any(|name| name == "kbd")) && repeats
}

fn sysfs(input: &str) -> &str {
    input.lines().find_map(|line| line.strip_prefix("S: Sysfs=")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "proc/bus/input/devices = \
        S: Sysfs=/devices/pci0000:00/0000:00:14.0/usb1/1-1/1-1:1.0/0003:046D:C31C.0001/input/input5\\n\
        H: Handlers=sysrq kbd event3 leds \\nB: EV=120013\\n\\n\
        S: Sysfs=/devices/pci0000:00/0000:00:1a.0/usb2/2-1/input/input6\\nH: Handlers=kbd event4 \\nB: EV=3\\n\n";

    fn of(manifest: &str, address: &str) -> Hindrance {
        keyboard(&Tree::from_manifest(manifest).unwrap(), address.parse().unwrap())
    }

    #[test]
    fn a_keyboard_is_found_by_the_table_of_input_devices() {
        assert_eq!(of(TABLE, "00:14.0"), Hindrance::Used("the keyboard is on it".to_owned()));
        assert_eq!(of(TABLE, "00:1a.0"), Hindrance::None);
        assert_eq!(of(TABLE, "00:1d.0"), Hindrance::None);
    }

    #[test]
    fn without_the_table_a_screen_as_console_makes_it_a_question() {
        let screen = "proc/consoles = tty0 -WU (EC p  )    4:7\\n\n";
        assert!(matches!(of(screen, "00:14.0"), Hindrance::Unknown(_)));
        let serial = "proc/consoles = hvc0 -W- (EC )  229:0\\ntty0 -WU (E  p  )    4:1\\n\n";
        assert_eq!(of(serial, "00:14.0"), Hindrance::None);
    }
}
