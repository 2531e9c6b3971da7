//! Words that are no command or option: mistyped ones, which are never taken for a log, and names that are kept for what is to come.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory as _, Parser as _};

use super::args::Args;

/// Names of commands that are to come.
const RESERVED_COMMANDS: &[(&str, &str)] = &[(
    "collect",
    "to keep what an audit needs, copy the logs and the files of docs/places.md below one directory: --root DIR reads it",
)];

/// Options that are to come, and what there is instead.
const RESERVED_OPTIONS: &[(&str, &str)] = &[("--bundle", "--root DIR reads a copy of another machine's files")];

/// Forms of a report that are to come, and what there is instead.
const RESERVED_FORMS: &[(&str, &str)] = &[("html", "--format json has all that a page would show")];

/// Reads the arguments.
pub(super) fn read(arguments: &[OsString]) -> Result<Args, clap::Error> {
    // Its own options are to come as well, so that what stands behind it says nothing.
    let first = arguments.get(1);
    if let Some((name, instead)) = RESERVED_COMMANDS.iter().find(|(name, _)| first.is_some_and(|word| word == name)) {
        return Err(error(ErrorKind::InvalidSubcommand, reserved("a command", name, instead)));
    }
    if first.is_some_and(|word| word == "help") {
        let named = arguments.iter().enumerate().filter(|(at, _)| *at != 1).map(|(_, word)| word.clone());
        return Args::try_parse_from(named.chain([OsString::from("--help")]));
    }
    Args::try_parse_from(arguments).map_err(name_reserved).and_then(refuse)
}

fn error(kind: ErrorKind, message: String) -> clap::Error {
    Args::command().error(kind, message)
}

fn reserved(what: &str, name: &str, instead: &str) -> String {
    format!("`{name}` is reserved for {what} that is to come, and not there yet; {instead}")
}

/// Says of an option or a form that is to come that it is.
fn name_reserved(usage: clap::Error) -> clap::Error {
    let said = |kind| match usage.get(kind) {
        Some(ContextValue::String(text)) => text.as_str(),
        _ => "",
    };
    let known = |names: &'static [(&str, &str)], word: &str| names.iter().find(|(name, _)| *name == word);
    let argument = said(ContextKind::InvalidArg);
    if let Some((name, instead)) = known(RESERVED_OPTIONS, argument.split('=').next().unwrap_or_default())
        && usage.kind() == ErrorKind::UnknownArgument
    {
        return error(ErrorKind::UnknownArgument, reserved("an option", name, instead));
    }
    if let Some((name, instead)) = known(RESERVED_FORMS, said(ContextKind::InvalidValue))
        && argument.starts_with("--format")
    {
        return error(ErrorKind::InvalidValue, reserved("a form", &format!("--format {name}"), instead));
    }
    usage
}

/// Gives the arguments back, unless the first log without a command is a word that was meant as one.
fn refuse(args: Args) -> Result<Args, clap::Error> {
    let word = args.check.logs.first().filter(|_| args.command.is_none()).and_then(|path| path.to_str());
    let message = word.filter(|word| is_word(word) && !std::path::Path::new(word).exists()).and_then(meant);
    message.map_or(Ok(args), |message| Err(error(ErrorKind::InvalidSubcommand, message)))
}

fn is_word(text: &str) -> bool {
    text != "journal" && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') && text.len() > 1
}

/// What to say of a word, where it is close to a name.
fn meant(word: &str) -> Option<String> {
    let command = Args::command();
    let names = || command.get_subcommands().map(clap::Command::get_name);
    if let Some((name, instead)) = RESERVED_COMMANDS.iter().find(|(name, _)| *name == word) {
        return Some(reserved("a command", name, instead));
    }
    let lower = word.to_ascii_lowercase();
    let near = names().map(|name| (distance(&lower, name), name)).min()?;
    let is_near = near.0 <= 1 + near.1.len() / 5 || (lower.len() > 2 && near.1.starts_with(&lower));
    is_near.then(|| format!("`{word}` is no command and no file: did you mean `{}`?", near.1))
}

/// How many letters have to be put in, taken out, replaced or swapped with their neighbour to make one word the other.
fn distance(one: &str, other: &str) -> usize {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (above, letter) in one.iter().enumerate() {
        let mut next = vec![above + 1];
        for (left, wanted) in other.iter().enumerate() {
            let at = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX - 1);
            let mut cost =
                (at(&row, left) + usize::from(letter != wanted)).min(at(&row, left + 1) + 1).min(at(&next, left) + 1);
            let swapped =
                above > 0 && left > 0 && one.get(above - 1) == Some(wanted) && other.get(left - 1) == Some(letter);
            if swapped {
                cost = cost.min(at(&before, left - 1) + 1);
            }
            next.push(cost);
        }
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_close_to_a_name_is_a_mistyped_command() {
        for (word, name) in [
            ("chekc", "check"),
            ("chck", "check"),
            ("Check", "check"),
            ("wacth", "watch"),
            ("demos", "demo"),
            ("expl", "explain"),
            ("plan2", "plan"),
        ] {
            assert!(meant(word).is_some_and(|said| said.contains(&format!("did you mean `{name}`?"))), "{word}");
        }
        for word in ["dmesg", "syslog", "messages", "host"] {
            assert_eq!(meant(word), None, "{word}");
        }
    }

    #[test]
    fn help_is_understood_as_a_word_as_well() {
        for line in ["help", "help scan"] {
            let words: Vec<OsString> =
                std::iter::once("pciback-audit").chain(line.split(' ')).map(OsString::from).collect();
            assert_eq!(read(&words).map(|_| ()).unwrap_err().kind(), ErrorKind::DisplayHelp, "{line}");
        }
    }

    #[test]
    fn names_that_are_kept_say_so() {
        for line in [
            "collect",
            "collect --policy",
            "collect --output x --bogus",
            "-q collect",
            "check --bundle x",
            "--bundle=x",
            "--format html",
            "scan --format=html x",
            "watch --format html",
        ] {
            let words: Vec<OsString> =
                std::iter::once("pciback-audit").chain(line.split(' ')).map(OsString::from).collect();
            let said = read(&words).map(|_| ()).unwrap_err().to_string();
            assert!(said.contains("is reserved for"), "{line}: {said}");
        }
    }

    #[test]
    fn the_distance_counts_a_swap_once() {
        assert_eq!((distance("check", "check"), distance("chekc", "check"), distance("chek", "check")), (0, 1, 1));
        assert_eq!((distance("", "abc"), distance("abc", ""), distance("scna", "scan")), (3, 3, 1));
    }
}
