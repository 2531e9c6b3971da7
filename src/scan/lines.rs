//! Reads a stretch of a log whose records are lines.

use std::io::{self, Read};

use memchr::memchr;

use super::picker::Picker;
use super::window::{BLOCK, FRONT, Window};

/// A stretch of a log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    /// Its first byte. Where this is not the start of the log, it begins behind the first line feed from the byte before on.
    pub(super) from: u64,
    /// Lines that begin here or later are not its own.
    pub(super) until: u64,
    /// Whether nobody else can read the last lines of the log once more.
    pub(super) is_stream: bool,
}

/// Reads the lines of a stretch. `reader` begins at its first byte, or one before where that is not the start of the log.
/// Returns where the log ended, if it did.
pub(super) fn read(
    reader: &mut dyn Read,
    stretch: Stretch,
    picker: &mut Picker<'_>,
    go_on: &dyn Fn() -> bool,
) -> (Option<u64>, io::Result<()>) {
    let mut window = Window::new();
    let mut at = stretch.from.saturating_sub(1);
    let mut skipping = stretch.from > 0;
    loop {
        let end = at.saturating_add(window.bytes().len() as u64);
        // Behind the end there is mostly no more to read than the rest of a line.
        let ahead = stretch.until.saturating_sub(end).saturating_add(FRONT as u64);
        let got = match window.fill(reader, usize::try_from(ahead).unwrap_or(BLOCK).min(BLOCK)) {
            Ok(got) => got,
            Err(error) => return (None, Err(error)),
        };
        if got > 0 && !(go_on() && picker.is_wanted()) {
            return (None, Err(io::Error::from(io::ErrorKind::Interrupted)));
        }
        if skipping && !window.skip_line(&mut at) {
            // No line of this stretch begins here.
            if got == 0 || at >= stretch.until {
                return ((got == 0).then_some(at), Ok(()));
            }
            continue;
        }
        skipping = false;
        if let Some(whole) = window.lines(got == 0) {
            let length = whole.len();
            if !lines(whole, at, stretch.until, picker) {
                return (None, Ok(()));
            }
            at += length as u64;
            window.pass(length);
        } else if let Some(length) = window.give_up(got == 0) {
            picker.too_long(at, length);
            at += length;
        }
        if got == 0 {
            if stretch.is_stream {
                let tail = window.last_block();
                last(picker, tail, at - tail.len() as u64);
            }
            return (Some(at), Ok(()));
        }
    }
}

/// Has whole lines looked at. Returns whether more are wanted.
fn lines(lines: &[u8], at: u64, until: u64, picker: &mut Picker<'_>) -> bool {
    let own = usize::try_from(until.saturating_sub(at)).unwrap_or(usize::MAX);
    if own > lines.len() {
        picker.block(lines, at);
        return true;
    }
    // The line that holds the last byte before the end begins before it.
    let behind = own.checked_sub(1).and_then(|last| lines.get(last..));
    let end = behind.map_or(0, |rest| memchr(b'\n', rest).map_or(lines.len(), |end| own + end));
    let (mine, others) = lines.split_at(end);
    if !mine.is_empty() {
        picker.block(mine, at);
    }
    picker.beyond(others, at + end as u64)
}

/// Has the last lines of the log looked at. The first of them is cut, unless it is the first of the log.
pub(super) fn last(picker: &mut Picker<'_>, tail: &[u8], from: u64) {
    let start = if from == 0 { Some(0) } else { memchr(b'\n', tail).map(|end| end + 1) };
    if let Some(start) = start
        && let Some(lines) = tail.get(start..)
    {
        picker.tail(lines, from + start as u64);
    }
}
