//! Reads the files, several at a time where there are threads for it; large ones in parts.
//!
//! What belongs to which part depends on the file alone, and what was found is taken in the order of the parts: so the
//! outcome is the same for any number of threads.

use std::fs::File;
use std::io::{self, Read};
use std::num::NonZeroU64;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt as _, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::thread::Builder;

use rustix::fs::OFlags;

use super::lines::{self, Stretch};
use super::order::{JobResult, Order, Stopped};
use super::picker::{Picker, Sink};
use super::readers::{Counted, Followed, From, Patient, Progress};
use super::selection::Selection;
use super::sieve::Sieve;
use super::sniff::{Looked, Shape, sniff};
use super::window::BLOCK;
use crate::source::saved::FileOf;
use crate::source::{Contents, Failing, words};

/// How large a part of a file is, unless another size is asked for. The last one has the rest as well: none is small.
const PART: NonZeroU64 = NonZeroU64::new(2 << 20).unwrap();

/// How many parts a file has at most.
const MOST_PARTS: u64 = 8192;

/// A file, or a part of one.
#[derive(Debug)]
pub(super) struct Job {
    /// The number of its log.
    pub(super) log: usize,
    pub(super) path: PathBuf,
    identity: Option<(u64, u64)>,
    part: WorkPart,
    /// How long the file was when it was looked at, where that can be known.
    bytes: Option<u64>,
    /// Whether it is the file's last part.
    pub(super) is_last: bool,
}

impl Job {
    /// Where the next part begins. Lines behind it are selected to settle those before it.
    pub(super) const fn end(&self) -> u64 {
        match self.part {
            WorkPart::Bytes(_, until) => until,
            WorkPart::Whole => u64::MAX,
        }
    }

    /// Opens the file that was found. When logs are rotated, the oldest one has no name any more, or that of another one.
    fn open(&self) -> io::Result<File> {
        let file = open(&self.path)?;
        let about = file.metadata()?;
        let other = self.identity.is_some_and(|identity| identity != (about.dev(), about.ino()));
        if other { Err(io::Error::other(REPLACED)) } else { Ok(file) }
    }
}

#[derive(Clone, Copy, Debug)]
enum WorkPart {
    /// Bytes of a file whose records are lines.
    Bytes(u64, u64),
    /// All of a file, or of a stream.
    Whole,
}

/// How logs are to be read.
#[derive(Debug)]
pub(super) struct Reading<'a> {
    pub(super) sieve: Sieve,
    /// Whether every line is decoded, not only those that the search finds.
    pub(super) every_line: bool,
    pub(super) threads: usize,
    pub(super) progress: &'a Progress,
}

/// Takes the results of the jobs, in their order: selections of a job, and its end.
pub(super) trait Taker {
    fn selection(&mut self, job: &Job, selection: &Selection);
    fn end(&mut self, job: &Job, outcome: Result<(), Stopped>);
}

/// The jobs that a file makes.
pub(super) fn jobs_of(log: usize, of: &FileOf, part: Option<NonZeroU64>, whole: bool) -> Vec<Job> {
    // A file of terabytes would make millions of parts.
    let least = (of.bytes / MOST_PARTS).next_multiple_of(BLOCK as u64);
    let size = part.unwrap_or(PART).get().next_multiple_of(BLOCK as u64).max(2 * BLOCK as u64).max(least);
    let (path, bytes) = (&of.path, of.bytes);
    let parts = if bytes >= size * 2 && !whole && is_lines(path) { bytes / size } else { 1 };
    let (identity, length) = (of.identity, (bytes > 0).then_some(bytes));
    let job = |part, is_last| Job { log, path: path.clone(), identity, part, bytes: length, is_last };
    if parts == 1 {
        return vec![job(WorkPart::Whole, true)];
    }
    // The byte before a part is read with it: so reads begin at whole pages.
    let from = |part: u64| if part == 0 { 0 } else { part * size + 1 };
    let until = |part: u64| if part + 1 == parts { u64::MAX } else { from(part + 1) };
    (0..parts).map(|part| job(WorkPart::Bytes(from(part), until(part)), part + 1 == parts)).collect()
}

