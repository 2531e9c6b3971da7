//! Our decoders beside those of rmesg, which others read the same logs with: they agree on every record that is well formed,
//! and each known difference is held here, so that a new version of rmesg that mends one is noticed.

#![cfg(feature = "klogctl")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may end in a panic")]

mod support;

use std::panic::catch_unwind;
use std::time::Duration;

use pciback_audit::record::{Author, Decoder, Input, Numbered};
use rmesg::entry::{Entry, LogFacility};
use rmesg::{klogctl, kmsgfile};
use support::{captures, logs_of, read};

/// What both say of a record: whether the kernel wrote it, level, sequence number, microseconds, message.
type Said = (Option<bool>, Option<u8>, Option<u64>, Option<u64>, String);

fn ours(input: &Input<'_>) -> Said {
    let Input::Record(record) = input else { return (None, None, None, None, format!("{input:?}")) };
    let kernel = match record.author {
        Author::Kernel => Some(true),
        Author::User => Some(false),
        Author::Unstated => None,
    };
    let message = String::from_utf8_lossy(&record.message).into_owned();
    (kernel, record.level, record.place.sequence, record.stamp.uptime, message)
}

fn theirs(entry: &Entry) -> Said {
    let micros = entry.timestamp_from_system_start.and_then(|time| u64::try_from(time.as_micros()).ok());
    let sequence = entry.sequence_num.and_then(|number| u64::try_from(number).ok());
    let kernel = entry.facility.map(|facility| facility == LogFacility::Kern);
    (kernel, entry.level.map(|level| level as u8), sequence, micros, entry.message.clone())
}

/// A record of `/dev/kmsg`, without its dictionary.
fn our_kmsg(line: &str) -> Vec<Said> {
    let mut said = Vec::new();
    Numbered::new(0).take(format!("{line}\n").as_bytes(), &mut |input| said.push(ours(&input)));
    said
}

/// A line of syslog(2).
fn our_klog(line: &str) -> Vec<Said> {
    let mut said = Vec::new();
    let mut decoder = Decoder::for_syslog_call(0);
    decoder.feed(format!("{line}\n").as_bytes(), &mut |input| said.push(ours(&input)));
    decoder.finish(&mut |input| said.push(ours(&input)));
    said
}

fn their_kmsg(line: &str) -> Said {
    theirs(&kmsgfile::entry_from_line(line).unwrap())
}

/// With the space behind the time, which rmesg leaves in front of the message.
fn their_klog(line: &str) -> Said {
    let mut said = theirs(&klogctl::entry_from_line(line).unwrap());
    if said.3.is_some() {
        said.4 = said.4.strip_prefix(' ').unwrap().to_owned();
    }
    said
}

/// Numbers that look random and are the same in every run (`SplitMix64`).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (value ^ (value >> 31)) % below
    }

    /// A number of any length.
    fn number(&mut self, digits: u64) -> u64 {
        let length = u32::try_from(self.roll(digits)).unwrap() + 1;
        self.roll(10_u64.pow(length))
    }

    /// A message of ASCII, without the backslash that `/dev/kmsg` writes escapes with.
    fn text(&mut self) -> String {
        let length = self.roll(90) + 1;
        let letter = |byte: u64| char::from(u8::try_from(byte).unwrap());
        let text: String = (0..length).map(|_| letter(0x20 + self.roll(0x5f))).collect();
        // What looks like a time or a caller is one of the differences.
        format!("m{}", text.replace('\\', "/"))
    }
}

#[test]
fn well_formed_records_are_read_alike() {
    let mut dice = Dice(1);
    for _ in 0..20_000 {
        let (priority, sequence, micros) = (dice.roll(12 * 8), dice.number(18), dice.number(15));
        let fields = ["-", "c", "-,caller=T1", "-,caller=C12,more=x"][usize::try_from(dice.roll(4)).unwrap()];
        let line = format!("{priority},{sequence},{micros},{fields};{}", dice.text());
        let mut ours = our_kmsg(&line);
        if ours.is_empty() {
            // The first part of a line waits for the next; without its mark it is the same record.
            assert_eq!(fields, "c", "{line}");
            ours = our_kmsg(&line.replacen(",c;", ",-;", 1));
        }
        assert_eq!(ours, [their_kmsg(&line)], "{line}");
    }
}

