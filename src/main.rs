//! Says which PCI devices Xen's pciback really took from dom0, which it silently ignored, and why.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
