//! Reads logs: saved files in any form, standard input, and those of a `--root`.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;

use super::inside::{Entry, Inside, Kind, Place, words};
use super::unpack::Unpacked;
use super::{journal, klogctl, kmsg};
use crate::record::Decoder;
use crate::timeline::{Log, LogKind};

const CHUNK: usize = 64 << 10;

/// Where a `--root` keeps its log, best first: the records of the ring buffer, ...
const RING: &str = "dev/kmsg";

/// ... the first file of a sosreport that starts like this, ...
const SOSREPORT: (&str, &str) = ("sos_commands/kernel", "dmesg");

/// ... what the boot scripts or syslog wrote.
const FILES: &[&str] = &["var/log/dmesg", "var/log/kern.log", "var/log/messages"];

/// Reads the ring buffer into a log.
type Way<'a> = dyn FnMut(&mut Log) -> Result<(), String> + 'a;

/// The logs of one audit, numbered as they are read.
#[derive(Debug, Default)]
pub struct Logs {
    logs: Vec<Log>,
}

impl Logs {
    /// Every log read so far, failed ones included.
    pub fn into_inner(self) -> Vec<Log> {
        self.logs
    }

    /// Reads the kernel's ring buffer, once and without waiting: from `/dev/kmsg`, and where that gives nothing by
    /// syslog(2), which does not number the records (see [`Log::unnumbered`]).
    pub fn ring(&mut self) -> Option<String> {
        let index = self.logs.len();
        self.first(&mut |log| kmsg::read(index, log), &mut |log| klogctl::read(index, log))
    }

    /// Reads the ring buffer by the first of two ways that gives a record.
    fn first(&mut self, kmsg: &mut Way<'_>, syslog: &mut Way<'_>) -> Option<String> {
        let reason = |read: Result<(), String>| read.err().unwrap_or_else(|| "it gives no record".to_owned());
        let mut numbered = self.begin("kmsg", LogKind::Ring);
        let read = kmsg(&mut numbered);
        if numbered.records > 0 {
            return self.end(numbered, read);
        }
        let kmsg = reason(read);
        let mut formatted = self.begin("syslog(2)", LogKind::Ring);
        let read = syslog(&mut formatted);
        if read.is_ok() && formatted.records > 0 {
            formatted.unnumbered = Some(kmsg);
            return self.end(formatted, read);
        }
        let syslog = reason(read);
        let why = if kmsg == syslog { kmsg } else { format!("/dev/kmsg: {kmsg}; syslog(2): {syslog}") };
        numbered.failure = None;
        self.end(numbered, Err(why))
    }

    /// Reads journald's kernel messages of this machine: of the running boot, or of `all` that are kept.
    pub fn journal(&mut self, all: bool) -> Option<String> {
        let mut log = self.begin("journal", LogKind::File);
        log.named = true;
        let read = journal::read(self.logs.len(), all, &mut log);
        self.end(log, read)
    }

    /// Reads the file at `path`, `-` for standard input. What went wrong is handed back, and held against the log.
    pub fn file(&mut self, path: &Path) -> Option<String> {
        let ring = is_ring(path);
        let name = if ring { "kmsg".to_owned() } else { path.to_string_lossy().into_owned() };
        let mut log = self.begin(&name, if ring { LogKind::Ring } else { LogKind::File });
        log.named = true;
        let index = self.logs.len();
        let read = match name.as_str() {
            _ if ring => kmsg::read(index, &mut log),
            "-" => pour(index, io::stdin().lock(), &mut log),
            _ => open(path).and_then(|file| pour(index, file, &mut log)),
        };
        self.end(log, read)
    }

    /// Reads bytes that are at hand.
    pub fn bytes(&mut self, name: &str, kind: LogKind, bytes: &[u8]) -> Option<String> {
        let mut log = self.begin(name, kind);
        let read = pour(self.logs.len(), bytes, &mut log);
        self.end(log, read)
    }

    /// Reads the log that is kept below a `--root`.
    pub fn below(&mut self, root: &Path) -> Option<String> {
        let found = Inside::open(root).map_err(|error| (String::new(), words(&error))).and_then(|inside| kept(&inside));
        let (name, opened) = match found {
            Ok(entry) => (entry.path.clone(), entry.open()),
            Err((path, why)) => (path, Err(why)),
        };
        let mut log = match name.as_str() {
            // A copy: its uptime is not the running machine's.
            RING => self.begin("kmsg", LogKind::File),
            path => self.begin(&format!("/{path}"), LogKind::File),
        };
        let read = opened.and_then(|file| pour(self.logs.len(), file, &mut log));
        self.end(log, read)
    }

    fn begin(&self, name: &str, kind: LogKind) -> Log {
        Log::new(self.logs.len(), name.to_owned(), kind)
    }

    fn end(&mut self, mut log: Log, read: Result<(), String>) -> Option<String> {
        let failure = read.err();
        // A reader of the ring says so itself.
        if let Some(why) = failure.as_ref().filter(|_| log.failure.is_none()) {
            log.fail(why.clone());
        }
        log.end();
        self.logs.push(log);
        failure
    }
}

