//! Runs the program as a user does: a clean environment, real files, and what it said on each stream.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of it")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use std::ffi::OsString;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pciback_audit::tree::{Node, Tree};
use serde_json::Value;

/// A run that is being put together.
pub struct Audit {
    args: Vec<OsString>,
    env: Vec<(&'static str, &'static str)>,
    input: Option<Vec<u8>>,
}

/// What came of it.
pub struct Ran {
    pub status: i32,
    pub out: String,
    pub err: String,
}

/// `pciback-audit ARGS`, the arguments parted by blanks.
pub fn audit(args: &str) -> Audit {
    Audit { args: args.split_whitespace().map(OsString::from).collect(), env: Vec::new(), input: None }
}

impl Audit {
    /// One more argument, as it is.
    pub fn with(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    pub fn env(mut self, name: &'static str, value: &'static str) -> Self {
        self.env.push((name, value));
        self
    }

    pub fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = Some(bytes.into());
        self
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pciback-audit"));
        command.args(&self.args).env_clear().envs(self.env.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    #[track_caller]
    pub fn run(self) -> Ran {
        let mut command = self.command();
        if self.input.is_some() {
            command.stdin(Stdio::piped());
        }
        let mut child = command.spawn().unwrap();
        if let (Some(bytes), Some(mut pipe)) = (&self.input, child.stdin.take()) {
            // It may have seen enough before the end.
            pipe.write_all(bytes).unwrap_or_default();
        }
        let output = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let ran = Ran { status: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) };
        assert!(!ran.err.contains("defect"), "{}", ran.err);
        ran
    }
}

impl Ran {
    /// Ended like this.
    #[track_caller]
    pub fn ends_with(self, status: i32) -> Self {
        assert_eq!(self.status, status, "\n{}\n{}", self.out, self.err);
        self
    }

    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.out.contains(text), "no `{text}` in:\n{}\n{}", self.out, self.err);
        self
    }

    #[track_caller]
    pub fn complains(self, text: &str) -> Self {
        assert!(self.err.contains(text), "no `{text}` in:\n{}", self.err);
        self
    }

    #[track_caller]
    pub fn says_nothing(self) -> Self {
        assert_eq!((self.out.as_str(), self.err.as_str()), ("", ""));
        self
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}:\n{}\n{}", self.out, self.err))
    }

    /// The status of a device.
    #[track_caller]
    pub fn device(&self, address: &str) -> Value {
        let report = self.json();
        let devices = report["devices"].as_array().unwrap();
        devices.iter().find(|device| device["address"] == address).unwrap_or_else(|| panic!("no {address}")).clone()
    }

    /// The codes of the findings, in order.
    #[track_caller]
    pub fn codes(&self) -> Vec<String> {
        let report = self.json();
        let findings = report["findings"].as_array().unwrap();
        findings.iter().map(|finding| finding["code"].as_str().unwrap().to_owned()).collect()
    }
}

pub fn capture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/captures").join(name)
}

/// The names of all captures.
pub fn captures() -> Vec<String> {
    let folders = std::fs::read_dir(capture("")).unwrap();
    let mut names: Vec<String> = folders.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A directory for `--root` and for files of a test.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// The files of a captured machine, and its ring buffer.
    pub fn of(name: &str) -> Self {
        let manifest = std::fs::read_to_string(capture(name).join("root.txt")).unwrap();
        let folder = Self::holding(&manifest);
        folder.file("dev/kmsg", &std::fs::read(capture(name).join("kmsg.raw")).unwrap());
        folder
    }

    /// The files of a manifest.
    pub fn holding(manifest: &str) -> Self {
        let folder = Self::new();
        for (path, node) in Tree::from_manifest(manifest).unwrap().nodes() {
            match node {
                Node::Directory => std::fs::create_dir_all(folder.at(path)).unwrap(),
                Node::File(bytes) => folder.file(path, bytes),
                Node::Link(target) => symlink(std::str::from_utf8(target).unwrap(), folder.at(path)).unwrap(),
                Node::Unreadable(why) => panic!("{path}: {why}"),
            }
        }
        folder
    }

    /// A path in it, with the directories above it made.
    pub fn at(&self, path: &str) -> PathBuf {
        let path = self.0.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    pub fn file(&self, path: &str, bytes: &[u8]) {
        std::fs::write(self.at(path), bytes).unwrap();
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

/// Whether this process, and so what it runs, ignores a signal.
pub fn is_ignored(signal: rustix::process::Signal) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap().trim();
    let bit = u32::try_from(signal.as_raw()).unwrap() - 1;
    u64::from_str_radix(mask, 16).unwrap() >> bit & 1 == 1
}

/// The bytes, compressed by gzip.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
