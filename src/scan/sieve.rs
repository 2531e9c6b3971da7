//! Which lines of a block can matter at all: a search for the few texts one of which every such line holds.
//!
//! What it passes over is never decoded, so it may find too much and never too little. A text is looked for by three of its
//! bytes that seldom stand like that in a log, and compared only where they do.

#[cfg(target_arch = "x86_64")]
mod avx2;
mod portable;
#[cfg(test)]
mod tests;

use std::ops::Range;

use memchr::{memchr, memmem};

/// How far behind its key the second and the third byte of a text stand that are looked for first. In an address they are
/// the dot and what follows it: by these the fraction of a second in RFC 3339 times is none.
const SECOND: usize = 3;
const THIRD: usize = 5;

/// A text to look for.
#[derive(Debug)]
struct Literal {
    text: &'static [u8],
    /// Where the first of the three bytes stands. No two keys may end in the same four bits: the vectors look up by these
    /// what the three have to be.
    key: usize,
    /// What stands behind the text: one of these. Empty: anything.
    ends: &'static [&'static [u8]],
}

/// One of these or an address stands in every line that says something. Of the bytes that can be keys, these were seen least
/// often in syslogs without the text: in one place of nine thousand for all of them together.
const LITERALS: [Literal; 14] = [
    // `p..b.c`. All that pciback says, all that the driver core says of it, and most command lines with a list.
    Literal { text: b"pciback", key: 0, ends: &[] },
    // `x..e.s`. The banner: a boot begins.
    Literal { text: b"Linux version ", key: 4, ends: &[] },
    // `n..l.n`. "Command line: " and "Kernel command line: ".
    Literal { text: b"ommand line: ", key: 4, ends: &[] },
    // `g..a.a`. A parameter that the kernel refused before pciback saw it: the line does not name the module.
    Literal { text: b"string parameter too long", key: 5, ends: &[] },
    // `s..g.s`. Lost records: "** 3 printk messages dropped **", journald's "Missed 3 kernel messages" and "some messages
    // lost", and what a module of rsyslog says under its own name.
    Literal { text: b" messages", key: 3, ends: &[] },
    // `-..B.o`. A line of journalctl's own, from systemd 247 on.
    Literal { text: b"-- Boot ", key: 0, ends: &[] },
    // `R..o.t`. The same before.
    Literal { text: b"-- Reboot", key: 3, ends: &[] },
    // `d..a.n`. The lines behind "removing device", which some kernels print without a prefix: "driver domain may still",
    // "shutdown driver domain", "to other drivers or domains".
    Literal { text: b"r domain", key: 2, ends: &[] },
    // `e..o.:`, `o..r.d`, `a..i.g`. A boot ends: "reboot: Restarting system", "Power down.", "kexec_core: Starting new kernel",
    // and "Restarting system." before 3.11.
    Literal { text: b"reboot: ", key: 1, ends: &[] },
    Literal { text: b"ower down", key: 0, ends: &[] },
    Literal { text: b"arting ", key: 0, ends: &[b"new kernel", b"system"] },
    // `k..s.p`. Records that were not printed: "xen_pcibk_config_write: 12 callbacks suppressed".
    Literal { text: b"callbacks suppressed", key: 7, ends: &[] },
    // `y..o.d`, `y..o.-`. A log daemon speaks of itself: of records that it did not write, and much else, seldom.
    Literal { text: b"syslog", key: 1, ends: &[b"d", b"-ng"] },
    // `v..o. `. The kernel does not run on Xen.
    Literal { text: b"Hypervisor detected: ", key: 5, ends: &[] },
];

