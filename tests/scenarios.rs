//! Every scenario below `testdata/scenarios`, and the whole report it must give. `UPDATE_EXPECT=1` rewrites them.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may end in a panic")]

mod support;

use support::scenario::parse;
use support::summary::summary;
use support::testdata;

#[test]
fn every_scenario_gives_its_report() {
    let mut files: Vec<_> =
        std::fs::read_dir(testdata("scenarios")).unwrap().filter_map(Result::ok).map(|f| f.path()).collect();
    files.sort();
    assert!(files.len() >= 10, "the scenarios are missing");
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let mut wrong = Vec::new();
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let scenario = parse(&std::fs::read_to_string(&file).unwrap());
        let found = summary(&scenario.report());
        if found == scenario.expected {
            continue;
        }
        if update {
            std::fs::write(&file, format!("{}== expect\n{found}", scenario.question)).unwrap();
        } else {
            wrong.push(format!("=== {name}\n--- expected\n{}--- found\n{found}", scenario.expected));
        }
    }
    assert!(wrong.is_empty(), "{}\nUPDATE_EXPECT=1 accepts what was found", wrong.join("\n"));
}

#[test]
fn every_trouble_of_the_table_is_told_by_its_scenario() {
    let table = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/troubles.md")).unwrap();
    let mut rows = 0;
    for row in table.lines().filter(|line| line.starts_with("| ")).skip(1) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let &[_, _, scenario, line] = cells.as_slice() else { panic!("{row}") };
        let text = std::fs::read_to_string(testdata(&format!("scenarios/{scenario}.txt"))).expect(row);
        let (_, expected) = text.split_once("== expect\n").unwrap();
        assert!(expected.lines().any(|told| told.starts_with(line)), "{row}");
        rows += 1;
    }
    assert!(rows >= 60, "rows of the table are missing");
}
