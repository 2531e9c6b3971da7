//! `/dev/kmsg`, the kernel's ring buffer, read without waiting and without losing count
//! (Documentation/ABI/testing/dev-kmsg; kernel/printk/printk.c, `devkmsg_read`, 3.5 and later).

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::error::KmsgError;
use crate::record::{Input, Numbered};
use crate::timeline::Log;

const PATH: &str = "/dev/kmsg";

/// A record is at most 8 KiB as the kernel formats it (`PRINTK_MESSAGE_MAX` in kernel/printk/internal.h, before 6.4
/// `CONSOLE_EXT_LOG_MAX`). A shorter buffer would skip records with EINVAL.
const RECORD: usize = 16 << 10;

/// How many reads in a row may give no record (signals, overruns) before the caller gets a word in.
const VAIN: u32 = 64;

/// A writer may be faster than we are: what comes after this is not of the moment that is audited.
const LONGEST: Duration = Duration::from_secs(5);

/// Far above what the largest ring (`log_buf_len=`, 2 GiB) of a real machine holds.
const MOST_RECORDS: u64 = 4 << 20;

/// How many records are read between two looks at the clock.
const ROUND: u64 = 256;

/// Where the records of a ring buffer come from, one a read: the kernel's device, or a played one.
pub trait Ring {
    /// Puts the next record into `buffer` and returns its length in bytes, 0 when there will never be more.
    ///
    /// Errors as `/dev/kmsg` has them: EAGAIN, there is no more for now; EPIPE, records were overwritten before they were
    /// read, and the next read gives the oldest that is left; EINVAL, the record did not fit and is skipped; EINTR, nothing
    /// happened.
    fn read(&mut self, buffer: &mut [u8]) -> rustix::io::Result<usize>;
}

/// The device of the running kernel, from its oldest record on. It can be polled: readable means that records have come,
/// or that some were overwritten.
#[derive(Debug)]
pub struct Kmsg(OwnedFd);

impl Kmsg {
    /// Opens the device. The error names the capability that is missing.
    pub fn open() -> Result<Self, KmsgError> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
        rustix::fs::open(PATH, flags, Mode::empty()).map(Self).map_err(KmsgError::Os)
    }
}

impl AsFd for Kmsg {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Ring for Kmsg {
    fn read(&mut self, buffer: &mut [u8]) -> rustix::io::Result<usize> {
        rustix::io::read(&self.0, buffer)
    }
}

/// How far a [`Reader`] came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Drained {
    /// There are no more records for now.
    Empty,
    /// There may be more.
    More,
    /// There will be no more, and why. The log has failed; reading on changes nothing.
    Ended(KmsgError),
}

/// Reads a ring into a log: every record once, in order, and what is lost counted.
///
/// A loss is known from the error that the kernel gives once, and counted by the sequence number of the next record. Until
/// that has come the log holds a gap of unknown length, so that it can be judged at any time.
#[derive(Debug)]
pub struct Reader<R> {
    ring: R,
    records: Numbered,
    buffer: Vec<u8>,
    /// Whether there was a record yet.
    begun: bool,
    ended: Option<KmsgError>,
}

impl<R: Ring> Reader<R> {
    /// A reader for log number `index` of the case.
    pub fn new(index: usize, ring: R) -> Self {
        Self { ring, records: Numbered::new(index), buffer: vec![0; RECORD], begun: false, ended: None }
    }

    /// Reads until the ring has no more, or `most` records were read, and hands all to `log`, which must be the same every
    /// time.
    ///
    /// Returns [`Drained::More`] as well when many reads in a row gave no record, so that nothing can hold the caller.
    pub fn drain(&mut self, most: u64, log: &mut Log) -> Drained {
        if let Some(why) = self.ended {
            return Drained::Ended(why);
        }
        let mut sink = |input: Input<'_>| log.take(input);
        let (mut read, mut vain) = (0, 0);
        while read < most && vain < VAIN {
            vain += 1;
            match self.ring.read(&mut self.buffer) {
                Ok(0) => return self.end(KmsgError::Ended, log),
                Ok(length) => {
                    (read, vain) = (read + 1, 0);
                    self.begun = true;
                    self.records.take(self.buffer.get(..length).unwrap_or(&self.buffer), &mut sink);
                }
                Err(Errno::AGAIN) => {
                    self.records.pause(&mut sink);
                    return Drained::Empty;
                }
                Err(Errno::INTR) => {}
                // Before the first record that is no gap: the log begins later, which its first sequence number says.
                Err(Errno::PIPE) if !self.begun => {}
                Err(Errno::PIPE | Errno::INVAL) => self.records.gap(&mut sink),
                Err(error) => return self.end(KmsgError::Os(error), log),
            }
        }
        Drained::More
    }

    fn end(&mut self, why: KmsgError, log: &mut Log) -> Drained {
        self.records.pause(&mut |input| log.take(input));
        log.fail(why.to_string());
        self.ended = Some(why);
        Drained::Ended(why)
    }

