//! The hide list's grammar against what real kernels did with more than a thousand lists, and what must hold for any.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "what is not as the test expects fails the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use pciback_audit::pci::{Address, Era, KernelVersion, Pattern};
use pciback_audit::request::arguments::{arguments, as_modprobe_passes};
use pciback_audit::request::hide::{Fault, HideList, LONGEST, addresses, nearest, read, shortest};

/// What became of loading the module with some arguments.
#[derive(Debug, Default, PartialEq, Eq)]
struct Load {
    /// `ok`, or the name of the error.
    result: &'static str,
    /// What the kernel's parse error quotes.
    rest: Option<Vec<u8>>,
    /// The parameter afterwards.
    hide: Option<Vec<u8>>,
    /// The `slots` file, line by line.
    slots: Vec<Address>,
}

impl Load {
    fn refused(result: &'static str, rest: Option<&[u8]>) -> Self {
        Self { result, rest: rest.map(<[u8]>::to_vec), ..Self::default() }
    }

    /// The kernel as the library knows it. The parameters are set one by one before pciback reads its list.
    fn with(text: &[u8], kernel: KernelVersion) -> Self {
        let mut hide = None;
        for argument in arguments(text) {
            match (argument.key.as_slice(), argument.value) {
                (b"hide", None) => return Self::refused("EINVAL", None),
                (b"hide", Some(value)) if value.len() > LONGEST => return Self::refused("ENOSPC", None),
                (b"hide", Some(value)) => hide = Some(value),
                // pciback's other parameters are no concern of the library. They want a truth value.
                (b"permissive" | b"passthrough", Some(value)) if !matches!(value.as_slice(), b"0" | b"1") => {
                    return Self::refused("EINVAL", None);
                }
                _ => {}
            }
        }
        let list = read(hide.as_deref().unwrap_or_default(), kernel);
        if !list.accepted() {
            return Self::refused("EINVAL", list.kernel_rest());
        }
        let mut seen = BTreeSet::new();
        let wanted = list.in_force().flat_map(|entry| entry.pattern.addresses().collect::<Vec<_>>());
        // A line has 13 bytes with its end, and the file ends at one page.
        let slots = wanted.filter(|address| seen.insert(*address)).take(4096 / 13).collect();
        Self { result: "ok", rest: None, hide, slots }
    }
}

fn kernel(version: &str) -> KernelVersion {
    version.parse().unwrap()
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn unescape(text: &str) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    loop {
        let byte;
        (byte, rest) = match rest {
            [b'\\', b'x', high, low, rest @ ..] => {
                (u8::from_str_radix(&format!("{}{}", char::from(*high), char::from(*low)), 16).unwrap(), rest)
            }
            [b'\\', b'n', rest @ ..] => (b'\n', rest),
            [b'\\', b't', rest @ ..] => (b'\t', rest),
            [b'\\', b'v', rest @ ..] => (0x0b, rest),
            [b'\\', b'r', rest @ ..] => (b'\r', rest),
            [b'\\', b'\\', rest @ ..] => (b'\\', rest),
            [byte, rest @ ..] => (*byte, rest),
            [] => return bytes,
        };
        bytes.push(byte);
    }
}

/// The arguments that `modprobe xen-pciback` was given in a row of `hide-grammar.tsv`.
fn modprobe_arguments(input: &str) -> Vec<u8> {
    if let Some(arguments) = input.strip_prefix("[args] ") {
        return unescape(arguments);
    }
    let generated =
        input.strip_prefix('[').and_then(|rest| rest.split_once(" x ")).filter(|_| input.contains(" then "));
    let value = match generated {
        Some((count, rest)) => {
            let (repeated, rest) = rest.split_once(" then ").unwrap();
            let (end, length) = rest.split_once("; ").unwrap();
            let list = repeated.repeat(count.parse().unwrap()) + end;
            assert_eq!(length, format!("{} characters]", list.len()), "{input}");
            list.into_bytes()
        }
        None if input == "[empty: hide=]" => Vec::new(),
        None => unescape(input),
    };
    as_modprobe_passes(&[b"hide=", value.as_slice()].concat())
}

/// What the log column quotes, when the whole line is there. It is written with blanks around each `|`.
fn quoted_rest(log: &str) -> Option<Vec<u8>> {
    let line = log.split(" | <").find_map(|line| line.split_once("Error parsing pci_devs_to_hide at \""))?.1;
    Some(unescape(&line.strip_suffix('"')?.replace(" | ", "|")))
}

