//! Reads logs: saved files in any form, standard input, and those of a `--root`.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;

use chrono::{DateTime, Utc};
use rustix::fs::{FileType, Mode, OFlags};

use super::archive::{self, Kept, MOST_LOGS, RING, Role};
use super::contents::{Bounded, Contents};
use super::error::FileError;
use super::inside::{Inside, words};
use super::made_up::{MADE_UP, is_in_made_up};
use super::saved::number_sets;
use super::sections::{Sections, is_sectioned};
use super::tar::Tar;
use super::unpack::Unpacked;
use super::{journal, klogctl, kmsg};
use crate::record::Decoder;
use crate::timeline::{Log, LogKind, Window};

const CHUNK: usize = 64 << 10;

/// Most bytes, unpacked, that are read of one log below a root, and of all of them: what is packed may have no end.
pub(super) const MOST_OF_ONE: u64 = 1 << 30;
const MOST_OF_ALL: u64 = 4 << 30;

/// Reads the ring buffer into a log.
type Way<'a> = dyn FnMut(&mut Log) -> Result<(), String> + 'a;

/// The logs of one audit, numbered as they are read.
#[derive(Debug, Default)]
pub struct Logs {
    logs: Vec<Log>,
    window: Window,
}

impl Logs {
    /// No log yet. Of those that are read, the records within a window of time count.
    pub fn of(window: Window) -> Self {
        Self { logs: Vec::new(), window }
    }

