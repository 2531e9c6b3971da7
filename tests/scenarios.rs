//! Every scenario below `testdata/scenarios`, and the whole report it must give. `UPDATE_EXPECT=1` rewrites them.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may end in a panic")]

mod support;

use pciback_audit::audit::conclude;
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
        let found = summary(&conclude(&scenario.case));
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
