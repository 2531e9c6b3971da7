//! Where the events of a watch go: never waits for a slow reader, never forgets to say that something was left out.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::{Path, PathBuf};

use pciback_audit::source::write_some;

use crate::cli::write;

/// Bytes that may wait for a reader; what comes behind them is counted and left out.
const MOST: usize = 64 << 10;

/// Standard output, or the file of `--output`.
pub(super) struct Outlet {
    sink: Sink,
    /// Written lines whose bytes are not all out yet.
    pending: Vec<u8>,
    /// Lines that were left out.
    skipped: u64,
    /// Why nothing can be written, once that was said.
    trouble: Option<String>,
}

enum Sink {
    Stdout,
    File(PathBuf, File),
    Closed,
}

impl Outlet {
    /// Opens the file, to append to it.
    pub(super) fn open(path: Option<&Path>) -> Result<Self, String> {
        let sink = match path {
            None => Sink::Stdout,
            Some(path) => Sink::File(path.to_owned(), append(path)?),
        };
        Ok(Self { sink, pending: Vec::new(), skipped: 0, trouble: None })
    }

    /// Opens the file again, as after a rotation. Where that fails the old one is kept.
    pub(super) fn reopen(&mut self) {
        self.flush();
        if let Sink::File(path, file) = &mut self.sink {
            match append(path) {
                Ok(fresh) => *file = fresh,
                Err(why) => {
                    write::complain(&why, 0);
                }
            }
        }
    }

    /// Notes a line to be written.
    pub(super) fn tell(&mut self, line: &str) {
        match self.sink {
            Sink::Closed => {}
            _ if self.pending.len() + line.len() > MOST || self.skipped > 0 => self.skipped += 1,
            Sink::Stdout | Sink::File(..) => self.pending.extend_from_slice(line.as_bytes()),
        }
    }

    /// How many lines were left out, once there is room to say so.
    pub(super) fn skipped(&mut self) -> Option<u64> {
        (self.skipped > 0 && self.pending.is_empty()).then(|| std::mem::take(&mut self.skipped))
    }

    /// Writes what can be written without waiting.
    pub(super) fn flush(&mut self) {
        while !self.pending.is_empty() {
            let written = match &mut self.sink {
                Sink::Stdout => write_some(io::stdout().as_fd(), &self.pending),
                Sink::File(_, file) => file.write(&self.pending),
                Sink::Closed => return self.pending.clear(),
            };
            match written {
                Ok(length) => {
                    self.pending.drain(..length.min(self.pending.len()));
                    self.say(None);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return self.close(),
                Err(error) => return self.say(Some(error.to_string())),
            }
        }
    }

    /// Says once what is wrong, and once that it is right again.
    fn say(&mut self, trouble: Option<String>) {
        if trouble == self.trouble {
            return;
        }
        let name = match &self.sink {
            Sink::File(path, _) => format!("--output {}", write::safe(path)),
            Sink::Stdout | Sink::Closed => "standard output".to_owned(),
        };
        match &trouble {
            Some(why) => write::complain(&format!("{name}: {why}; will try again"), 0),
            None => write::complain(&format!("{name}: written again"), 0),
        };
        self.trouble = trouble;
    }

    /// The reader has gone.
    pub(super) fn close(&mut self) {
        self.sink = Sink::Closed;
        self.pending.clear();
    }

    /// Whether nobody reads any more, nor the other file that is kept.
    pub(super) const fn is_closed(&self, other: bool) -> bool {
        matches!(self.sink, Sink::Closed) && !other
    }

    /// Whether something waits that only time can mend.
    pub(super) const fn is_stuck(&self) -> bool {
        self.trouble.is_some()
    }

    /// What to wait for: the reader of standard output, that it reads on, or goes away.
    pub(super) fn sink(&self) -> Option<(BorrowedFd<'static>, bool)> {
        matches!(self.sink, Sink::Stdout).then(|| (rustix::stdio::stdout(), self.waits()))
    }

    fn waits(&self) -> bool {
        !self.pending.is_empty() && self.trouble.is_none()
    }
}

fn append(path: &Path) -> Result<File, String> {
    let opened = OpenOptions::new().append(true).create(true).open(path);
    opened.map_err(|error| format!("--output {}: {error}", write::safe(path)))
}
