//! The decoder against logs of real hosts: every format tells the same, however it is cut, and nothing makes it panic.

#![expect(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test may panic, and its helpers are part of it"
)]

use std::fs;
use std::path::{Path, PathBuf};

use pciback_audit::record::{Author, BootId, Decoder, Flaw, Input, Record, Stamp};

fn captures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/captures")
}

fn read(name: &str) -> Vec<u8> {
    fs::read(captures().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Every log of every capture, by `folder/file`.
fn logs() -> Vec<(String, Vec<u8>)> {
    let mut logs = Vec::new();
    for folder in fs::read_dir(captures()).unwrap() {
        let folder = folder.unwrap().file_name().into_string().unwrap();
        let Ok(files) = fs::read_dir(captures().join(&folder)) else { continue };
        for file in files {
            let name = file.unwrap().file_name().into_string().unwrap();
            if ["dmesg", "journalctl", "kmsg"].iter().any(|start| name.starts_with(start)) {
                let name = format!("{folder}/{name}");
                logs.push((name.clone(), read(&name)));
            }
        }
    }
    logs.sort();
    assert!(logs.len() > 70, "{}", logs.len());
    logs
}

fn owned(input: Input<'_>) -> Input<'static> {
    match input {
        Input::Record(record) => Input::Record(record.into_owned()),
        Input::Gap(gap) => Input::Gap(gap),
        Input::Boot(place, id) => Input::Boot(place, id),
        Input::Unparsed(unparsed) => Input::Unparsed(unparsed),
    }
}

/// What comes out when the log is read in these pieces.
fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Input<'static>> {
    let mut inputs = Vec::new();
    let mut sink = |input: Input<'_>| inputs.push(owned(input));
    let mut decoder = Decoder::new(0);
    for piece in pieces {
        decoder.feed(piece, &mut sink);
    }
    decoder.finish(&mut sink);
    inputs
}

fn inputs(log: &[u8]) -> Vec<Input<'static>> {
    decode([log])
}

/// The records of a log that holds nothing else.
#[track_caller]
fn records(log: &[u8]) -> Vec<Record<'static>> {
    let only = |input| match input {
        Input::Record(record) => record,
        other => panic!("{other:?}"),
    };
    inputs(log).into_iter().map(only).collect()
}

fn messages(records: &[Record<'_>]) -> Vec<String> {
    records.iter().map(|record| String::from_utf8_lossy(&record.message).into_owned()).collect()
}

/// A log in short: a line per input.
#[track_caller]
fn told(log: &str) -> Vec<String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let tell = |input| match input {
        Input::Record(Record { author, message, .. }) => format!("{author:?} {}", text(&message)),
        Input::Gap(gap) => format!("gap {:?}", gap.lost),
        Input::Boot(_, None) => "reboot".to_owned(),
        Input::Boot(_, Some(id)) => format!("boot {id}"),
        Input::Unparsed(unparsed) => format!("{:?} {}", unparsed.why, unparsed.length),
    };
    inputs(log.as_bytes()).into_iter().map(tell).collect()
}

#[test]
fn every_format_of_dmesg_holds_the_records_of_dev_kmsg() {
    for (name, log) in logs() {
        let (folder, file) = name.split_once('/').unwrap();
        if !file.starts_with("dmesg") {
            continue;
        }
        let kmsg = records(&read(&format!("{folder}/kmsg.raw")));
        let dmesg = records(&log);
        assert_eq!(messages(&dmesg), messages(&kmsg), "{name}");
        for (dmesg, kmsg) in dmesg.iter().zip(&kmsg) {
            match file {
                "dmesg-ul-T.txt" | "dmesg-ul-iso.txt" => assert!(dmesg.stamp.wall.is_some(), "{name}"),
                "dmesg-ul-t.txt" => assert_eq!(dmesg.stamp, Stamp::default(), "{name}"),
                _ => assert_eq!(dmesg.stamp.uptime, kmsg.stamp.uptime, "{name}"),
            }
            match file {
                "dmesg-ul-x.txt" => assert_eq!((dmesg.author, dmesg.level), (kmsg.author, kmsg.level), "{name}"),
                "dmesg-r.txt" => assert_eq!(dmesg.level, kmsg.level, "{name}"),
                "dmesg-ul-r.txt" => {}
                _ => assert_eq!(dmesg.author, Author::Unstated, "{name}"),
            }
        }
    }
}

