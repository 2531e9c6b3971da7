//! Every code of a finding: a scenario makes it, another one that is near does not, and its section names the proof.
//!
//! A scenario is a near miss of the codes that its line `# near miss: CODE, ...` names.

#![allow(clippy::unwrap_used, reason = "a test may end in a panic")]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use pciback_audit::report::Code;
use support::scenario::parse;
use support::testdata;

/// Made before anything is judged; `tests/policy.rs` shows it and its near misses.
const BEFORE_THE_JUDGE: &[Code] = &[Code::PolicyUnreadable];

/// What each scenario makes, and what it nearly makes.
fn scenarios() -> Vec<(String, BTreeSet<Code>, Vec<Code>)> {
    let files = std::fs::read_dir(testdata("scenarios")).unwrap().map(|file| file.unwrap().path());
    let read = |path: std::path::PathBuf| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(path).unwrap();
        let made = parse(&text).report().findings.iter().map(|finding| finding.code).collect();
        let near = text.lines().filter_map(|line| line.strip_prefix("# near miss: "));
        let near = near.flat_map(|codes| codes.split(", ")).map(|code| code.parse().unwrap()).collect();
        (name, made, near)
    };
    files.map(read).collect()
}

#[test]
fn every_code_is_made_by_a_scenario_and_nearly_made_by_another() {
    let scenarios = scenarios();
    let mut makers: BTreeMap<Code, Vec<&str>> = BTreeMap::new();
    let mut near: BTreeMap<Code, Vec<&str>> = BTreeMap::new();
    for (name, made, nearly) in &scenarios {
        for code in made {
            makers.entry(*code).or_default().push(name);
        }
        for code in nearly {
            assert!(!made.contains(code), "{name} is no near miss of {code}: it makes it");
            near.entry(*code).or_default().push(name);
        }
    }
    let judged = || Code::ALL.iter().filter(|code| !BEFORE_THE_JUDGE.contains(code));
    let without = |known: &BTreeMap<Code, Vec<&str>>| {
        judged().filter(|code| !known.contains_key(code)).map(|code| code.name()).collect::<Vec<_>>()
    };
    assert!(without(&makers).is_empty(), "no scenario makes {}", without(&makers).join(", "));
    assert!(without(&near).is_empty(), "no scenario is a near miss of {}", without(&near).join(", "));
}

#[test]
fn every_code_has_a_section_with_its_proof_and_what_to_do() {
    let text = include_str!("../docs/findings.md");
    let sections: BTreeMap<&str, &str> =
        text.split("\n## ").skip(1).filter_map(|section| section.split_once('\n')).collect();
    for code in Code::ALL {
        let section = sections.get(code.name()).unwrap_or_else(|| panic!("{code} has no section"));
        let has = |word: &str| section.lines().any(|line| line.starts_with(word));
        assert!(has("Proof: "), "{code}: its section names no proof");
        assert!(has("To do: ") || has("To do, now: "), "{code}: its section does not say what to do");
    }
    assert_eq!(sections.len(), Code::ALL.len(), "a section is about no code");
}