/// What can stand at a position that the vectors point at.
#[derive(Clone, Copy, Debug)]
enum SieveRow {
    Nothing,
    Literal(&'static Literal),
    /// The colon before the slot: `0000:00:1d.0`, followed by one of [`AFTER`].
    Address,
    /// The last letter of [`EARLY`].
    Early,
}

/// What stands before a time of the kernel's clock of less than ten seconds, of which the digit and the dot follow: a boot may
/// have begun, whatever the line says.
const EARLY: &[u8] = b"kernel: [    ";

/// Where in it the key stands. `l..[. `.
const EARLY_KEY: usize = 5;

/// What a driver's message goes on with behind its device.
const AFTER: [u8; 4] = [b':', b' ', b',', b'\n'];

/// The rows by the last four bits of their key.
const ROWS: [SieveRow; 16] = {
    let mut rows = [SieveRow::Nothing; 16];
    put(&mut rows, b':', SieveRow::Address);
    put(&mut rows, byte(EARLY, EARLY_KEY), SieveRow::Early);
    let mut left: &'static [Literal] = &LITERALS;
    while let [literal, rest @ ..] = left {
        put(&mut rows, byte(literal.text, literal.key), SieveRow::Literal(literal));
        left = rest;
    }
    rows
};

#[expect(clippy::indexing_slicing, reason = "runs while compiling, and fails there")]
const fn put(rows: &mut [SieveRow; 16], key: u8, row: SieveRow) {
    let at = (key & 15) as usize;
    assert!(matches!(rows[at], SieveRow::Nothing), "two keys end in the same four bits");
    rows[at] = row;
}

#[expect(clippy::indexing_slicing, reason = "runs while compiling, and fails there")]
const fn byte(text: &[u8], at: usize) -> u8 {
    text[at]
}

impl SieveRow {
    /// Its key, its second byte, and the four that its third may be.
    const fn bytes(self) -> Option<[u8; 6]> {
        match self {
            Self::Nothing => None,
            Self::Literal(Literal { text, key, ends }) => {
                let [one, other] = match ends {
                    [one, other] if *key + THIRD == text.len() => [byte(one, 0), byte(other, 0)],
                    _ => [byte(text, *key + THIRD); 2],
                };
                Some([byte(text, *key), byte(text, *key + SECOND), one, other, one, other])
            }
            Self::Address => Some([b':', b'.', AFTER[0], AFTER[1], AFTER[2], AFTER[3]]),
            Self::Early => {
                let third = byte(EARLY, EARLY_KEY + THIRD);
                Some([byte(EARLY, EARLY_KEY), byte(EARLY, EARLY_KEY + SECOND), third, third, third, third])
            }
        }
    }
}

/// Finds the lines of a block that can say something.
#[derive(Debug)]
pub(super) struct Sieve(Way);

#[derive(Debug)]
enum Way {
    #[cfg(target_arch = "x86_64")]
    Avx2(avx2::Avx2),
    Portable,
}

impl Sieve {
    /// The fastest that this machine can.
    pub(super) fn new() -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(avx2) = avx2::Avx2::detect() {
            return Self(Way::Avx2(avx2));
        }
        Self(Way::Portable)
    }

    /// Fills `hits` with the lines of `block` that can matter, in ascending order: each from a place in it to its end.
    /// `block` is whole lines.
    ///
    /// Returns what else there is in it.
    pub(super) fn search(&self, block: &[u8], hits: &mut Vec<Range<usize>>) -> Signs {
        hits.clear();
        let (mut done, mut early) = (0, false);
        let mut candidate = |at: usize| {
            if at < done {
                return;
            }
            if matches!(row(block, at), SieveRow::Early) {
                early = early || is_early(block, at);
            } else if matters(block, at) {
                let line = block.get(at..).unwrap_or_default();
                done = at + memchr(b'\n', line).map_or(line.len(), |end| end + 1);
                hits.push(at..done);
            }
        };
        let strange = match &self.0 {
            #[cfg(target_arch = "x86_64")]
            Way::Avx2(avx2) => avx2.search(block, &mut candidate),
            Way::Portable => portable::search(block, &mut candidate),
        };
        Signs { strange, early }
    }
}

