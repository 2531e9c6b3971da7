//! The arguments of `plan`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args as Flags, ValueEnum};
use pciback_audit::pci::{Address, KernelVersion};

use super::OutputOptions;

/// Reads the files of the machine only, and changes nothing. The exit status is that of the forecast.
#[derive(Debug, Flags)]
pub(crate) struct PlanFlags {
    /// The hide list, exactly as the kernel would get it; without it, the list in force or written down
    #[arg(long, value_name = "LIST", allow_hyphen_values = true)]
    pub(crate) hide: Option<OsString>,
    /// A device of the list: 0000:00:1d.0 or 00:1d.0 (repeatable); in place of --hide
    #[arg(long, value_name = "ADDRESS", conflicts_with = "hide")]
    pub(crate) device: Vec<Address>,
    /// Which forecast decides the exit status; by default that of the next boot where pciback is built in or loaded, else that of modprobe
    #[arg(long = "for", value_name = "MOMENT")]
    pub(crate) moment: Option<PlanMoment>,
    /// Plan for the machine whose files are below DIR, and nothing of this one
    #[arg(long, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,
    /// The kernel's version, when the host does not say it
    #[arg(long, value_name = "X.Y")]
    pub(crate) kernel: Option<KernelVersion>,
    /// Give up after so many seconds, with exit status 3
    #[arg(short, long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) timeout: Option<u64>,
    /// The form of the plan
    #[arg(long, value_name = "FORM")]
    pub(crate) format: Option<PlanFormat>,
    /// The same as --format json
    #[arg(short = 'J', long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) output: OutputOptions,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlanMoment {
    /// The load of the module, as things are now
    Now,
    /// The next boot
    Boot,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlanFormat {
    /// For a person (default)
    Table,
    /// One JSON object, as schema/plan-1.json describes it
    Json,
}
