//! `guest`: gathers what a guest holds of its end, and has it judged.

use std::io::{self, Read as _};
use std::path::Path;

use flate2::read::GzDecoder;
use pciback_audit::audit::{CONFIG, conclude_guest};
use pciback_audit::request::guests::{self, Guest};
use pciback_audit::source::{keep_guest, whole};
use pciback_audit::tree::{Node, Tree};

use super::evidence;
use super::outcome::Outcome;
use super::plan::Check;
use super::watchdog::Stage;
use super::write;

/// Longer than the configuration of any kernel.
const LONGEST_CONFIG: u64 = 4 << 20;

/// Longer than the description of any guest.
const LONGEST_GUEST: u64 = 1 << 20;

/// Reads the evidence and judges it.
pub(super) fn audit(check: &Check, stage: &Stage) -> Outcome {
    let asked = match check.request.read() {
        Ok(asked) => asked,
        Err(why) => return Outcome::unfinished(&why),
    };
    stage.enter("reading the guest's configuration");
    let guest = match check.guest_config.as_deref().map(configured).transpose() {
        Ok(guest) => guest,
        Err(why) => return Outcome::unfinished(&why),
    };
    let (mut case, complaints) = evidence::gather(check, &asked, &[keep, keep], stage);
    case.guest = guest;
    stage.enter("judging");
    Outcome { report: conclude_guest(&case), complaints }
}

/// The guest of a configuration that names its devices.
fn configured(path: &Path) -> Result<Guest, String> {
    let name = write::safe(path);
    let bytes = whole(path, LONGEST_GUEST).map_err(|why| format!("--config {why}"))?;
    let guest = guests::of_file(&String::from_utf8_lossy(&bytes), &name);
    let guest = guest.filter(|guest| !guest.devices.is_empty());
    guest.ok_or_else(|| format!("--config {name}: it names no PCI device for the guest"))
}

/// The files of a guest, with its kernel's configuration unpacked.
fn keep(root: &Path) -> io::Result<Tree> {
    let mut tree = keep_guest(root)?;
    let mut config = Vec::new();
    if let Some(packed) = tree.read("proc/config.gz").is() {
        // A file is kept without the NULs at its end, and this one ends with its length. What cannot be unpacked says nothing, and
        // other files may.
        let packed = packed.chain([0; 8].as_slice());
        let read = GzDecoder::new(packed).take(LONGEST_CONFIG).read_to_end(&mut config);
        config.truncate(read.map_or(0, |length| length));
    }
    if !config.is_empty() {
        tree.insert(CONFIG, Node::File(config));
    }
    Ok(tree)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    #[test]
    fn the_kernel_s_configuration_is_unpacked() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("proc")).unwrap();
        let mut packed = GzEncoder::new(Vec::new(), Compression::default());
        packed.write_all(b"CONFIG_XEN=y\n").unwrap();
        fs::write(root.path().join("proc/config.gz"), packed.finish().unwrap()).unwrap();
        let tree = keep(root.path()).unwrap();
        assert_eq!(tree.read_text(CONFIG).is().map(String::as_str), Some("CONFIG_XEN=y"));
        fs::write(root.path().join("proc/config.gz"), b"\x1f\x8b damaged").unwrap();
        assert!(keep(root.path()).unwrap().read(CONFIG).is().is_none());
    }
}
