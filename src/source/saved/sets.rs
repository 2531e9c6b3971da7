//! Puts the parts of a log together, oldest first.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use chrono::{DateTime, Utc};

use super::host::host;
use super::rotated::{self, Age, Date};
use super::{FileOf, Set};

/// What stands for a date in the name of a set.
const ANY: &str = "*";

/// A file, and what its name says.
struct SetFile {
    file: FileOf,
    age: Age,
    packed: bool,
    guessed: bool,
}

/// Directory and name of a log, without the dates in them.
type SetKey = (PathBuf, Vec<u8>);

/// The sets that `files` make, in the order in which the first file of each was found.
pub(super) fn of(files: Vec<FileOf>) -> Vec<Set> {
    let mut places: BTreeMap<SetKey, usize> = BTreeMap::new();
    let mut groups: Vec<(SetKey, Vec<SetFile>)> = Vec::new();
    for file in files {
        let (key, part) = read(file);
        let place = *places.entry(key.clone()).or_insert(groups.len());
        match groups.get_mut(place) {
            Some((_, parts)) => parts.push(part),
            None => groups.push((key, vec![part])),
        }
    }
    drop(places);
    let mut sets = Vec::with_capacity(groups.len());
    for (key, parts) in groups {
        // `web.1.log` and `web.2.log` are of one log where there is a `web.log`, and else of two hosts.
        if parts.iter().all(|part| part.guessed) {
            sets.extend(parts.into_iter().map(|part| set(&key, vec![part])));
        } else {
            sets.push(set(&key, parts));
        }
    }
    sets
}

fn set(key: &SetKey, parts: Vec<SetFile>) -> Set {
    let (directory, base) = key;
    let files: Vec<FileOf> = in_order(parts).into_iter().map(|part| part.file).collect();
    let only = if files.len() == 1 { files.first() } else { None };
    let name = match (only, extension_alone(base)) {
        (Some(file), _) => file.path.to_string_lossy().into_owned(),
        (None, true) => {
            directory.join(format!("{ANY}{}", String::from_utf8_lossy(base))).to_string_lossy().into_owned()
        }
        (None, false) => directory.join(OsStr::from_bytes(base)).to_string_lossy().into_owned(),
    };
    let host = files.last().and_then(|file| host(&file.path));
    Set { name, host, files, archive: None }
}

/// Whether the files of a log are named by the date alone: `2026-11-22.log`.
fn extension_alone(base: &[u8]) -> bool {
    rotated::extension(base).0.is_empty()
}

/// What the path of a file says: its log, and its place in it.
fn read(file: FileOf) -> (SetKey, SetFile) {
    // A stream has no parts.
    let Some(name) = file.path.file_name().filter(|_| file.modified.is_some()) else {
        let key = (PathBuf::new(), file.path.as_os_str().as_bytes().to_vec());
        return (key, SetFile { file, age: Age::default(), packed: false, guessed: false });
    };
    let mut member = rotated::member(name.as_bytes());
    let (directory, mut digits) = undated(file.path.parent().unwrap_or(Path::new("")));
    // `2026/11/22.log`
    let (stem, extension) = rotated::extension(&member.base);
    if let ([b'0'..=b'9', b'0'..=b'9'], true) = (stem, digits.len() >= 4) {
        digits.extend_from_slice(stem);
        member.base = extension.to_vec();
    }
    let by_directory = rotated::calendar(&digits).filter(|_| !digits.is_empty()).map(|date| Date(date, 0));
    let age = Age { date: member.age.date.or(by_directory), ..member.age };
    ((directory, member.base), SetFile { file, age, packed: member.packed, guessed: member.guessed })
}

