//! The signals that end a watch, or have it begin anew.

use std::io::{ErrorKind, Read as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::{flag, low_level};

/// Signals that came. They are noted by a handler and heard in the loop, never in between.
pub(super) struct Signals {
    wake: UnixStream,
    end: Arc<AtomicBool>,
    again: Arc<AtomicBool>,
}

impl Signals {
    /// Catches SIGTERM, SIGINT and SIGHUP from now on.
    pub(super) fn catch() -> Result<Self, String> {
        let catch = || {
            let (wake, bell) = UnixStream::pair()?;
            wake.set_nonblocking(true)?;
            let signals = Self { wake, end: Arc::default(), again: Arc::default() };
            for (signal, flag) in [(SIGTERM, &signals.end), (SIGINT, &signals.end), (SIGHUP, &signals.again)] {
                // The flag is set first: whoever is woken by the bell finds it.
                flag::register(signal, Arc::clone(flag))?;
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
        self.end.load(Ordering::SeqCst)
    }

    /// Whether to begin anew. Says so once for each time it was asked.
    pub(super) fn again(&mut self) -> bool {
        let mut rung = [0; 64];
        loop {
            match self.wake.read(&mut rung) {
                Ok(1..) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(_) | Err(_) => break,
            }
        }
        self.again.swap(false, Ordering::SeqCst)
    }
}
