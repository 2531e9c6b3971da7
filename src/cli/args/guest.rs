//! The arguments of `guest`.

use std::path::PathBuf;

use clap::Args as Flags;
use pciback_audit::pci::Address;
use pciback_audit::timeline::BootChoice;

use super::{Judgement, Page, Times};

/// A PV guest has its devices through pcifront; an HVM guest sees them as ordinary PCI devices. To be run in the guest, not in
/// dom0.
#[derive(Debug, Flags)]
pub(in super::super) struct Guest {
    /// Logs to read instead of the guest's ring buffer, such as what `xl console` showed: as --log
    #[arg(value_name = "LOG")]
    pub(in super::super) logs: Vec<PathBuf>,
    /// A device that the guest is to have, by its address in the guest (repeatable)
    #[arg(long, value_name = "ADDRESS", conflicts_with = "config")]
    pub(in super::super) device: Vec<Address>,
    /// The guest's configuration in dom0 (xl's, xm's or libvirt's): the devices that it is to have
    #[arg(long, value_name = "FILE")]
    pub(in super::super) config: Option<PathBuf>,
    /// A saved log, `-` for standard input, or `journal` (repeatable). Implies --no-host, except for `journal`
    #[arg(long = "log", value_name = "PATH|-|journal")]
    pub(in super::super) named_logs: Vec<PathBuf>,
    /// Audit the guest whose files are below DIR, and nothing of this one
    #[arg(long, value_name = "DIR", conflicts_with = "host")]
    pub(in super::super) root: Option<PathBuf>,
    /// Judge by the log alone
    #[arg(long, conflicts_with = "host")]
    pub(in super::super) no_host: bool,
    /// Judge by this guest's sysfs although the log is a file
    #[arg(long)]
    pub(in super::super) host: bool,
    #[command(flatten)]
    pub(in super::super) times: Times,
    /// Which boot of the logs: 0 is the last one, -1 the one before
    #[arg(long, value_name = "N", default_value = "0", allow_hyphen_values = true)]
    pub(in super::super) boot: BootChoice,
    /// The guest to judge, in a log of several hosts
    #[arg(long, value_name = "NAME")]
    pub(in super::super) log_host: Option<String>,
    /// Believe logs whose form does not say who wrote each line
    #[arg(long)]
    pub(in super::super) trust_log: bool,
    #[command(flatten)]
    pub(in super::super) judgement: Judgement,
    #[command(flatten)]
    pub(in super::super) page: Page,
}
