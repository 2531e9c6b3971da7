//! The two grammars against what the parsers of real kernels were seen to do.

use super::*;

/// The addresses and wildcards in force, in the order of the list, or why there are none.
fn meaning(list: &str, era: Era) -> String {
    let read = read(list.as_bytes(), era);
    if !read.accepted() {
        return match read.fault {
            Some(Fault::Malformed { .. }) => {
                format!("error at {}", String::from_utf8_lossy(read.kernel_rest().unwrap()))
            }
            Some(Fault::OutOfRange { .. }) => "silent".to_owned(),
            other => format!("{other:?}"),
        };
    }
    read.in_force().map(|entry| entry.pattern.to_string()).collect()
}

#[test]
fn one_spelling_of_1d_0_is_as_good_as_another() {
    for list in [
        "(0000:00:1d.0)",
        "(00:1d.0)",
        "(0000:00:1D.0)",
        "(0:0:1d.0)",
        "(0x0:0x0:0x1d.0x0)",
        "(0000:00:1d.00)",
        " (00:1d.0)",
        "( 00:1d.0)",
        "(00: 1d.0)",
        "(00:1d.0)\n",
        "(00:1d.0) ",
        "(100000000:00:1d.0)",
        "(0000:00:1d.0x)",
        "(0x:00:1d.0)",
        "(00:1d.0)\0(",
        "\u{b}(00:1d.0)\r\n",
    ] {
        for era in [Era::UpTo3_6, Era::From3_7] {
            assert_eq!(meaning(list, era), "(0000:00:1d.0)", "{list:?} {era:?}");
        }
    }
}

#[test]
fn the_eras_differ_where_the_kernels_do() {
    let same = "=";
    for (list, old, new) in [
        ("", "", same),
        ("(00:1d.0)(0000:01:00.0)", "(0000:00:1d.0)(0000:01:00.0)", same),
        ("(00:1d.0) (01:00.0) ", "(0000:00:1d.0)(0000:01:00.0)", same),
        ("(00:1d .0)", "error at (00:1d .0)", same),
        ("(00:1d.0 )", "(0000:00:1d.0)", "error at (00:1d.0 )"),
        ("(00:1d.0", "(0000:00:1d.0)", "error at (00:1d.0"),
        ("(00:1d.0,(01:00.0)", "(0000:00:1d.0)", "error at (00:1d.0,(01:00.0)"),
        ("(00:1d.0)(01:00.0,(02:00.0)", "(0000:00:1d.0)(0000:01:00.0)", "error at (01:00.0,(02:00.0)"),
        ("(00:1d.0),(01:00.0)", "error at ,(01:00.0)", same),
        ("(00:1d.0);(01:00.0)", "error at ;(01:00.0)", same),
        ("00:1d.0", "error at 00:1d.0", same),
        ("[00:1d.0]", "error at [00:1d.0]", same),
        ("(00.1d.0)", "error at (00.1d.0)", same),
        ("(0:0:1d:0)", "error at (0:0:1d:0)", same),
        ("(00:1d)", "error at (00:1d)", same),
        ("(00:1d.)", "error at (00:1d.)", same),
        ("()", "error at ()", same),
        ("(-1:00:1d.0)", "error at (-1:00:1d.0)", same),
        ("(*)", "error at (*)", same),
        (" ", "error at  ", same),
        ("(00:1d.8)", "(0000:00:1d.0)", "silent"),
        ("(00:3d.0)", "(0000:00:1d.0)", "silent"),
        ("(100:1d.0)", "(0000:00:1d.0)", "silent"),
        ("(12345:1d.0)", "(0000:45:1d.0)", "silent"),
        ("(10000:00:1d.0)", "(10000:00:1d.0)", "silent"),
        ("(00:1d.*)", "error at (00:1d.*)", "(0000:00:1d.*)"),
        ("(0000:00:1d.*)", "error at (0000:00:1d.*)", "(0000:00:1d.*)"),
        ("(00:*.*)", "error at (00:*.*)", "(0000:00:*.*)"),
        ("(0000:00:*.*)", "error at (0000:00:*.*)", "(0000:00:*.*)"),
        ("(00:1d.* )", "error at (00:1d.* )", same),
        ("(00:1d.*", "error at (00:1d.*", same),
        ("(00:*.*", "error at (00:*.*", same),
        ("(0000:00:*.0)", "error at (0000:00:*.0)", same),
        ("(00:*.0)", "error at (00:*.0)", same),
        ("(*:00:1d.0)", "error at (*:00:1d.0)", same),
        ("(0000:*:*.*)", "error at (0000:*:*.*)", same),
        ("(00:1d.0)(00:1d.9)(01:00.0)", "(0000:00:1d.0)(0000:00:1d.1)(0000:01:00.0)", "silent"),
        ("(00:1d.0)(00:1d.9)(82.0.0)", "error at (82.0.0)", "silent"),
        ("(00:1d.0)(82.0.0)(00:1d.9)", "error at (82.0.0)(00:1d.9)", same),
        ("(0:0:ffffffff.0)", "(0000:00:1f.0)", "(0000:00:*.0)"),
        ("(0:0:80000000.80000000)", "(0000:00:00.0)", "(0000:00:*.*)"),
        ("(0:0:1d.ffffffff)", "(0000:00:1d.7)", "(0000:00:1d.*)"),
        ("(0:ffffffff:1d.0)", "(0000:ff:1d.0)", "silent"),
    ] {
        assert_eq!(meaning(list, Era::UpTo3_6), old, "{list:?} up to 3.6");
        assert_eq!(meaning(list, Era::From3_7), if new == same { old } else { new }, "{list:?} from 3.7");
    }
}