/// What a block holds besides lines that can matter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Signs {
    /// A control character that no text log holds: it may be no text, or have a colour in the middle of what was looked for.
    pub(super) strange: bool,
    /// A line of the kernel's first ten seconds.
    pub(super) early: bool,
}

/// A control character that does not belong into a line of text.
pub(super) const fn is_strange(byte: u8) -> bool {
    byte.is_ascii_control() && !matches!(byte, b'\t' | b'\n' | b'\r')
}

/// What can have its key at `at`.
fn row(block: &[u8], at: usize) -> SieveRow {
    block.get(at).and_then(|key| ROWS.get(usize::from(key & 15))).copied().unwrap_or(SieveRow::Nothing)
}

/// Whether a time of the kernel's clock of less than ten seconds has its key at `at`.
fn is_early(block: &[u8], at: usize) -> bool {
    let text = at.checked_sub(EARLY_KEY).and_then(|start| block.get(start..));
    let time = text.and_then(|text| text.strip_prefix(EARLY));
    matches!(time, Some([b'0'..=b'9', b'.', ..]))
}

/// What the kernel says in its first seconds where it does not run as dom0. There is no room for these among the keys.
const EARLY_TEXTS: [&[u8]; 6] =
    [b" kernel on ", b"unprivileged domain", b"PCI frontend", b"pcifront", b"Xen Platform PCI", b"device/pci/"];

/// Whether a line of the kernel's first seconds says something that the search does not look for.
pub(super) fn matters_early(line: &[u8]) -> bool {
    EARLY_TEXTS.iter().any(|text| memmem::find(line, text).is_some())
}

/// Whether a text that matters has its key at `at`, and is there as a whole.
fn matters(block: &[u8], at: usize) -> bool {
    match row(block, at) {
        SieveRow::Literal(literal) => {
            let text = at.checked_sub(literal.key).and_then(|start| block.get(start..));
            let rest = text.and_then(|text| text.strip_prefix(literal.text));
            rest.is_some_and(|rest| literal.ends.is_empty() || literal.ends.iter().any(|end| rest.starts_with(end)))
        }
        SieveRow::Address => is_address(block, at),
        SieveRow::Early | SieveRow::Nothing => false,
    }
}

/// Whether the colon at `at` is the second of an address that a driver may speak about.
fn is_address(block: &[u8], at: usize) -> bool {
    let Some((before, behind)) = block.split_at_checked(at) else { return false };
    let [b':', s1, s2, b'.', f, after, text @ ..] = behind else { return false };
    let Some((before, [d1, d2, d3, d4, b':', b1, b2])) = before.split_last_chunk::<7>() else { return false };
    let digits = [d1, d2, d3, d4, b1, b2, s1, s2, f];
    let is_digit = |byte: &&u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    AFTER.contains(after) && digits.iter().all(is_digit) && !is_idle_talk(before, *after, text)
}

/// What the PCI core says of a device that matters: it was found, it is a bridge, Xen refused it, it does not come back from a
/// reset or does not change its power state.
const CORE: [&[u8]; 13] = [
    b" [",
    b" PCI bridge to ",
    b" Failed to add",
    b" not registering with Xen",
    b" not ready ",
    b" timed out waiting for pending",
    b" transaction is not cleared",
    b" Failed to return from FLR",
    b" Refused to change power",
    b" refused to change power",
    b" can't change power",
    b" Unable to change power",
    b" invalid power transition",
];

/// What else the PCI core says of a device. At boot these are many
/// lines. It is no driver, and where it names pciback the line is found by that name.
fn is_idle_talk(before: &[u8], after: u8, text: &[u8]) -> bool {
    // A longer name would be a driver's.
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let core = before.strip_suffix(b"pci ").is_some_and(|before| !before.last().is_some_and(is_name));
    let told = CORE.iter().any(|told| text.starts_with(told));
    core && after == b':' && !told
}