/// A `slots` column: the addresses, or how many there are and the first of them.
fn assert_slots(column: &str, slots: &[Address], input: &str) {
    let lines: Vec<_> = slots.iter().map(ToString::to_string).collect();
    match column.split_once(" entries, ") {
        None => assert_eq!(column, lines.join(" "), "{input}"),
        Some((count, rest)) => {
            assert_eq!(count, lines.len().to_string(), "{input}");
            let first = lines.iter().take(2).map(String::as_str).collect::<Vec<_>>().join(" ");
            assert_eq!(rest, format!("{} bytes: {first} ...", lines.join("\n").len()), "{input}");
        }
    }
}

#[test]
fn every_list_means_what_it_meant_to_a_6_1_kernel() {
    let table = text(&Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/hide-grammar.tsv"));
    let rows: Vec<Vec<&str>> = table.lines().skip(1).map(|line| line.split('\t').collect()).collect();
    assert_eq!(rows.len(), 90);
    for row in rows {
        let [input, status, loaded, log, _, slots, ..] = row.as_slice() else { panic!("a short row: {row:?}") };
        let load = Load::with(&modprobe_arguments(input), kernel("6.1"));
        assert_eq!((load.result == "ok", load.result == "ok"), (*status == "0", *loaded == "y"), "{input}");
        assert_slots(slots, &load.slots, input);
        match quoted_rest(log) {
            Some(rest) => assert_eq!(load.rest, Some(rest), "{input}"),
            // A long quotation has no line end, and came out only with the next message, in another row or not at all.
            None => assert!(load.rest.is_none_or(|rest| rest.len() > 800), "{input}: no parse error was logged"),
        }
    }
}

/// `0000:00:1d.*` for eight functions in a row and `0000:00:*.*` for all 256, as the tables from dom0 shorten them.
fn runs(slots: &[Address]) -> String {
    let mut words = Vec::new();
    let mut rest = slots;
    while let [first, ..] = rest {
        let whole = Pattern::from(*first);
        let choices = [Pattern { slot: None, function: None, ..whole }, Pattern { function: None, ..whole }, whole];
        let is_next = |pattern: &&Pattern| rest.starts_with(&pattern.addresses().collect::<Vec<_>>());
        let run = choices.iter().find(is_next).unwrap();
        words.push(run.to_string().replace(['(', ')'], ""));
        rest = &rest[run.addresses().count()..];
    }
    words.join(" ")
}

#[test]
fn every_list_means_what_it_meant_to_the_kernels_in_dom0() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/dom0");
    let files = std::fs::read_dir(&folder).map(|entries| entries.map(|entry| entry.unwrap().path()).collect());
    let files: Vec<_> = files.unwrap_or_default();
    for path in files.iter().filter(|path| path.extension().is_some_and(|extension| extension == "tsv")) {
        let name = path.file_stem().unwrap().to_string_lossy();
        let version = match name.strip_prefix("hide-grammar-") {
            // Debian's newest, which was this one when the table was first made.
            Some("newest") => kernel("7.2"),
            Some(version) => kernel(version),
            None => continue,
        };
        let table = text(path);
        let mut rows = table.lines().map(|line| line.split('\t').collect::<Vec<_>>());
        let header = rows.next().unwrap();
        for row in rows {
            let row: BTreeMap<_, _> = header.iter().copied().zip(row).collect();
            assert_row(&row, version, &format!("{}: {}", path.display(), row["input"]));
        }
    }
}

/// One row of a table from dom0, whose columns its own README describes.
fn assert_row(row: &BTreeMap<&str, &str>, version: KernelVersion, place: &str) {
    let input = unescape(row["input"]);
    let arguments = if row["kind"] == "value" { [b"hide=\"", input.as_slice(), b"\""].concat() } else { input };
    let load = Load::with(&arguments, version);
    assert_eq!((load.result, load.result == "ok"), (row["result"], row["loaded"] == "y"), "{place}");
    assert_eq!(runs(&load.slots), row["slots"], "{place}");
    let (rest, quoted) = (load.rest, unescape(row["rest"]));
    if row["rest_cut"].is_empty() {
        assert_eq!(rest.unwrap_or_default(), quoted, "{place}");
    } else {
        assert!(rest.is_some_and(|rest| rest.starts_with(&quoted)), "{place}");
    }
    if load.result == "ok" {
        let hide = load.hide.unwrap_or_else(|| b"(null)".to_vec());
        assert_eq!(hide, unescape(row["readback"]), "{place}");
    }
}

