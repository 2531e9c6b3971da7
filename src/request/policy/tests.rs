use super::*;

fn fault(text: &str) -> String {
    read("site.toml", text.as_bytes()).unwrap_err().to_string()
}

#[test]
fn a_policy_says_what_is_expected_of_each_device() {
    let text = "# the firewall's\r\n[[device]]\r\naddress = '03:00.0'\r\nid = \"8086:1521\"\r\nlabel = \"Zürich\"\r\n\
                guest = 'fw'\r\nseverity = \"warning\"\r\n\r\n[[device]]\naddress = \"0000:00:1D.0\"";
    let policy = read("site.toml", text.as_bytes()).unwrap();
    let first = PolicyDevice {
        address: "0000:03:00.0".parse().unwrap(),
        line: 3,
        id: Some((Ids { vendor: 0x8086, device: 0x1521 }, 4)),
        label: Some("Zürich".to_owned()),
        guest: Some("fw".to_owned()),
        severity: Some(Severity::Warning),
    };
    let second = PolicyDevice {
        address: "00:1d.0".parse().unwrap(),
        line: 10,
        id: None,
        label: None,
        guest: None,
        severity: None,
    };
    assert_eq!(policy.devices, [first, second.clone()]);
    assert_eq!(policy.at(10).to_string(), "site.toml:10");
    assert_eq!(policy.device(second.address), Some(&second));
    assert_eq!(policy.device("00:1d.1".parse().unwrap()), None);
}

#[test]
fn what_is_accepted_is_so_until_its_end() {
    let at = |time: &str| Some(time.parse().unwrap());
    for (until, before, behind) in [
        ("2027-03-31", "2027-03-31T23:59:59Z", "2027-04-01T00:00:00Z"),
        ("'2027-03-31'", "2027-03-31T23:59:59Z", "2027-04-01T00:00:00Z"),
        ("2027-03-31T12:00:00+02:00", "2027-03-31T09:59:59Z", "2027-03-31T10:00:00Z"),
        ("2027-03-31 12:00:00", "2027-03-31T11:59:59Z", "2027-03-31T12:00:00Z"),
    ] {
        let text = format!(
            "[[device]]\naddress = '00:1d.0'\n[[accept]]\ncode = 'absent'\naddress = '00:1d.0'\nuntil = {until}\nreason = 'x'"
        );
        let policy = read("site.toml", text.as_bytes()).unwrap();
        let [accept] = policy.accepts.as_slice() else { panic!("{until}") };
        let (own, other) = ("00:1d.0".parse().ok(), "00:1d.1".parse().ok());
        assert_eq!((accept.line, accept.reason.as_str()), (4, "x"));
        assert!(accept.covers("absent", own, at(before)) && !accept.covers("absent", own, at(behind)), "{until}");
        assert!(!accept.covers("absent", own, None), "without a clock nobody knows that it has not ended");
        assert!(!accept.covers("absent", other, at(before)) && !accept.covers("absent", None, at(before)));
        assert!(!accept.covers("missing", own, at(before)));
    }
}

#[test]
fn the_other_spellings_of_toml_mean_the_same() {
    for text in [
        "device = [{ address = \"00:1d.0\" }]",
        "\u{feff}[[device]]\naddress = '''00:1d.0'''",
        "[[\"device\"]]\n\"address\" = \"00:\\u0031d.0\"",
    ] {
        let policy = read("site.toml", text.as_bytes()).unwrap();
        assert_eq!(
            policy.devices.iter().map(|device| device.address.short()).collect::<Vec<_>>(),
            ["00:1d.0"],
            "{text}"
        );
    }
}