#[test]
fn every_format_of_the_journal_holds_the_same_entries() {
    let entries = records(&read("journal-formats/journalctl-k-json.txt"));
    assert_eq!(entries.len(), 543);
    assert_eq!(entries.iter().filter(|record| record.author == Author::Kernel).count(), 542);
    assert!(entries.iter().all(|record| record.boot_id.is_some() && record.hostname.as_deref() == Some(b"dom0")));
    for same in ["export", "verbose"] {
        let mut others = records(&read(&format!("journal-formats/journalctl-k-{same}.txt")));
        for (other, entry) in others.iter_mut().zip(&entries) {
            other.place = entry.place;
        }
        assert_eq!(others, entries, "{same}");
    }
    for short in ["short", "short-precise", "short-iso", "short-full", "short-monotonic", "with-unit", "cat"] {
        let shorts = records(&read(&format!("journal-formats/journalctl-k-{short}.txt")));
        // These print a tab as eight blanks (systemd src/shared/logs-show.c, print_multiline).
        let printed = messages(&entries).into_iter().map(|message| message.replace('\t', "        "));
        if short == "cat" {
            assert_eq!(messages(&shorts), messages(&entries));
            continue;
        }
        assert_eq!(messages(&shorts), printed.collect::<Vec<_>>(), "{short}");
        for (short, entry) in shorts.iter().zip(&entries) {
            let author = if entry.author == Author::Kernel { Author::Unstated } else { Author::User };
            assert_eq!((short.author, &short.identifier), (author, &entry.identifier));
            assert_eq!(short.hostname, entry.hostname);
        }
    }
}

#[test]
fn the_journal_holds_the_records_of_dev_kmsg() {
    let kmsg = records(&read("journal-formats/kmsg.raw"));
    let entries = records(&read("journal-formats/journalctl-k-json.txt"));
    assert_eq!(kmsg.len(), entries.len());
    for (kmsg, entry) in kmsg.iter().zip(&entries) {
        assert_eq!((kmsg.stamp.uptime, kmsg.level, kmsg.author), (entry.stamp.uptime, entry.level, entry.author));
        if kmsg.author == Author::Kernel {
            assert_eq!((&kmsg.message, kmsg.device), (&entry.message, entry.device));
        }
    }
}

#[test]
fn forged_lines_are_user_spaces_where_the_format_tells_and_nobodys_elsewhere() {
    for (name, log) in logs() {
        let Some(file) = name.strip_prefix("forged-lines/") else { continue };
        let forged: Vec<_> = records(&log)
            .into_iter()
            .filter(|record| record.message.windows(7).any(|word| word == b"seizing"))
            .map(|record| record.author)
            .collect();
        let (real, forgery) = match file {
            "kmsg.raw" | "dmesg-ul-x.txt" => (Author::Kernel, Author::User),
            "dmesg-r.txt" => (Author::Unstated, Author::User),
            // util-linux 2.38 writes 12 as 5 and 14 as 7 with -r and -J: it tells nothing.
            _ => (Author::Unstated, Author::Unstated),
        };
        assert_eq!(forged, [real, forgery, forgery, forgery], "{file}");
    }
}

#[test]
fn the_device_of_the_dictionary_is_the_one_in_the_text() {
    let records = records(&read("all-seized/kmsg.raw"));
    let seized: Vec<_> = records.iter().filter(|record| record.message.ends_with(b": seizing device")).collect();
    assert_eq!(seized.len(), 4);
    for record in seized {
        let device = record.device.unwrap().to_string();
        assert!(String::from_utf8_lossy(&record.message).contains(&device), "{device}");
    }
}

#[test]
fn where_a_log_is_cut_into_reads_does_not_matter() {
    for (name, log) in logs() {
        let whole = inputs(&log);
        // Pieces of 97 bytes from each of these starts on: in one capture every byte is cut at.
        for start in (0..97).step_by(if name.starts_with("forged-lines/") { 1 } else { 32 }) {
            let (front, back) = log.split_at(start);
            assert!(decode(std::iter::once(front).chain(back.chunks(97))) == whole, "{name} cut from {start} on");
        }
        for size in [1, 7, 4096] {
            assert!(decode(log.chunks(size)) == whole, "{name} in pieces of {size}");
        }
    }
}

