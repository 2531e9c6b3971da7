//! What the program says of itself: its version, manual pages and completions, made from the definition of the command line.

use std::ffi::OsStr;

use clap::CommandFactory as _;
use clap_complete::Shell;
use clap_mangen::Man;
use pciback_audit::source::Held;

use super::args::Args;

/// The features that can be left out, and whether they are built in.
const FEATURES: [(&str, bool); 3] = [
    ("archives", cfg!(feature = "archives")),
    ("klogctl", cfg!(feature = "klogctl")),
    ("policy", cfg!(feature = "policy")),
];

/// The version and the features; what is asked for with `-v` as well adds what of the sandbox this kernel has.
pub(super) fn version(arguments: impl Iterator<Item = impl AsRef<OsStr>>) -> String {
    let built = FEATURES.iter().filter(|(_, built)| *built).map(|(name, _)| *name);
    let features: Vec<&str> = built.collect();
    let sandbox = if verbose(arguments) { format!("sandbox: {}\n", Held::tried()) } else { String::new() };
    format!("pciback-audit {}\nfeatures: {}\n{sandbox}", env!("CARGO_PKG_VERSION"), features.join(" "))
}

fn verbose(mut arguments: impl Iterator<Item = impl AsRef<OsStr>>) -> bool {
    arguments.any(|argument| {
        let text = argument.as_ref().to_string_lossy();
        text == "--verbose"
            || text.strip_prefix('-').is_some_and(|short| !short.starts_with('-') && short.contains('v'))
    })
}

/// The completions for a shell.
pub(super) fn completions(shell: Shell) -> String {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "pciback-audit", &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// The manual page of the program, or of one of its commands, in the form of man(7).
pub(super) fn man(command: Option<&str>) -> Result<String, String> {
    let mut program = Args::command();
    program.build();
    let page = match command {
        None => Some(&program),
        Some(name) => program.get_subcommands().find(|command| command.get_name() == name),
    };
    let Some(page) = page else {
        let names: Vec<&str> = program.get_subcommands().map(clap::Command::get_name).collect();
        return Err(format!("there is no command `{}`; there are: {}", command.unwrap_or_default(), names.join(" ")));
    };
    let mut text = Vec::new();
    let man = Man::new(page.clone()).source(concat!("pciback-audit ", env!("CARGO_PKG_VERSION")));
    man.render(&mut text).map_err(|error| error.to_string())?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page() {
        for name in Args::command().get_subcommands().map(clap::Command::get_name) {
            let page = man(Some(name)).unwrap();
            assert!(page.contains(&format!("pciback\\-audit\\-{name}")), "{name}: {page}");
            assert!(page.contains(concat!("\"pciback-audit ", env!("CARGO_PKG_VERSION"), "\"")), "{name}: {page}");
        }
        assert!(man(None).unwrap().contains("Exit status"));
        assert!(man(Some("nothing")).unwrap_err().contains("watch"));
    }

    #[test]
    fn every_shell_completes_every_command() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let text = completions(shell);
            assert!(text.contains("explain") && text.contains("hide-from"), "{shell}");
        }
    }

    #[test]
    fn verbose_is_heard_in_any_form() {
        for arguments in [&["-v", "--version"][..], &["--verbose", "-V"], &["-vV"]] {
            assert!(verbose(arguments.iter()), "{arguments:?}");
        }
        assert!(!verbose(["--version"].iter()) && !verbose(["-V"].iter()));
    }
}
