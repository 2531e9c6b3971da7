//! journald's kernel messages, through `journalctl`: the one program that this one ever runs, and only when asked to.
//!
//! Its export form carries facility, boot id and monotonic time of each record, and bytes of any kind.

use std::collections::VecDeque;
use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::log::decode;
use crate::timeline::Log;

/// By absolute path: who runs this as root must not be served from another directory of `PATH`.
const PROGRAMS: [&str; 2] = ["/usr/bin/journalctl", "/bin/journalctl"];

/// The children that were started and are not read from yet, or why one could not be.
static STARTED: Mutex<VecDeque<Result<Child, String>>> = Mutex::new(VecDeque::new());

/// The child, while it is read from.
static RUNNING: Mutex<Option<Child>> = Mutex::new(None);

fn started() -> MutexGuard<'static, VecDeque<Result<Child, String>>> {
    STARTED.lock().unwrap_or_else(PoisonError::into_inner)
}

fn running() -> MutexGuard<'static, Option<Child>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends the children, if there are any.
pub(super) fn stop() {
    let waiting = std::mem::take(&mut *started()).into_iter().filter_map(Result::ok);
    for mut child in waiting.chain(running().take()) {
        // It may have ended by itself.
        child.kill().unwrap_or_default();
    }
}

/// Starts the child that the next `Logs::journal` reads from: before the right to start one is given up (`Rights`).
pub fn start_journal(all: bool) {
    let child = spawn(all);
    started().push_back(child);
}

fn spawn(all: bool) -> Result<Child, String> {
    let Some(program) = PROGRAMS.iter().find(|program| std::path::Path::new(program).exists()) else {
        return Err(format!("there is no {}", PROGRAMS.join(" and no ")));
    };
    Command::new(program)
        .args(arguments(all))
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{program} cannot be run: {error}"))
}

/// Reads the journal into `log`, which is number `index`: of the running boot, or of all that are kept.
pub(super) fn read(index: usize, all: bool, log: &mut Log) -> Result<(), String> {
    let early = started().pop_front();
    let mut child = early.unwrap_or_else(|| spawn(all))?;
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
    Err(format!("journalctl failed ({status}): {said}"))
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