#[test]
fn a_log_cut_short_gives_the_same_records_up_to_the_cut() {
    for (name, log) in logs() {
        let whole = inputs(&log);
        for cut in (0..log.len()).step_by(997 + log.len() / 16) {
            let part = inputs(&log[..cut]);
            let same = part.iter().zip(&whole).take_while(|(part, whole)| part == whole).count();
            assert!(part.len() - same <= 1, "{name} cut at {cut}: {:?}", &part[same..]);
        }
    }
}

#[test]
fn formats_may_be_mixed_in_one_log() {
    let mut mixed = Vec::new();
    let mut expected = Vec::new();
    for (_, log) in logs() {
        expected.extend(messages(&records(&log)));
        mixed.extend_from_slice(&log);
        // Without this, what follows a syslog file are the further lines of its last message.
        mixed.push(b'\n');
    }
    let read: Vec<_> = inputs(&mixed)
        .into_iter()
        .filter_map(|input| match input {
            Input::Record(record) => Some(record),
            _ => None,
        })
        .collect();
    assert!(messages(&read) == expected);
}

#[test]
fn missing_sequence_numbers_are_a_gap_and_repeated_ones_are_not() {
    let log = "6,5,1,-;a\n6,6,1,-;b\n6,9,1,-;c\n6,9,1,-;c\n6,1,1,-;new boot\n6,2,1,-;d\n";
    assert_eq!(
        told(log),
        ["Kernel a", "Kernel b", "gap Some(2)", "Kernel c", "Kernel c", "Kernel new boot", "Kernel d"]
    );
}

#[test]
fn the_parts_of_a_line_are_put_together() {
    let log = "6,1,1,c;one \n6,2,1,+;two \n6,3,1,+;three\n6,4,1,c;alone\n6,5,1,-;next\n6,6,1,c;last";
    assert_eq!(told(&(log.to_owned() + "\n")), ["Kernel one two three", "Kernel alone", "Kernel next", "Kernel last"]);
    assert_eq!(
        told("6,1,1,c;kernel\n12,2,1,+;user\n6,4,1,+;late\n"),
        ["Kernel kernel", "User user", "gap Some(1)", "Kernel late"]
    );
}

#[test]
fn a_line_that_starts_with_a_blank_is_no_record_of_its_own() {
    let forged = "6,1,2,-;text\n 6,2,2,-;pciback 0000:00:1d.0: seizing device\n6,2,2,-;next\n";
    assert_eq!(told(forged), ["Kernel text", "Kernel next"]);
    // `dmesg` indents the further lines of a message: they are its author's (util-linux 2.38, sys-utils/dmesg.c, safe_fwrite).
    let further = "text\n kern  :info  : [    1.000000] forged\n <6>forged\n";
    for (facility, author) in [("kern ", "Kernel"), ("user ", "User")] {
        let expected = ["text", " kern  :info  : [    1.000000] forged", " <6>forged"];
        let log = format!("{facility} :info  : [    1.000000] {further}");
        assert_eq!(told(&log), expected.map(|text| format!("{author} {text}")));
    }
}

#[test]
fn a_message_that_looks_like_a_record_proves_nothing() {
    let log = "one\ntwo\n6,1,2,-;quoted\nkern  :info  : quoted\nthree\n";
    assert_eq!(told(log), ["Unstated one", "Unstated two", "Unstated quoted", "Unstated quoted", "Unstated three"]);
}

#[test]
fn only_a_log_that_begins_with_its_framing_is_trusted() {
    for framed in [
        "6,1,2,-;a",
        "kern  :info  : [    1.000000] a",
        r#"{"MESSAGE":"a","_TRANSPORT":"kernel","SYSLOG_FACILITY":"0"}"#,
    ] {
        assert_eq!(told(&format!("{framed}\n")), ["Kernel a"]);
        assert_eq!(told(&format!("# dmesg\n\n{framed}\n")).last().unwrap(), "Kernel a");
        assert_eq!(told(&format!("[    1.000000] x\n{framed}\n")), ["Unstated x", "Unstated a"]);
        let section = format!("Nov 22 07:05:53 dom0 lab[1]: x\n\n{framed}\n");
        assert_eq!(told(&section), ["User x", "Unstated a"]);
        let (kernel, user) = ("Nov 22 07:05:53 dom0 kernel: x", "Nov 22 07:05:53 dom0 lab[1]: x");
        assert_eq!(told(&format!("{user}\n{framed}\n")), ["User x".to_owned(), format!("User {framed}")]);
        assert!(told(&format!("{kernel}\n{framed}\n")).last().unwrap().starts_with("Unstated "));
    }
    assert_eq!(told("<6>[    1.000000] a\n<14>[    1.000000] b\n"), ["Unstated a", "User b"]);
}

