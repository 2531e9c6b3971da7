//! The house as a rule: which module may name which, and what each may touch. Reads `src/`.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic, and its helpers are part of it")]

#[path = "architecture/code.rs"]
mod code;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use code::{Named, Token};

/// How the modules of one rank stand to each other.
#[derive(Clone, Copy, PartialEq)]
enum Within {
    /// None names another.
    Apart,
    /// Each may name those to its left.
    LeftToRight,
}
use Within::{Apart, LeftToRight};

/// The rank table. A module names modules of lower ranks only; ARCHITECTURE.md says what each holds.
const RANKS: &[(&str, Within, &[&str])] = &[
    ("0 words", Apart, &["pci", "tree"]),
    // A host's boot id is the one type that the logs share with it.
    ("1 witnesses", LeftToRight, &["record", "request", "host"]),
    ("2 story", LeftToRight, &["xen", "event", "history", "timeline"]),
    ("3 verdict", LeftToRight, &["report", "audit"]),
    ("4 edges", LeftToRight, &["source", "render", "scan"]),
    ("5 binary", LeftToRight, &["cli", "main"]),
];

/// Lower ranks that a module must not name all the same: what is rendered is the report, and it has been judged.
/// How it came about is no business of a form, nor the form of who reads logs.
const NEVER: &[(&str, &[&str])] =
    &[("render", &["event", "timeline", "history", "audit", "source"]), ("scan", &["render"])];

/// The first rank that may touch the world outside.
const EDGE: usize = 4;

/// What ranks below the edges never name: files, environment, threads, processes, sockets, clocks, terminals.
const OUTSIDE: &[&str] = &[
    "std::fs",
    "std::path",
    "std::io",
    "std::os",
    "std::env",
    "std::thread",
    "std::process",
    "std::net",
    "std::time::Instant",
    "std::time::SystemTime",
    "Local::now",
    "Utc::now",
];

/// Macros that write to a stream behind the caller's back; `cli` writes what `render` returns.
const PRINTING: &[&str] = &["print", "println", "eprint", "eprintln", "dbg"];

/// The only files with `unsafe`, each in one place, which says why.
const UNSAFE: &[&str] = &["scan/sieve/avx2.rs", "source/journal.rs"];

/// Every crate that is depended on, and who may name it. The reason for each is in ARCHITECTURE.md.
const FOREIGN: &[(&str, &[&str])] = &[
    ("bzip2", &["source"]),
    ("chrono", &["record", "request", "xen", "timeline", "report", "audit", "source", "render", "scan", "cli"]),
    ("clap", &["cli"]),
    ("clap_complete", &["cli"]),
    ("clap_mangen", &["cli"]),
    ("comfy_table", &["render"]),
    ("flate2", &["source", "cli"]),
    ("indicatif", &["cli"]),
    ("landlock", &["source"]),
    ("libc", &["source"]),
    ("liblzma", &["source"]),
    ("memchr", &["record", "xen", "event", "scan"]),
    ("rmesg", &["source"]),
    ("rustix", &["source", "scan", "cli"]),
    ("sd_notify", &["cli"]),
    ("seccompiler", &["source"]),
    ("serde", &["source", "render"]),
    ("serde_json", &["source", "render"]),
    ("signal_hook", &["cli"]),
    ("terminal_size", &["cli"]),
    ("toml", &["request"]),
    ("zstd", &["source"]),
];

/// Longest file, not counting its tests, and longest function, in lines of code (as clippy.toml has it).
const FILE: usize = 400;
const FUNCTION: usize = 60;

/// Files that are longer, and why.
const LONG: &[(&str, &str)] = &[];

