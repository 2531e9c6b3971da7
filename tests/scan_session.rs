//! `docs/scan.md` against the program: 500 hosts, a terminal of 80 columns and 24 lines, and what is asked of them.
//! `UPDATE_EXPECT=1` rewrites it.
//!
//! In a `console` block every line after `$ ` is run in the folder of the logs, and what follows is its output.

#![expect(clippy::unwrap_used, reason = "a test may panic, and its helpers are part of it")]

mod common;
mod fleet;

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::Folder;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

const COLUMNS: u16 = 80;
const LINES: u16 = 24;

/// When the session is held, in the place of the time of the test.
const NOW: &str = "2026-03-02T12:00:00Z";

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/scan.md")
}

/// A shell in the folder of the logs, on a terminal.
struct Terminal {
    folder: Folder,
}

impl Terminal {
    fn new() -> Self {
        let folder = Folder::new();
        fleet::write(&folder.at("remote"));
        Self { folder }
    }

    /// What a command shows, and the exit status in the end.
    fn shows(&self, command: &str) -> (String, i32) {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let name = ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
        let theirs = OpenOptions::new().read(true).write(true).open(name).unwrap();
        tcsetwinsize(&theirs, Winsize { ws_row: LINES, ws_col: COLUMNS, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let reader = std::thread::spawn(move || {
            let (mut ours, mut shown) = (File::from(ours), Vec::new());
            // It ends with an error when nobody has the terminal open any more.
            std::io::Read::read_to_end(&mut ours, &mut shown).unwrap_or_default();
            String::from_utf8(shown).unwrap()
        });
        let programs = Path::new(env!("CARGO_BIN_EXE_pciback-audit")).parent().unwrap().to_str().unwrap();
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", command]).current_dir(self.folder.path()).env_clear().env("TERM", "dumb");
        shell.env("LC_ALL", "C.UTF-8").env("PATH", format!("{programs}:/usr/bin:/bin"));
        // Where a progress bar may come and go.
        shell.stdin(Stdio::null()).stdout(theirs).stderr(Stdio::piped());
        let output = shell.spawn().unwrap().wait_with_output();
        drop(shell);
        let output = output.unwrap();
        let shown = reader.join().unwrap().replace("\r\n", "\n") + &String::from_utf8(output.stderr).unwrap();
        (dated(&shown), output.status.code().unwrap())
    }
}

/// The text with the time of the test in the place of the present.
fn dated(text: &str) -> String {
    let mut parts = text.split_inclusive('Z');
    let is_stamp = |stamp: &str| stamp.as_bytes().get(10) == Some(&b'T') && !stamp.starts_with("2026-03-");
    let part = |part: &str| match part.len().checked_sub(NOW.len()).and_then(|at| part.split_at_checked(at)) {
        Some((before, stamp)) if stamp.ends_with('Z') && is_stamp(stamp) => format!("{before}{NOW}"),
        _ => part.to_owned(),
    };
    parts.by_ref().map(part).collect()
}

/// The page with every block made again.
fn again(page: &str, terminal: &Terminal) -> String {
    let mut found = String::new();
    let mut in_block = false;
    for line in page.split_inclusive('\n') {
        if let Some(kind) = line.strip_prefix("```") {
            in_block = !in_block && kind.trim_end() == "console";
            found.push_str(line);
        } else if let Some(command) = line.strip_prefix("$ ").filter(|_| in_block) {
            found.push_str(line);
            found.push_str(&terminal.shows(command).0);
        } else if !in_block {
            found.push_str(line);
        }
    }
    found
}

#[test]
fn the_page_shows_what_happens() {
    let page = fs::read_to_string(docs()).unwrap();
    let found = again(&page, &Terminal::new());
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(docs(), found).unwrap();
    } else if let Some((shown, found)) = page.lines().zip(found.lines()).find(|(shown, found)| shown != found) {
        panic!(
            "docs/scan.md shows\n  {shown}\nand it is\n  {found}\nUPDATE_EXPECT=1 cargo test --test scan_session rewrites it"
        );
    } else {
        assert_eq!(page, found, "docs/scan.md ends too early or too late");
    }
}

#[test]
fn the_first_screen_says_what_is_wrong_and_where() {
    let terminal = Terminal::new();
    let (shown, status) = terminal.shows("pciback-audit scan remote");
    assert_eq!(status, 2);
    assert!(shown.lines().count() < usize::from(LINES), "{shown}");
    assert!(shown.lines().all(|line| line.chars().count() <= usize::from(COLUMNS)), "{shown}");
    for words in [
        "critical",
        "56  critical  missing, nvme has it",
        "0a:00.0",
        "0b:00.0",
        "the kernel cannot read the list",
        "--all",
        "412 hosts are fine",
    ] {
        assert!(shown.contains(words), "{words}\n{shown}");
    }
    let (all, _) = terminal.shows("pciback-audit scan --all remote");
    assert_eq!(all.lines().filter(|line| line.starts_with("dom0-")).count(), 558);
}