/// A directory with `*` for what is a date in it, and the digits of that date: `/srv/2026/11/gaia` is `/srv/*/*/gaia`.
fn undated(directory: &Path) -> (PathBuf, Vec<u8>) {
    let mut path = PathBuf::new();
    let mut digits: Vec<u8> = Vec::new();
    for component in directory.components() {
        let name = match component {
            Component::CurDir => continue,
            Component::Normal(name) => name.as_bytes(),
            Component::Prefix(_) | Component::RootDir | Component::ParentDir => b"",
        };
        let further = [digits.as_slice(), name].concat();
        if name.len() == 2 && digits.len() >= 4 && rotated::calendar(&further).is_some() {
            digits = further;
        } else if let Some((b"", Date(date, _))) = rotated::dated(name) {
            let form = match name.len() {
                4 => "%Y",
                6 | 7 => "%Y%m",
                _ => "%Y%m%d%H%M%S",
            };
            digits = date.format(form).to_string().into_bytes();
        } else {
            path.push(component);
            continue;
        }
        path.push(ANY);
    }
    (path, digits)
}

/// Numbers count down and dates count up to the file that is still written. Where a log has both, because its writer
/// was told to change, each kind keeps its order, and the times of the files say how they mesh.
fn in_order(parts: Vec<SetFile>) -> Vec<SetFile> {
    let (mut dated, others): (Vec<_>, Vec<_>) = parts.into_iter().partition(|part| part.age.date.is_some());
    let (mut numbered, mut current): (Vec<_>, Vec<_>) = others.into_iter().partition(|part| part.age.number.is_some());
    for parts in [&mut dated, &mut numbered, &mut current] {
        parts.sort_by(|one, other| order(one).cmp(&order(other)));
        parts.dedup_by(|later, earlier| is_twin(earlier, later));
    }
    let (mut dated, mut numbered) = (dated.into_iter().peekable(), numbered.into_iter().peekable());
    let mut all = Vec::new();
    while let Some(from_numbered) = match (dated.peek(), numbered.peek()) {
        (Some(dated), Some(numbered)) => Some(numbered.file.modified < dated.file.modified),
        (None, Some(_)) => Some(true),
        (Some(_), None) => Some(false),
        (None, None) => None,
    } {
        all.extend(if from_numbered { numbered.next() } else { dated.next() });
    }
    all.extend(current);
    all
}

type MemberOrder<'a> = (Option<Date>, Reverse<Option<u32>>, Option<DateTime<Utc>>, bool, &'a Path);

fn order(part: &SetFile) -> MemberOrder<'_> {
    (part.age.date, Reverse(part.age.number), part.file.modified, part.packed, &part.file.path)
}