#[test]
fn every_file_keeps_to_the_house() {
    let files = sources();
    assert!(files.len() > 50, "src/ was not found");
    let faults: Vec<String> = files.iter().flat_map(|(path, text)| faults(path, text)).collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn every_module_of_the_table_is_there() {
    let found: BTreeSet<String> = sources().iter().map(|(path, _)| module(path)).collect();
    let missing: Vec<_> = RANKS.iter().flat_map(|rank| rank.2).filter(|name| !found.contains(**name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_dependency_says_who_may_name_it() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let section = manifest.split("\n[dependencies]\n").nth(1).unwrap().split("\n[").next().unwrap();
    let names = section.lines().filter_map(|line| line.split_once(" = ")).map(|(name, _)| name.replace('-', "_"));
    let listed: Vec<&str> = FOREIGN.iter().map(|(name, _)| *name).collect();
    assert_eq!(names.collect::<Vec<_>>(), listed);
}

#[test]
fn every_dependency_of_the_tests_is_used() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let section = manifest.split("\n[dev-dependencies]\n").nth(1).unwrap().split("\n[").next().unwrap();
    let names = section.lines().filter_map(|line| line.split_once(" = ")).map(|(name, _)| name.replace('-', "_"));
    let texts: Vec<String> = ["src", "tests", "benches"].into_iter().flat_map(below).map(|(_, text)| text).collect();
    let unused: Vec<String> =
        names.filter(|name| !texts.iter().any(|text| text.contains(&format!("{name}::")))).collect();
    assert_eq!(unused, Vec::<String>::new());
}

#[test]
fn every_dependency_is_named_where_it_may_be() {
    let files = sources();
    for (name, modules) in FOREIGN {
        for allowed in *modules {
            let path = format!("{name}::");
            let used = files.iter().any(|(file, text)| module(file) == *allowed && text.contains(&path));
            assert!(
                used,
                "{allowed} does not use {name}: take it out of the list, or the dependency out of Cargo.toml"
            );
        }
    }
}

#[test]
fn long_files_are_listed_only_while_they_are_long() {
    for (path, _) in LONG {
        let text = fs::read_to_string(root().join("src").join(path)).unwrap();
        assert!(code::lines_before_tests(&text) > FILE, "{path} need not be listed any longer");
    }
}

/// Names that more than two types have, and why. Not counted are `render/json.rs`, whose structs are the wire form of
/// the report's types and named like them, and those of `cli/args`, whose structs are the flags of what they are named after.
const SHARED: &[(&str, &str)] = &[("Framer", "one for each log format, always with its module")];

#[test]
fn a_type_name_stands_twice_at_most() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, text) in sources() {
        if path == "render/json.rs" || path.starts_with("cli/args") {
            continue;
        }
        for name in code::types(&code::tokens(&text)) {
            places.entry(name).or_default().push(path.clone());
        }
    }
    places.retain(|name, paths| paths.len() > 2 && !SHARED.iter().any(|(shared, _)| shared == name));
    assert!(places.is_empty(), "rename all but two, or say in SHARED why not: {places:#?}");
}

/// Small files that break one rule each, and what must be said of them.
const BAD: &[(&str, &str, &str)] = &[
    ("record/kmsg.rs", "use crate::audit::Case;", "record names audit, which is above it"),
    ("record/kmsg.rs", "fn f() -> crate::report::Report {}", "record names report"),
    ("record/kmsg.rs", "use super::super::host::Host;", "record names host"),
    ("record/mod.rs", "mod tests { use super::super::host::Host; }", "record names host"),
    ("record/mod.rs", "mod tests { mod a { fn f() {} } use super::super::host::Host; }", "record names host"),
    ("record/mod.rs", "use pciback_audit::history::Trail;", "record names history"),
    ("record/mod.rs", "use crate::{pci::{Era, Errno}, event::{Event as Other}};", "record names event"),
    ("record/mod.rs", "pub use crate::request;", "record names request"),
    ("record/mod.rs", "fn f<'a>() { let c = '\"'; crate::host::f(\"{\"); }", "record names host"),
    ("tree/mod.rs", "use crate::pci::Address;", "tree names pci"),
    ("history/mod.rs", "use crate::timeline::Story;", "history names timeline"),
    ("report/mod.rs", "use crate::audit::Case;", "report names audit"),
    ("render/table.rs", "use crate::audit::Case;", "render names audit"),
    ("render/table.rs", "use crate::history::Trail;", "render names history"),
    ("render/table.rs", "use crate::source::keep;", "render names source"),
    ("scan/mod.rs", "use crate::render::table;", "scan names render"),
    ("source/mod.rs", "use crate::scan::find;", "source names scan"),
    ("audit/mod.rs", "use crate::render::table;", "audit names render"),
    ("source/mod.rs", "use crate::render::table;", "source names render"),
    ("cli/mod.rs", "use crate::main::run;", "cli names main"),
    ("host/mod.rs", "use crate::nowhere::X;", "`nowhere` is not in the rank table"),
    ("nowhere/mod.rs", "", "`nowhere` is not in the rank table"),
    ("host/mod.rs", "use crate::*;", "names the whole crate"),
    ("host/mod.rs", "use crate as everything;", "names the whole crate"),
    ("host/mod.rs", "use std::fs::File;", "host names std::fs"),
    ("host/mod.rs", "use std::{fmt, fs};", "host names std::fs"),
    ("host/mod.rs", "use std::{fmt, io::{self, Read}};", "host names std::io"),
    ("host/mod.rs", "use std::time;", "host names std::time"),
    ("host/mod.rs", "use std::time::*;", "host names std::time"),
    ("host/mod.rs", "fn f() { std::env::var(\"A\"); }", "host names std::env"),
    ("audit/mod.rs", "use std::time::{Duration, Instant};", "audit names std::time::Instant"),
    ("audit/mod.rs", "fn f() { Utc::now(); }", "audit names Utc::now"),
    ("audit/mod.rs", "fn f() { chrono::Utc::now(); }", "audit names chrono::Utc::now"),
    ("audit/mod.rs", "fn f() { println!(); }", "audit prints"),
    ("render/text.rs", "fn f() { eprintln!(\"x\"); }", "render prints"),
    ("source/kmsg.rs", "use clap::Parser;", "source names clap"),
    ("cli/mod.rs", "use comfy_table::Table;", "cli names comfy_table"),
    ("host/mod.rs", "fn f() { rustix::fs::open(); }", "host names rustix"),
    ("report/mod.rs", "#[derive(serde::Serialize)] struct S;", "report names serde"),
    ("source/mod.rs", "fn f() { unsafe { g() } }", "unsafe"),
    ("lib.rs", "pub mod audit; use crate::audit::conclude;", "lib.rs only lists the modules"),
];

