//! The kernel, listened to: its log and its uevents as they come.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;

use super::error::UeventsError;
use super::kmsg::{self, Drained, Kmsg, Reader};
use super::log::Logs;
use super::uevent::Uevents;
use crate::audit::Listening;
use crate::record::{Gap, Input, Place, Stamp};
use crate::timeline::{Keeps, Log, LogKind};

/// Records read in one turn at the most: more than a ring holds (`CONFIG_LOG_BUF_SHIFT`), and some tenths of a second of
/// work, so that a turn ends with an empty ring unless somebody writes faster than we read.
const ROUND: u64 = 256 << 10;

/// How many rounds the records that are there already can take: as many as the largest ring holds (`log_buf_len=`, 2 GiB).
const MOST_ROUNDS: u32 = 64;

/// The running kernel's log and uevents, from the oldest record on.
///
/// It holds one buffer and what the log comes to, however long it listens.
#[derive(Debug)]
pub struct Live {
    ring: Ring,
    uevents: Result<Uevents, UeventsError>,
    since: Stamp,
}

#[derive(Debug)]
enum Ring {
    /// `/dev/kmsg`, record by record.
    Numbered(Box<Numbered<Kmsg>>),
    /// What syslog(2) gave last, or why nothing gives anything.
    Whole(Box<Log>),
}

#[derive(Debug)]
struct Numbered<R> {
    reader: Reader<R>,
    log: Log,
    /// How far the last turn came.
    came: Drained,
}

impl<R: kmsg::Ring> Numbered<R> {
    fn new(ring: R) -> Self {
        let mut log = Log::new(0, "kmsg".to_owned(), LogKind::Ring);
        log.keeps = Keeps::Past;
        Self { reader: Reader::new(0, ring), log, came: Drained::More }
    }

    /// Whether there will be no more records.
    const fn ended(&self) -> bool {
        matches!(self.came, Drained::Ended(_))
    }

    fn turn(&mut self, stir: &mut Wakeup) {
        let before = (self.log.notable, self.ended());
        self.came = self.reader.drain(ROUND, &mut self.log);
        stir.more = self.came == Drained::More;
        stir.log = (self.log.notable, self.ended()) != before;
    }

    /// The log as far as it came. What is still unread may contradict it, and is missing until it is read.
    fn told(&self) -> Log {
        let mut log = self.log.clone();
        if self.came == Drained::More {
            log.take(Input::Gap(Gap { place: Place::default(), lost: None }));
        }
        log.end();
        log
    }
}

/// What a [`Live::turn`] brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wakeup {
    /// A record that can change a report, or a loss of records.
    pub log: bool,
    /// A device, the driver or the module came, went or changed hands.
    pub host: bool,
    /// Not everything was read yet.
    pub more: bool,
}

impl Wakeup {
    /// Whether there is reason to look at the host again.
    pub const fn any(self) -> bool {
        self.log || self.host
    }
}

impl Live {
    /// Begins to listen, and reads what the ring buffer holds already. Read the host after this, so that no change falls
    /// between the two. The uevents may have been opened earlier, with rights that are given up by now.
    pub fn begin(uevents: Result<Uevents, UeventsError>) -> Self {
        let ring = match Kmsg::open() {
            Ok(kmsg) => Ring::Numbered(Box::new(Numbered::new(kmsg))),
            Err(_) => Ring::Whole(Box::new(whole())),
        };
        let mut live = Self { ring, uevents, since: Stamp::default() };
        for _ in 0..MOST_ROUNDS {
            if !live.turn().more {
                break;
            }
        }
        live.since = live.log().boots.last().map_or_else(Stamp::default, |boot| boot.span.1);
        live
    }

    /// The log as far as it came, to be judged.
    pub fn log(&self) -> Log {
        match &self.ring {
            Ring::Numbered(numbered) => numbered.told(),
            Ring::Whole(log) => log.as_ref().clone(),
        }
    }

    /// How the case is listened to.
    pub fn listening(&self) -> Listening {
        Listening { since: self.since, deaf: self.uevents.as_ref().err().map(ToString::to_string) }
    }

    /// Whether the host or the log must be read again from time to time, because nothing wakes for their changes.
    pub const fn must_be_asked(&self) -> bool {
        self.uevents.is_err() || matches!(self.ring, Ring::Whole(_))
    }

    /// Holds the uevents for unheard: this kernel does not send all that matter.
    pub fn disregard_uevents(&mut self) {
        self.uevents = Err(UeventsError::Untold);
    }

