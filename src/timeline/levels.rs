//! Whether a log holds records of level info, as seizing lines are, or was filtered above that.

use crate::event::Event;
use crate::record::Record;

/// Whether the kernel prints such a record at level info, so that a log which holds it was not filtered above that.
pub(super) fn is_info(event: &Event, record: &Record<'_>) -> bool {
    let always =
        matches!(event, Event::Seizing { .. } | Event::BackendReady | Event::Found { .. } | Event::Bridge { .. });
    // init/main.c prints "Kernel command line:" at level notice.
    always || (matches!(event, Event::CommandLine { .. }) && record.message.starts_with(b"Command line: "))
}

/// Whether a kernel's command line makes its console drop records of level info (init/main.c, `quiet_kernel`, `loglevel`;
/// kernel/printk/printk.c, `ignore_loglevel`).
pub(super) fn silences(command_line: &[u8]) -> bool {
    let mut quiet = false;
    for word in command_line.split(u8::is_ascii_whitespace) {
        match word {
            b"quiet" => quiet = true,
            b"debug" => quiet = false,
            b"ignore_loglevel" => return false,
            _ => {
                if let Some(level) = word.strip_prefix(b"loglevel=").and_then(|level| level.first()) {
                    quiet = level.is_ascii_digit() && *level < b'7';
                }
            }
        }
    }
    quiet
}
