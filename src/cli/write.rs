//! Where the report goes: the only file that writes to standard output, standard error or `--output`.

use std::io::{self, ErrorKind, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use pciback_audit::render::{Style, escape, json, nagios, nagios_unknown, prometheus, table, tree};
use pciback_audit::report::Report;
use pciback_audit::source::{Access, replace};

use super::CANNOT_SAY;

/// Columns of a page that is no terminal.
const PAGE: usize = 80;

/// Narrower, and no table can be read.
const NARROWEST: usize = 40;

/// What a report looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Form {
    #[default]
    Table,
    Tree,
    Json,
    Nagios,
    Prometheus,
}

/// How a report is to be written.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) form: Form,
    pub(super) file: Option<PathBuf>,
    pub(super) quiet: bool,
    pub(super) verbose: bool,
    /// Whether to colour; `None` where the surroundings decide.
    pub(super) colour: Option<bool>,
    /// A line above the report, for a person.
    pub(super) preface: Option<&'static str>,
}

impl Page {
    /// Writes a report that took so long, and the complaints, and says how the process is to end.
    pub(super) fn report(&self, report: &Report, complaints: &[String], took: Duration) -> u8 {
        let status = report.exit_status;
        // A monitor that hears nothing takes it for a failure.
        let hushed = self.form != Form::Nagios && (report.silent || (self.quiet && status == 0));
        if !hushed && self.form != Form::Nagios {
            for complaint in complaints {
                complain(complaint, status);
            }
        }
        let version = env!("CARGO_PKG_VERSION");
        let text = match self.form {
            Form::Table => self.prefaced(table(report, &self.style())),
            Form::Tree => self.prefaced(tree(report, &self.style())),
            Form::Json => json(report, version),
            Form::Nagios => nagios(report, complaints, self.verbose),
            Form::Prometheus => prometheus(report, version, took),
        };
        self.write(&text, hushed, status)
    }

    /// Writes a text, unless it is a `hushed` one for standard output, and says how the process is to end.
    pub(super) fn write(&self, text: &str, hushed: bool, status: u8) -> u8 {
        let written = match &self.file {
            Some(file) => {
                replace(file, text.as_bytes(), self.access()).map_err(|why| format!("--output {}: {why}", safe(file)))
            }
            None if hushed => Ok(()),
            None => stdout(text),
        };
        written.map_or_else(|why| self.fail(&why), |()| status)
    }

    fn prefaced(&self, text: String) -> String {
        match self.preface {
            Some(line) => format!("{line}\n{text}"),
            None => text,
        }
    }

    /// Who may read a new file: `node_exporter` must, whatever the umask says, and it does not run as root.
    fn access(&self) -> Access {
        if self.form == Form::Prometheus { Access::All } else { Access::Umask }
    }

    /// Says that the report could not be written where whoever asked for it will look.
    fn fail(&self, why: &str) -> u8 {
        if self.form == Form::Nagios { unknown(why) } else { complain(why, CANNOT_SAY) }
    }

    pub(super) fn style(&self) -> Style {
        let terminal = self.file.is_none() && io::stdout().is_terminal();
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let wide = || terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| usize::from(width.0));
        Style {
            width: if terminal { wide() } else { None }.or_else(columns).unwrap_or(PAGE).max(NARROWEST),
            colour: self.colour.unwrap_or(terminal && !dumb && !set("NO_COLOR")),
            verbose: self.verbose,
            ascii: !is_utf8(),
        }
    }
}

/// How many lines the terminal has.
pub(super) fn height() -> Option<usize> {
    terminal_size::terminal_size_of(io::stdout()).map(|(_, height)| usize::from(height.0)).filter(|height| *height > 0)
}

/// The width that `COLUMNS` names.
fn columns() -> Option<usize> {
    std::env::var("COLUMNS").ok()?.parse().ok()
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

/// Says to a monitor why there is no report, and hands back the exit status for it.
pub(super) fn unknown(why: &str) -> u8 {
    stdout(&nagios_unknown(why)).map_or_else(|why| complain(&why, CANNOT_SAY), |()| CANNOT_SAY)
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