    /// Takes what has come since the last turn, without waiting. Where the log must be asked for, asks.
    pub fn turn(&mut self) -> Wakeup {
        let mut stir = Wakeup::default();
        if let Ok(uevents) = &mut self.uevents {
            let noticed = uevents.drain();
            stir.host = noticed.any();
            if let Some(why) = noticed.ended {
                self.uevents = Err(why);
            }
        }
        match &mut self.ring {
            Ring::Numbered(numbered) => numbered.turn(&mut stir),
            Ring::Whole(log) => {
                let fresh = whole();
                stir.log = (fresh.notable, fresh.records) != (log.notable, log.records);
                **log = fresh;
            }
        }
        stir
    }

    /// What becomes readable when there is something to take.
    pub fn sources(&self) -> Vec<BorrowedFd<'_>> {
        use std::os::fd::AsFd as _;
        let ring = match &self.ring {
            Ring::Numbered(numbered) if !numbered.ended() => Some(numbered.reader.as_fd()),
            Ring::Numbered(_) | Ring::Whole(_) => None,
        };
        ring.into_iter().chain(self.uevents.as_ref().ok().map(Uevents::as_fd)).collect()
    }
}

/// All that syslog(2) gives, read anew: it has neither numbers nor a place to go on from.
fn whole() -> Log {
    let mut logs = Logs::default();
    // What went wrong is in the log.
    drop(logs.ring());
    logs.into_inner().pop().unwrap_or_else(|| Log::new(0, "kmsg".to_owned(), LogKind::Ring))
}

/// Waits until one of `readable` can be read, `writable` can be written to or is closed by its reader, or `limit` is
/// over. Signals end it as well. Returns whether the reader of `writable` has gone.
pub fn wait(
    readable: &[BorrowedFd<'_>],
    writable: Option<(BorrowedFd<'_>, bool)>,
    limit: Option<Duration>,
) -> Result<bool, String> {
    let mut polled: Vec<PollFd<'_>> =
        readable.iter().map(|source| PollFd::from_borrowed_fd(*source, PollFlags::IN)).collect();
    // Without a request, poll still tells that the reader of a pipe has gone.
    let flags = |wanted| if wanted { PollFlags::OUT } else { PollFlags::empty() };
    polled.extend(writable.map(|(sink, wanted)| PollFd::from_borrowed_fd(sink, flags(wanted))));
    let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
    match rustix::event::poll(&mut polled, limit.as_ref()) {
        Ok(_) => {
            let sink = polled.last().filter(|_| writable.is_some()).map_or(PollFlags::empty(), PollFd::revents);
            Ok(sink.intersects(PollFlags::ERR | PollFlags::HUP))
        }
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(super::inside::words(&error.into())),
    }
}

/// Writes as much of `bytes` as `sink` takes without waiting. [`std::io::ErrorKind::WouldBlock`] when that is nothing.
pub fn write_some(sink: BorrowedFd<'_>, bytes: &[u8]) -> std::io::Result<usize> {
    // A pipe that can be written to has room for this much.
    const PIECE: usize = 4096;
    let mut polled = [PollFd::from_borrowed_fd(sink, PollFlags::OUT)];
    rustix::event::poll(&mut polled, Some(&Timespec::default()))?;
    let [polled] = polled;
    if polled.revents().is_empty() {
        return Err(std::io::ErrorKind::WouldBlock.into());
    }
    Ok(rustix::io::write(sink, bytes.get(..PIECE).unwrap_or(bytes))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ring whose writer is always ahead, up to this many records.
    struct Flood(u64);

    impl kmsg::Ring for Flood {
        fn read(&mut self, buffer: &mut [u8]) -> rustix::io::Result<usize> {
            self.0 = self.0.checked_sub(1).ok_or(Errno::AGAIN)?;
            let record = format!("6,{},1000,-;random: crng init done\n", ROUND * 2 - self.0);
            buffer.get_mut(..record.len()).ok_or(Errno::INVAL)?.copy_from_slice(record.as_bytes());
            Ok(record.len())
        }
    }

    #[test]
    fn what_is_still_unread_is_missing_until_it_is_read() {
        let mut numbered = Numbered::new(Flood(ROUND + 1));
        let mut turn = || {
            let mut stir = Wakeup::default();
            numbered.turn(&mut stir);
            (stir.more, numbered.told().boots.iter().any(crate::timeline::Boot::has_gap))
        };
        assert_eq!(turn(), (true, true));
        assert_eq!(turn(), (false, false));
    }
}