#[test]
fn syslog_2_is_the_kernels_own_word() {
    let mut authors = Vec::new();
    let mut sink = |input: Input<'_>| {
        let Input::Record(record) = input else { panic!("{input:?}") };
        authors.push((record.author, record.message.into_owned()));
    };
    let mut decoder = Decoder::for_syslog_call(0);
    decoder.feed(b"<6>[    1.000000] a\n<14>[    1.000000] b [    1.000000] c\n6,1,2,-;d\n", &mut sink);
    decoder.finish(&mut sink);
    let expected: [(Author, &[u8]); 3] =
        [(Author::Kernel, b"a"), (Author::User, b"b [    1.000000] c"), (Author::Unstated, b"6,1,2,-;d")];
    assert_eq!(authors, expected.map(|(author, text)| (author, text.to_vec())));
}

#[test]
fn the_further_lines_of_a_message_are_its_authors() {
    for further in
        ["<6>[    1.000000] b", "[    1.000000] b", "b", "6,1,2,-;b", "{\"MESSAGE\":\"b\"}", "__CURSOR=b", "  b"]
    {
        let log = format!("Nov 22 07:05:53 dom0 lab[1]: a\n{further}\nNov 22 07:05:54 dom0 kernel: c\n{further}\n");
        let all = records(log.as_bytes());
        let authors: Vec<_> = all.iter().map(|record| record.author).collect();
        assert_eq!(authors, [Author::User, Author::User, Author::Unstated, Author::Unstated], "{further}");
        assert_eq!(&*all[1].message, further.as_bytes());
        assert_eq!(all[1].identifier.as_deref(), Some(&b"lab"[..]));
        assert!(
            all.iter().all(|record| record.hostname.as_deref() == Some(b"dom0") && record.place.sequence.is_none())
        );
    }
    // The output of several commands in one file.
    let log = "Nov 22 07:05:53 dom0 lab[1]: a\n#==[ Command ]==#\n# /bin/dmesg -T\n[Sun Nov 22 06:20:00 2026] b\n";
    assert_eq!(told(log), ["User a", "Unstated #==[ Command ]==#", "Unstated # /bin/dmesg -T", "Unstated b"]);
    let log = "Nov 22 07:05:53 dom0 lab[1]: a\n-- Reboot --\n[    1.000000] b\n";
    assert_eq!(told(log), ["User a", "reboot", "Unstated b"]);
}

#[test]
fn a_record_without_a_date_in_a_file_with_priorities_has_no_author() {
    let log = "<27>lab: x\n<5>Mar  6 16:57:00 dom0 kernel: a\n<6>b\n<30>Mar  6 16:57:00 dom0 lab[1]: c\n<6>d\n<14>e\n<6>kernel: f\nno\n";
    let expected =
        ["User lab: x", "Unstated a", "Unstated b", "User c", "Unstated d", "User e", "Unstated f", "Unstated no"];
    assert_eq!(told(log), expected);
}

