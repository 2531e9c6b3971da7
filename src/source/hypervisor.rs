//! Reads the hypervisor's logs: files that were named, and those that a support archive or a copy of a machine holds.

use std::io::{self, BufRead as _, BufReader, Read};
use std::path::Path;

use super::archive::{self, Kept, XEN_SECTIONED};
use super::contents::Bounded;
use super::inside::{Inside, words};
use super::log::{MOST_OF_ONE, open};
use super::sections::{Sections, is_sectioned};
use super::unpack::Unpacked;
use crate::record::{Decoder, Input};
use crate::xen::{Hypervisor, Log, Origin};

const CHUNK: usize = 64 << 10;

/// Reads the hypervisor's log at `path`, `-` for standard input.
pub fn hypervisor(path: &Path) -> Log {
    let mut log = begin(path.to_string_lossy().into_owned(), Origin::Named);
    let read = if path.as_os_str() == "-" {
        Unpacked::new(io::stdin().lock()).and_then(|mut reader| decode(&mut reader, &mut log.hypervisor))
    } else {
        open(path).and_then(Unpacked::new).and_then(|mut reader| decode(&mut reader, &mut log.hypervisor))
    };
    log.failure = read.err();
    log
}

/// Reads every log of the hypervisor that a root keeps. What could not be read is one, too; what holds no line of it is none.
pub fn hypervisor_below(root: &Path) -> Vec<Log> {
    let kept = Inside::open(root).map(|inside| archive::find_xen(&inside)).unwrap_or_default();
    kept.into_iter().map(read_kept).filter(|log| log.failure.is_some() || log.hypervisor.lines > 0).collect()
}

fn read_kept(kept: Kept) -> Log {
    let rotates = kept.path.starts_with("var/log/");
    let mut log = begin(format!("/{}", kept.path), if rotates { Origin::File } else { Origin::Ring });
    let sectioned = kept.path.ends_with(XEN_SECTIONED);
    let opened = kept.open().and_then(Unpacked::new);
    let read = opened.and_then(|reader| {
        let mut reader = BufReader::new(Bounded::new(reader, MOST_OF_ONE));
        if sectioned && is_sectioned(reader.fill_buf().map_err(|error| words(&error))?) {
            return sections(&mut reader, &mut log.hypervisor);
        }
        decode(&mut reader, &mut log.hypervisor)
    });
    log.failure = read.err();
    log
}

fn begin(name: String, origin: Origin) -> Log {
    Log { name, origin, failure: None, hypervisor: Hypervisor::default() }
}

/// The sections of supportconfig's file that hold what `xl dmesg` printed.
fn sections(reader: &mut dyn io::BufRead, hypervisor: &mut Hypervisor) -> Result<(), String> {
    let mut sections = Sections::of(reader, is_ring);
    while sections.next().map_err(|error| words(&error))?.is_some() {
        decode(&mut sections, hypervisor)?;
    }
    Ok(())
}

fn is_ring(title: &str) -> bool {
    let mut words = title.split_whitespace();
    let program = words.next().and_then(|word| word.rsplit('/').next());
    matches!(program, Some("xl" | "xm")) && words.next() == Some("dmesg")
}

fn decode(reader: &mut dyn Read, hypervisor: &mut Hypervisor) -> Result<(), String> {
    let mut decoder = Decoder::new(0);
    let mut take = |input: Input<'_>| {
        if let Input::Record(record) = input {
            hypervisor.take(&record);
        }
    };
    let mut chunk = vec![0; CHUNK];
    let ended = loop {
        match reader.read(&mut chunk) {
            Ok(0) => break Ok(()),
            Ok(length) => decoder.feed(chunk.get(..length).unwrap_or_default(), &mut take),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => break Err(words(&error)),
        }
    };
    decoder.finish(&mut take);
    ended
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn every_layout_keeps_the_hypervisor_s_log_in_its_place() {
        let line = "(XEN) I/O virtualisation disabled\r\n";
        let section =
            format!("#==[ Command ]===#\n# /usr/sbin/xl info\n{line}#==[ Command ]===#\n# /usr/sbin/xl dmesg\n{line}");
        for (path, text, origin) in [
            ("sos_commands/xen/xl_dmesg", line, Origin::Ring),
            ("xl-dmesg.out", line, Origin::Ring),
            ("xen/xl-dmesg.out", line, Origin::Ring),
            ("xen.txt", &section, Origin::Ring),
            ("var/log/xen/hypervisor.log.1", line, Origin::File),
        ] {
            let root = tempfile::tempdir().unwrap();
            let file = root.path().join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, text).unwrap();
            let logs = hypervisor_below(root.path());
            let [log] = logs.as_slice() else { panic!("{path}") };
            assert_eq!((log.name.clone(), log.origin, log.hypervisor.lines), (format!("/{path}"), origin, 1));
            assert!(log.hypervisor.boots[0].virtualisation.as_ref().is_some_and(|(on, _)| !on), "{path}");
        }
        assert!(hypervisor(Path::new("/nowhere")).failure.is_some());
    }
}