/// Whether a file can be read in parts.
fn is_lines(path: &Path) -> bool {
    open(path).and_then(|file| Looked::at(&file)).is_ok_and(|looked| looked == Looked::Lines)
}

impl Reading<'_> {
    /// Does all jobs, and hands what they find to `taker`.
    pub(super) fn run(&self, jobs: &[Job], taker: &mut (dyn Taker + Send)) {
        let mut take = |number: usize, word: JobResult<'_>| match (jobs.get(number), word) {
            (Some(job), JobResult::Selection(selection)) => taker.selection(job, selection),
            (Some(job), JobResult::End(outcome)) => taker.end(job, outcome),
            (None, _) => {}
        };
        let order = Order::new(&mut take);
        let work = || {
            let _guard = order.guard();
            while self.next(jobs, &order) {}
        };
        std::thread::scope(|scope| {
            for _ in 1..self.threads.min(jobs.len()) {
                // Where no further thread can be had, those that are there do it all.
                if Builder::new().spawn_scoped(scope, work).is_err() {
                    break;
                }
            }
            work();
        });
    }

    /// Does the next job, if there is one.
    fn next(&self, jobs: &[Job], order: &Order<'_, '_>) -> bool {
        let number = order.claim();
        let Some(job) = jobs.get(number) else { return false };
        let outcome = self.job(job, &mut |selection| order.hand_on(number, selection));
        order.end(number, outcome)
    }

    fn job(&self, job: &Job, sink: &mut Sink<'_>) -> Result<(), Stopped> {
        if self.progress.is_stopped() {
            return Err((0, "it was not read: the scan was stopped".to_owned()));
        }
        match job.part {
            WorkPart::Bytes(from, until) => self.part(job, Stretch { from, until, is_stream: false }, sink),
            WorkPart::Whole if job.path.as_os_str() == "-" => self.pipe(job, &io::stdin(), sink),
            WorkPart::Whole => match job.open() {
                Ok(file) => self.whole(job, &file, sink),
                Err(error) => Err((0, words(&error))),
            },
        }
    }

    /// A file that is not read in parts.
    fn whole(&self, job: &Job, file: &File, sink: &mut Sink<'_>) -> Result<(), Stopped> {
        if !file.metadata().is_ok_and(|about| about.is_file()) {
            return self.pipe(job, file, sink);
        }
        let looked = Looked::at(file).map_err(|error| (0, words(&error)))?;
        if looked == Looked::Lines && !self.every_line {
            return self.part(job, Stretch { from: 0, until: u64::MAX, is_stream: false }, sink);
        }
        self.stream(job, file, looked == Looked::Mixed || (looked == Looked::Lines && self.every_line), sink)?;
        // Packed, it would not have come to its end.
        let now = file.metadata().map_err(|error| (0, words(&error)))?.len();
        if job.bytes.is_some_and(|bytes| now < bytes) { Err((now, SHORTER.to_owned())) } else { Ok(()) }
    }

    /// Lines of a plain file.
    fn part(&self, job: &Job, stretch: Stretch, sink: &mut Sink<'_>) -> Result<(), Stopped> {
        let file = job.open().map_err(|error| (stretch.from, words(&error)))?;
        let mut picker = Picker::new(&self.sieve, sink);
        let mut reader = From { file: &file, at: stretch.from.saturating_sub(1), progress: self.progress };
        let (end, read) = lines::read(&mut reader, stretch, &mut picker, &|| !self.progress.is_stopped());
        let at = reader.at;
        let mut outcome = read.map_err(|error| (at, self.why(&error)));
        if let Some(end) = end.filter(|_| outcome.is_ok() && job.is_last) {
            let mut tail = vec![0; usize::try_from(end).unwrap_or(BLOCK).min(BLOCK)];
            let from = end - tail.len() as u64;
            let whole = file.read_exact_at(&mut tail, from).is_ok();
            if whole {
                lines::last(&mut picker, &tail, from);
            }
            if !whole || job.bytes.is_some_and(|bytes| end < bytes) {
                outcome = Err((end, SHORTER.to_owned()));
            }
        }
        picker.finish();
        outcome
    }

    /// A pipe. Whoever writes into it may take his time, and the scan can be stopped meanwhile.
    fn pipe(&self, job: &Job, from: &impl AsFd, sink: &mut Sink<'_>) -> Result<(), Stopped> {
        self.stream(job, Patient { from: from.as_fd(), progress: self.progress }, false, sink)
    }

    /// A packed file, a pipe, an archive, or a log whose records are no lines.
    fn stream(&self, job: &Job, reader: impl Read, mixed: bool, sink: &mut Sink<'_>) -> Result<(), Stopped> {
        match Contents::of(Counted { reader, progress: self.progress }).map_err(|why| (0, why))? {
            Contents::Archive(tar, allowance) => self.archive(&job.path.to_string_lossy(), tar, allowance, sink),
            Contents::Log(reader) => self.log(reader, mixed, sink),
        }
    }

    /// A log that is read from its beginning to its end.
    pub(super) fn log(&self, mut reader: impl Read, mixed: bool, sink: &mut Sink<'_>) -> Result<(), Stopped> {
        let (head, error) = fill(&mut reader);
        let shape = if mixed { Shape::Records } else { sniff(&head) };
        let at = head.len() as u64;
        let mut rest = Followed { reader: (&head[..]).chain(Failing(error)).chain(reader), length: 0 };
        let go_on = || !self.progress.is_stopped();
        let mut picker = Picker::new(&self.sieve, sink);
        let read = match shape {
            // Nothing, or what is cut before its first byte could be unpacked.
            Shape::NoLog if at == 0 => io::copy(&mut rest, &mut io::sink()).map(drop),
            Shape::NoLog => return Err((0, NO_LOG.to_owned())),
            Shape::Lines if !self.every_line => {
                let stretch = Stretch { from: 0, until: u64::MAX, is_stream: true };
                lines::read(&mut rest, stretch, &mut picker, &go_on).1
            }
            Shape::Lines | Shape::Records => records(&mut rest, &mut picker, &go_on),
        };
        picker.finish();
        read.map_err(|error| (rest.length, self.why(&error)))
    }

    pub(super) fn why(&self, error: &io::Error) -> String {
        if self.progress.is_stopped() { "the scan was stopped".to_owned() } else { words(error) }
    }
}

