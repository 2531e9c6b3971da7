//! The hypervisor's own log: what `xl dmesg`, `hypervisor.log` and serial captures hold of Xen's lines.
//!
//! A [`Hypervisor`] takes the records of one log and keeps, for each boot of Xen, the state of the IOMMU and what happened to
//! devices. What is not said proves nothing: a ring that wrapped has lost the lines of the boot.

mod fault;
mod line;

pub use line::Line;

use std::collections::{BTreeMap, VecDeque};

use crate::pci::Address;
use crate::record::{Author, Place, Record, Wall};

/// How many boots of the hypervisor are kept: the last ones.
const MOST_BOOTS: usize = 16;

/// How many devices are told apart in one boot.
const MOST_DEVICES: usize = 1024;

/// Where a log of the hypervisor comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The user named it.
    Named,
    /// The ring, as a support archive saved it together with the machine's files.
    Ring,
    /// A log file below a root.
    File,
}

/// A log of the hypervisor.
#[derive(Clone, Debug)]
pub struct Log {
    /// Its name, as given.
    pub name: String,
    /// Where it comes from.
    pub origin: Origin,
    /// Why it could not be read, or not to its end.
    pub failure: Option<String>,
    /// What it holds.
    pub hypervisor: Hypervisor,
}

/// What one log holds of the hypervisor's lines.
#[derive(Clone, Debug, Default)]
pub struct Hypervisor {
    /// Every boot of Xen, in the order of the log. The first one may have begun before the log.
    pub boots: VecDeque<Boot>,
    /// Lines of the hypervisor.
    pub lines: u64,
}

/// One boot of the hypervisor.
#[derive(Clone, Debug, Default)]
pub struct Boot {
    /// Where its first line stands.
    pub place: Place,
    /// Its version, where the log reaches back to it: `4.14.6`.
    pub version: Option<String>,
    /// Its command line.
    pub command_line: Option<Line>,
    /// Whether the IOMMU is on, and the line that says so.
    pub virtualisation: Option<(bool, Line)>,
    /// Whether interrupts are remapped, and the line that says so.
    pub remapping: Option<(bool, Line)>,
    /// What else Xen says of why its IOMMU is not used as it could be.
    pub reason: Option<Line>,
    /// The IOMMU's faults, by the device that made them.
    pub faults: BTreeMap<Address, Faults>,
    /// Devices that share memory which the firmware reserved: the last that was said of giving them to a guest.
    pub reserved: BTreeMap<Address, Reserved>,
    /// Devices that could not be given to a guest, with the last line that says so.
    pub refused: BTreeMap<Address, Line>,
    /// The first and the last date in it.
    pub dates: Option<(Wall, Wall)>,
    /// The device of the fault of which the reason may follow.
    open: Option<Address>,
}

/// The faults of one device.
#[derive(Clone, Debug)]
pub struct Faults {
    /// How many.
    pub count: u64,
    /// The first.
    pub first: Line,
    /// The last.
    pub last: Line,
    /// Why, where Xen prints that on a line of its own.
    pub reason: Option<Line>,
    /// Whether an interrupt was blocked, not an access to memory.
    pub interrupt: bool,
}

/// A device that shares reserved memory with others.
#[derive(Clone, Debug)]
pub struct Reserved {
    /// Whether Xen refuses to give it to a guest, not only warns.
    pub refused: bool,
    /// The line.
    pub line: Line,
}

impl Hypervisor {
    /// Takes a record of a log of the kernel, which is the hypervisor's only on a serial line: without a host, a program, a
    /// level or the kernel's clock in front.
    pub fn take_merged(&mut self, record: &Record<'_>) {
        let framed = record.level.is_some()
            || record.stamp.uptime.is_some()
            || record.identifier.is_some()
            || record.hostname.is_some();
        if record.author == Author::Unstated && !framed {
            self.take(record);
        }
    }

