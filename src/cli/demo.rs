//! `demo`: `check` on a real dom0 of which five devices were silently ignored.
//!
//! The same bytes as `testdata/dom0/several-held`, compressed, so that the binary alone can show them.

use std::io::Read as _;

use flate2::read::GzDecoder;
use pciback_audit::audit::{Case, Options, conclude};
use pciback_audit::report::Report;
use pciback_audit::source::Logs;
use pciback_audit::timeline::LogKind;
use pciback_audit::tree::Tree;

use super::check::unfinished;

const RECORDS: &[u8] = include_bytes!("demo/kmsg.raw.gz");
const FILES: &[u8] = include_bytes!("demo/root.txt.gz");

/// The report of the captured dom0.
pub(super) fn report(verbose: bool) -> Report {
    case(verbose).map_or_else(|why| unfinished(&why).report, |case| conclude(&case))
}

fn case(verbose: bool) -> Result<Case, String> {
    let files = String::from_utf8(unpack(FILES)?).map_err(|error| error.to_string())?;
    let tree = Tree::from_manifest(&files).map_err(|error| error.to_string())?;
    let mut logs = Logs::default();
    logs.bytes("kmsg", LogKind::File, &unpack(RECORDS)?).map_or(Ok(()), Err)?;
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
    use super::*;

    #[test]
    fn it_is_the_capture_byte_for_byte() {
        let capture = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/dom0/several-held");
        for (name, packed) in [("kmsg.raw", RECORDS), ("root.txt", FILES)] {
            assert!(unpack(packed).unwrap() == std::fs::read(capture.join(name)).unwrap(), "{name}");
        }
    }

    #[test]
    fn it_ends_with_critical() {
        assert_eq!(report(false).exit_status, 2);
    }
}
