//! The rules of `docs/evidence.md` as properties: held for many small worlds that a generator makes, the same ones in every run.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice, reason = "a test may end in a panic")]

mod support;
#[path = "evidence/world.rs"]
mod world;

use pciback_audit::audit::{Asked, Case, Options, conclude};
use pciback_audit::report::{Code, Report, Verdict};
use support::log;
use world::{
    Boot, DEVICES, Dice, FORMS, Form, ID, LIST, OUTCOMES, Outcome, Record, boot, entries, entry, stamp, word, written,
};

const KERNEL: &str = "6.1.0-56-amd64";

fn case(logs: &[&[u8]]) -> Case {
    let logs = logs.iter().enumerate().map(|(index, bytes)| log(index, &format!("log-{index}"), bytes)).collect();
    Case { asked: Asked::List(LIST.as_bytes().to_vec()), logs, ..Case::default() }
}

fn judged(logs: &[&[u8]]) -> Report {
    conclude(&case(logs))
}

/// With `--trust-log`: for what does not hang on who wrote a record.
fn trusting(logs: &[&[u8]]) -> Report {
    conclude(&Case { options: Options { trust_log: true, ..Options::default() }, ..case(logs) })
}

fn status(report: &Report, device: &str) -> &'static str {
    report.devices.iter().find(|found| found.address.to_string() == device).unwrap().status.name()
}

fn statuses(report: &Report) -> Vec<(String, &'static str)> {
    report.devices.iter().map(|device| (device.address.to_string(), device.status.name())).collect()
}

fn outcomes(dice: &mut Dice) -> [Outcome; 3] {
    [(); 3].map(|()| dice.pick(&OUTCOMES))
}

