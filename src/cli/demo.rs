//! `demo`: `check` on a real dom0 that was captured and is built in.
//!
//! The same bytes as below `testdata/dom0`, compressed, so that the binary alone can show them.

use std::io::Read as _;

use flate2::read::GzDecoder;
use pciback_audit::audit::{Case, Options, conclude};
use pciback_audit::report::Report;
use pciback_audit::source::Logs;
use pciback_audit::timeline::LogKind;
use pciback_audit::tree::{Node, Tree};

use super::args::Demo;
use super::outcome::Outcome;

/// The records and the files of a captured dom0, and how both are called below `testdata/dom0`.
struct Capture {
    #[cfg_attr(not(test), expect(dead_code, reason = "a test holds the bytes against that folder"))]
    folder: &'static str,
    records: &'static [u8],
    files: &'static [u8],
}

macro_rules! capture {
    ($folder:literal) => {
        Capture {
            folder: $folder,
            records: include_bytes!(concat!("demo/", $folder, "-kmsg.raw.gz")),
            files: include_bytes!(concat!("demo/", $folder, "-root.txt.gz")),
        }
    };
}

const fn capture(demo: Demo) -> Capture {
    match demo {
        Demo::Held => capture!("several-held"),
        Demo::Lost => capture!("lost"),
        Demo::Failed => capture!("bound-but-unusable"),
        Demo::Malformed => capture!("malformed"),
    }
}

/// The names of their devices, which the captures lack (<https://pci-ids.ucw.cz>).
const NAMES: &str = "\
10ec  Realtek Semiconductor Co., Ltd.
\t8139  RTL-8100/8101L/8139 PCI Fast Ethernet Adapter
1b36  Red Hat, Inc.
\t0010  QEMU NVM Express Controller
8086  Intel Corporation
\t100e  82540EM Gigabit Ethernet Controller
\t10d3  82574L Gigabit Network Connection
\t2934  82801I (ICH9 Family) USB UHCI Controller #1
\t2935  82801I (ICH9 Family) USB UHCI Controller #2
\t2936  82801I (ICH9 Family) USB UHCI Controller #3
\t293a  82801I (ICH9 Family) USB2 EHCI Controller #1
";

/// The report of a captured dom0.
pub(super) fn report(demo: Demo, verbose: bool) -> Report {
    case(&capture(demo), verbose).map_or_else(|why| Outcome::unfinished(&why).report, |case| conclude(&case))
}

/// The line above the report, for a person: whose report it is not.
pub(super) const PREFACE: &str = "demo: a captured dom0, not this machine";

/// Every captured dom0, a line each.
pub(super) fn list() -> String {
    let value = |demo: &Demo| clap::ValueEnum::to_possible_value(demo);
    let values = <Demo as clap::ValueEnum>::value_variants().iter().filter_map(value);
    let line = |value: clap::builder::PossibleValue| {
        format!("{:9}  {}\n", value.get_name(), value.get_help().map(ToString::to_string).unwrap_or_default())
    };
    values.map(line).collect()
}

fn case(capture: &Capture, verbose: bool) -> Result<Case, String> {
    let files = String::from_utf8(unpack(capture.files)?).map_err(|error| error.to_string())?;
    let mut tree = Tree::from_manifest(&files).map_err(|error| error.to_string())?;
    tree.insert("usr/share/misc/pci.ids", Node::File(NAMES.as_bytes().to_vec()));
    let mut logs = Logs::default();
    logs.bytes("kmsg", LogKind::File, &unpack(capture.records)?).map_or(Ok(()), Err)?;
    let options = Options { verbose, ..Options::default() };
    Ok(Case { tree: Some(tree), logs: logs.into_inner(), options, ..Case::default() })
}

fn unpack(packed: &[u8]) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    GzDecoder::new(packed).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn each_is_its_capture_byte_for_byte() {
        for demo in Demo::value_variants() {
            let Capture { folder, records, files } = capture(*demo);
            let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/dom0").join(folder);
            for (name, packed) in [("kmsg.raw", records), ("root.txt", files)] {
                assert!(unpack(packed).unwrap() == std::fs::read(folder.join(name)).unwrap(), "{demo:?} {name}");
            }
        }
    }

    #[test]
    fn each_ends_with_critical_and_names_its_devices() {
        for demo in Demo::value_variants() {
            let report = report(*demo, false);
            assert_eq!(report.exit_status, 2, "{demo:?}");
            let named = report.devices.iter().any(|device| device.name.is_some());
            assert!(named || report.devices.is_empty(), "{demo:?} {:?}", report.devices);
        }
    }

    #[test]
    fn the_list_names_each_with_what_happened() {
        let list = list();
        assert_eq!(list.lines().count(), Demo::value_variants().len());
        assert!(list.lines().all(|line| line.len() > 20 && line.len() <= 80), "{list}");
    }
}