#[test]
fn records_that_were_merged_into_a_line_are_taken_apart() {
    let cut = |log: &str| {
        let tell = |record: &Record<'_>| {
            let uptime = record.stamp.uptime.map_or(String::new(), |uptime| uptime.to_string());
            let cut = if record.cut { "..." } else { "" };
            format!("{:?} {uptime} {}{cut}", record.author, String::from_utf8_lossy(&record.message))
        };
        records(log.as_bytes()).iter().map(tell).collect::<Vec<_>>()
    };
    for (log, expected) in [
        ("dom0 login: [   51.772755] a\n", &["Unstated  dom0 login: ...", "Unstated 51772755 a"][..]),
        ("[    2.557765] a[   10.543372] b\n", &["Unstated 2557765 a...", "Unstated 10543372 b"]),
        ("(XEN) a<14>[   10.543372] b\n", &["Unstated  (XEN) a...", "User 10543372 b"]),
        ("<6>[    2.557765] a<6>[   10.543372] b\n", &["Unstated 2557765 a...", "Unstated 10543372 b"]),
        (
            "\x1b[1mx\x1b[0m [   10.000000] a [   11.000000] b\r\n",
            &["Unstated  x ...", "Unstated 10000000 a ...", "Unstated 11000000 b"],
        ),
        (
            "Nov 22 07:05:53 dom0 kernel: [    1.000000] a [    2.000000] b\n",
            &["Unstated 1000000 a ...", "Unstated 2000000 b"],
        ),
        ("Nov 22 07:05:53 dom0 lab[1]: a [    2.000000] b\n", &["User  a [    2.000000] b"]),
        ("6,1,2,-;a [    2.000000] b\n", &["Kernel 2 a [    2.000000] b"]),
        ("kern  :info  : [    1.000000] a [    2.000000] b\n", &["Kernel 1000000 a [    2.000000] b"]),
    ] {
        assert_eq!(cut(log), expected, "{log}");
        // Twice, since a line that begins as the one before is read by another way.
        assert_eq!(cut(&format!("{log}{log}"))[expected.len()..], *expected, "{log}");
    }
}

#[test]
fn forms_that_people_and_log_stores_choose_are_read() {
    let mono = "[    0.000000] kernel: a\n[   25.000000] systemd[1]: b\n[   30.000000] kernel: xen_pciback: c\n";
    assert_eq!(told(mono), ["Unstated a", "User b", "Unstated xen_pciback: c"]);
    let delta = "[    0.000000                ] dom0 kernel: a\n[    0.000000 <   61.000000*>] dom0 lab[1]: b\n";
    assert_eq!(told(delta), ["Unstated a", "User b"]);
    let entry = "\"MESSAGE\":\"a\",\"_TRANSPORT\":\"kernel\",\"SYSLOG_FACILITY\":\"0\"";
    for log in [
        format!("[{{{entry}}},{{{entry}}}]"),
        format!("[\n  {{\n{entry}}},\n  {{{entry}}}\n]\n"),
        format!("[{{\"_index\":\"x\",\"_source\":{{{entry}}}}},{{\"fields\":{{{entry}}}}}]\n"),
    ] {
        assert_eq!(told(&log), ["Kernel a", "Kernel a"], "{log}");
    }
    assert_eq!(told(&format!("[{{{entry}}},{{{entry}}}")), ["Kernel a", "Kernel a", "CutShort 0"]);
    let export =
        "MESSAGE=a\n_TRANSPORT=kernel\nSYSLOG_FACILITY=0\n\n_TRANSPORT=kernel\nSYSLOG_FACILITY=0\nMESSAGE=b\n\n";
    assert_eq!(told(export), ["Kernel a", "Kernel b"]);
    let net = "6.1.0-dom0,5,0,0,-;a\n cpu=1\n6.1.0-dom0,12,2,1,-;b\n";
    assert_eq!(told(net), ["Kernel a", "gap Some(1)", "User b"]);
}

#[test]
fn a_damaged_time_never_makes_another_record() {
    let torn = "Jan  2 03:04:06 dom0 kernel: [   24.70 pciback 0000:00:1d.0: x\n";
    assert_eq!(told(torn), [format!("Damaged {}", torn.len())]);
    assert_eq!(told("[   24.70 pciback\n[   24.700000 a\n"), ["Damaged 18", "Unstated a"]);
    assert_eq!(told("Jan  2 03:04:06 dom0 lab: [   24.70 a\n"), ["User [   24.70 a"]);
}

#[test]
fn a_log_of_no_known_form_is_known_as_such() {
    for (log, known) in [
        ("To be, or not to be\n\n# x\n", false),
        ("{\"level\":\"info\"}\n", false),
        ("[    1.000000] a\n", true),
        ("<6>a\n", true),
        ("6,1,2,-;a\n", true),
        ("Nov 22 07:05:53 dom0 kernel: a\n", true),
        ("x\n{\"MESSAGE\":\"a\"}\n", true),
    ] {
        let mut decoder = Decoder::new(0);
        decoder.feed(log.as_bytes(), &mut |_| {});
        decoder.finish(&mut |_| {});
        assert_eq!(decoder.has_known_form(), known, "{log}");
    }
}

#[test]
fn records_between_nuls_are_those_of_dmesg_k() {
    assert_eq!(told("6,1,2,-;a\0\x36,2,2,-;b\n A=b\n\0\x36,3,2,-;c\0"), ["Kernel a", "Kernel b", "Kernel c"]);
}

