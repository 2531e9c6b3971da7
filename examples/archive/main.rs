//! Writes the log of a central syslog server, as `benches/scan/run` reads it:
//! `archive --bytes N [--hosts N] [--every N] [--rfc3339] [--dense] [--idle]`.
//!
//! The log is the same each time: daemons and kernels of the hosts, and among them whole boots of dom0s, so many that one line
//! in 20,000 (`--every`) is of a kind that `scan` looks at, and at least one for each host. With `--dense` every line is:
//! boots and guests that start. With `--idle` every second line of the others holds a text that is nearly one of these: what
//! the PCI core says of memory, and paths of xenstore. What it wrote is counts on stderr as JSON, for whoever wants to check a count.

mod boot;
mod daemons;
mod random;

use std::collections::VecDeque;
use std::io::{self, Write as _};
use std::process::ExitCode;

use boot::Outcome;
use chrono::{DateTime, TimeDelta};
use random::Random;

/// 2026-03-01T00:00:00Z. The year is not in RFC 3164's times.
const START: i64 = 1_772_323_200;

/// A month for a GiB.
const BETWEEN_LINES: u32 = 560_000;

/// As measured: what the count of boots is made from.
const LINE: u64 = 127;
const OURS_IN_A_BOOT: u64 = 23;
const LINES_IN_A_BOOT: u64 = 50;

/// Lines of guests for each boot, where all is of ours.
const GUESTS: u32 = 50;

struct Options {
    bytes: u64,
    hosts: u32,
    every: u64,
    rfc3339: bool,
    dense: bool,
    idle: bool,
}

/// What was written.
#[derive(Default)]
struct Counts {
    bytes: u64,
    lines: u64,
    ours: u64,
    seizing: u64,
    pciback: u64,
    boots: u64,
    not_ok: u64,
}

struct Archive {
    options: Options,
    random: Random,
    /// Microseconds since [`START`], and the text of the second that they are in.
    clock: u64,
    second: (u64, String),
    /// When each host booted, before [`START`] at first.
    booted: Vec<i64>,
    /// Messages of kernels that wait to be written: host, text, whether ours.
    waiting: VecDeque<(u32, boot::Line)>,
    /// The next guest.
    domain: u32,
    counts: Counts,
    out: Vec<u8>,
}

fn main() -> ExitCode {
    let Some(options) = options() else {
        return failed("archive --bytes N [--hosts N] [--every N] [--rfc3339] [--dense] [--idle]");
    };
    let mut archive = Archive::new(options);
    match archive.write(&mut io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error.to_string()),
    }
}

fn failed(why: &str) -> ExitCode {
    drop(writeln!(io::stderr(), "{why}"));
    ExitCode::FAILURE
}

fn options() -> Option<Options> {
    let mut options = Options { bytes: 0, hosts: 10, every: 20_000, rfc3339: false, dense: false, idle: false };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--bytes" => options.bytes = arguments.next()?.parse().ok()?,
            "--hosts" => options.hosts = arguments.next()?.parse().ok()?,
            "--every" => options.every = arguments.next()?.parse().ok()?,
            "--rfc3339" => options.rfc3339 = true,
            "--dense" => options.dense = true,
            "--idle" => options.idle = true,
            _ => return None,
        }
    }
    Some(options).filter(|options| options.bytes > 0 && options.hosts > 0 && options.every > 0)
}

impl Archive {
    fn new(options: Options) -> Self {
        let mut random = Random::new();
        let booted = (0..options.hosts).map(|_| -i64::from(random.below(4_000_000)) * 1_000_000).collect();
        Self {
            options,
            random,
            clock: 0,
            second: (u64::MAX, String::new()),
            booted,
            waiting: VecDeque::new(),
            domain: 1,
            counts: Counts::default(),
            out: Vec::new(),
        }
    }

    fn write(&mut self, out: &mut impl io::Write) -> io::Result<()> {
        let boots = self.boots();
        while self.counts.bytes < self.options.bytes || !self.waiting.is_empty() {
            if self.counts.boots < boots && self.counts.bytes >= self.options.bytes / boots * self.counts.boots {
                self.boot();
            }
            let quiet = !self.options.dense && (self.waiting.is_empty() || self.random.below(3) == 0);
            if quiet {
                self.daemon();
            } else if let Some((host, line)) = self.waiting.pop_front() {
                self.kernel(host, &line.text, line.ours);
            } else {
                self.guest();
            }
            if self.out.len() > 1 << 20 {
                out.write_all(&self.out)?;
                self.out.clear();
            }
        }
        out.write_all(&self.out)?;
        let Counts { bytes, lines, ours, seizing, pciback, boots, not_ok } = self.counts;
        let hosts = self.options.hosts.min(u32::try_from(boots).unwrap_or(u32::MAX));
        writeln!(
            io::stderr(),
            r#"{{"bytes":{bytes},"lines":{lines},"ours":{ours},"seizing":{seizing},"pciback":{pciback},"hosts":{hosts},"boots":{boots},"not_ok":{not_ok}}}"#,
        )
    }

