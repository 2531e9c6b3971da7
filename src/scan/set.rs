//! What is known of a set of files, besides what it holds of each host.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::years::{Day, Resolved, Years};
use crate::record::{BootId, Record, Wall};
use crate::timeline::{Log, LogKind};

/// Files of a set are this far apart in the places of its records, so that a place tells the file.
pub(super) const FILE_SHIFT: u32 = 40;

/// Which file of its set a place is in.
pub(super) fn file_of(offset: u64) -> usize {
    usize::try_from(offset >> FILE_SHIFT).unwrap_or(usize::MAX)
}

/// What is known of a set of files.
#[derive(Debug)]
pub(super) struct SetState {
    pub(super) name: String,
    pub(super) host: Option<Box<[u8]>>,
    pub(super) files: Arc<[(u64, String)]>,
    pub(super) modified: Vec<Option<DateTime<Utc>>>,
    pub(super) years: Vec<Option<Resolved>>,
    guessed: Option<Resolved>,
    pub(super) counting: Years,
    /// The hosts that its records named so far: none, the one, or several.
    pub(super) named: Named,
    /// The boot that journalctl named last between its lines.
    pub(super) boot: Option<BootId>,
    /// Where something could not be read.
    pub(super) breaks: Vec<u64>,
    /// The last of them, where there were too many to keep.
    pub(super) broken_until: Option<u64>,
    /// What could not be read, file by file: the first place, what it was, and how often.
    pub(super) flaws: BTreeMap<usize, (u64, String, u64)>,
}

#[derive(Clone, Debug, Default)]
pub(super) enum Named {
    #[default]
    None,
    One(Box<[u8]>),
    Several,
}

impl SetState {
    pub(super) fn new(name: String, host: Option<String>, files: Vec<(String, Option<DateTime<Utc>>)>) -> Self {
        let modified = files.iter().map(|(_, modified)| *modified).collect();
        let begins = |(number, (name, _)): (usize, (String, _))| ((number as u64) << FILE_SHIFT, name);
        Self {
            name,
            host: host.map(|host| host.into_bytes().into()),
            files: files.into_iter().enumerate().map(begins).collect(),
            modified,
            years: Vec::new(),
            guessed: None,
            counting: Years::default(),
            named: Named::None,
            boot: None,
            breaks: Vec::new(),
            broken_until: None,
            flaws: BTreeMap::new(),
        }
    }

    /// Whether its records name more than one host.
    pub(super) const fn has_several(&self) -> bool {
        matches!(self.named, Named::Several)
    }

    /// A record's time, with its year where it was written without one. `day` is of the record before.
    pub(super) fn date(&self, record: &Record<'_>, year: u32, day: &mut Day) -> Option<Wall> {
        let wall = record.stamp.wall?;
        let file = file_of(record.place.offset);
        let resolved = self.years.get(file).copied().unwrap_or(self.guessed);
        resolved.and_then(|resolved| resolved.date(&wall, year, day)).or(Some(wall))
    }

    /// The years of the file that is being read, as if what was read so far were all of it.
    fn so_far(&self) -> Option<Resolved> {
        self.counting.resolve((*self.modified.get(self.years.len())?)?)
    }

    /// Guesses the years of the file that is being read, for records that cannot wait for its end.
    pub(super) fn guess(&mut self) {
        self.guessed = self.so_far();
    }

    /// Ends a file, of which all years are known now.
    pub(super) fn end_file(&mut self) {
        self.years.push(self.so_far());
        self.counting = Years::default();
        (self.boot, self.guessed) = (None, None);
    }

    /// An empty log of its name.
    pub(super) fn log(&self, set: usize) -> Log {
        let mut log = Log::new(set, self.name.clone(), LogKind::File);
        log.files = Arc::clone(&self.files);
        log
    }
}
