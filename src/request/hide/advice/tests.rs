//! Lists as people write them, and what is suggested.

use super::*;

#[test]
fn the_nearest_spelling_is_suggested() {
    let one = "(0000:00:1d.0)";
    let two = "(0000:00:1d.0)(0000:00:1d.1)";
    for (list, spelling) in [
        ("82.0.0", "(0000:82:00.0)"),
        ("(0000:82.0.0)", "(0000:82:00.0)"),
        ("(0000:82.0.0)(00:1d.0)", "(0000:82:00.0)(0000:00:1d.0)"),
        ("(00.1d.0)", one),
        ("(0000.00.1d.0)", one),
        ("(0000:00:1d:0)", one),
        ("(00:1d:0)", one),
        ("(0000::00:1d.0)", one),
        ("(00::1d.0)", one),
        ("0000:00:1d.0", one),
        ("(0000:00:1d.0", one),
        ("0000:00:1d.0)", one),
        ("((0000:00:1d.0))", one),
        ("(0000:00:1d.0)()", one),
        ("[0000:00:1d.0]", one),
        ("<0000:00:1d.0>", one),
        ("{0000:00:1d.0}", one),
        ("'(0000:00:1d.0)'", one),
        ("\u{201c}(0000:00:1d.0)\u{201d}", one),
        ("\\(0000:00:1d.0\\)", one),
        ("(00:1d.0),(00:1d.1)", two),
        ("00:1d.0,00:1d.1", two),
        ("(00:1d.0);(00:1d.1)", two),
        ("(00:1d.0)|(00:1d.1)", two),
        ("00:1d.0 00:1d.1", two),
        ("(00:1d.0 00:1d.1)", two),
        ("(00:1d.0,1)", two),
        ("(0000:00:1d.0,permissive=1)", one),
        ("(0000:00:1d.0@5)", one),
        ("0000:00:1d.0,permissive=1,rdm_policy=relaxed", one),
        ("(0000:00:1d.0)garbage", one),
        ("(0000:00:1d.0)#comment", one),
        ("(00:1d.0)(00:1d.1=5)", two),
        ("0000:00:1d.0@5,permissive=1", one),
        ("pci@0000:00:1d.0", one),
        ("pci:0000:00:1d.0", one),
        ("pci_0000_00_1d_0", one),
        ("xen-pciback.hide=0000:00:1d.0", one),
        ("hide=(00:1d.0),(00:1d.1)", two),
        ("(0000:00:1d)", "(0000:00:1d.*)"),
        ("(0000:00:1d.)", "(0000:00:1d.*)"),
        ("(00:1d)", "(0000:00:1d.*)"),
        ("(0000:00:1d*)", "(0000:00:1d.*)"),
        ("(0000:00:1d.**)", "(0000:00:1d.*)"),
        ("(00:1d.* )", "(0000:00:1d.*)"),
        ("(0000:00:1d.0 )", one),
        ("(0000:00:1d .0)", one),
        ("(0000:00:ld.0)", one),
        ("(OOOO:OO:1d.O)", one),
        ("(0000:00:1d.\u{ff10})", one),
        ("0000:1d.0", one),
        ("(02:*)", "(0000:02:*.*)"),
        ("(0x0:0x0:0x1d.0x0", one),
    ] {
        assert_eq!(nearest(list.as_bytes(), Era::From3_7).as_deref(), Some(spelling), "{list}");
    }
}

#[test]
fn up_to_3_6_no_wildcard_is_suggested() {
    let all = (0..8).map(|function| format!("(0000:00:1d.{function})")).collect::<Vec<_>>().concat();
    for (list, spelling) in [
        ("(00:1d)", None),
        ("(00:1d.*)", Some(all.as_str())),
        ("(00:*.*)", None),
        ("(00:1d.0,(01:00.0)", Some("(0000:00:1d.0)(0000:01:00.0)")),
        ("(82.0.0)", Some("(0000:82:00.0)")),
    ] {
        assert_eq!(nearest(list.as_bytes(), Era::UpTo3_6).as_deref(), spelling, "{list}");
    }
}

#[test]
fn what_is_no_address_is_not_made_one() {
    for (list, lookalike) in [
        ("1:0:1:0:", Lookalike::Scsi),
        ("(1:0:1:0:)", Lookalike::Scsi),
        ("1:0:1:0", Lookalike::Scsi),
        ("(8086:2934)", Lookalike::VendorDevice),
        ("8086:2934,8086:2935", Lookalike::VendorDevice),
    ] {
        assert_eq!(advise(list.as_bytes(), Era::From3_7), Some(Advice::LooksLike(lookalike)), "{list}");
    }
}

#[test]
fn a_number_that_is_too_large_is_not_guessed_at() {
    for (list, part, written) in [
        ("(0000:00:1d.8)", Part::Function, "8"),
        ("0000:00:20.0", Part::Slot, "20"),
        ("(0000:100:1d.0)", Part::Bus, "100"),
        ("(00:1d.0)(10000:00:1d.0)", Part::Domain, "10000"),
    ] {
        let advice = Advice::TooLarge { part, written: written.to_owned(), most: part.most() };
        assert_eq!(advise(list.as_bytes(), Era::From3_7), Some(advice), "{list}");
    }
}

#[test]
fn where_any_guess_would_do_none_is_made() {
    for list in [
        "",
        " ",
        "(",
        "()",
        "(*)",
        "*",
        "(*:*.*)",
        "(0000:*:*.*)",
        "(0000:00)",
        "(03.0)",
        "1d.0",
        "(00:1d.0)(03.0)",
        "(0000:00:1d.[01])",
        "(0000:00:1d.0-7)",
        "00:1d.0 - 00:1d.3",
        "(00:1d.0)..(00:1d.3)",
        "(00:1d.0)#(00:1d.1)",
        "(00:1d.0)#00:1d.1",
        "(0000:-1:1d.0)",
        "(+0:00:1d.0)",
        "(0000::1d.0)",
        "none",
        "(0000:00:*.0)",
        "(00:1d.0)(00:1d.1)",
        "1",
        "(0000:82.0)",
    ] {
        assert_eq!(
            advise(list.as_bytes(), Era::From3_7).filter(|advice| !matches!(advice, Advice::TooLarge { .. })),
            None,
            "{list}"
        );
    }
}

#[test]
fn a_list_that_is_too_long_is_shortened() {
    let buses = (0..16).map(|bus| format!("(0000:{bus:02x}:*.*)")).collect::<Vec<_>>().concat();
    let long =
        (0..100).map(|number| format!("(0000:00:{:02x}.{})", number / 8, number % 8)).collect::<Vec<_>>().concat();
    let shorter: String =
        (0..12).map(|slot| format!("(00:{slot:02x}.*)")).chain((0..4).map(|f| format!("(00:0c.{f})"))).collect();
    assert_eq!(nearest(long.as_bytes(), Era::From3_7), Some(shorter));
    assert_eq!(nearest(buses.repeat(8).as_bytes(), Era::From3_7).unwrap(), buses.replace("0000:", ""));
    assert_eq!(nearest(long.repeat(2).as_bytes(), Era::UpTo3_6).unwrap().len(), 900);
    assert_eq!(nearest(buses.repeat(8).as_bytes(), Era::UpTo3_6), None);
}