/// Small files that break none, though they look like it.
const GOOD: &[(&str, &str)] = &[
    ("record/mod.rs", "use crate::pci::Address; use std::time::Duration; use chrono::NaiveDateTime;"),
    ("record/mod.rs", "// use crate::audit::Case;\n/* unsafe /* std::fs */ clap::X */ //! crate::host::Host\n"),
    (
        "record/mod.rs",
        "const A: &str = \"crate::audit\"; const B: &[u8] = br#\"unsafe \" std::fs::\"#; const C: u8 = b'\"';",
    ),
    ("record/mod.rs", "fn f<'a>(x: &'a str) -> impl Iterator + use<'a> { let regex = 1; regex }"),
    ("record/mod.rs", "mod tests { use super::*; use super::super::pci::Address; }"),
    ("record/mod.rs", "mod a { mod b { use super::super::kmsg; } } fn f() { super::pci::f() }"),
    ("request/hide/forms.rs", "use super::super::Source; use super::scan; use crate::request::hide::Part;"),
    ("host/mod.rs", "use crate::record::BootId; use crate::{pci::{self, Address}, tree::Tree};"),
    ("audit/mod.rs", "use chrono::{DateTime, Utc}; use crate::report::Report; use crate::timeline::Log;"),
    ("render/table.rs", "use comfy_table::Table; use crate::report::Report; use crate::pci::Address;"),
    ("source/kmsg.rs", "use std::time::Instant; use rustix::fs; use crate::timeline::Log;"),
    ("main.rs", "mod cli; use pciback_audit::audit; use std::process::ExitCode; fn main() { cli::run() }"),
    ("lib.rs", "pub mod audit; #[cfg(feature = \"cli\")] pub mod render; pub use audit::conclude;"),
];

#[test]
fn each_rule_finds_what_breaks_it() {
    for (path, text, expected) in BAD {
        let faults = faults(path, text);
        let right = !faults.is_empty() && faults.iter().all(|fault| fault.contains(expected));
        assert!(right, "{text}\nexpected: {expected}\nfound: {faults:#?}");
    }
}

