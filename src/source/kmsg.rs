//! `/dev/kmsg`, read once from its oldest record to its newest, without waiting (Documentation/ABI/testing/dev-kmsg).

use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::inside::words;
use crate::record::{Decoder, Gap, Input, Place};
use crate::timeline::Log;

const PATH: &str = "/dev/kmsg";

/// A record is at most 8 KiB as the kernel formats it (`PRINTK_MESSAGE_MAX` in kernel/printk/internal.h, before 6.4
/// `CONSOLE_EXT_LOG_MAX`). A shorter buffer would skip records with EINVAL.
const RECORD: usize = 16 << 10;

/// A writer may be faster than we are: what comes after this is not of the moment that is audited.
const LONGEST: Duration = Duration::from_secs(5);

/// Far above what the largest ring (`log_buf_len=`, 2 GiB) of a real machine holds.
const MOST_RECORDS: u64 = 4 << 20;

/// Reads the ring buffer of the running kernel into `log`, which is number `index`.
pub(super) fn read(index: usize, log: &mut Log) -> Result<(), String> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let ring = rustix::fs::open(PATH, flags, Mode::empty()).map_err(explain)?;
    let mut read = |buffer: &mut [u8]| rustix::io::read(&ring, buffer);
    drain(index, &mut read, &mut started(), log)
}

/// Whether time is left, from now on.
#[expect(clippy::disallowed_methods, reason = "an edge: how long the kernel may keep us")]
fn started() -> impl FnMut() -> bool {
    let start = Instant::now();
    move || start.elapsed() < LONGEST
}

fn drain(
    index: usize,
    read: &mut dyn FnMut(&mut [u8]) -> rustix::io::Result<usize>,
    time_left: &mut dyn FnMut() -> bool,
    log: &mut Log,
) -> Result<(), String> {
    let mut decoder = Decoder::new(index);
    let mut buffer = vec![0; RECORD];
    let mut records = 0_u64;
    let gap = || Input::Gap(Gap { place: Place { log: index, ..Place::default() }, lost: None });
    let ended = loop {
        match read(&mut buffer) {
            Ok(0) | Err(Errno::AGAIN) => break Ok(()),
            Ok(length) => {
                records += 1;
                decoder.feed(buffer.get(..length).unwrap_or_default(), &mut |input| log.take(input));
            }
            Err(Errno::INTR) => {}
            // Overwritten under our hands. Before the first record that is no gap: the log begins later, which its first
            // sequence number says.
            Err(Errno::PIPE) if records == 0 => {}
            Err(Errno::PIPE | Errno::INVAL) => log.take(gap()),
            Err(error) => break Err(explain(error)),
        }
        if records >= MOST_RECORDS || !time_left() {
            log.take(gap());
            break Ok(());
        }
    };
    decoder.finish(&mut |input| log.take(input));
    ended
}

fn explain(error: Errno) -> String {
    let what = words(&error.into());
    match error {
        Errno::PERM | Errno::ACCESS => {
            format!("{what}: reading it needs the capability CAP_SYSLOG while kernel.dmesg_restrict is 1; run as root")
        }
        _ => what,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::LogKind;

    /// Plays a ring that answers its reads with these, then has no more.
    fn played(answers: &[Result<&str, Errno>]) -> (Log, Result<(), String>) {
        let mut log = Log::new(0, "kmsg".to_owned(), LogKind::Ring);
        let mut answers = answers.iter();
        let mut read = |buffer: &mut [u8]| match answers.next() {
            Some(Ok(text)) => {
                buffer[..text.len()].copy_from_slice(text.as_bytes());
                Ok(text.len())
            }
            Some(Err(error)) => Err(*error),
            None => Err(Errno::AGAIN),
        };
        let ended = drain(0, &mut read, &mut || true, &mut log);
        (log, ended)
    }

    #[test]
    fn a_lack_of_permission_names_the_capability() {
        let (_, ended) = played(&[Err(Errno::PERM)]);
        assert!(ended.unwrap_err().contains("CAP_SYSLOG"));
    }

    #[test]
    fn an_overrun_and_an_interruption_do_not_end_it() {
        let (_, ended) = played(&[
            Err(Errno::PIPE),
            Ok("6,10,1000,-;a\n"),
            Err(Errno::INTR),
            Err(Errno::PIPE),
            Ok("6,20,2000,-;b\n"),
            Err(Errno::INVAL),
            Ok("6,22,3000,-;c\n"),
        ]);
        assert_eq!(ended, Ok(()));
    }

    #[test]
    fn a_flood_is_left_in_the_end() {
        let mut log = Log::new(0, "kmsg".to_owned(), LogKind::Ring);
        let mut left = 10;
        let mut time_left = || {
            left -= 1;
            left > 0
        };
        let mut read = |buffer: &mut [u8]| {
            buffer[..12].copy_from_slice(b"6,1,1000,-;a");
            Ok(12)
        };
        assert_eq!(drain(0, &mut read, &mut time_left, &mut log), Ok(()));
    }
}