#[test]
fn well_formed_lines_are_read_alike() {
    let mut dice = Dice(2);
    for _ in 0..20_000 {
        let (priority, micros, text) = (dice.roll(12 * 8), dice.number(12), dice.text());
        let time = format!("[{:5}.{:06}] ", micros / 1_000_000, micros % 1_000_000);
        let line = format!("<{priority}>{}{text}", if dice.roll(4) == 0 { "" } else { &time });
        assert_eq!(our_klog(&line), [their_klog(&line)], "{line}");
    }
}

#[test]
fn the_captures_are_read_alike() {
    let (mut records, mut lines) = (0, 0);
    for capture in captures() {
        for name in logs_of(&capture) {
            let bytes = read(&format!("captures/{capture}/{name}"));
            for line in String::from_utf8_lossy(&bytes).lines() {
                let kmsg = line.as_bytes()[..line.len().min(1)].iter().all(u8::is_ascii_digit) && name == "kmsg.raw";
                if kmsg && !line.is_empty() && !line.contains('\\') {
                    assert_eq!(our_kmsg(line), [their_kmsg(line)], "{capture}/{name}: {line}");
                    records += 1;
                } else if line.starts_with('<') && line.contains(">[") && name.starts_with("dmesg") {
                    assert_eq!(our_klog(line), [their_klog(line)], "{capture}/{name}: {line}");
                    lines += 1;
                }
            }
        }
    }
    assert!(records > 1000 && lines > 300, "{records} records and {lines} lines were compared");
}

#[test]
fn facilities_above_11_are_an_error_there_and_user_space_here() {
    assert!(kmsgfile::entry_from_line("134,1,2,-;text").is_err());
    assert!(klogctl::entry_from_line("<134>[    0.000002] text").is_err());
    assert_eq!(our_kmsg("134,1,2,-;text"), [(Some(false), Some(6), Some(1), Some(2), "text".to_owned())]);
    assert_eq!(our_klog("<134>[    0.000002] text"), [(Some(false), Some(6), None, Some(2), "text".to_owned())]);
}

#[test]
fn a_dictionary_that_looks_like_a_record_is_one_there_and_none_here() {
    let forged = " 6,1,2,-;pciback 0000:00:1d.0: xen_pciback: seizing device";
    assert_eq!(their_kmsg(forged).0, Some(true));
    let ours = our_kmsg(&format!("14,1,2,-;text\n{forged}"));
    assert_eq!(ours, [(Some(false), Some(6), Some(1), Some(2), "text".to_owned())]);
    assert_eq!(our_kmsg(forged)[0].0, None, "nor is it a record alone");
}

#[test]
fn a_dictionary_line_is_a_record_of_its_own_there() {
    let line = " DEVICE=+pci:0000:00:1d.0";
    assert_eq!(their_kmsg(line), (None, None, None, None, line.to_owned()));
}

#[test]
fn escapes_are_left_there_and_undone_here() {
    assert_eq!(their_kmsg(r"6,1,2,-;a\x5cb\x0ac").4, r"a\x5cb\x0ac");
    assert_eq!(our_kmsg(r"6,1,2,-;a\x5cb\x0ac")[0].4, "a\\b\nc");
}

#[test]
fn the_caller_stays_in_the_message_there() {
    let line = "<6>[    1.234567][    T1] text";
    assert_eq!(their_klog_unchanged(line), "[    T1] text");
    assert_eq!(our_klog(line), [(Some(true), Some(6), None, Some(1_234_567), "text".to_owned())]);
}

fn their_klog_unchanged(line: &str) -> String {
    klogctl::entry_from_line(line).unwrap().message
}

#[test]
fn a_time_that_no_machine_has_is_a_panic_there_and_text_here() {
    let line = "<6>[99999999999999999999999999.0] text";
    assert!(catch_unwind(|| klogctl::entry_from_line(line).map(|_| ())).is_err());
    assert_eq!(our_klog(line)[0].4, "[99999999999999999999999999.0] text");
    // The longest that both can read.
    let line = "<6>[18446744073709.551615] text";
    let theirs = klogctl::entry_from_line(line).unwrap().timestamp_from_system_start.unwrap();
    let ours = Duration::from_micros(our_klog(line)[0].3.unwrap());
    assert!(theirs.abs_diff(ours) < Duration::from_millis(10));
}