fn is_fine(report: &Report) -> bool {
    report.verdict <= Verdict::Warning
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn whole_boots_are_judged_by_their_truth_in_every_container() {
    let mut dice = Dice::new(1);
    for round in 0..60 {
        let truth = outcomes(&mut dice);
        let expected = truth.map(|outcome| match outcome {
            Outcome::Seized => "seized",
            Outcome::Failed => "failed",
            Outcome::PassedOver => "missing",
        });
        for form in FORMS {
            let bytes = written(form, &boot(KERNEL, "", truth));
            let report = trusting(&[&bytes]);
            let found = DEVICES.map(|device| status(&report, device));
            assert_eq!(found, expected, "round {round}, {form:?}\n{}", shown(&bytes));
        }
    }
}

// --- Order.

/// Each device has the same status or is unconfirmed, and the verdict is the same, or as bad as that makes it.
#[track_caller]
fn same_or_unknown(found: &Report, expected: &Report, what: &str) {
    for device in DEVICES {
        let (is, was) = (status(found, device), status(expected, device));
        assert!(is == was || is == "unconfirmed", "{what}: {device} is {is}, not {was}");
    }
    let same = found.verdict == expected.verdict;
    assert!(same || found.verdict == Verdict::Unknown, "{what}: {}, not {}", found.verdict, expected.verdict);
}

#[test]
fn files_may_be_named_in_any_order() {
    let mut dice = Dice::new(2);
    for round in 0..120 {
        let form = dice.pick(&FORMS);
        let entries = entries(form, &boot(KERNEL, "", outcomes(&mut dice)));
        let expected = judged(&[&entries.concat()]);
        let mut cuts: Vec<usize> = (0..=dice.below(3)).map(|_| dice.below(entries.len())).collect();
        cuts.extend([0, entries.len()]);
        cuts.sort_unstable();
        cuts.dedup();
        let mut files: Vec<Vec<u8>> = cuts.windows(2).map(|cut| entries[cut[0]..cut[1]].concat()).collect();
        for last in (1..files.len()).rev() {
            files.swap(last, dice.below(last + 1));
        }
        let files: Vec<&[u8]> = files.iter().map(Vec::as_slice).collect();
        same_or_unknown(&judged(&files), &expected, &format!("round {round}, {form:?} cut at {cuts:?}"));
    }
}

#[test]
fn newest_first_is_put_in_order_or_unknown() {
    let mut dice = Dice::new(3);
    for round in 0..120 {
        let form = dice.pick(&FORMS);
        let mut entries = entries(form, &boot(KERNEL, "", outcomes(&mut dice)));
        let expected = judged(&[&entries.concat()]);
        entries.reverse();
        same_or_unknown(&judged(&[&entries.concat()]), &expected, &format!("round {round}, {form:?}"));
    }
}

// --- Who wrote it.

/// What a user may have somebody log, to be taken for the kernel: one line.
fn claim(dice: &mut Dice, micros: u64, inner: Form) -> String {
    let device = dice.pick(&DEVICES);
    let text = match dice.below(8) {
        0 | 1 => format!("pciback {device}: xen_pciback: seizing device"),
        2 => format!("pciback {device}: xen_pciback: error -22 initializing device"),
        3 => "xen_pciback: backend is vpci".to_owned(),
        4 => format!("nvme {device}: {}", word(dice)),
        5 => "xen_pciback: Error parsing pci_devs_to_hide at \"x\"".to_owned(),
        6 => format!("pciback {device}: registering for 3"),
        _ => "Linux version 6.9.9 (mallory@home) #1 SMP".to_owned(),
    };
    let record = Record::new(6, micros, text);
    match dice.below(4) {
        0 => record.text,
        1 => format!("<6>{} {}", stamp(micros), record.text),
        2 => format!("{} {}", stamp(micros), record.text),
        _ => {
            let line = entry(inner, &boot(KERNEL, "", [Outcome::Seized; 3]), 900, &record);
            String::from_utf8(line).unwrap().trim_end().to_owned()
        }
    }
}

/// A user's message in a log of this form, with further lines where `lines` is more than 1. A file of syslog cannot tell a further
/// line that is a whole line of its own daemon's; all else it can.
fn users(dice: &mut Dice, form: Form, micros: u64, lines: usize) -> Record {
    // An entry of export takes several lines.
    let known: &[Form] = if form == Form::Syslog && lines == 1 { &FORMS[..3] } else { &FORMS[..4] };
    let mut inner = || dice.pick(known);
    let forms: Vec<Form> = (0..lines).map(|_| inner()).collect();
    let mut text: Vec<String> = forms.into_iter().map(|inner| claim(dice, micros, inner)).collect();
    match dice.below(3) {
        0 if lines > 1 => text.insert(0, word(dice)),
        1 => text[0] = format!("{} {}", word(dice), text[0]),
        _ => {}
    }
    let priority = if form == Form::Syslog { 14 } else { dice.pick(&[8, 12, 14, 30, 86]) };
    Record::new(priority, micros, text.join("\n"))
}

/// Puts users' messages into whole and into cut logs of the forms that say who wrote a record, or what program did.
fn user_messages_change_nothing(forms: &[Form], lines: usize, seed: u64) {
    let mut dice = Dice::new(seed);
    for round in 0..300 {
        let form = dice.pick(forms);
        let mut honest = boot(KERNEL, "", outcomes(&mut dice));
        if dice.one_in(3) {
            honest.records.drain(..dice.below(12));
        }
        let at = 1 + dice.below(honest.records.len() - 1);
        let micros = honest.records[at - 1].micros + dice.below(2_000) as u64;
        let message = users(&mut dice, form, micros, lines);
        let honest_log = written(form, &honest);
        // The kernel numbers a user's record, too: so the numbers go on without it.
        let mut parts: Vec<Vec<u8>> = Vec::new();
        for (number, record) in honest.records.iter().enumerate() {
            if number == at {
                parts.push(entry(form, &honest, number, &message));
            }
            parts.push(entry(form, &honest, number + usize::from(number >= at), record));
        }
        let told = parts.concat();
        let (before, after) = (judged(&[&honest_log]), judged(&[&told]));
        let what = format!("round {round}, {form:?}\n{}", shown(&told));
        assert_eq!(statuses(&after), statuses(&before), "{what}");
        let is_forged = after.findings.iter().any(|finding| finding.code == Code::ForgedRecord);
        let warns = before.verdict == Verdict::Ok && after.verdict == Verdict::Warning && is_forged;
        assert!(after.verdict == before.verdict || warns, "{} became {}: {what}", before.verdict, after.verdict);
    }
}

#[test]
fn what_a_user_has_logged_changes_no_verdict() {
    user_messages_change_nothing(&[Form::Kmsg, Form::DmesgX, Form::Json, Form::Export], 1, 4);
}

#[test]
fn what_a_user_has_logged_by_a_program_changes_no_verdict() {
    user_messages_change_nothing(&[Form::Syslog], 1, 5);
}

#[test]
fn the_further_lines_of_a_message_are_its_authors() {
    user_messages_change_nothing(&[Form::Kmsg, Form::DmesgX, Form::Json, Form::Export], 3, 6);
}

#[test]
fn the_further_lines_of_a_message_are_its_programs() {
    user_messages_change_nothing(&[Form::Syslog], 3, 7);
}

// --- What pciback's records prove.

/// From an error to what is printed for debugging.
const LEVELS: [u8; 5] = [3, 4, 5, 6, 7];

/// Texts of the core, of other modules and of nobody, none of which is a known failure, refusal or release.
fn harmless(dice: &mut Dice) -> String {
    const KNOWN: [&str; 12] = [
        "Invalid PCI ROM header signature: expecting 0xaa55, got 0xffff",
        "vgaarb: changed VGA decodes: olddecodes=io+mem,decodes=none:owns=io+mem",
        "vgaarb: deactivate vga console",
        "invalid VPD tag 0x00 (size 0) at offset 0; assume missing optional EEPROM",
        "PCI INT A: no GSI",
        "PCI INT A -> GSI 16 (level, low) -> IRQ 16",
        "Using the generic reset method",
        "version 1.1",
        "performing reset",
        "reset result = 0",
        "PME# disabled",
        "can't derive routing for PCI INT A",
    ];
    const WORDS: [&str; 10] = ["failed", "error", "invalid", "cannot", "unable", "not", "ROM", "MSI", "0x1f", "device"];
    if dice.one_in(2) {
        return dice.pick(&KNOWN).to_owned();
    }
    let words: Vec<String> =
        (0..=dice.below(6)).map(|_| if dice.one_in(2) { dice.pick(&WORDS).to_owned() } else { word(dice) }).collect();
    format!("{} {}", word(dice), words.join(" "))
}

/// The statuses of the devices of a boot where one seized device has a further record with this text.
fn with_text(dice: &mut Dice, levels: &[u8], text: &str) -> (&'static str, String) {
    let mut told = boot(KERNEL, "", [Outcome::Seized; 3]);
    let device = dice.pick(&DEVICES);
    let micros = told.records.iter().find(|record| record.text.contains("backend is")).unwrap().micros;
    let at = told.records.iter().position(|record| record.micros > micros).unwrap();
    let level = dice.pick(levels);
    told.records.insert(at, Record::new(level, micros + 700_000, format!("pciback {device}: {text}")));
    let form = dice.pick(&FORMS);
    let bytes = written(form, &told);
    let report = trusting(&[&bytes]);
    (status(&report, device), format!("{form:?}, {device}: {text}"))
}

#[test]
fn a_text_of_others_behind_the_prefix_leaves_a_settled_device_settled() {
    let mut dice = Dice::new(8);
    for _ in 0..400 {
        let text = harmless(&mut dice);
        let (found, what) = with_text(&mut dice, &LEVELS, &text);
        assert_eq!(found, "seized", "{what}");
    }
}

#[test]
fn an_unknown_text_of_pciback_unsettles_a_device_only_if_it_reads_like_a_failure() {
    let mut dice = Dice::new(9);
    for _ in 0..200 {
        let words = format!("{} {} {}", word(&mut dice), word(&mut dice), word(&mut dice));
        let reads_like_one = ["fail", "error", "refus", "reject", "unable"].iter().any(|bad| words.contains(bad));
        if !reads_like_one {
            let (found, what) = with_text(&mut dice, &LEVELS, &format!("xen_pciback: q{words}"));
            assert_eq!(found, "seized", "{what}");
        }
        let bad = dice.pick(&[
            "failed",
            "error",
            "cannot",
            "can't",
            "refused",
            "rejected",
            "unable to",
            "not supported",
            "invalid",
        ]);
        let text = format!("xen_pciback: q{words} {bad} {}", word(&mut dice));
        // What is printed for debugging tells of no failure.
        let (found, what) = with_text(&mut dice, &LEVELS[..4], &text);
        assert_eq!(found, "unconfirmed", "{what}");
    }
}

// --- One boot.

/// Two boots of one machine that begin alike and differ in one thing that identifies a boot. In neither are all seized, in both
/// together they are.
fn two_boots(dice: &mut Dice, form: Form) -> (Boot, Boot) {
    let split = 1 + dice.below(2);
    let first = [0, 1, 2].map(|at| if at < split { Outcome::Seized } else { Outcome::PassedOver });
    let second = [0, 1, 2].map(|at| if at < split { Outcome::PassedOver } else { Outcome::Seized });
    let difference = dice.below(if matches!(form, Form::Json | Form::Export) { 3 } else { 2 });
    let kernel = if difference == 0 { "6.1.0-57-amd64" } else { KERNEL };
    let list = if difference == 1 { "quiet" } else { "" };
    let (mut one, mut other) = (boot(KERNEL, "", first), boot(kernel, list, second));
    if difference == 2 {
        "0123456789abcdef0123456789abcdef".clone_into(&mut other.id);
        assert_ne!(other.id, ID);
    }
    // Lines that both hold, at the same time of the kernel's clock: of the first second, and of any later one.
    let shared: Vec<Record> = (0..dice.below(30))
        .map(|_| {
            let micros =
                if dice.one_in(2) { dice.below(4) as u64 * 4_000 } else { 2_000_000 + dice.below(20_000_000) as u64 };
            Record::new(6, micros, format!("{} {}", word(dice), word(dice)))
        })
        .collect();
    for each in [&mut one, &mut other] {
        each.records.extend(shared.iter().cloned());
        each.records.sort_by_key(|record| record.micros);
    }
    // What identifies them stays; of what follows some is lost. A shorter first boot is gone on with by nobody.
    let gone = dice.below(10);
    one.records.drain(2..2 + gone);
    if dice.one_in(2) {
        other.began += dice.below(100_000) as u64 + 400;
    }
    (one, other)
}

#[test]
fn boots_that_differ_in_what_identifies_them_are_never_one() {
    let mut dice = Dice::new(10);
    for round in 0..300 {
        let form = dice.pick(&FORMS);
        let (one, other) = two_boots(&mut dice, form);
        let (one, other) = (written(form, &one), written(form, &other));
        let what = |order: &str| format!("round {round}, {form:?}, {order}\n{}\n---\n{}", shown(&one), shown(&other));
        assert!(!is_fine(&trusting(&[&one, &other])), "{}", what("in order"));
        assert!(!is_fine(&trusting(&[&other, &one])), "{}", what("the later one first"));
        assert!(!is_fine(&trusting(&[&[one.clone(), other.clone()].concat()])), "{}", what("in one file"));
    }
}

// --- Records that are cut.

#[test]
fn a_line_cut_short_settles_nothing() {
    let mut dice = Dice::new(11);
    for round in 0..400 {
        let form = dice.pick(&FORMS);
        let mut told = boot(KERNEL, "", outcomes(&mut dice));
        if dice.one_in(2) {
            told.records.drain(..2 + dice.below(9));
        }
        let mut lines = entries(form, &told);
        let before = trusting(&[&lines.concat()]);
        let at = dice.below(lines.len());
        let length = dice.below(lines[at].len());
        lines[at].truncate(length);
        lines[at].push(b'\n');
        let bytes = lines.concat();
        let after = trusting(&[&bytes]);
        for device in DEVICES {
            let (was, is) = (status(&before, device), status(&after, device));
            let settled = ["missing", "seized"].contains(&is);
            assert!(was != "unconfirmed" || !settled, "round {round}, {form:?}: {device} is {is}\n{}", shown(&bytes));
        }
        assert!(before.verdict != Verdict::Unknown || !is_fine(&after), "round {round}, {form:?}\n{}", shown(&bytes));
    }
}

#[test]
fn a_record_of_pciback_cut_short_is_never_taken_for_none() {
    let mut dice = Dice::new(12);
    for form in [Form::Kmsg, Form::DmesgX, Form::Syslog, Form::Dmesg] {
        for _ in 0..60 {
            let truth = outcomes(&mut dice);
            let mut lines = entries(form, &boot(KERNEL, "", truth));
            let about: Vec<usize> =
                (0..lines.len()).filter(|at| shown(&lines[*at]).contains("pciback 0000:")).collect();
            if about.is_empty() {
                continue;
            }
            let at = dice.pick(&about);
            let line = shown(&lines[at]);
            let word = line.find("pciback 0000:").unwrap() + "pciback ".len();
            let device = DEVICES.into_iter().find(|device| line.contains(device)).unwrap();
            let is_failure = line.contains("initializing");
            // Of some forms as much is left as says which log it is of.
            let from = if matches!(form, Form::Kmsg | Form::DmesgX) { word } else { 1 };
            lines[at].truncate(from + dice.below(line.trim_end().len() - from));
            // An empty message is no damage: the kernel prints some.
            if lines[at].trim_ascii_end().ends_with(b"]") {
                continue;
            }
            lines[at].push(b'\n');
            let bytes = lines.concat();
            let found = status(&trusting(&[&bytes]), device);
            assert_ne!(found, "missing", "{form:?}: {device}\n{}", shown(&bytes));
            assert!(!is_failure || found != "seized", "{form:?}: {device}\n{}", shown(&bytes));
        }
    }
}

// --- What pciback's records prove.

/// Seized devices, of which the first one's seizing line is replaced.
fn with_first_line(text: &str) -> String {
    let lines = shown(&written(Form::Dmesg, &boot(KERNEL, "", [Outcome::Seized; 3])));
    let line = format!("pciback {}: xen_pciback: seizing device", DEVICES[0]);
    assert!(lines.contains(&line), "{lines}");
    lines.replacen(&line, text, 1)
}

#[test]
fn a_text_behind_the_drivers_name_is_not_silence() {
    for text in [
        "xen_pciback: taking device",
        "xen_pciback: cannot take device",
        "xen-pciback: taking device",
        "taking device",
        // Cut: by a pager, by a terminal, by the soft line break of a mail.
        "xen_pciback: seizing dev>",
        "xen_pciback: seizing dev=",
        "xen_pciback: sei\\",
        "xen_pcib=",
    ] {
        let bytes = with_first_line(&format!("pciback {}: {text}", DEVICES[0]));
        let report = trusting(&[bytes.as_bytes()]);
        assert_eq!(status(&report, DEVICES[0]), "unconfirmed", "{text}\n{bytes}");
        assert_eq!(status(&report, DEVICES[1]), "seized", "{text}\n{bytes}");
    }
}

#[test]
fn a_command_line_in_several_records_is_one() {
    let line = |list: &str| {
        let whole = shown(&written(Form::Dmesg, &boot(KERNEL, "", [Outcome::Seized; 3])));
        let (before, rest) = whole.split_once("Command line: ").unwrap();
        let (_, rest) = rest.split_once('\n').unwrap();
        let bytes = format!("{before}{list}\n{rest}");
        conclude(&Case { asked: Asked::Found { from: None }, ..case(&[bytes.as_bytes()]) })
    };
    let kernel = |text: &str| format!("Kernel command line: {text}");
    let next = |text: &str| format!("[    0.000000] Kernel command line: {text}");
    let hidden = format!("xen-pciback.hide={LIST}");
    let in_second = line(&[kernel("root=/dev/sda1 \\"), next(&hidden)].join("\n"));
    assert_eq!(status(&in_second, DEVICES[0]), "seized");
    let in_third = line(&[kernel("root=/dev/sda1 \\"), next("ro \\"), next(&hidden)].join("\n"));
    assert_eq!(status(&in_third, DEVICES[2]), "seized");
    // The rest of it is missing: nobody knows what is requested.
    let cut = line(&kernel("root=/dev/sda1 \\"));
    assert_eq!(cut.verdict, Verdict::Unknown);
}