#[test]
fn every_mistake_is_told_with_its_place_and_what_to_do() {
    for (text, expected) in [
        ("", "site.toml: it names no device; for each one write [[device]]"),
        ("# nothing\n", "site.toml: it names no device"),
        ("device = []", "site.toml: it names no device"),
        ("[[device]]\n", "site.toml:1:1: this device has no address: write address = "),
        ("[[device]]\nlabel = 'a'\n", "site.toml:1:1: this device has no address"),
        (
            "[[device]]\naddress = '00:1d'\n",
            "site.toml:2:11: `00:1d`: no function (the part behind the dot): expected dddd:bb:dd.f",
        ),
        ("[[device]]\naddress = '00:1d.*'\n", "site.toml:2:11: `00:1d.*`: not a PCI address"),
        ("[[device]]\naddress = 7\n", "site.toml:2:11: `address` must be a text in quotes"),
        ("[[device]]\naddress = '00:1d.0'\nid = '8086'", "site.toml:3:6: `8086`: expected vendor and device"),
        ("[[device]]\naddress = '00:1d.0'\nlabel = ' '", "site.toml:3:9: `label` is empty"),
        ("[[device]]\naddress = '00:1d.0'\nguest = 3", "site.toml:3:9: `guest` must be a text"),
        (
            "[[device]]\naddress = '00:1d.0'\nseverity = 'info'",
            "site.toml:3:12: severity `info` would hide a missing device",
        ),
        (
            "[[device]]\naddress = '00:1d.0'\nseverity = 'bad'",
            "site.toml:3:12: `bad` is no severity of a device: write \"critical\"",
        ),
        (
            "[[device]]\naddress = '00:1d.0'\nadress = 'x'",
            "site.toml:3:1: this version does not know `adress`: a device has address",
        ),
        ("[device]\naddress = '00:1d.0'", "site.toml:1:2: `device` must be a list of tables: write [[device]]"),
        ("device = [3]", "site.toml:1:1: `device` must be a list of tables"),
        ("[[rule]]\nregex = 'x'", "site.toml:1:3: [[rule]] is reserved for a version that is to come: take it out"),
        ("[[accept]]\nreason = 'x'", "site.toml:1:1: this accept has no code: write code = "),
        ("[[accept]]\ncode = 'absent'", "site.toml:1:1: this accept has no reason: write reason = "),
        ("[[accept]]\ncode = 'absent'\nreason = ''", "site.toml:3:10: `reason` is empty"),
        ("[[accept]]\nuntil = 'soon'", "site.toml:2:9: `until` must be a date such as 2027-03-31"),
        ("[[accept]]\nuntil = 07:30:00", "site.toml:2:9: `until` must be a date such as 2027-03-31"),
        ("[[accept]]\naddress = '1d'", "site.toml:2:11: `1d`: "),
        ("[[accept]]\nlabel = 'x'", "site.toml:2:1: this version does not know `label`: an accept has code, address"),
        ("[accept]\ncode = 'x'", "site.toml:1:2: `accept` must be a list of tables: write [[accept]]"),
        ("ü = 1\n[[rule]]", "site.toml:1:1: this is no TOML: "),
        (
            "'ü' = 1\n[[rule]]",
            "site.toml:1:1: this version does not know `ü`: a policy has [[device]] and [[accept]] tables",
        ),
        ("label = 'ü' x", "site.toml:1:13: this is no TOML: "),
        ("[[device]]\naddress = '00:1d.0", "site.toml:2:19: this is no TOML: "),
        ("[[device]]\naddress = '00:1d.0'\naddress = '00:1d.1'", "site.toml:3:1: this is no TOML: duplicate key"),
        (
            "[[device]]\naddress = '00:1d.0'\n[[device]]\naddress = '0000:00:1D.0'",
            "site.toml:4:11: 0000:00:1d.0 stands in line 2 already: keep one of the two",
        ),
    ] {
        let said = fault(text);
        assert!(said.starts_with(expected), "{text:?}\nsaid     {said}\nexpected {expected}");
    }
}

#[test]
fn what_is_no_text_or_too_long_is_refused() {
    let said = |bytes: &[u8]| read("site.toml", bytes).unwrap_err().to_string();
    assert!(said(b"# a\n[[device]]\naddress = '\xff'").starts_with("site.toml:3:12: a byte that is no UTF-8"));
    let long = " ".repeat(LONGEST + 1);
    assert_eq!(said(long.as_bytes()), "site.toml: the file is longer than 1024 KiB, the most that a policy may have");
    assert!(said(&long.as_bytes()[1..]).contains("it names no device"));
}

#[test]
fn a_message_is_short_however_long_the_mistake() {
    for text in [
        format!("{} = 1", "x".repeat(5000)),
        format!("[[device]]\naddress = '{}'", "x".repeat(5000)),
        format!("[[device]]\n{} = 1", "x".repeat(5000)),
        format!("a = {}", "[".repeat(5000)),
        format!("{} = 1", vec!["a"; 5000].join(".")),
        format!("[[{}]]", vec!["a"; 5000].join(".")),
    ] {
        assert!(fault(&text).len() < 400, "{}", fault(&text));
    }
}
