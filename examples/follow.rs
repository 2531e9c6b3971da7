//! The waiting and reading of `watch`, and nothing else: prints every record of `/dev/kmsg` that says something of pciback,
//! the moment it comes. `benches/live/run` times it.
//!
//! Unlike `watch` it believes whoever wrote the record. A benchmark can write as user space only, which `watch` holds for
//! forged; so this must be used to measure, and never to audit.

use std::cell::RefCell;
use std::io::Write as _;
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;

use pciback_audit::source::{Drained, Kmsg, Reader, Ring, wait};
use pciback_audit::timeline::{Keeps, Log, LogKind};

/// The device, and what it gave last.
struct Overheard {
    kmsg: Kmsg,
    last: Rc<RefCell<Vec<u8>>>,
}

impl Ring for Overheard {
    fn read(&mut self, buffer: &mut [u8]) -> rustix::io::Result<usize> {
        let length = self.kmsg.read(buffer)?;
        self.last.replace(buffer.get(..length).unwrap_or_default().to_vec());
        Ok(length)
    }
}

impl AsFd for Overheard {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.kmsg.as_fd()
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let last = Rc::default();
    let mut reader = Reader::new(0, Overheard { kmsg: Kmsg::open()?, last: Rc::clone(&last) });
    let mut log = Log::new(0, "kmsg".to_owned(), LogKind::Ring);
    log.keeps = Keeps::Past;
    let mut stdout = std::io::stdout().lock();
    loop {
        let before = log.notable;
        let drained = reader.drain(1, &mut log);
        // The log counts what its recogniser found an event in.
        let read = last.take();
        if log.notable > before {
            let line = read.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default();
            // Each by itself, as dmesg does it: where processors are scarce, a reader that is woken late has a late line.
            stdout.write_all(line).and_then(|()| stdout.flush())?;
        }
        match drained {
            Drained::Ended(why) => return Err(why.into()),
            // Whoever read the lines has gone.
            Drained::Empty if wait(&[reader.as_fd()], Some((rustix::stdio::stdout(), false)), None)? => return Ok(()),
            Drained::More | Drained::Empty => {}
        }
    }
}