#[test]
fn a_malformed_list_says_where_and_what_was_expected() {
    for (list, expected_column, words, character) in [
        ("(0000:82.0.0)", 11, "`)`", Some('.')),
        ("(0000:00:1d:0)", 12, "`.`", Some(':')),
        ("(0000:00:1d)", 12, "`.`", Some(')')),
        ("(0000:00)", 9, "`.` or `:`", Some(')')),
        ("(", 2, "a hexadecimal digit", None),
        ("(00:1d.)", 8, "a hexadecimal digit or `*`", Some(')')),
        ("00:1d.0", 1, "`(`", Some('0')),
        (" ", 2, "`(`", None),
        ("(00:1d.0)garbage", 10, "`(`", Some('g')),
        ("(00:1d.0 )", 9, "`)`", Some(' ')),
        ("((00:1d.0))", 2, "a hexadecimal digit", Some('(')),
        ("(0000:00:ld.0)", 10, "a hexadecimal digit or `*`", Some('l')),
        ("(00:1d.0)\u{e9}(01:00.0)", 10, "`(`", Some('\u{e9}')),
        ("(00:\u{e9}.0)", 5, "a hexadecimal digit or `*`", Some('\u{e9}')),
        ("(00.1d.0)", 4, "`:`", Some('.')),
    ] {
        let Some(Fault::Malformed { column, expected, found, .. }) = read(list.as_bytes(), Era::From3_7).fault else {
            panic!("{list:?} is malformed")
        };
        assert_eq!((column, expected.as_str(), found), (expected_column, words, character), "{list:?}");
    }
}

#[test]
fn a_number_out_of_range_is_named() {
    let read = read(b"(00:1d.0)(0000:100:1d.0)(00:1d.1)", Era::From3_7);
    let entry = 9..24;
    assert_eq!(
        read.fault,
        Some(Fault::OutOfRange { entry, part: Part::Bus, written: "100".to_owned(), value: 0x100, most: 0xff })
    );
    assert_eq!(read.entries.iter().map(|entry| entry.reached).collect::<Vec<_>>(), [true, false]);
    assert_eq!(read.in_force().count(), 0);
}

#[test]
fn what_wrapped_around_is_named() {
    let changed = |list: &str, era| read(list.as_bytes(), era).entries.swap_remove(0).changed;
    let wrapped = |part, written: &str, became| vec![Changed { part, written: written.to_owned(), became }];
    assert_eq!(changed("(00:3d.0)", Era::UpTo3_6), wrapped(Part::Slot, "3d", Some(0x1d)));
    assert_eq!(changed("(100000000:00:1d.0)", Era::From3_7), wrapped(Part::Domain, "100000000", Some(0)));
    assert_eq!(changed("(00:1d.0xffffffff)", Era::From3_7), wrapped(Part::Function, "0xffffffff", None));
    assert_eq!(changed("(00:1d.0)", Era::From3_7), []);
}

#[test]
fn entries_behind_a_fault_are_still_read() {
    let list = b"(00:1d.0)(0000:82.0.0) (00:1d.1)) x (02:*.*)";
    let read = read(list, Era::From3_7);
    let found: Vec<_> = read.entries.iter().map(|entry| (read.quote(&entry.text), entry.reached)).collect();
    assert_eq!(
        found,
        [("(00:1d.0)".to_owned(), true), ("(00:1d.1)".to_owned(), false), ("(02:*.*)".to_owned(), false)]
    );
    assert_eq!(read.dropped().count(), 2);
}

#[test]
fn a_list_that_is_cut_short_names_what_it_drops() {
    let read = read(b"(00:1d.0)(01:00.0,(02:00.0)(03:00.0)", Era::UpTo3_6);
    assert_eq!(read.fault, Some(Fault::CutShort { entry: 1, rest: 17..36 }));
    assert!(read.accepted());
    let dropped: Vec<_> = read.dropped().map(|entry| entry.pattern.to_string()).collect();
    assert_eq!(dropped, ["(0000:02:00.0)", "(0000:03:00.0)"]);
    assert_eq!(read.quote(&read.entries[1].text), "(01:00.0");
}

#[test]
fn a_list_may_have_1024_bytes_and_no_more() {
    let longest = [b"(0000:00:1e.3)".repeat(72), b"(0000:00:1d.000)".to_vec()].concat();
    assert_eq!((longest.len(), read(&longest, Era::From3_7).fault), (1024, None));
    let longer = [&longest[..], b" "].concat();
    let read = read(&longer, Era::From3_7);
    assert_eq!(read.fault, Some(Fault::TooLong { length: 1025 }));
    assert_eq!((read.accepted(), read.entries.len(), read.dropped().count()), (false, 73, 73));
}

#[test]
fn a_hostile_list_is_read_in_linear_time() {
    for piece in ["(", "(0", "(0:0", "( ", "((0:0.0", "(0:0.0,"] {
        let list = piece.repeat(20_000);
        for era in [Era::UpTo3_6, Era::From3_7] {
            let read = read(list.as_bytes(), era);
            assert!(matches!(read.fault, Some(Fault::TooLong { .. })), "{piece}");
        }
    }
}