    /// Every log read so far, failed ones included.
    pub fn into_inner(mut self) -> Vec<Log> {
        number_sets(self.logs.iter_mut());
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

    /// Reads the file at `path`, `-` for standard input: a log, or the logs in an archive. What went wrong is handed back, and held
    /// against the log.
    pub fn file(&mut self, path: &Path) -> Option<String> {
        let index = self.logs.len();
        if is_ring(path) {
            let mut log = self.begin("kmsg", LogKind::Ring);
            log.named = true;
            let read = kmsg::read(index, &mut log);
            return self.end(log, read);
        }
        let name = path.to_string_lossy();
        let mut log = self.begin(&name, LogKind::File);
        log.named = true;
        let opened = if name == "-" {
            Contents::of(io::stdin().lock())
        } else {
            open(path).and_then(|file| {
                log.modified = modified(&file);
                Contents::of(file)
            })
        };
        let read = match opened {
            Ok(Contents::Archive(tar, _)) => return self.archive(log, tar),
            Ok(Contents::Log(mut reader)) => decode(index, &mut reader, &mut log),
            Err(why) => Err(why),
        };
        self.end(log, read)
    }

    /// Reads every log in an archive that was named, as if it were unpacked below a root.
    fn archive<R: Read>(&mut self, named: Log, mut tar: Tar<R>) -> Option<String> {
        let before = self.logs.len();
        let mut reading = Below { left: MOST_OF_ALL, blank: None, modified: None };
        let ended = loop {
            let member = match tar.next() {
                Ok(Some(member)) => member,
                Ok(None) => break Ok(()),
                Err(error) => break Err(words(&error)),
            };
            if archive::role(&member.path) != Role::Log {
                continue;
            }
            if self.logs.len() - before == MOST_LOGS {
                break Err(format!("only the first {MOST_LOGS} logs in it are read"));
            }
            reading.modified = member.modified;
            let opened = member.closed.map_or(Ok(&mut tar), |why| Err(why.to_owned()));
            self.saved(&format!("{}:{}", named.name, member.path), opened, &mut reading);
        };
        let nothing = || Err("holds no log of a kernel".to_owned());
        if ended.is_ok() && self.logs.len() > before { None } else { self.end(named, ended.and_then(|()| nothing())) }
    }

    /// Reads bytes that are at hand.
    pub fn bytes(&mut self, name: &str, kind: LogKind, bytes: &[u8]) -> Option<String> {
        let mut log = self.begin(name, kind);
        let read = pour(self.logs.len(), bytes, &mut log);
        self.end(log, read)
    }

    /// Reads every log that is kept below a `--root`, each by itself, the older parts of each first. What holds nothing of a
    /// kernel is left out where another one does.
    pub fn below(&mut self, root: &Path) {
        let before = self.logs.len();
        let mut reading = Below { left: MOST_OF_ALL, blank: None, modified: None };
        let nothing = match Inside::open(root) {
            Ok(inside) => {
                for kept in archive::find(&inside) {
                    self.kept(kept, &mut reading);
                }
                "no log is kept there: none of the ring buffer, of syslog, of dmesg or of journalctl".to_owned()
            }
            Err(error) => words(&error),
        };
        if self.logs.len() > before {
            return;
        }
        if let Some(blank) = reading.blank {
            self.logs.push(blank);
        } else {
            let log = self.begin(&format!("/{RING}"), LogKind::File);
            self.end(log, Err(nothing));
        }
    }

    /// Reads one file below a root.
    fn kept(&mut self, kept: Kept, reading: &mut Below) {
        // A copy of the ring buffer is a file: its uptime is not the running machine's.
        let name = if kept.path == RING { "kmsg".to_owned() } else { format!("/{}", kept.path) };
        let opened = kept.open();
        reading.modified = opened.as_ref().ok().and_then(modified);
        self.saved(&name, opened, reading);
    }

    /// Reads one file of several: a log, or several in a file of sections.
    fn saved(&mut self, name: &str, opened: Result<impl Read, String>, reading: &mut Below) {
        let opened = opened.and_then(|file| {
            let Contents::Log(reader) = Contents::of(file)? else {
                return Err("is an archive among logs, which is not read: unpack it first".to_owned());
            };
            let most = MOST_OF_ONE.min(reading.left);
            let mut reader = BufReader::with_capacity(CHUNK, Bounded::new(reader, most));
            let sectioned =
                name.as_bytes().ends_with(b".txt") && is_sectioned(reader.fill_buf().map_err(|error| words(&error))?);
            Ok((reader, sectioned))
        });
        match opened {
            Ok((mut reader, false)) => {
                self.part(name, &mut reader, reading);
                reading.spend(reader.get_ref());
            }
            Ok((mut reader, true)) => {
                self.sections(name, &mut reader, reading);
                reading.spend(reader.get_ref());
            }
            Err(why) => {
                let log = self.begin(name, LogKind::File);
                self.end(log, Err(why));
            }
        }
    }

    fn sections(&mut self, name: &str, reader: &mut dyn io::BufRead, reading: &mut Below) {
        let mut sections = Sections::new(reader);
        loop {
            match sections.next() {
                Ok(Some(_title)) => self.part(name, &mut sections, reading),
                Ok(None) => return,
                Err(error) => {
                    let log = self.begin(name, LogKind::File);
                    self.end(log, Err(words(&error)));
                    return;
                }
            }
        }
    }

    /// Decodes one log below a root, and keeps it if it says something.
    fn part(&mut self, name: &str, reader: &mut dyn Read, reading: &mut Below) {
        let mut log = self.begin(name, LogKind::File);
        log.modified = reading.modified;
        let read = decode(self.logs.len(), reader, &mut log);
        let failed = read.is_err();
        self.end(log, read);
        let says = |log: &Log| log.kernel_records > 0 || log.notable > 0;
        if !failed && let Some(log) = self.logs.pop_if(|log| !says(log)) {
            // Its number is the next log's, unless none follows.
            reading.blank.get_or_insert(log);
        }
    }

    fn begin(&self, name: &str, kind: LogKind) -> Log {
        let mut log = Log::new(self.logs.len(), name.to_owned(), kind);
        log.window = self.window;
        log
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

/// What reading the logs below a root has come to.
struct Below {
    /// How many bytes more are read.
    left: u64,
    /// The first log that says nothing of a kernel.
    blank: Option<Log>,
    /// When the file that is read was last written.
    modified: Option<DateTime<Utc>>,
}

impl Below {
    fn spend<R>(&mut self, read: &Bounded<R>) {
        self.left = self.left.saturating_sub(read.used());
    }
}

/// Reads a file of evidence that was named, unpacked if it is packed, as long as it has at most `most` bytes.
pub fn whole(path: &Path, most: u64) -> Result<Vec<u8>, FileError> {
    let mut bytes = Vec::new();
    let read = open(path)
        .and_then(Unpacked::new)
        .and_then(|reader| Bounded::new(reader, most).read_to_end(&mut bytes).map_err(|error| words(&error)));
    read.map(|_length| bytes).map_err(|why| FileError::of(path, why))
}

/// When a file was last written. Of a fifo that tells nothing.
fn modified(file: &File) -> Option<DateTime<Utc>> {
    let about = file.metadata().ok().filter(fs::Metadata::is_file)?;
    about.modified().ok().map(DateTime::from)
}

/// Opens a log that was named. Fifos and pipes are what `<(…)` makes and may be waited for; other devices are no logs, and
/// neither is what the running kernel makes up. Those are never opened: that alone may do something.
pub(super) fn open(path: &Path) -> Result<File, String> {
    let looked = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
    let looked = looked.map_err(|error| words(&error.into()))?;
    let about = rustix::fs::fstat(&looked).map_err(|error| words(&error.into()))?;
    match FileType::from_raw_mode(about.st_mode) {
        FileType::Directory => {
            return Err("is a directory; name the log file, or use --root for a whole tree".to_owned());
        }
        FileType::CharacterDevice | FileType::BlockDevice | FileType::Socket => {
            return Err("is a device, not a log".to_owned());
        }
        FileType::RegularFile | FileType::Fifo | FileType::Symlink | FileType::Unknown => {}
    }
    if is_in_made_up(&looked).map_err(|error| words(&error.into()))? {
        return Err(MADE_UP.to_owned());
    }
    let file = File::open(path).map_err(|error| words(&error))?;
    let opened = rustix::fs::fstat(&file).map_err(|error| words(&error.into()))?;
    if (opened.st_dev, opened.st_ino) == (about.st_dev, about.st_ino) {
        Ok(file)
    } else {
        Err("was replaced while it was opened".to_owned())
    }
}

/// Whether this is `/dev/kmsg`, by its device number, 1:11, whatever its name.
pub fn is_ring(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|about| {
        let device = (rustix::fs::major(about.rdev()), rustix::fs::minor(about.rdev()));
        about.file_type().is_char_device() && device == (1, 11)
    })
}

/// Decodes everything that `reader` yields, unpacked if it is packed.
fn pour(index: usize, reader: impl Read, log: &mut Log) -> Result<(), String> {
    match Contents::of(reader)? {
        Contents::Log(mut reader) => decode(index, &mut reader, log),
        Contents::Archive(..) => Err("is an archive, not a log".to_owned()),
    }
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
    log.has_known_form = decoder.has_known_form();
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

    /// The logs below a root with these files: name, records and failure.
    fn below(files: &[(&str, &[u8])]) -> Vec<(String, u64, Option<String>)> {
        let root = tempfile::tempdir().unwrap();
        for (path, bytes) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        let mut logs = Logs::default();
        logs.below(root.path());
        let logs = logs.into_inner();
        assert!(logs.iter().enumerate().all(|(index, log)| log.index == index));
        logs.into_iter().map(|log| (log.name, log.records, log.failure)).collect()
    }

    #[test]
    fn every_log_below_a_root_is_read_and_what_is_not_is_said() {
        let line = b"<6>[    1.000000] a\n";
        let logs = below(&[
            ("var/log/kern.log", line),
            ("var/log/kern.log.1.bz2", b"BZh9"),
            ("var/log/messages", b""),
            ("dev/kmsg", b"6,1,2,-;a\n"),
            ("boot.txt", b"#==[ Command ]===#\n# /bin/dmesg\n<6>[    1.000000] a\n#==[ Command ]===#\n# ls\nb\n"),
        ]);
        let shown: Vec<_> = logs.iter().map(|(name, records, why)| (name.as_str(), *records, why.is_some())).collect();
        let expected = [
            ("/var/log/kern.log.1.bz2", 0, true),
            ("/var/log/kern.log", 1, false),
            ("/boot.txt", 1, false),
            ("kmsg", 1, false),
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn where_no_log_says_anything_one_is_named() {
        assert_eq!(below(&[("var/log/kern.log", b"")]), [("/var/log/kern.log".to_owned(), 0, None)]);
        let none = below(&[]);
        assert!(none.len() == 1 && none[0].2.as_ref().unwrap().starts_with("no log is kept there"), "{none:?}");
    }

    #[test]
    fn what_the_kernel_makes_up_is_not_opened() {
        assert_eq!(open(Path::new("/proc/version")).unwrap_err(), MADE_UP);
        assert_eq!(open(Path::new("/dev/null")).unwrap_err(), "is a device, not a log");
    }
}