    /// Takes a record of the hypervisor's log.
    pub fn take(&mut self, record: &Record<'_>) {
        let Some(line) = line::read(record) else { return };
        self.lines += 1;
        // xen/common/version.c and arch/x86/setup.c `print_xen_info`: the first line of every boot, 3.0 to 4.20.
        let version = line.text.strip_prefix(b"Xen version ").map(version);
        if version.is_some() || self.boots.is_empty() {
            if self.boots.len() == MOST_BOOTS {
                self.boots.pop_front();
            }
            self.boots.push_back(Boot { place: line.place, version, ..Boot::default() });
        }
        if let Some(boot) = self.boots.back_mut() {
            boot.take(line);
        }
    }
}

fn version(text: &[u8]) -> String {
    let word = text.split(|byte| *byte == b' ').next().unwrap_or_default();
    String::from_utf8_lossy(word).into_owned()
}

impl Boot {
    fn take(&mut self, line: Line) {
        if let Some(wall) = line.wall {
            self.dates = Some((self.dates.map_or(wall, |(first, _)| first), wall));
        }
        if self.take_state(&line) {
            return;
        }
        if let Some((address, refused)) = fault::reserved(&line.text) {
            if self.reserved.len() < MOST_DEVICES || self.reserved.contains_key(&address) {
                self.reserved.insert(address, Reserved { refused, line });
            }
        } else if let Some(address) = fault::refusal(&line.text) {
            if self.refused.len() < MOST_DEVICES || self.refused.contains_key(&address) {
                self.refused.insert(address, line);
            }
        } else if let Some((address, interrupt)) = fault::fault(&line.text) {
            self.take_fault(address, interrupt, line);
        } else if fault::is_reason(&line.text) {
            let faults = self.open.take().and_then(|address| self.faults.get_mut(&address));
            if let Some(faults) = faults {
                faults.reason = Some(line);
            }
        }
    }

    fn take_fault(&mut self, address: Address, interrupt: bool, line: Line) {
        self.open = Some(address);
        if let Some(faults) = self.faults.get_mut(&address) {
            faults.count += 1;
            (faults.last, faults.interrupt) = (line, interrupt);
        } else if self.faults.len() < MOST_DEVICES {
            let faults = Faults { count: 1, first: line.clone(), last: line, reason: None, interrupt };
            self.faults.insert(address, faults);
        }
    }

    /// Takes a line about the machine as a whole. The texts: xen/drivers/passthrough/iommu.c `iommu_setup` (3.3 to 4.20),
    /// vtd/iommu.c `intel_vtd_setup` (3.4 to 4.20: "supported" until 4.0).
    fn take_state(&mut self, line: &Line) -> bool {
        match line.text.trim_ascii() {
            b"I/O virtualisation enabled" => self.virtualisation = Some((true, line.clone())),
            b"I/O virtualisation disabled" => self.virtualisation = Some((false, line.clone())),
            b"Interrupt remapping enabled" => self.remapping = Some((true, line.clone())),
            b"Interrupt remapping disabled"
            | b"Intel VT-d Interrupt Remapping not enabled."
            | b"Intel VT-d Interrupt Remapping not supported." => self.remapping = Some((false, line.clone())),
            text if text.starts_with(b"Command line:") => self.command_line = Some(line.clone()),
            text if fault::is_obstacle(text) => self.reason = Some(line.clone()),
            _ => return false,
        }
        true
    }

    /// The options of its command line that begin with one of these names: `iommu=0`.
    pub fn options(&self, names: &[&str]) -> Vec<String> {
        let text = self.command_line.as_ref().map(|line| String::from_utf8_lossy(&line.text).into_owned());
        let text = text.unwrap_or_default();
        let named = |word: &&str| {
            let name = word.split('=').next().unwrap_or(word);
            names.contains(&name)
        };
        text.split_whitespace().filter(named).map(str::to_owned).collect()
    }
}

#[cfg(test)]
mod tests;
