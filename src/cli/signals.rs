//! The signals that end a command, or have a watch begin anew.

use std::fs;
use std::io::{ErrorKind, Read as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use signal_hook::consts::{SIGABRT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGXCPU, SIGXFSZ};
use signal_hook::{flag, low_level};

/// Signals that came. Their handlers note them and wake whoever polls [`Signals::source`].
pub(super) struct Signals {
    wake: UnixStream,
    /// The last signal that ends a command, 0 for none.
    end: Arc<AtomicUsize>,
    again: Arc<AtomicBool>,
}

impl Signals {
    /// Catches the signals that end a one-shot command.
    pub(super) fn of_one_shot() -> Result<Self, String> {
        Self::catch(ending().chain(Some(SIGHUP).filter(|signal| !is_ignored(*signal))), None)
    }

    /// Catches the signals that end a watch, and SIGHUP, which has it begin anew.
    pub(super) fn of_watch() -> Result<Self, String> {
        Self::catch(ending(), Some(SIGHUP))
    }

    /// Catches the signals that end a watch.
    pub(super) fn that_end_a_watch() -> Result<Self, String> {
        Self::catch(ending(), None)
    }

    fn catch(end: impl Iterator<Item = i32>, again: Option<i32>) -> Result<Self, String> {
        let catch = || {
            let (wake, bell) = UnixStream::pair()?;
            wake.set_nonblocking(true)?;
            let signals = Self { wake, end: Arc::default(), again: Arc::default() };
            // What is noted is set first: whoever is woken finds it.
            for signal in end {
                flag::register_usize(signal, Arc::clone(&signals.end), usize::try_from(signal).unwrap_or_default())?;
                low_level::pipe::register(signal, bell.try_clone()?)?;
            }
            if let Some(signal) = again {
                flag::register(signal, Arc::clone(&signals.again))?;
                low_level::pipe::register(signal, bell.try_clone()?)?;
            }
            Ok(signals)
        };
        catch().map_err(|error: std::io::Error| format!("signals cannot be caught: {error}"))
    }

    /// What becomes readable when a signal came.
    pub(super) fn source(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }

    /// Whether to end.
    pub(super) fn end(&self) -> bool {
        self.end.load(Ordering::SeqCst) > 0
    }

    /// The signal that came since this was asked last, if it ends the command.
    pub(super) fn take_end(&mut self) -> Option<i32> {
        self.empty();
        i32::try_from(self.end.swap(0, Ordering::SeqCst)).ok().filter(|signal| *signal > 0)
    }

    /// Whether to begin anew. Says so once for each time it was asked.
    pub(super) fn again(&mut self) -> bool {
        self.empty();
        self.again.swap(false, Ordering::SeqCst)
    }

    /// Empties what woke us.
    fn empty(&mut self) {
        let mut bytes = [0; 64];
        loop {
            match self.wake.read(&mut bytes) {
                Ok(1..) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(_) | Err(_) => break,
            }
        }
    }
}

/// All signals that are sent to end a process, so that it leaves nothing behind. Where its parent has it ignore one, it goes on
/// (`nohup`, and a shell's `&`), but not on SIGTERM and SIGINT.
fn ending() -> impl Iterator<Item = i32> {
    let others = [SIGQUIT, SIGUSR1, SIGUSR2, SIGXCPU].into_iter().filter(|signal| !is_ignored(*signal));
    [SIGTERM, SIGINT].into_iter().chain(others)
}

/// Has a write beyond `RLIMIT_FSIZE` fail with an error (EFBIG) instead of ending the process by SIGXFSZ (setrlimit(2)).
pub(super) fn survive_file_size_limit() {
    // Where it cannot be caught the signal still does no harm to an older report.
    flag::register(SIGXFSZ, Arc::<AtomicBool>::default()).map(drop).unwrap_or_default();
}

/// Has a process that cannot go on for lack of memory end with `status` instead of by SIGABRT: the allocator has said why by then
/// (library/std/src/alloc.rs of Rust, `default_alloc_error_hook`). Nothing can be written any more, neither a report.
pub(super) fn survive_lack_of_memory(status: u8) {
    let always = Arc::new(AtomicBool::new(true));
    // Where it cannot be caught the signal still tells.
    flag::register_conditional_shutdown(SIGABRT, status.into(), always).map(drop).unwrap_or_default();
}

/// Ends the process as `signal` would have.
pub(super) fn end_by(signal: i32) {
    // It returns only for a signal that the system does not know.
    low_level::emulate_default_handler(signal).unwrap_or_default();
}

/// Notes which signals the parent has this process ignore, from the mask of /proc/self/status (`proc_pid_status(5)`): none where
/// that cannot be read. It can be as long as no right is given up.
pub(super) fn note_ignored() {
    ignored();
}

/// Bit 0 is signal 1.
fn ignored() -> u64 {
    static IGNORED: OnceLock<u64> = OnceLock::new();
    *IGNORED.get_or_init(|| {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).map(str::trim);
        mask.and_then(|mask| u64::from_str_radix(mask, 16).ok()).unwrap_or_default()
    })
}

fn is_ignored(signal: i32) -> bool {
    signal > 0 && ignored().checked_shr(signal.unsigned_abs() - 1).is_some_and(|mask| mask & 1 == 1)
}
