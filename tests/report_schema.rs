//! The JSON report and its schema say the same.

mod common;

use common::{Folder, audit, capture, captures};
use jsonschema::Validator;
use pciback_audit::report::{Code, Status};
use serde_json::Value;

const SCHEMA: &str = include_str!("../schema/report-1.json");

#[expect(clippy::unwrap_used, reason = "a schema that is no JSON fails every test here")]
fn schema() -> Value {
    serde_json::from_str(SCHEMA).unwrap()
}

#[track_caller]
fn holds(validator: &Validator, report: &Value) {
    let errors: Vec<String> =
        validator.iter_errors(report).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}\n{report:#}");
}

#[test]
fn every_capture_gives_a_report_that_the_schema_accepts() {
    let validator = jsonschema::draft202012::new(&schema()).unwrap();
    let hide = "(0000:00:1d.0)(0000:00:1d.1)(00:1d.7)(0000:00:1e.*)";
    for name in captures() {
        let folder = Folder::of(&name);
        holds(&validator, &audit("-J -v --root").with(folder.path()).run().json());
        for log in std::fs::read_dir(capture(&name)).unwrap() {
            let log = log.unwrap().path();
            holds(&validator, &audit("-J -v --hide").with(hide).with(&log).run().json());
            holds(&validator, &audit("-J --device 00:1d.0 --trust-log").with(log).run().json());
        }
    }
}

#[test]
fn reports_that_judge_nothing_are_reports_too() {
    let validator = jsonschema::draft202012::new(&schema()).unwrap();
    for args in ["demo -J", "-J /nowhere", "-J --root /nowhere", "-J --device 00:1d.0 -", "-J --hide (00:1d -"] {
        holds(&validator, &audit(args).run().json());
    }
}

#[test]
fn the_schema_is_strict() {
    let validator = jsonschema::draft202012::new(&schema()).unwrap();
    let report = audit("demo -J").run().json();
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut report = report.clone();
        change(&mut report);
        validator.is_valid(&report)
    };
    assert!(changed(&|_| {}));
    assert!(!changed(&|report| report["more"] = 1.into()));
    assert!(!changed(&|report| report["exit_status"] = "2".into()));
    assert!(!changed(&|report| report["devices"][0]["status"] = "fine".into()));
    assert!(!changed(&|report| report["devices"][0]["address"] = "00:1D.0".into()));
    assert!(!changed(&|report| report["findings"][0]["evidence"][0]["kind"] = "rumour".into()));
    assert!(!changed(&|report| report["time"] = "2026-11-22 06:00:00".into()));
    assert!(!changed(&|report| drop(report.as_object_mut().unwrap().remove("summary"))));
}

#[test]
fn the_schema_names_every_code_and_status() {
    let names = |path: &str| -> Vec<String> {
        let schema = schema();
        let names = schema.pointer(path).unwrap().as_array().unwrap();
        names.iter().map(|name| name.as_str().unwrap().to_owned()).collect()
    };
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.name()).collect();
    assert_eq!(names("/$defs/code/enum"), codes);
    assert_eq!(names("/$defs/status/enum"), Status::NAMES);
}