#[test]
fn a_boot_id_between_entries_holds_for_those_behind_it() {
    let log = "-- Boot e3e04467517848339c5b9e97abdc7330 --\nNov 22 07:05:53 dom0 kernel: a\n-- Reboot --\nNov 22 07:05:53 dom0 kernel: b\n";
    let inputs = inputs(log.as_bytes());
    let boots: Vec<_> = inputs
        .iter()
        .map(|input| match input {
            Input::Record(record) => record.boot_id.map(|id| id.to_string()),
            Input::Boot(place, id) => Some(format!("line {}: {id:?}", place.line)),
            other => panic!("{other:?}"),
        })
        .collect();
    let id = "e3e04467517848339c5b9e97abdc7330".to_owned();
    let named = format!("line 1: {:?}", BootId::parse(id.as_bytes()));
    assert_eq!(boots, [Some(named), Some(id), Some("line 3: None".to_owned()), None]);
}

#[test]
fn daemons_that_lost_records_leave_a_gap() {
    for (log, lost) in [
        ("Nov 22 07:05:53 dom0 systemd-journald[12]: Missed 52 kernel messages\n", 52),
        ("Nov 22 07:05:53 dom0 rsyslogd: imklog: 7 messages lost due to rate-limiting\n", 7),
        ("Nov 22 07:05:53 dom0 rsyslogd: imuxsock lost 3 messages from pid 12 due to rate-limiting\n", 3),
        ("** 4 printk messages dropped **\n", 4),
        ("[2026-11-22 07:05:10] ** 4 printk messages dropped **\n", 4),
        ("** 4 printk messages dropped ** [    1.000000] a\n", 4),
        ("Nov 22 07:05:53 dom0 kernel: ** 4 printk messages dropped **\n", 4),
        ("Nov 22 07:05:53 dom0 kernel: xen_pcibk_config_write: 6 callbacks suppressed\n", 6),
        ("6,1,2,-;xen_pcibk_config_write: 6 callbacks suppressed\n", 6),
    ] {
        assert_eq!(told(log).first(), Some(&format!("gap Some({lost})")), "{log}");
    }
    let notes = [
        "Nov 22 07:05:53 dom0 systemd-journald[12]: /dev/kmsg buffer overrun, some messages lost.\n",
        "Nov 22 07:05:53 dom0 rsyslogd-2177: imklog: begin to drop messages due to rate-limiting\n",
        "{\"MESSAGE\":\"/dev/kmsg buffer overrun, some messages lost.\",\"_TRANSPORT\":\"driver\",\"SYSLOG_IDENTIFIER\":\"systemd-journald\"}\n",
    ];
    for log in notes {
        assert_eq!(told(log).first().map(String::as_str), Some("gap None"), "{log}");
    }
    assert_eq!(told("12,1,2,-;systemd-journald[9]: Missed 52 kernel messages\n").len(), 1);
    assert_eq!(told("kern  :info  : ** 4 printk messages dropped **\n").len(), 1);
    let middle = "Nov 22 07:05:53 dom0 kernel: a** 4 printk messages dropped ** [    1.000000] b\n";
    assert_eq!(told(middle), ["Unstated a", "gap Some(4)", "Unstated b"]);
    let behind = "Nov 22 07:05:53 dom0 lab[1]: a\n** 4 printk messages dropped **\n";
    assert_eq!(told(behind), ["User a", "gap Some(4)"]);
    assert_eq!(told("Nov 22 07:05:53 dom0 lab: Missed 52 kernel messages\n").len(), 1);
}