/// Whether two files that are of the same age hold the same: a packer gives its output the time of its input, and
/// removes the input last. With any other time, a packed file is half-written or older: both are read, and records
/// that both hold are one record.
fn is_twin(plain: &SetFile, packed: &SetFile) -> bool {
    let same = plain.age == packed.age && plain.file.modified == packed.file.modified;
    same && !plain.packed && packed.packed && plain.file.path.parent() == packed.file.path.parent()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sets of these names, the files being written one an hour, in the order given, unless `@` and an hour is behind
    /// the name.
    fn shown(names: &[&str]) -> Vec<String> {
        let file = |(index, name): (usize, &&str)| {
            let (name, hour) =
                name.split_once('@').map_or((*name, index), |(name, hour)| (name, hour.parse().unwrap()));
            let modified = DateTime::from_timestamp(i64::try_from(hour).unwrap() * 3600, 0);
            FileOf { path: PathBuf::from(name), bytes: 1, modified, identity: None }
        };
        let line = |set: Set| {
            let paths: Vec<_> = set.files.iter().map(|file| file.path.to_str().unwrap()).collect();
            format!("{}: {}", set.name, paths.join(" "))
        };
        of(names.iter().enumerate().map(file).collect()).into_iter().map(line).collect()
    }

    #[test]
    fn parts_are_read_oldest_first() {
        for (names, expected) in [
            (
                &["kern.log", "kern.log.1", "kern.log.10.gz", "kern.log.2.gz"][..],
                "kern.log.10.gz kern.log.2.gz kern.log.1 kern.log",
            ),
            (
                &["kern.log", "kern.log-20261122", "kern.log-20260922.gz"],
                "kern.log-20260922.gz kern.log-20261122 kern.log",
            ),
            (
                &["kern.log", "kern-20261122.log", "kern-20261121.log.gz"],
                "kern-20261121.log.gz kern-20261122.log kern.log",
            ),
            (
                &["kern.log", "kern.log-20261122-1795305600", "kern.log-20261122-1795302000"],
                "kern.log-20261122-1795302000 kern.log-20261122-1795305600 kern.log",
            ),
            // Once counted, now dated.
            (
                &["kern.log-20261121@30", "kern.log-20261122@40", "kern.log.1@20", "kern.log.2.gz@10", "kern.log@50"],
                "kern.log.2.gz kern.log.1 kern.log-20261121 kern.log-20261122 kern.log",
            ),
            (&["kern.log-20261122@10", "kern.log.1@20", "kern.log@30"], "kern.log-20261122 kern.log.1 kern.log"),
        ] {
            assert_eq!(shown(names), [format!("kern.log: {expected}")]);
        }
    }

    #[test]
    fn a_part_that_is_being_packed_is_read_once_when_that_is_certain() {
        let both = "kern.log: kern.log.1.gz kern.log.1 kern.log";
        assert_eq!(shown(&["kern.log@9", "kern.log.1@5", "kern.log.1.gz@5"]), ["kern.log: kern.log.1 kern.log"]);
        // An old one, that the writer left when it was told to pack no more; one that is being written.
        assert_eq!(shown(&["kern.log@9", "kern.log.1@5", "kern.log.1.gz@4"]), [both]);
        let later = "kern.log: kern.log.1 kern.log.1.gz kern.log";
        assert_eq!(shown(&["kern.log@9", "kern.log.1@5", "kern.log.1.gz@6"]), [later]);
    }

    #[test]
    fn files_of_other_directories_and_hosts_are_other_logs() {
        assert_eq!(shown(&["a/kern.log", "b/kern.log.1"]), ["a/kern.log: a/kern.log", "b/kern.log.1: b/kern.log.1"]);
        assert_eq!(shown(&["10.0.0.1", "10.0.0.2"]).len(), 2);
        assert_eq!(shown(&["web.1.log", "web.2.log"]).len(), 2);
        assert_eq!(shown(&["web.1.log", "web.log", "web.2.log"]), ["web.log: web.2.log web.1.log web.log"]);
        assert_eq!(shown(&["./kern.log", "kern.log.1"]), ["kern.log: kern.log.1 ./kern.log"]);
        assert_eq!(shown(&["kern.log.1", "syslog"]), ["kern.log.1: kern.log.1", "syslog: syslog"]);
    }

    #[test]
    fn a_log_goes_on_in_the_directory_of_the_next_day() {
        for (names, expected) in [
            (
                &["l/2026/11/a.log", "l/2026/10/a.log", "l/2025/12/a.log.gz"][..],
                "l/*/*/a.log: l/2025/12/a.log.gz l/2026/10/a.log l/2026/11/a.log",
            ),
            (&["2026-11-22/a.log", "2026-11-21/a.log"], "*/a.log: 2026-11-21/a.log 2026-11-22/a.log"),
            (&["a/2026-11-22.log", "a/2026-11-21.log.gz"], "a/*.log: a/2026-11-21.log.gz a/2026-11-22.log"),
            (
                &["a/2026/11/22.log", "a/2026/11/21.log", "a/2026/12/01.log"],
                "a/*/*/*.log: a/2026/11/21.log a/2026/11/22.log a/2026/12/01.log",
            ),
            (
                &["/l/2026/11/22/a.log", "/l/2026/11/21/a.log"],
                "/l/*/*/*/a.log: /l/2026/11/21/a.log /l/2026/11/22/a.log",
            ),
        ] {
            assert_eq!(shown(names), [expected]);
        }
        // No dates: a case's number, a host's.
        assert_eq!(shown(&["cases/4711/a.log", "cases/4712/a.log"]).len(), 2);
        assert_eq!(shown(&["rack/11/a.log", "rack/12/a.log"]).len(), 2);
    }
}