/// The same numbers in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    fn one<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    fn pattern(&mut self) -> Pattern {
        let domain = self.one(&[0, 0, 0, 1, 0xabcd, 0xffff]);
        let mut number = |limit| u8::try_from(self.below(limit)).unwrap();
        let (bus, slot, function) = (number(0x100), number(0x20), number(8));
        match self.below(6) {
            0 => Pattern { domain, bus, slot: None, function: None },
            1 => Pattern { domain, bus, slot: Some(slot), function: None },
            _ => Pattern { domain, bus, slot: Some(slot), function: Some(function) },
        }
    }

    fn patterns(&mut self) -> Vec<Pattern> {
        (0..=self.below(5)).map(|_| self.pattern()).collect()
    }

    /// Something like a list: entries with bytes changed, or bytes out of an alphabet of trouble.
    fn list(&mut self) -> Vec<u8> {
        let alphabet = b"(((((:::::.....)))))00011dfx*** ,;|[]\t\n\x0b\xa0\xc3\xa9\x00\"'-_=@#lO89";
        let mut list: Vec<u8> = match self.below(3) {
            0 => (0..self.below(40)).map(|_| self.one(alphabet)).collect(),
            _ => self
                .patterns()
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(self.one(&["", " ", ","]))
                .into(),
        };
        for _ in 0..self.below(4) {
            let at = self.below(list.len() + 1);
            match self.below(3) {
                0 => list.insert(at, self.one(alphabet)),
                1 if at < list.len() => drop(list.remove(at)),
                _ if at < list.len() => list[at] = self.one(alphabet),
                _ => {}
            }
        }
        list
    }
}

#[test]
fn what_is_printed_is_read_back() {
    let mut dice = Dice(1);
    for _ in 0..5_000 {
        let pattern = dice.pattern();
        let list = read(pattern.to_string().as_bytes(), Era::From3_7);
        assert_eq!(list.in_force().map(|entry| entry.pattern).collect::<Vec<_>>(), [pattern]);
        if !pattern.is_wildcard() {
            assert_eq!(read(pattern.to_string().as_bytes(), Era::UpTo3_6).entries, list.entries);
        }
    }
}

/// The addresses of all entries that can be read.
fn named(list: &HideList) -> Vec<Address> {
    addresses(&list.entries.iter().map(|entry| entry.pattern).collect::<Vec<_>>())
}

#[test]
fn any_bytes_are_read_and_every_suggestion_is_accepted() {
    let mut dice = Dice(2);
    let mut suggested = 0;
    for _ in 0..10_000 {
        let bytes = dice.list();
        for era in [Era::UpTo3_6, Era::From3_7] {
            let list = read(&bytes, era);
            let shown = String::from_utf8_lossy(&bytes);
            assert!(list.entries.is_sorted_by(|one, next| one.text.end <= next.text.start), "{shown}");
            for entry in &list.entries {
                let alone = read(&bytes[entry.text.clone()], era);
                assert_eq!(alone.entries.first().map(|entry| entry.pattern), Some(entry.pattern), "{shown}");
            }
            assert!(list.kernel_rest().is_none_or(|rest| list.text().ends_with(rest)), "{shown}");
            assert_eq!(list.accepted(), list.fault.is_none() || matches!(list.fault, Some(Fault::CutShort { .. })));
            if let Some(suggestion) = nearest(&bytes, era) {
                suggested += 1;
                assert!(list.fault.is_some(), "{shown}: nothing is wrong");
                let suggested = read(suggestion.as_bytes(), era);
                assert_eq!(suggested.fault, None, "{shown}: {suggestion}");
                let all = named(&suggested);
                let missing = named(&list).into_iter().find(|address| all.binary_search(address).is_err());
                assert!(era == Era::UpTo3_6 || missing.is_none(), "{shown}: {suggestion} lacks {missing:?}");
            }
        }
        let _arguments = arguments(&bytes);
    }
    assert!(suggested > 1_000, "only {suggested} suggestions");
}

#[test]
fn what_stands_between_the_entries_does_not_change_the_suggestion() {
    let mut dice = Dice(3);
    for _ in 0..2_000 {
        let entries: Vec<_> = dice.patterns().iter().map(ToString::to_string).collect();
        let separator = dice.one(&[",", ";", "|", ", ", " | ", "','", ")(", ") ("]);
        let list = format!("{}{separator}", entries.join(separator));
        assert_eq!(nearest(list.as_bytes(), Era::From3_7), Some(entries.concat()), "{list}");
    }
}

#[test]
fn a_shorter_list_names_exactly_the_same() {
    let mut dice = Dice(4);
    for _ in 0..500 {
        let patterns: Vec<_> = (0..3).flat_map(|_| dice.patterns()).collect();
        let shorter = shortest(&patterns, Era::From3_7);
        let again: Vec<_> = read(shorter.as_bytes(), Era::From3_7).in_force().map(|entry| entry.pattern).collect();
        assert_eq!(addresses(&again), addresses(&patterns), "{patterns:?}");
        assert!(shorter.len() <= patterns.iter().map(|pattern| pattern.to_string().len()).sum());
    }
}
