//! The ways in which bytes of a log are read.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::BorrowedFd;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// What others may know of a scan that is running, and how they stop it.
#[derive(Debug, Default)]
pub struct Progress {
    /// Bytes of the files that were read so far, packed ones as they are.
    pub done: AtomicU64,
    /// Bytes there are to read, as far as that is known.
    pub total: AtomicU64,
    /// Set it to have the scan stop, and judge by what it has. A handler of signals may hold it, too.
    pub stop: Arc<AtomicBool>,
}

impl Progress {
    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// Reads a file from a place on; several can do so at a time.
pub(super) struct From<'a> {
    pub(super) file: &'a File,
    pub(super) at: u64,
    pub(super) progress: &'a Progress,
}

impl Read for From<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read_at(buffer, self.at)?;
        self.at += length as u64;
        self.progress.done.fetch_add(length as u64, Ordering::Relaxed);
        Ok(length)
    }
}

/// Reads from a pipe, unless the scan is stopped while it waits.
pub(super) struct Patient<'a> {
    pub(super) from: BorrowedFd<'a>,
    pub(super) progress: &'a Progress,
}

/// How often somebody who waits for a pipe asks whether to go on.
const PATIENCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

impl Read for Patient<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.progress.is_stopped() {
                return Err(io::Error::other("the scan was stopped"));
            }
            match poll(&mut [PollFd::new(&self.from, PollFlags::IN)], Some(&PATIENCE)) {
                Ok(0) | Err(Errno::INTR) => {}
                Ok(_) => return Ok(rustix::io::read(self.from, &mut *buffer)?),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Counts what is read of a packed file.
pub(super) struct Counted<'a, R> {
    pub(super) reader: R,
    pub(super) progress: &'a Progress,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.reader.read(buffer)?;
        self.progress.done.fetch_add(length as u64, Ordering::Relaxed);
        Ok(length)
    }
}

/// Knows how far it was read.
pub(super) struct Followed<R> {
    pub(super) reader: R,
    pub(super) length: u64,
}

impl<R: Read> Read for Followed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.reader.read(buffer)?;
        self.length += length as u64;
        Ok(length)
    }
}