#[test]
fn damage_is_shown_and_does_not_spread() {
    for (log, expected) in [
        ("6,99999999999999999999,1,-;a\n6,2,1,-;b\n", &["Damaged 29", "Kernel b"][..]),
        ("6,1,1,-;a\n6,2,1,-;b", &["Kernel a", "CutShort 9"]),
        ("6,1,1,-;a\n6,2,", &["Kernel a", "CutShort 4"]),
        ("{\"MESSAGE\":\"a\n{\"MESSAGE\":\"b\"}\n", &["Damaged 14", "Unstated b"]),
        ("{\"MESSAGE\":\"a\\x\"}\n{\"MESSAGE\":\"b\"}\n", &["Damaged 17", "Unstated b"]),
        ("{\"MESSAGE\":\"a\"}\n{\"MESSAGE\":\"b", &["Unstated a", "CutShort 13"]),
        ("{\"dmesg\":[{\"msg\":\"a\"},{\"msg\":\"b\"}", &["Unstated a", "Unstated b", "CutShort 0"]),
        ("__CURSOR=1\nMESSAGE=a\n\n__CURSOR=2\nMESSAGE=b\n", &["Unstated a", "CutShort 21"]),
        (
            "{\n \"dmesg\": [\n  {\n   \"pri\": 6,\n   \"msg\": \"a\n  },{\n   \"pri\": 6,\n   \"msg\": \"b\"\n  },{\n   \"msg\": \"c\"\n  }\n ]\n}\n",
            &["Damaged 28", "Unstated b", "Unstated c"],
        ),
        ("[    1.000000] no end of a line", &["Unstated no end of a line"]),
    ] {
        assert_eq!(told(log), expected, "{log}");
    }
}

#[test]
fn objects_of_the_journal_come_in_four_dresses() {
    let object = "{\"MESSAGE\":\"a\",\"_TRANSPORT\":\"kernel\",\"SYSLOG_FACILITY\":\"0\"}";
    let pretty = object.replace(',', ",\n\t").replace('{', "{\n\t").replace('}', "\n}");
    for log in [
        format!("{object}\n{object}\n"),
        format!("{pretty}\n{pretty}\n"),
        format!("\x1e{object}\n\x1e{object}\n"),
        format!("data: {object}\n\ndata: {object}\n\n"),
    ] {
        assert_eq!(told(&log), ["Kernel a", "Kernel a"], "{log}");
    }
    assert_eq!(told("{\"MESSAGE\":[97,10,98],\"_TRANSPORT\":\"journal\"}\n"), ["User a\nb"]);
    assert_eq!(told("{\"level\":\"info\",\"text\":\"x\"}\n"), ["Unstated {\"level\":\"info\",\"text\":\"x\"}"]);
}

#[test]
fn line_ends_marks_and_colours_are_not_part_of_a_message() {
    assert_eq!(told("\u{feff}[    1.000000] a\r\r\n\r\n[    2.000000] b\r\n"), ["Unstated a", "Unstated b"]);
    let colours = "\x1b[32m[    1.000000] \x1b[0m\x1b[33musb: \x1b[0mtext\n";
    assert_eq!(told(colours), ["Unstated usb: text"]);
    assert_eq!(told(&format!("kern  :info  : {colours}")), ["Kernel usb: text"]);
}

#[test]
fn a_binary_file_is_few_inputs() {
    let mut random = Random(7);
    let noise: Vec<u8> = (0..1 << 20).map(|_| random.byte()).collect();
    let binary = inputs(&noise).len();
    assert!(binary < 100, "{binary}");
    let utf16: Vec<u8> = "[    1.000000] text\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(inputs(&utf16.repeat(100)).len(), 1);
    // A crash leaves NULs; the line behind them is whole.
    let torn = "Nov 22 07:05:53 dom0 kernel: a\n\0\0\0\0Nov 22 07:06:53 dom0 kernel: b\n";
    assert_eq!(told(torn), ["Unstated a", "Binary 4", "Unstated b"]);
    let hole = "\0".repeat(2 * Decoder::LONGEST) + "[    1.000000] text\n";
    assert_eq!(told(&hole), [format!("Binary {}", 2 * Decoder::LONGEST), "Unstated text".to_owned()]);
}

#[test]
fn what_is_too_long_is_counted_and_not_kept() {
    let long = "x".repeat(3 * Decoder::LONGEST);
    for (log, expected) in [
        (format!("{long}\nshort\n"), "short"),
        (format!("{{\"MESSAGE\":\"{long}\"}}\nshort\n"), "short"),
        (format!("6,1,2,-;{long}\nshort\n"), "short"),
        (format!("__CURSOR=1\nMESSAGE={long}\n\nshort\n"), "short"),
        (format!("__CURSOR=1\nMESSAGE\n\0\0\x30\0\0\0\0\0{long}\nPRIORITY=6\n\nshort\n"), "short"),
    ] {
        let whole = inputs(log.as_bytes());
        let [Input::Unparsed(unparsed), Input::Record(record)] = &whole[..] else { panic!("{:?}", whole.len()) };
        assert_eq!(unparsed.why, Flaw::TooLong);
        // The end of a line behind an object is not part of it.
        assert!([0, 1].contains(&((log.len() - "short\n".len()) as u64 - unparsed.length)));
        assert_eq!(&*record.message, expected.as_bytes());
        assert!(decode(log.as_bytes().chunks(4099)) == whole);
    }
}

