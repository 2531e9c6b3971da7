//! journald's kernel messages, through `journalctl`: the one program that this one ever runs, and only when asked to.
//!
//! Its export form carries facility, boot id and monotonic time of each record, and bytes of any kind.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, getpid, getppid, set_parent_process_death_signal};

use super::inside::words;
use super::log::decode;
use crate::timeline::Log;

const PROGRAM: &str = "journalctl";

/// Where it is looked for behind the directories of `PATH`.
const PLACES: [&str; 2] = ["/usr/bin", "/bin"];

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

/// Starts the child that the next `Logs::journal` reads from: before the right to start one is given up (`Rights`). The child ends
/// with the thread that starts it.
pub fn start_journal(all: bool) {
    let child = spawn(all);
    started().push_back(child);
}

fn spawn(all: bool) -> Result<Child, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let Some(program) = find(&path) else {
        return Err(format!("there is no {PROGRAM} in a directory of PATH that only root and this user can write to"));
    };
    let mut command = Command::new(&program);
    command.args(arguments(all)).env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    end_with_this_process(&mut command);
    command.spawn().map_err(|error| format!("{} cannot be run: {}", program.display(), words(&error)))
}

/// Has the kernel kill the child when this process ends, also by SIGKILL: it may wait for a disk, and ignore that nobody reads.
#[expect(unsafe_code, reason = "std calls nothing in a child before exec that is not promised to be fit for it")]
fn end_with_this_process(command: &mut Command) {
    let parent = getpid();
    // SAFETY: between fork and exec only what is async-signal-safe may be called: `bound_to` makes two system calls, and neither
    // allocates nor locks.
    unsafe { command.pre_exec(move || bound_to(parent)) };
}

/// Binds this process to its parent, unless that has ended in the meantime.
fn bound_to(parent: Pid) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    if getppid() == Some(parent) { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
}

/// The first program of that name that nobody but root and this user can have put there: who runs this as root must not be served
/// from somebody else's directory.
fn find(path: &OsStr) -> Option<PathBuf> {
    let directories = std::env::split_paths(path).chain(PLACES.map(PathBuf::from));
    let closed = directories.filter(|directory| directory.is_absolute() && is_closed(directory));
    closed.map(|directory| directory.join(PROGRAM)).find(|program| is_closed(program))
}

fn is_closed(path: &Path) -> bool {
    let trusted = [0, rustix::process::geteuid().as_raw()];
    fs::metadata(path).is_ok_and(|about| trusted.contains(&about.uid()) && about.mode() & 0o022 == 0)
}

/// Reads the journal into `log`, which is number `index`: of the running boot, or of all that are kept.
pub(super) fn read(index: usize, all: bool, log: &mut Log) -> Result<(), String> {
    let early = started().pop_front();
    let mut child = early.unwrap_or_else(|| spawn(all))?;
    // Both pipes are emptied at once: a child that waits to complain would never end.
    let complaints = child.stderr.take().map(|mut pipe| {
        std::thread::spawn(move || {
            let mut text = Vec::new();
            let read =
                pipe.by_ref().take(4 << 10).read_to_end(&mut text).and_then(|_| io::copy(&mut pipe, &mut io::sink()));
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
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_program_that_another_user_can_have_put_there_is_passed_over() {
        let directory = tempfile::tempdir().unwrap();
        let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        let program = directory.path().join(PROGRAM);
        let found = || find(directory.path().as_os_str()).filter(|found| *found == program);
        assert_eq!(found(), None);
        fs::write(&program, "#!/bin/sh\n").unwrap();
        mode(&program, 0o755);
        assert_eq!(found(), Some(program.clone()));
        for (directory_mode, program_mode) in [(0o777, 0o755), (0o755, 0o775)] {
            mode(directory.path(), directory_mode);
            mode(&program, program_mode);
            assert_eq!(found(), None, "{directory_mode:o} {program_mode:o}");
        }
        assert_eq!(find(OsStr::new(".:relative")).filter(|found| found.is_relative()), None);
    }

    #[test]
    fn only_the_running_boot_is_asked_for_unless_another_is_wanted() {
        assert_eq!(arguments(false).join(" "), "--no-pager -o export -b 0 _TRANSPORT=kernel _TRANSPORT=driver");
        assert_eq!(arguments(true).join(" "), "--no-pager -o export _TRANSPORT=kernel _TRANSPORT=driver");
    }
}
