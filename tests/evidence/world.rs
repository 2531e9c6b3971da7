//! Boots with a known outcome, and their records as the containers of logs hold them.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::fmt::Write as _;

/// A small generator, so that a failure can be had again.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0 >> 11) % most as u64).unwrap()
    }

    pub(crate) fn one_in(&mut self, number: usize) -> bool {
        self.below(number) == 0
    }

    pub(crate) fn pick<T: Copy>(&mut self, some: &[T]) -> T {
        some[self.below(some.len())]
    }
}

pub(crate) const DEVICES: [&str; 3] = ["0000:00:1d.0", "0000:00:1d.1", "0000:03:00.0"];
pub(crate) const LIST: &str = "(0000:00:1d.0)(0000:00:1d.1)(0000:03:00.0)";

/// What became of a device when pciback was loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Seized,
    /// Seized, and its set-up failed.
    Failed,
    /// Another driver had it: no record.
    PassedOver,
}

pub(crate) const OUTCOMES: [Outcome; 3] = [Outcome::Seized, Outcome::Failed, Outcome::PassedOver];

#[derive(Clone, Debug)]
pub(crate) struct Record {
    /// Facility times eight, and level: below 8 it is the kernel's.
    pub(crate) priority: u8,
    /// The kernel's clock.
    pub(crate) micros: u64,
    pub(crate) text: String,
}

impl Record {
    pub(crate) fn new(priority: u8, micros: u64, text: impl Into<String>) -> Self {
        Self { priority, micros, text: text.into() }
    }
}

/// One boot of one machine.
#[derive(Clone, Debug)]
pub(crate) struct Boot {
    pub(crate) id: String,
    /// Seconds of the day at which it began, from the start of 2026 on.
    pub(crate) began: u64,
    pub(crate) records: Vec<Record>,
}

pub(crate) const ID: &str = "e3e04467517848339c5b9e97abdc7330";

/// A whole boot of this kernel, in which this became of the three devices.
pub(crate) fn boot(kernel: &str, list: &str, outcomes: [Outcome; 3]) -> Boot {
    let mut records = vec![
        Record::new(5, 0, format!("Linux version {kernel} (builder@build) #1 SMP")),
        Record::new(6, 0, format!("Command line: placeholder root=/dev/sda1 ro {list}")),
    ];
    for n in 0..8_u64 {
        let text = format!("pci 0000:00:{:02x}.0: [8086:{:04x}] type 00 class 0x0c0300", 0x10 + n, 0x2900 + n);
        records.push(Record::new(6, 700_000 + n * 4_000, text));
    }
    records.push(Record::new(6, 1_500_123, "usb usb1: New USB device found, idVendor=1d6b"));
    let mut micros = 24_787_468;
    let seized = |outcome: Outcome| outcome != Outcome::PassedOver;
    for (device, _) in DEVICES.iter().zip(outcomes).filter(|(_, outcome)| seized(*outcome)) {
        records.push(Record::new(6, micros, format!("pciback {device}: xen_pciback: seizing device")));
        micros += 2_859;
    }
    for (device, _) in DEVICES.iter().zip(outcomes).filter(|(_, outcome)| *outcome == Outcome::Failed) {
        records.push(Record::new(3, micros, format!("pciback {device}: xen_pciback: error -22 initializing device")));
        micros += 4_799;
    }
    records.push(Record::new(6, micros, "xen_pciback: backend is vpci"));
    for n in 0..6 {
        let text = format!("usb 1-1: new high-speed USB device number {} using ehci-pci", n + 2);
        records.push(Record::new(6, micros + 30_000_000 * (n + 1) + 1_237 * n, text));
    }
    Boot { id: ID.to_owned(), began: 28_000_000, records }
}

/// A container: how a log holds its records. The first four say who wrote them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Kmsg,
    DmesgX,
    Json,
    Export,
    Syslog,
    Dmesg,
}

pub(crate) const FORMS: [Form; 6] = [Form::Kmsg, Form::DmesgX, Form::Json, Form::Export, Form::Syslog, Form::Dmesg];

/// The month, the day and the clock of a second of 2026.
fn calendar(second: u64) -> (usize, u64, String) {
    const DAYS: [u64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let (mut day, clock) = (second / 86_400, second % 86_400);
    let mut month = 0;
    while day >= DAYS[month % 12] {
        day -= DAYS[month % 12];
        month += 1;
    }
    (month % 12, day + 1, format!("{:02}:{:02}:{:02}", clock / 3600, clock / 60 % 60, clock % 60))
}

/// The time of a syslog line.
pub(crate) fn syslog_time(second: u64) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (month, day, clock) = calendar(second);
    format!("{} {day:2} {clock}", MONTHS[month])
}

fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('\t', "\\t")
}

pub(crate) fn stamp(micros: u64) -> String {
    format!("[{:5}.{:06}]", micros / 1_000_000, micros % 1_000_000)
}

const LEVELS: [&str; 8] = ["emerg", "alert", "crit", "err", "warn", "notice", "info", "debug"];

/// A record as the container holds it; text that is no kernel's and holds line feeds as its writer writes it.
pub(crate) fn entry(form: Form, boot: &Boot, number: usize, record: &Record) -> Vec<u8> {
    let Record { priority, micros, text } = record;
    let (facility, level) = (priority / 8, priority % 8);
    let name = LEVELS[usize::from(level)];
    let wall = boot.began + micros / 1_000_000;
    match form {
        Form::Kmsg => {
            let text = text.replace('\\', "\\x5c").replace('\n', "\\x0a").replace('\t', "\\x09");
            format!("{priority},{number},{micros},-;{text}\n").into_bytes()
        }
        // util-linux puts the further lines of a message below its first one.
        Form::DmesgX => {
            let prefix =
                format!("{:<6}:{name:<6}: {} ", ["kern", "user"][usize::from(facility.min(1))], stamp(*micros));
            let text = text.replace('\n', &format!("\n{}", " ".repeat(prefix.len())));
            format!("{prefix}{text}\n").into_bytes()
        }
        Form::Dmesg => format!("{} {text}\n", stamp(*micros)).into_bytes(),
        Form::Syslog => {
            let program =
                if facility == 0 { format!("kernel: {} ", stamp(*micros)) } else { "logger[811]: ".to_owned() };
            format!("{} dom0 {program}{text}\n", syslog_time(wall)).into_bytes()
        }
        Form::Json => {
            let (transport, program) = if facility == 0 { ("kernel", "kernel") } else { ("syslog", "logger") };
            format!(
                "{{\"_BOOT_ID\":\"{}\",\"_TRANSPORT\":\"{transport}\",\"SYSLOG_FACILITY\":\"{facility}\",\
                 \"SYSLOG_IDENTIFIER\":\"{program}\",\"PRIORITY\":\"{level}\",\"_SOURCE_MONOTONIC_TIMESTAMP\":\"{micros}\",\
                 \"__MONOTONIC_TIMESTAMP\":\"{micros}\",\"__REALTIME_TIMESTAMP\":\"{}\",\"_HOSTNAME\":\"dom0\",\"MESSAGE\":\"{}\"}}\n",
                boot.id,
                (1_767_225_600 + boot.began) * 1_000_000 + micros,
                quoted(text)
            )
            .into_bytes()
        }
        Form::Export => export(boot, record, number),
    }
}

/// An entry of `journalctl -o export`: what holds a line feed is written with its length.
fn export(boot: &Boot, record: &Record, number: usize) -> Vec<u8> {
    let Record { priority, micros, text } = record;
    let (transport, program) = if *priority < 8 { ("kernel", "kernel") } else { ("syslog", "logger") };
    let mut bytes = format!(
        "__CURSOR=s={number}\n__REALTIME_TIMESTAMP={}\n__MONOTONIC_TIMESTAMP={micros}\n_BOOT_ID={}\n_TRANSPORT={transport}\n\
         SYSLOG_FACILITY={}\nSYSLOG_IDENTIFIER={program}\nPRIORITY={}\n_HOSTNAME=dom0\n_SOURCE_MONOTONIC_TIMESTAMP={micros}\n",
        (1_767_225_600 + boot.began) * 1_000_000 + micros,
        boot.id,
        priority / 8,
        priority % 8
    )
    .into_bytes();
    if text.contains('\n') {
        bytes.extend_from_slice(b"MESSAGE\n");
        bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
        bytes.extend_from_slice(text.as_bytes());
    } else {
        bytes.extend_from_slice(format!("MESSAGE={text}").as_bytes());
    }
    bytes.extend_from_slice(b"\n\n");
    bytes
}

/// A boot's entries in a container.
pub(crate) fn entries(form: Form, boot: &Boot) -> Vec<Vec<u8>> {
    boot.records.iter().enumerate().map(|(number, record)| entry(form, boot, number, record)).collect()
}

/// A boot as a log.
pub(crate) fn written(form: Form, boot: &Boot) -> Vec<u8> {
    entries(form, boot).concat()
}

/// A word of random letters.
pub(crate) fn word(dice: &mut Dice) -> String {
    let mut word = String::new();
    for _ in 0..=dice.below(8) {
        let _ = write!(word, "{}", char::from(b'a' + u8::try_from(dice.below(26)).unwrap()));
    }
    word
}