/// Marsaglia's xorshift: the same numbers in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap()
    }

    fn byte(&mut self) -> u8 {
        u8::try_from(self.next() & 0xff).unwrap()
    }
}

/// Decoded at once and in pieces, damaged logs give the same inputs, each byte at most once, and no panic.
#[track_caller]
fn withstands(log: &[u8], random: &mut Random) {
    let whole = inputs(log);
    assert!(decode(log.chunks(1 + random.next() % 40)) == whole, "{}", String::from_utf8_lossy(log));
    let mut last = 0;
    for input in &whole {
        let place = match input {
            Input::Record(record) => record.place,
            Input::Gap(gap) => gap.place,
            Input::Boot(place, _) => *place,
            Input::Unparsed(unparsed) => unparsed.place,
        };
        assert!(last <= place.offset && place.offset <= log.len() as u64, "{}", String::from_utf8_lossy(log));
        last = place.offset;
    }
}

#[test]
fn damaged_logs_never_panic() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let logs = logs();
    for _ in 0..3000 {
        let (_, log) = &logs[random.next() % logs.len()];
        let start = random.next() % log.len();
        let mut piece = log[start..log.len().min(start + 2000)].to_vec();
        for _ in 0..random.next() % 8 {
            let at = random.next() % piece.len();
            match random.next() % 4 {
                0 => piece[at] = random.byte(),
                1 => piece[at] = b"\n\0 {}[]\",:;<>\\-+0"[random.next() % 17],
                2 => drop(piece.drain(at..(at + random.next() % 20).min(piece.len().max(at)))),
                _ => piece.insert(at, b"\n\0 {}[]\",:;<>\\-+0"[random.next() % 17]),
            }
            if piece.is_empty() {
                break;
            }
        }
        withstands(&piece, &mut random);
    }
}

#[test]
fn random_bytes_never_panic() {
    let mut random = Random(1);
    let alphabet = b"06,;-<>[]{}\":\\ \n\n\0_=ACMSndt.+\x1e\x1b\xef";
    for _ in 0..3000 {
        let length = random.next() % 300;
        let noise: Vec<u8> = (0..length).map(|_| alphabet[random.next() % alphabet.len()]).collect();
        withstands(&noise, &mut random);
    }
}

#[test]
fn forms_in_any_order_withstand_every_cut() {
    let mut random = Random(11);
    let lines: [&[u8]; 22] = [
        b"[    1.000000] a [    2.000000] b\n",
        b"[    1.000000] kernel: a\n",
        b"[    1.000000 <    0.5\n",
        b"[{\"MESSAGE\":\"a\"},\n",
        b"{\"MESSAGE\":\"a\"}",
        b"]\n",
        b"Nov 22 07:05:53 dom0 kernel: [    1.000000] a\n",
        b"Nov 22 07:05:53 dom0 lab[1]: a\n",
        b"<6>Nov 22 07:05:53 dom0 lab[1]: a\n",
        b"<6>a ** 4 printk messages dropped ** b\n",
        b"kern  :info  : a\n",
        b"\x1b[1mb\x1b]0;x\x07\x0f\rx\n",
        b"6.1.0,6,4,5,-,ncfrag=0/12;abc",
        b"6.1.0,6,4,5,-,ncfrag=3/12;defg\n",
        b"6.1.0,6,4,5,-,ncfrag=7/12; A=b\n",
        b"6,5,5,c;a\n",
        b"MESSAGE=a\nPRIORITY=6\n",
        b"UNIT=a\n",
        b"\n",
        b"# x\n",
        b"\0\0",
        b"2026-11-22T06:20:30,000000+00:00 [<   -0.1>] 2026-11-22T06:20:37.1Z gaia kernel - - - a\n",
    ];
    for _ in 0..3000 {
        let log: Vec<u8> = (0..random.next() % 12).flat_map(|_| lines[random.next() % lines.len()].to_vec()).collect();
        withstands(&log, &mut random);
    }
}
