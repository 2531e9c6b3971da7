//! One line of the hypervisor: its prefix and its time.

use std::sync::Arc;

use chrono::{FixedOffset, NaiveDateTime};
use memchr::memmem;

use crate::record::{Place, Record, Wall};

/// Longest text that is kept of a line: a console line of Xen has 1,024 bytes at most (xen/drivers/char/console.c).
const LONGEST: usize = 1024;

const PREFIX: &[u8] = b"(XEN) ";

/// One line of the hypervisor.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Where it stands.
    pub place: Place,
    /// When it was printed, where a date stands in it.
    pub wall: Option<Wall>,
    /// The text behind the prefix and its time.
    pub text: Arc<[u8]>,
}

/// The line of Xen in a record. What a guest printed into Xen's console begins with `(d5) `, and is none, whatever it holds.
pub(super) fn read(record: &Record<'_>) -> Option<Line> {
    let message = behind_times(&record.message).0;
    let at = memmem::find(message, PREFIX)?;
    let (before, rest) = message.split_at_checked(at)?;
    if before.trim_ascii_start().starts_with(b"(d") {
        return None;
    }
    let (text, wall) = behind_times(rest.get(PREFIX.len()..)?);
    if is_guest_text(text) {
        return None;
    }
    let text = text.get(..LONGEST).unwrap_or(text).trim_ascii();
    Some(Line { place: record.place, wall: wall.or(record.stamp.wall), text: text.into() })
}

/// `HVM4: ` begins what an HVM guest printed (xen/arch/x86/hvm/hvm.c `hvm_print_line`, until 4.2).
fn is_guest_text(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"HVM").unwrap_or_default();
    let behind = digits.iter().position(|byte| !byte.is_ascii_digit());
    behind.is_some_and(|at| at > 0 && digits.get(at) == Some(&b':'))
}

/// What follows the times in square brackets, and the date in the last of them: `console_timestamps` prints the date, the
/// date with milliseconds, seconds since boot, or the processor's counter (xen/drivers/char/console.c `printk_start_of_line`).
fn behind_times(text: &[u8]) -> (&[u8], Option<Wall>) {
    let (mut rest, mut wall) = (text.trim_ascii_start(), None);
    while let Some((inside, behind)) = bracket(rest) {
        wall = date(inside).or(wall);
        rest = behind.trim_ascii_start();
    }
    (rest, wall)
}

fn bracket(text: &[u8]) -> Option<(&[u8], &[u8])> {
    const LONGEST_TIME: usize = 32;
    let inside = text.strip_prefix(b"[")?;
    let end = inside.iter().take(LONGEST_TIME).position(|byte| *byte == b']')?;
    let (inside, rest) = inside.split_at_checked(end)?;
    let is_time = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b' ' | b':' | b'.' | b'-');
    let holds_digit = inside.iter().any(u8::is_ascii_digit);
    (holds_digit && inside.iter().all(is_time)).then_some((inside, rest.get(1..)?))
}

/// The date in Xen's own time is that of its wall clock, in UTC (xen/common/time.c `wallclock_time`).
fn date(inside: &[u8]) -> Option<Wall> {
    let text = std::str::from_utf8(inside).ok()?.trim();
    let local = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").ok()?;
    Some(Wall { local, offset: FixedOffset::east_opt(0) })
}