/// Opens a log that was named. Fifos and pipes are what `<(…)` makes and may be waited for; other devices are no logs.
fn open(path: &Path) -> Result<File, String> {
    let kind = fs::metadata(path).map_err(|error| words(&error))?.file_type();
    if kind.is_dir() {
        return Err("is a directory; name the log file, or use --root for a whole tree".to_owned());
    }
    if kind.is_char_device() || kind.is_block_device() || kind.is_socket() {
        return Err("is a device, not a log".to_owned());
    }
    File::open(path).map_err(|error| words(&error))
}

/// `/dev/kmsg` by its device number, 1:11, whatever its name.
fn is_ring(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|about| {
        let device = (rustix::fs::major(about.rdev()), rustix::fs::minor(about.rdev()));
        about.file_type().is_char_device() && device == (1, 11)
    })
}

/// The log below a root, or which one stands in the way and why: a newer log that is closed is not passed over for an
/// older one.
fn kept(inside: &Inside) -> Result<Entry, (String, String)> {
    let at = |path: &str| match inside.walk(path, true, &mut |_, _| {}) {
        Place::Found(entry) if entry.kind == Kind::File => Some(Ok(entry)),
        Place::Found(_) | Place::Absent => None,
        Place::Closed(path, why) => Some(Err((path, why))),
    };
    let sosreport = || {
        let (above, start) = SOSREPORT;
        let Place::Found(directory) = inside.walk(above, true, &mut |_, _| {}) else { return None };
        let names = directory.list().ok()?.into_iter().filter_map(|name| String::from_utf8(name).ok());
        names.filter(|name| name.starts_with(start)).find_map(|name| at(&format!("{above}/{name}")))
    };
    let none = || {
        (RING.to_owned(), format!("no log is kept there, nor {}/{}*, {}", SOSREPORT.0, SOSREPORT.1, FILES.join(", ")))
    };
    at(RING).or_else(sosreport).or_else(|| FILES.iter().find_map(|path| at(path))).unwrap_or_else(|| Err(none()))
}

/// Decodes everything that `reader` yields, unpacked if it is packed.
fn pour(index: usize, reader: impl Read, log: &mut Log) -> Result<(), String> {
    decode(index, &mut Unpacked::new(reader)?, log)
}

/// Hands what `reader` yields to the decoder. What could be read before an error still counts.
pub(super) fn decode(index: usize, reader: &mut dyn Read, log: &mut Log) -> Result<(), String> {
    let mut decoder = Decoder::new(index);
    let mut chunk = vec![0; CHUNK];
    let ended = loop {
        match reader.read(&mut chunk) {
            Ok(0) => break Ok(()),
            Ok(length) => decoder.feed(chunk.get(..length).unwrap_or_default(), &mut |input| log.take(input)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => break Err(words(&error)),
        }
    };
    decoder.finish(&mut |input| log.take(input));
    ended
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What two ways to the ring buffer come to that give these bytes or fail.
    fn ring(kmsg: Result<&str, &str>, syslog: Result<&str, &str>) -> (Log, Option<String>) {
        let way = |given: Result<&str, &str>, log: &mut Log| {
            given.map_err(str::to_owned).and_then(|text| decode(0, &mut text.as_bytes(), log))
        };
        let mut logs = Logs::default();
        let failure = logs.first(&mut |log| way(kmsg, log), &mut |log| way(syslog, log));
        let [log] = <[Log; 1]>::try_from(logs.into_inner()).unwrap();
        (log, failure)
    }

    #[test]
    fn the_numbered_way_is_taken_where_it_leads() {
        let (log, failure) = ring(Ok("6,1,2,-;a\n"), Ok("<6>[    0.000002] a\n"));
        assert_eq!((log.name.as_str(), log.records, log.unnumbered, failure), ("kmsg", 1, None, None));
    }

    #[test]
    fn the_other_way_says_why_it_was_taken() {
        for (kmsg, why) in [(Err("permission denied"), "permission denied"), (Ok(""), "it gives no record")] {
            let (log, failure) = ring(kmsg, Ok("<6>[    0.000002] a\n"));
            assert_eq!((log.name.as_str(), log.records, failure), ("syslog(2)", 1, None));
            assert_eq!((log.unnumbered.as_deref(), log.failure), (Some(why), None));
        }
    }

    #[test]
    fn where_both_fail_both_reasons_are_named_and_one_once() {
        for (kmsg, syslog, why) in [
            (Err("no such file"), Err("not permitted"), "/dev/kmsg: no such file; syslog(2): not permitted"),
            (Err("no such file"), Ok(""), "/dev/kmsg: no such file; syslog(2): it gives no record"),
            (Err("not permitted"), Err("not permitted"), "not permitted"),
        ] {
            let (log, failure) = ring(kmsg, syslog);
            assert_eq!((log.name.as_str(), log.records, log.unnumbered), ("kmsg", 0, None));
            assert_eq!((log.failure.as_deref(), failure.as_deref()), (Some(why), Some(why)));
        }
    }
}
