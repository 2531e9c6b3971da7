//! Where the events of a watch go. A file gets all of them; a slow reader of a pipe is never waited for, and is told how
//! many were left out.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::{Path, PathBuf};

use pciback_audit::source::{append, write_some};

use crate::cli::write;

/// Bytes that may wait for a reader, or for room on a full disk: some ten thousand events. What comes behind them is counted
/// and left out.
const MOST: usize = 4 << 20;

/// Standard output, or the file of `--output`.
pub(super) struct Outlet {
    sink: Channel,
    /// Lines whose bytes are not all written yet.
    pending: VecDeque<u8>,
    /// Lines that were left out.
    skipped: u64,
    /// Lines that were left out according to a note that is not written yet.
    noted: u64,
    /// Why nothing can be written, once that was said.
    trouble: Option<String>,
}

enum Channel {
    Stdout,
    File(PathBuf, File),
    Closed,
}

impl Outlet {
    /// Opens the file, to append to it.
    pub(super) fn open(path: Option<&Path>) -> Result<Self, String> {
        let sink = match path {
            None => Channel::Stdout,
            Some(path) => Channel::File(path.to_owned(), open(path)?),
        };
        Ok(Self { sink, pending: VecDeque::new(), skipped: 0, noted: 0, trouble: None })
    }

    /// Opens the file again, as after a rotation. Where that fails the old one is kept.
    pub(super) fn reopen(&mut self) {
        self.flush();
        if let Channel::File(path, file) = &mut self.sink {
            match open(path) {
                Ok(fresh) => *file = fresh,
                Err(why) => {
                    write::complain(&why, 0);
                }
            }
        }
    }

    /// Notes a line to be written. It is left out only if the sink takes nothing although [`MOST`] bytes wait for it.
    pub(super) fn tell(&mut self, line: &str) {
        if self.pending.len() + line.len() > MOST {
            self.flush();
        }
        match self.sink {
            Channel::Closed => {}
            _ if self.pending.len() + line.len() > MOST || self.skipped > 0 => self.skipped += 1,
            Channel::Stdout | Channel::File(..) => self.pending.extend(line.as_bytes()),
        }
    }

    /// Says how many lines are left out for ever, if any.
    pub(super) fn end(&mut self) {
        let lines = self.pending.iter().filter(|byte| **byte == b'\n').count();
        let unwritten = u64::try_from(lines).unwrap_or(u64::MAX).saturating_sub(u64::from(self.noted > 0));
        let lost = self.skipped.saturating_add(self.noted).saturating_add(unwritten);
        if lost > 0 {
            let name = self.name();
            write::complain(&format!("{name}: the last {lost} events are left out: they could not be written"), 0);
        }
    }

    /// How many lines were left out, once there is room to say so: the next line that is told must be the note of it.
    pub(super) fn skipped(&mut self) -> Option<u64> {
        if self.skipped == 0 || !self.pending.is_empty() {
            return None;
        }
        self.noted = std::mem::take(&mut self.skipped);
        Some(self.noted)
    }

    /// Writes what can be written without waiting.
    pub(super) fn flush(&mut self) {
        self.write();
        if self.pending.is_empty() {
            self.noted = 0;
        }
    }

    fn write(&mut self) {
        while !self.pending.is_empty() {
            let (first, _) = self.pending.as_slices();
            let written = match &mut self.sink {
                Channel::Stdout => write_some(io::stdout().as_fd(), first),
                Channel::File(_, file) => file.write(first),
                Channel::Closed => return self.pending.clear(),
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
        let name = self.name();
        match &trouble {
            Some(why) => write::complain(&format!("{name}: {why}; will try again"), 0),
            None => write::complain(&format!("{name}: written again"), 0),
        };
        self.trouble = trouble;
    }

    fn name(&self) -> String {
        match &self.sink {
            Channel::File(path, _) => format!("--output {}", write::safe(path)),
            Channel::Stdout | Channel::Closed => "standard output".to_owned(),
        }
    }

    /// The reader has gone.
    pub(super) fn close(&mut self) {
        self.sink = Channel::Closed;
        self.pending.clear();
    }

    /// Whether nobody reads any more, nor the other file that is kept.
    pub(super) const fn is_closed(&self, other: bool) -> bool {
        matches!(self.sink, Channel::Closed) && !other
    }

    /// Whether something waits that only time can mend.
    pub(super) const fn is_stuck(&self) -> bool {
        self.trouble.is_some()
    }

    /// What to wait for: the reader of standard output, that it reads on, or goes away.
    pub(super) fn sink(&self) -> Option<(BorrowedFd<'static>, bool)> {
        matches!(self.sink, Channel::Stdout).then(|| (rustix::stdio::stdout(), self.waits()))
    }

    fn waits(&self) -> bool {
        !self.pending.is_empty() && self.trouble.is_none()
    }
}

fn open(path: &Path) -> Result<File, String> {
    append(path).map_err(|why| format!("--output {}: {why}", write::safe(path)))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn line(number: usize) -> String {
        format!("{number} {}\n", "x".repeat(1000))
    }

    #[test]
    fn a_file_gets_every_line_of_a_burst() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("events");
        let mut outlet = Outlet::open(Some(&path)).unwrap();
        let burst: Vec<String> = (0..3 * MOST / 1000).map(line).collect();
        for line in &burst {
            outlet.tell(line);
        }
        outlet.flush();
        assert_eq!(outlet.skipped(), None);
        assert!(fs::read_to_string(&path).unwrap() == burst.concat());
    }

    #[test]
    fn what_does_not_fit_is_counted_to_the_last_line() {
        let mut outlet = Outlet::open(Some(Path::new("/dev/full"))).unwrap();
        let lines = 2 * MOST / 1000;
        (0..lines).for_each(|number| outlet.tell(&line(number)));
        let waiting = outlet.pending.iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(outlet.skipped(), None, "there is no room to say so");
        assert_eq!(waiting + usize::try_from(outlet.skipped).unwrap(), lines);
        // The disk has room again.
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("events");
        outlet.sink = Channel::File(path.clone(), open(&path).unwrap());
        outlet.flush();
        let skipped = outlet.skipped();
        assert_eq!(skipped, Some(u64::try_from(lines - waiting).unwrap()));
        assert_eq!((outlet.noted, fs::read_to_string(&path).unwrap().lines().count()), (skipped.unwrap(), waiting));
        outlet.tell("note\n");
        outlet.flush();
        assert_eq!(outlet.noted, 0);
    }
}
