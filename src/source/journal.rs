//! journald's kernel messages, through `journalctl`: the one program that this one ever runs, and only when asked to.
//!
//! Its export form carries facility, boot id and monotonic time of each record, and bytes of any kind.

use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::log::decode;
use crate::timeline::Log;

/// By absolute path: who runs this as root must not be served from another directory of `PATH`.
const PROGRAMS: [&str; 2] = ["/usr/bin/journalctl", "/bin/journalctl"];

/// The child, while it is read from.
static RUNNING: Mutex<Option<Child>> = Mutex::new(None);

fn running() -> MutexGuard<'static, Option<Child>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends the child, if there is one.
pub(super) fn stop() {
    if let Some(mut child) = running().take() {
        // It may have ended by itself.
        child.kill().unwrap_or_default();
    }
}

/// Reads the journal into `log`, which is number `index`: of the running boot, or of all that are kept.
pub(super) fn read(index: usize, all: bool, log: &mut Log) -> Result<(), String> {
    let Some(program) = PROGRAMS.iter().find(|program| std::path::Path::new(program).exists()) else {
        return Err(format!("there is no {}", PROGRAMS.join(" and no ")));
    };
    let mut child = Command::new(program)
        .args(arguments(all))
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{program} cannot be run: {error}"))?;
    // Both pipes are emptied at once: a child that waits to complain would never end.
    let complaints = child.stderr.take().map(|mut pipe| {
        std::thread::spawn(move || {
            let mut text = Vec::new();
            let read = pipe
                .by_ref()
                .take(4 << 10)
                .read_to_end(&mut text)
                .and_then(|_| std::io::copy(&mut pipe, &mut std::io::sink()));
            read.map(|_| text)
        })
    });
    let output = child.stdout.take();
    *running() = Some(child);
    let decoded = output.map_or(Ok(()), |mut pipe| decode(index, &mut pipe, log));
    let Some(mut child) = running().take() else { return Err("it was stopped".to_owned()) };
    let status = child.wait().map_err(|error| error.to_string())?;
    decoded?;
    if status.success() {
        return Ok(());
    }
    let text = complaints.and_then(|thread| thread.join().ok()?.ok()).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let said = text.lines().next_back().unwrap_or("it gave no reason");
    Err(format!("{program} failed ({status}): {said}"))
}

fn arguments(all: bool) -> Vec<&'static str> {
    // journald's own notes of missed kernel messages have the transport `driver`, which `-k` would leave out.
    let which: &[&str] = if all { &[] } else { &["-b", "0"] };
    [&["--no-pager", "-o", "export"], which, &["_TRANSPORT=kernel", "_TRANSPORT=driver"]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_running_boot_is_asked_for_unless_another_is_wanted() {
        assert_eq!(arguments(false).join(" "), "--no-pager -o export -b 0 _TRANSPORT=kernel _TRANSPORT=driver");
        assert_eq!(arguments(true).join(" "), "--no-pager -o export _TRANSPORT=kernel _TRANSPORT=driver");
    }
}
