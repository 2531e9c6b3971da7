//! Signs that user space is up. They are no messages of the kernel: nothing but the length of a boot rests on them.

use crate::record::{Author, Record};

/// What systemd calls the states of a system that is up.
const TARGETS: [&str; 4] = ["Multi-User System", "multi-user.target", "Graphical Interface", "graphical.target"];

/// Longest line that is taken for a getty's prompt: it holds the host's name.
const PROMPT: usize = 128;

/// Whether `record` is systemd's word that the system is up, or a getty's prompt on a console.
pub(super) fn is_up(record: &Record<'_>) -> bool {
    let message = record.message.as_ref();
    match record.program() {
        Some(b"systemd") => is_systemd(message),
        Some(_) => false,
        None => {
            let own = message.strip_prefix(b"[  OK  ] ").or_else(|| systemd(message));
            own.is_some_and(is_systemd) || is_prompt(record)
        }
    }
}

fn is_systemd(text: &[u8]) -> bool {
    if let Some(target) = text.strip_prefix(b"Reached target ") {
        let near = target.get(..64).unwrap_or(target);
        return TARGETS.iter().any(|name| memchr::memmem::find(near, name.as_bytes()).is_some());
    }
    text.starts_with(b"Startup finished in ")
}

/// The text behind `systemd[1]: `.
fn systemd(message: &[u8]) -> Option<&[u8]> {
    let rest = message.strip_prefix(b"systemd[")?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    rest.get(digits..)?.strip_prefix(b"]: ")
}

/// `gaia login: `, as agetty prints it: no log's own form is around it.
fn is_prompt(record: &Record<'_>) -> bool {
    let bare = record.identifier.is_none() && record.author == Author::Unstated && record.level.is_none();
    let message = record.message.as_ref();
    bare && record.stamp.uptime.is_none() && message.len() <= PROMPT && message.trim_ascii_end().ends_with(b"login:")
}
