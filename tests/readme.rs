//! The README against the program: what it shows is what happens. `UPDATE_EXPECT=1` rewrites it.
//!
//! In a `console` block every line after `$ ` is run, and what follows is its output. Its Rust is a documentation test of the
//! library (src/lib.rs).

#![expect(clippy::unwrap_used, reason = "a test may panic, and its helpers are part of it")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

#[test]
fn the_readme_shows_what_happens() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(&path).unwrap();
    assert!(readme.contains("```console\n$ cargo run --release -- demo\n"), "the first command is not shown");
    let found = again(&readme);
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, found).unwrap();
    } else if let Some((shown, found)) = readme.lines().zip(found.lines()).find(|(shown, found)| shown != found) {
        panic!(
            "README.md shows\n  {shown}\nand it is\n  {found}\nUPDATE_EXPECT=1 cargo test --test readme rewrites it"
        );
    } else {
        assert_eq!(readme, found, "README.md ends too early or too late");
    }
}

#[test]
fn every_file_that_the_readme_names_is_there() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let links = readme.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let files = links.filter(|link| !link.contains("://")).map(|link| link.split('#').next().unwrap());
    let missing: Vec<_> = files.filter(|file| !Path::new(env!("CARGO_MANIFEST_DIR")).join(file).exists()).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// The README with every block made again.
fn again(readme: &str) -> String {
    let mut found = String::new();
    let mut open: Option<(&str, String)> = None;
    for line in readme.split_inclusive('\n') {
        match (open.take(), line.strip_prefix("```")) {
            (None, None) => found.push_str(line),
            (None, Some(kind)) => {
                found.push_str(line);
                open = Some((kind.trim_end(), String::new()));
            }
            (Some((kind, block)), None) => open = Some((kind, block + line)),
            (Some((kind, block)), Some(_)) => {
                found.push_str(&if kind == "console" { session(&block) } else { block });
                found.push_str(line);
            }
        }
    }
    found
}

/// Each command of a block with its output.
fn session(block: &str) -> String {
    let mut found = String::new();
    let mut status = 0;
    for command in block.lines().filter_map(|line| line.strip_prefix("$ ")) {
        let line = command.replace("cargo run --release --", "pciback-audit");
        let (output, ended) = shell(&format!("(exit {status}); {line}"));
        found.extend(["$ ", command, "\n", &output]);
        status = ended;
    }
    found
}

/// What a shell without this test's environment prints to either stream, and its exit status.
fn shell(line: &str) -> (String, i32) {
    let programs = Path::new(env!("CARGO_BIN_EXE_pciback-audit")).parent().unwrap().to_str().unwrap();
    let output = Command::new("/bin/sh")
        .args(["-c", &format!("exec 2>&1; {line}")])
        .env_clear()
        .env("PATH", format!("{programs}:/usr/bin:/bin"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    (String::from_utf8(output.stdout).unwrap(), output.status.code().unwrap())
}
