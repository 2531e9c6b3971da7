//! The hide list as the kernel reads it: `pcistub_init` in drivers/xen/xen-pciback/pci_stub.c, both generations.

mod advice;
mod fault;
mod forms;
mod scan;
mod shorten;

pub use advice::{Advice, Lookalike, advise, nearest};
pub use fault::Fault;
pub(in crate::request) use scan::is_space;
pub use shorten::{addresses, shortest};

use std::ops::Range;

use crate::pci::{Era, KernelVersion, Pattern};
use forms::{EntryOutcome, blanks, read_entry};

/// The longest list the kernel lets through to pciback, in bytes (`param_set_charp` in kernel/params.c: a longer one is
/// refused with ENOSPC before pciback sees it).
pub const LONGEST: usize = 1024;

/// How a kernel reads a hide list. An [`Era`] or a [`KernelVersion`] is turned into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grammar {
    /// The generation of pciback's parser.
    pub era: Era,
    /// What becomes of a number of more than 64 bits.
    pub wide: Wide,
}

/// What a kernel makes of a number of more than 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wide {
    /// The upper bits are lost.
    Wraps,
    /// It becomes the largest number there is, which as a slot or function is a wildcard. Seen of a 7.2 kernel, and not
    /// of 6.1 (testdata/dom0).
    Saturates,
}

impl From<Era> for Grammar {
    fn from(era: Era) -> Self {
        Self { era, wide: Wide::Wraps }
    }
}

impl From<KernelVersion> for Grammar {
    fn from(kernel: KernelVersion) -> Self {
        let wide = if kernel < (KernelVersion { major: 7, minor: 2 }) { Wide::Wraps } else { Wide::Saturates };
        Self { era: kernel.era(), wide }
    }
}

/// A part of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The PCI domain.
    Domain,
    /// The bus number.
    Bus,
    /// The slot, also called device number.
    Slot,
    /// The function.
    Function,
}

impl Part {
    /// What it is called in a message.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Domain => "domain",
            Self::Bus => "bus",
            Self::Slot => "slot",
            Self::Function => "function",
        }
    }

    /// The largest number pciback accepts there from 3.7 on (`pcistub_device_id_add`).
    pub const fn most(self) -> u32 {
        match self {
            Self::Domain => 0xffff,
            Self::Bus => 0xff,
            Self::Slot => 0x1f,
            Self::Function => 7,
        }
    }
}

/// A number that means something else to the kernel than what is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// Which part of the address.
    pub part: Part,
    /// The number as written.
    pub written: String,
    /// What the kernel makes of it; `None` when it becomes the wildcard (its top bit is set).
    pub became: Option<u32>,
}

/// One entry of a hide list that can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The bytes of the list it stands in, brackets included and blanks around it not.
    pub text: Range<usize>,
    /// What the kernel reads there.
    pub pattern: Pattern,
    /// The numbers that wrapped around.
    pub changed: Vec<Changed>,
    /// Whether the kernel got so far. It may have refused the whole list afterwards: see [`HideList::accepted`].
    pub reached: bool,
}

/// What the kernel of an era makes of a hide list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HideList {
    /// Every entry that can be read, in order, also those behind a fault.
    pub entries: Vec<Entry>,
    /// What is wrong with the list: the first thing the kernel meets.
    pub fault: Option<Fault>,
    text: Vec<u8>,
}

impl HideList {
    /// Whether the kernel takes the list. One that is cut short it takes, without a word about what it dropped.
    pub const fn accepted(&self) -> bool {
        matches!(self.fault, None | Some(Fault::CutShort { .. }))
    }

    /// The entries in force: none of a refused list.
    pub fn in_force(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| self.accepted() && entry.reached)
    }

    /// The entries that can be read but that the kernel never came to.
    pub fn dropped(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| !entry.reached)
    }

    /// The list up to the byte 0 that would end it.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// A part of the list, to quote.
    pub fn quote(&self, part: &Range<usize>) -> String {
        String::from_utf8_lossy(self.text.get(part.clone()).unwrap_or_default()).into_owned()
    }

    /// What the record "Error parsing `pci_devs_to_hide` at" quotes (`pci_stub.c`, every version): the list from the
    /// first malformed entry on. `None` where the kernel prints no such line.
    pub fn kernel_rest(&self) -> Option<&[u8]> {
        match &self.fault {
            Some(Fault::Malformed { entry, .. }) => self.text.get(*entry..),
            Some(Fault::OutOfRange { .. } | Fault::CutShort { .. } | Fault::TooLong { .. }) | None => None,
        }
    }

    fn push(&mut self, entry: Entry) {
        self.entries.push(Entry { reached: self.fault.is_none(), ..entry });
    }
}

/// Reads the value of `hide=` as a kernel does.
pub fn read(list: &[u8], grammar: impl Into<Grammar>) -> HideList {
    let mut read = read_of_any_length(list, grammar.into());
    let length = read.text.len();
    if length > LONGEST {
        read.fault = Some(Fault::TooLong { length });
        read.entries.iter_mut().for_each(|entry| entry.reached = false);
    }
    read
}

/// The same for a list that no kernel parameter has to carry.
pub(in crate::request) fn read_of_any_length(list: &[u8], grammar: Grammar) -> HideList {
    let text = list.split(|byte| *byte == 0).next().unwrap_or_default();
    let mut read = HideList { entries: Vec::new(), fault: None, text: text.to_vec() };
    let mut from = 0;
    while from < text.len() {
        let behind = match read_entry(text, from, grammar) {
            EntryOutcome::Entry { entry, next } => {
                read.push(entry);
                from = next;
                continue;
            }
            EntryOutcome::Unclosed { entry, at } => {
                read.push(entry);
                let entry = read.entries.len() - 1;
                read.fault.get_or_insert(Fault::CutShort { entry, rest: at..text.len() });
                at
            }
            EntryOutcome::OutOfRange { fault, next } => {
                read.fault.get_or_insert(fault);
                next
            }
            EntryOutcome::Malformed { at, wanted } => {
                read.fault.get_or_insert_with(|| Fault::malformed(text, from, at, &wanted));
                let start = from + blanks(text, from);
                at.max(start + 1)
            }
        };
        from = text.iter().skip(behind).position(|byte| *byte == b'(').map_or(text.len(), |bracket| behind + bracket);
    }
    read
}

#[cfg(test)]
mod tests;
