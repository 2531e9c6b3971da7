//! Places in a message where another record begins: a line feed was lost, or none was printed.
//!
//! On a serial line a record of the kernel stands behind whatever was printed last: a prompt, a line of Xen, a record that
//! broke off.

use memchr::memchr2_iter;

use super::peel::{number, split};
use super::time;

/// Length of the shortest time that the kernel prints: five places of seconds, a point, six digits
/// (kernel/printk/printk.c, `print_time`: `[%5lu.%06lu]`).
const SHORTEST_TIME: usize = 12;

/// A place where another record begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seam {
    /// Where the text before it ends.
    pub(super) end: usize,
    /// Where the other record begins.
    pub(super) start: usize,
    /// How many records the kernel says it dropped between the two.
    pub(super) dropped: Option<u64>,
}

/// The first place in a message where another record begins.
pub(super) fn seam(message: &[u8]) -> Option<Seam> {
    memchr2_iter(b'[', b'*', message).find_map(|at| {
        let (before, rest) = split(message, at);
        if let Some((count, behind)) = dropped(rest) {
            return Some(Seam { end: at, start: message.len() - behind.len(), dropped: Some(count) });
        }
        let start = at - priority(before);
        // Xen prints the same form of time behind its prefix, by its own clock (xen/drivers/char/console.c).
        (at > 0 && !before.ends_with(b"(XEN) ") && is_time(rest)).then_some(Seam { end: start, start, dropped: None })
    })
}

/// `** 12 printk messages dropped **`, and what stands behind it: until 4.10 the next record in the same line
/// (kernel/printk/printk.c, `console_unlock`; from 6.4 `console_prepend_dropped`).
pub(super) fn dropped(text: &[u8]) -> Option<(u64, &[u8])> {
    let (count, rest) = number(text.strip_prefix(b"** ")?)?;
    let rest = rest.strip_prefix(b" printk messages dropped **")?;
    Some((count, rest.strip_prefix(b" ").unwrap_or(rest)))
}

/// Whether the text begins with the time that the kernel prints before a message.
fn is_time(text: &[u8]) -> bool {
    let Some(inside) = text.strip_prefix(b"[") else { return false };
    let Some((_, rest)) = time::uptime(inside) else { return false };
    inside.len() - rest.len() >= SHORTEST_TIME && matches!(rest, [b']'] | [b']', b' ' | b'[', ..])
}

/// Length of the priority at the end of the text: `<6>`.
fn priority(text: &[u8]) -> usize {
    let Some(inside) = text.strip_suffix(b">") else { return 0 };
    let digits = inside.iter().rev().take_while(|byte| byte.is_ascii_digit()).take(4).count();
    let open = split(inside, inside.len() - digits).0;
    if digits > 0 && open.ends_with(b"<") { digits + 2 } else { 0 }
}

#[cfg(test)]
#[expect(clippy::string_slice, reason = "the texts are ASCII")]
mod tests {
    use super::*;

    fn parts(message: &str) -> Option<(&str, &str, Option<u64>)> {
        let seam = seam(message.as_bytes())?;
        Some((&message[..seam.end], &message[seam.start..], seam.dropped))
    }

    #[test]
    fn a_time_of_the_kernel_or_its_note_begins_another_record() {
        for (message, expected) in [
            ("dom0 login: [   51.772755] pciback", Some(("dom0 login: ", "[   51.772755] pciback", None))),
            ("system 00:08[   10.543372] Freeing", Some(("system 00:08", "[   10.543372] Freeing", None))),
            ("(XEN) x<14>[   10.543372] y", Some(("(XEN) x", "<14>[   10.543372] y", None))),
            ("x [   10.543372][    T1] y", Some(("x ", "[   10.543372][    T1] y", None))),
            ("x [12345.543372]", Some(("x ", "[12345.543372]", None))),
            ("** 12 printk messages dropped ** y", Some(("", "y", Some(12)))),
            ("x** 3 printk messages dropped **", Some(("x", "", Some(3)))),
            ("[   10.543372] y", None),
            ("x [10.543372] y", None),
            ("x [   10.54337] y", None),
            ("x [   10.543372]y", None),
            ("x ** 12 messages dropped **", None),
            ("[mem 0x0-0x1]", None),
        ] {
            assert_eq!(parts(message), expected, "{message}");
        }
    }
}