#[test]
fn no_rule_finds_what_is_not_there() {
    for (path, text) in GOOD {
        assert_eq!(faults(path, text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn sizes_are_counted_without_tests_and_comments() {
    let code = "struct Row;\n".repeat(FILE);
    assert_eq!(faults("pci/a.rs", &code), Vec::<String>::new());
    assert_eq!(faults("pci/a.rs", &format!("{code}#[cfg(test)]\nmod tests {{\n{code}}}\n")), Vec::<String>::new());
    assert!(faults("pci/a.rs", &format!("{code}struct Last;\n"))[0].contains("lines long"));

    let body = "    step();\n".repeat(FUNCTION);
    assert_eq!(faults("pci/a.rs", &format!("fn f() {{\n    // why\n\n{body}}}\n")), Vec::<String>::new());
    assert!(
        faults("pci/a.rs", &format!("fn f(x: [u8; 2]) {{\n{body}    step();\n}}\n"))[0].contains("`f` has 61 lines")
    );
}

/// What is wrong with the file at `path` below `src/`.
fn faults(path: &str, text: &str) -> Vec<String> {
    let tokens = code::tokens(text);
    let mut found: Vec<(usize, String)> = Vec::new();
    let this = module(path);
    if this == "lib" {
        // `pub use` is a part of the list: the types that are promised.
        let uses = tokens.windows(2).filter(|two| two[1].text == "use" && two[0].text != "pub");
        found.extend(uses.map(|two| (two[1].line, "lib.rs only lists the modules".to_owned())));
    } else if let Some(rank) = rank(&this) {
        for named in code::paths(&tokens) {
            found.extend(fault_of(path, &this, rank, &named).map(|fault| (named.line, fault)));
        }
        found
            .extend(words(&this, &tokens).filter(|(_, fault)| !UNSAFE.contains(&path) || !fault.starts_with("unsafe")));
    } else {
        found.push((1, format!("`{this}` is not in the rank table")));
    }
    found.extend(sizes(path, text, &tokens));
    found.into_iter().map(|(line, fault)| format!("src/{path}:{line}: {fault}")).collect()
}

/// The rule that a path breaks.
fn fault_of(path: &str, this: &str, rank: usize, named: &Named) -> Option<String> {
    let shown = named.segments.join("::");
    if let Some(inner) = within_crate(path, named) {
        return match inner.first().map(String::as_str) {
            None | Some("*") => Some(format!("{this} names the whole crate")),
            Some(other) if other == this => None,
            Some(other) => match rank_of(&inner) {
                None => Some(format!("`{other}` is not in the rank table")),
                Some(_) if !may_name(this, other) => {
                    Some(format!("{this} names {other}, which is above it or beside it ({shown})"))
                }
                Some(_) => None,
            },
        };
    }
    let owners = FOREIGN.iter().find(|(name, _)| *name == named.segments[0]);
    if owners.is_some_and(|(_, modules)| !modules.contains(&this)) {
        return Some(format!("{this} names {} ({shown})", named.segments[0]));
    }
    let touches = |outside: &&&str| {
        let outside: Vec<&str> = outside.split("::").collect();
        let written: Vec<&str> = named.segments.iter().map(String::as_str).filter(|name| *name != "*").collect();
        written.windows(outside.len()).any(|part| part == outside) || (named.used && outside.starts_with(&written))
    };
    let outside = OUTSIDE.iter().find(touches).filter(|_| rank < EDGE);
    outside.map(|_| format!("{this} names {shown}: it must not touch the world outside"))
}

/// The path from the root of this crate, when it is one of ours.
fn within_crate(path: &str, named: &Named) -> Option<Vec<String>> {
    let mut here: Vec<String> = path.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if matches!(here.last().map(String::as_str), Some("mod" | "main")) {
        here.pop();
    }
    here.extend(named.inside.iter().cloned());
    let mut segments = named.segments.iter().peekable();
    match segments.next()?.as_str() {
        "crate" | "pciback_audit" => here.clear(),
        "self" => {}
        "super" => {
            here.pop();
            while segments.next_if(|name| *name == "super").is_some() {
                here.pop();
            }
        }
        _ => return None,
    }
    here.extend(segments.cloned());
    Some(here)
}

/// Words that need no path: `unsafe`, and the printing macros.
fn words<'a>(this: &'a str, tokens: &'a [Token]) -> impl Iterator<Item = (usize, String)> + use<'a> {
    tokens.windows(2).filter_map(move |two| match two[0].text.as_str() {
        "unsafe" => Some((two[0].line, "unsafe code".to_owned())),
        name if PRINTING.contains(&name) && two[1].text == "!" => {
            Some((two[0].line, format!("{this} prints: return what is to be written")))
        }
        _ => None,
    })
}

fn sizes(path: &str, text: &str, tokens: &[Token]) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let lines = code::lines_before_tests(text);
    let listed = LONG.iter().any(|(long, _)| *long == path) || path.ends_with("/tests.rs");
    if lines > FILE && !listed {
        found.push((FILE, format!("{lines} lines long: part it, or list it with the reason")));
    }
    for (name, line, lines) in code::functions(tokens) {
        if lines > FUNCTION {
            found.push((line, format!("`{name}` has {lines} lines")));
        }
    }
    found
}

/// The module at the top that a file belongs to.
fn module(path: &str) -> String {
    path.split('/').next().unwrap().trim_end_matches(".rs").to_owned()
}

fn rank(module: &str) -> Option<usize> {
    RANKS.iter().position(|(_, _, modules)| modules.contains(&module))
}

fn rank_of(inner: &[String]) -> Option<usize> {
    inner.first().and_then(|module| rank(module))
}

fn may_name(this: &str, other: &str) -> bool {
    let (Some(from), Some(to)) = (rank(this), rank(other)) else { return false };
    let never = NEVER.iter().any(|(module, others)| *module == this && others.contains(&other));
    let (_, within, modules) = RANKS[from];
    let place = |name: &str| modules.iter().position(|module| *module == name);
    let beside = from == to && within == LeftToRight && place(other) < place(this);
    !never && (to < from || beside)
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file of `src/`, by its path below it.
fn sources() -> Vec<(String, String)> {
    below("src")
}

/// Every file of Rust in a folder, by its path below it.
fn below(folder: &str) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut left = vec![root().join(folder)];
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                left.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let name = path.strip_prefix(root().join(folder)).unwrap().to_string_lossy().into_owned();
                files.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    files.sort();
    files
}
