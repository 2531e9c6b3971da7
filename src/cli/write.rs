//! Where the report goes: the only file that writes to standard output, standard error or `--output`.

use std::io::{self, ErrorKind, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use pciback_audit::render::{Style, escape, json, table};
use pciback_audit::report::Report;
use pciback_audit::source::replace;

use super::CANNOT_SAY;

/// Columns of a page that is no terminal.
const PAGE: usize = 80;

/// Narrower, and no table can be read.
const NARROWEST: usize = 40;

/// How a report is to be written.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) json: bool,
    pub(super) file: Option<PathBuf>,
    pub(super) quiet: bool,
    pub(super) verbose: bool,
    /// Whether to colour; `None` where the surroundings decide.
    pub(super) colour: Option<bool>,
}

impl Page {
    /// Writes a report and the complaints, and says how the process is to end.
    pub(super) fn report(&self, report: &Report, complaints: &[String]) -> u8 {
        let status = report.exit_status;
        let hushed = report.silent || (self.quiet && status == 0);
        if !hushed {
            for complaint in complaints {
                complain(complaint, status);
            }
        }
        let text = if self.json { json(report, env!("CARGO_PKG_VERSION")) } else { table(report, &self.style()) };
        let written = match &self.file {
            Some(file) => replace(file, text.as_bytes()).map_err(|error| format!("--output {}: {error}", safe(file))),
            None if hushed => Ok(()),
            None => stdout(&text),
        };
        written.map_or_else(|why| complain(&why, CANNOT_SAY), |()| status)
    }

    fn style(&self) -> Style {
        let terminal = self.file.is_none() && io::stdout().is_terminal();
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let wide = || terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| usize::from(width.0));
        Style {
            width: if terminal { wide().unwrap_or(PAGE).max(NARROWEST) } else { PAGE },
            colour: self.colour.unwrap_or(terminal && !dumb && !set("NO_COLOR")),
            verbose: self.verbose,
            ascii: !is_utf8(),
        }
    }
}

/// Whether the locale says that UTF-8 is understood: the first of these variables that is set decides (locale(7)).
fn is_utf8() -> bool {
    let set = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(std::env::var_os).find(|value| !value.is_empty());
    set.is_some_and(|locale| {
        let locale = locale.to_string_lossy().to_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

/// Prints to standard output. A reader that has gone away has read enough.
pub(super) fn stdout(text: &str) -> Result<(), String> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(format!("standard output: {error}")),
        _ => Ok(()),
    }
}

/// Says on standard error what went wrong, and hands back the exit status for it.
pub(super) fn complain(what: &str, status: u8) -> u8 {
    // Where standard error is closed too, the exit status still tells.
    writeln!(io::stderr(), "pciback-audit: {}", escape(what)).unwrap_or_default();
    status
}

/// A path that cannot disturb a terminal.
pub(super) fn safe(path: &Path) -> String {
    escape(&path.to_string_lossy())
}