    /// How many boots the log is to have: at least one for each host, as far as there is room.
    fn boots(&self) -> u64 {
        let lines = self.options.bytes / LINE;
        let hosts = u64::from(self.options.hosts);
        if self.options.dense {
            return (lines / (OURS_IN_A_BOOT + u64::from(GUESTS) * 16)).max(hosts);
        }
        let wanted = (lines / self.options.every / OURS_IN_A_BOOT).max(hosts);
        wanted.min((lines / LINES_IN_A_BOOT * 3 / 4).max(1))
    }

    fn boot(&mut self) {
        // Not in the order of their names.
        let host = u32::try_from(self.counts.boots * 7919 % u64::from(self.options.hosts)).unwrap_or_default();
        let outcome = Outcome::draw(&mut self.random);
        self.counts.boots += 1;
        self.counts.not_ok += u64::from(outcome != Outcome::Seized);
        let dense = self.options.dense;
        let lines = boot::lines(host, outcome, &mut self.random).into_iter().filter(|line| line.ours || !dense);
        self.waiting.extend(lines.map(|line| (host, line)));
    }

    /// A guest starts on some host, which has booted.
    fn guest(&mut self) {
        let known = u32::try_from(self.counts.boots).unwrap_or(u32::MAX).min(self.options.hosts);
        let host = self.random.below(known.max(1)) * 7919 % self.options.hosts;
        self.domain += 1;
        let lines = boot::guest(host, self.domain).into_iter().map(|text| (host, boot::Line { text, ours: true }));
        self.waiting.extend(lines);
    }

    fn daemon(&mut self) {
        let host = self.random.below(self.options.hosts);
        let idle = self.options.idle && self.random.below(2) == 0;
        let lines = if idle { daemons::IDLE } else { daemons::LINES };
        let all: u32 = lines.iter().map(|line| line.0).sum();
        let mut left = self.random.below(all);
        let chosen = lines.iter().find(|line| {
            let found = left < line.0;
            left = left.saturating_sub(line.0);
            found
        });
        let Some((_, program, text)) = chosen else { return };
        let text = self.filled(text);
        if *program == "kernel" {
            self.kernel(host, &text, false);
        } else {
            let program = self.filled(program);
            self.line(host, &format!("{program}: {text}"));
        }
    }

    /// The text with something in the place of what stands in braces.
    fn filled(&mut self, text: &str) -> String {
        use std::fmt::Write as _;
        let mut filled = String::with_capacity(text.len() + 64);
        let mut parts = text.split('{');
        filled.push_str(parts.next().unwrap_or_default());
        for part in parts {
            let Some((what, rest)) = part.split_once('}') else { continue };
            let random = &mut self.random;
            let mut byte = || random.below(256);
            let word = |number: u32, words: &[&'static str]| words.get(number as usize % words.len()).copied();
            let done = match what {
                "d" => write!(filled, "{}", random.below(100)),
                "p" => write!(filled, "{}", 1024 + random.below(64_000)),
                "h" => write!(filled, "{:08x}", random.below(u32::MAX)),
                "i" => write!(filled, "10.{}.{}.{}", byte(), byte(), byte()),
                "m" => write!(filled, "00:16:3e:{:02x}:{:02x}:{:02x}", byte(), byte(), byte()),
                "u" => write!(filled, "{}", word(byte(), &daemons::USERS).unwrap_or_default()),
                _ => write!(filled, "{}", word(byte(), &daemons::WORDS).unwrap_or_default()),
            };
            debug_assert!(done.is_ok(), "a string can be written to");
            filled.push_str(rest);
        }
        filled
    }

    fn kernel(&mut self, host: u32, text: &str, ours: bool) {
        let Some(booted) = self.booted.get_mut(host as usize) else { return };
        if text.starts_with("Linux version ") {
            *booted = self.clock.cast_signed();
        }
        let uptime = self.clock.cast_signed() - *booted;
        self.counts.ours += u64::from(ours);
        self.counts.seizing += u64::from(text.ends_with("seizing device"));
        self.counts.pciback += u64::from(text.contains("pciback"));
        self.line(host, &format!("kernel: [{:>5}.{:06}] {text}", uptime / 1_000_000, uptime % 1_000_000));
    }

    fn line(&mut self, host: u32, text: &str) {
        // While a kernel starts, and where guests do, much happens at once.
        let busy = self.options.dense || !self.waiting.is_empty();
        self.clock += u64::from(self.random.below(if busy { 20_000 } else { BETWEEN_LINES }));
        let second = self.clock / 1_000_000;
        if self.second.0 != second {
            let time = DateTime::UNIX_EPOCH + TimeDelta::seconds(START.saturating_add_unsigned(second));
            let form = if self.options.rfc3339 { "%Y-%m-%dT%H:%M:%S" } else { "%b %e %H:%M:%S" };
            self.second = (second, time.format(form).to_string());
        }
        let before = self.out.len();
        let time = &self.second.1;
        let (rack, place) = (host / 40, host % 40);
        let written = if self.options.rfc3339 {
            let micros = self.clock % 1_000_000;
            writeln!(self.out, "{time}.{micros:06}+00:00 xen-r{rack:02}-{place:02} {text}")
        } else {
            writeln!(self.out, "{time} xen-r{rack:02}-{place:02} {text}")
        };
        debug_assert!(written.is_ok(), "a vector can be written to");
        self.counts.lines += 1;
        self.counts.bytes += (self.out.len() - before) as u64;
    }
}
