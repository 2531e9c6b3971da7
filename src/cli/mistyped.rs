//! Mistyped commands: a word that is no file and is close to a command's name is never taken for a log.

use clap::CommandFactory as _;
use clap::error::ErrorKind;

use super::args::Args;

/// Names of commands that are to come. Those that are there already are commands.
const RESERVED: &[&str] = &["collect", "completions", "man"];

/// Gives the arguments back, unless the first log without a command is a word that was meant as one.
pub(super) fn refuse(args: Args) -> Result<Args, clap::Error> {
    let word = args.check.logs.first().filter(|_| args.command.is_none()).and_then(|path| path.to_str());
    let message = word.filter(|word| is_word(word) && !std::path::Path::new(word).exists()).and_then(meant);
    message.map_or(Ok(args), |message| Err(Args::command().error(ErrorKind::InvalidSubcommand, message)))
}

fn is_word(text: &str) -> bool {
    text != "journal" && text.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-') && text.len() > 1
}

/// What to say of a word, where it is close to a name.
fn meant(word: &str) -> Option<String> {
    let command = Args::command();
    let names = || command.get_subcommands().map(clap::Command::get_name);
    if RESERVED.contains(&word) && !names().any(|name| name == word) {
        return Some(format!("`{word}` is no command yet: its name is kept for one that is to come"));
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
        ] {
            assert!(meant(word).is_some_and(|said| said.contains(&format!("did you mean `{name}`?"))), "{word}");
        }
        for word in ["dmesg", "syslog", "messages", "host"] {
            assert_eq!(meant(word), None, "{word}");
        }
        assert!(meant("collect").is_some_and(|said| said.contains("no command yet")));
    }

    #[test]
    fn the_distance_counts_a_swap_once() {
        assert_eq!((distance("check", "check"), distance("chekc", "check"), distance("chek", "check")), (0, 1, 1));
        assert_eq!((distance("", "abc"), distance("abc", ""), distance("scna", "scan")), (3, 3, 1));
    }
}