/// Why nobody knows what stood in the rest of a file.
const SHORTER: &str = "it became shorter while it was read";

/// Why nobody knows what stood in a file that was found.
const REPLACED: &str = "another file has its name now: it was rotated while the scan ran";

/// Why a file of bytes that are no log is not read.
pub(super) const NO_LOG: &str = "is no log: it is not text";

/// Hands on everything.
fn records(reader: &mut dyn Read, picker: &mut Picker<'_>, go_on: &dyn Fn() -> bool) -> io::Result<()> {
    let mut block = vec![0; BLOCK];
    let mut at = 0;
    loop {
        match reader.read(&mut block) {
            Ok(0) => return Ok(()),
            Ok(_) if !(go_on() && picker.is_wanted()) => return Err(io::Error::from(io::ErrorKind::Interrupted)),
            Ok(length) => {
                picker.whole(block.get(..length).unwrap_or_default(), at);
                at += length as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The first block, and what kept it from being whole.
fn fill(reader: &mut impl Read) -> (Vec<u8>, Option<io::Error>) {
    let mut head = Vec::with_capacity(BLOCK);
    let error = reader.by_ref().take(BLOCK as u64).read_to_end(&mut head).err();
    (head, error)
}

/// Opens a log. A pipe that was named may be waited for; what a directory held is a file, or is not waited for.
fn open(path: &Path) -> io::Result<File> {
    let kind = std::fs::metadata(path)?.file_type();
    if kind.is_fifo() {
        return File::open(path);
    }
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = File::options().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("is no file"));
    }
    Ok(file)
}
