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
        // What cannot be unpacked says nothing, and other files may.
        let read = GzDecoder::new(*packed).take(LONGEST_CONFIG).read_to_end(&mut config);
        config.truncate(read.map_or(0, |length| length));
    }
    if !config.is_empty() {
        tree.insert(CONFIG, Node::File(config));
    }
    Ok(tree)
}