    /// Reads what is there while `time_left`, and leaves the rest as a gap.
    fn once(&mut self, time_left: &mut dyn FnMut() -> bool, log: &mut Log) -> Result<(), KmsgError> {
        for _ in 0..MOST_RECORDS / ROUND {
            match self.drain(ROUND, log) {
                Drained::Empty => return Ok(()),
                Drained::Ended(why) => return Err(why),
                Drained::More if time_left() => {}
                Drained::More => break,
            }
        }
        self.records.gap(&mut |input| log.take(input));
        Ok(())
    }
}

impl<R: AsFd> AsFd for Reader<R> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.ring.as_fd()
    }
}

/// Reads the ring buffer of the running kernel into `log`, which is number `index`, once.
pub(super) fn read(index: usize, log: &mut Log) -> Result<(), String> {
    let once = |kmsg| Reader::new(index, kmsg).once(&mut started(), log);
    Kmsg::open().and_then(once).map_err(|why| why.to_string())
}

/// Whether time is left, from now on.
#[expect(clippy::disallowed_methods, reason = "an edge: how long the kernel may keep us")]
fn started() -> impl FnMut() -> bool {
    let start = Instant::now();
    move || start.elapsed() < LONGEST
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::LogKind;

    /// Answers its reads with these, then has no more.
    struct Played<'a>(std::slice::Iter<'a, Result<&'a str, Errno>>);

    impl Ring for Played<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> rustix::io::Result<usize> {
            match self.0.next() {
                Some(Ok(text)) => {
                    buffer[..text.len()].copy_from_slice(text.as_bytes());
                    Ok(text.len())
                }
                Some(Err(error)) => Err(*error),
                None => Err(Errno::AGAIN),
            }
        }
    }

    /// The same record, for ever.
    struct Flood(Result<&'static str, Errno>);

    impl Ring for Flood {
        fn read(&mut self, buffer: &mut [u8]) -> rustix::io::Result<usize> {
            Played([self.0].iter()).read(buffer)
        }
    }

    fn log() -> Log {
        Log::new(0, "kmsg".to_owned(), LogKind::Ring)
    }

    fn played(answers: &[Result<&str, Errno>]) -> (Log, Result<(), KmsgError>) {
        let mut log = log();
        let ended = Reader::new(0, Played(answers.iter())).once(&mut || true, &mut log);
        log.end();
        (log, ended)
    }

    #[test]
    fn a_lack_of_permission_names_the_capability() {
        let (log, ended) = played(&[Err(Errno::PERM)]);
        assert_eq!(ended, Err(KmsgError::Os(Errno::PERM)));
        assert!(log.failure.unwrap().contains("CAP_SYSLOG"));
    }

    #[test]
    fn an_overrun_and_an_interruption_do_not_end_it() {
        let (log, ended) = played(&[
            Err(Errno::PIPE),
            Ok("6,10,1000,-;a\n"),
            Err(Errno::INTR),
            Err(Errno::PIPE),
            Ok("6,20,2000,-;b\n"),
            Err(Errno::INVAL),
            Ok("6,22,3000,-;c\n"),
        ]);
        assert_eq!(ended, Ok(()));
        assert_eq!((log.records, log.first_sequence, log.lost), (3, Some(10), 10));
    }

    #[test]
    fn a_device_that_ends_or_breaks_has_failed_for_good() {
        for (answer, why) in [(Ok(""), KmsgError::Ended), (Err(Errno::IO), KmsgError::Os(Errno::IO))] {
            let mut log = log();
            let answers = [Ok("6,10,1000,-;a\n"), answer, Ok("6,11,1000,-;b\n")];
            let mut reader = Reader::new(0, Played(answers.iter()));
            for _ in 0..2 {
                assert_eq!(reader.drain(u64::MAX, &mut log), Drained::Ended(why));
                assert_eq!((log.records, log.failure.clone()), (1, Some(why.to_string())));
            }
        }
    }

    #[test]
    fn a_flood_is_left_in_the_end() {
        let mut log = log();
        let mut left = 10;
        let mut time_left = || {
            left -= 1;
            left > 0
        };
        assert_eq!(Reader::new(0, Flood(Ok("6,1,1000,-;a\n"))).once(&mut time_left, &mut log), Ok(()));
        assert_eq!(log.records, 10 * ROUND);
    }

    #[test]
    fn signals_and_overruns_without_end_do_not_hold_the_caller() {
        for error in [Errno::INTR, Errno::PIPE, Errno::INVAL] {
            assert_eq!(Reader::new(0, Flood(Err(error))).drain(u64::MAX, &mut log()), Drained::More);
        }
    }

    #[test]
    fn a_drain_reads_no_more_records_than_it_may() {
        let answers = [Ok("6,1,1000,-;a\n"), Err(Errno::INTR), Ok("6,2,1000,-;b\n")];
        let mut reader = Reader::new(0, Played(answers.iter()));
        let mut log = log();
        let steps = [(0, Drained::More, 0), (1, Drained::More, 1), (2, Drained::Empty, 2)];
        for (most, drained, records) in steps {
            assert_eq!((reader.drain(most, &mut log), log.records), (drained, records));
        }
    }
}
