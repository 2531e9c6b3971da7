//! Module and kernel arguments, taken apart as the kernel does it: `parse_args` in kernel/params.c, `next_arg` in
//! lib/cmdline.c (3.15 and later; the older one differs in nothing that a hide list can have).

use super::hide::is_space;

/// One argument of a command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument {
    /// What stands before the `=`.
    pub key: Vec<u8>,
    /// What stands behind it, quotes undone; `None` without a `=`.
    pub value: Option<Vec<u8>>,
    /// The byte of the line where it begins.
    pub at: usize,
}

/// The arguments of `line`, up to a byte 0 or to `--`, behind which the kernel reads no parameters.
///
/// A double quote begins and ends a stretch where blanks do not separate. It is dropped only where it is the first byte
/// of an argument or of a value, and then also at the end of the argument; elsewhere it stays.
pub fn arguments(line: &[u8]) -> Vec<Argument> {
    let line = line.split(|byte| *byte == 0).next().unwrap_or_default();
    let mut found = Vec::new();
    let mut rest = line;
    loop {
        let blanks = rest.iter().take_while(|byte| is_space(**byte)).count();
        let Some((_, word)) = rest.split_at_checked(blanks) else { break };
        if word.is_empty() {
            break;
        }
        let at = line.len() - word.len();
        let (argument, behind) = next_argument(word, at);
        if argument.key == b"--" && argument.value.is_none() {
            break;
        }
        found.push(argument);
        rest = behind;
    }
    found
}

fn next_argument(word: &[u8], at: usize) -> (Argument, &[u8]) {
    let (quoted, body) = word.strip_prefix(b"\"").map_or((false, word), |body| (true, body));
    let mut in_quote = quoted;
    let end = body.iter().position(|byte| {
        in_quote ^= *byte == b'"';
        !in_quote && is_space(*byte)
    });
    let (argument, rest) = body.split_at_checked(end.unwrap_or(body.len())).unwrap_or((body, &[]));
    // The kernel takes its index of the `=` for "none yet" while it is 0, so that a leading one belongs to the key.
    let equals = argument.iter().skip(1).position(|byte| *byte == b'=');
    let Some((key, value)) = equals.and_then(|index| argument.split_at_checked(index + 1)) else {
        let key = if quoted { argument.strip_suffix(b"\"").unwrap_or(argument) } else { argument };
        return (Argument { key: key.to_vec(), value: None, at }, rest);
    };
    let mut value = value.strip_prefix(b"=").unwrap_or(value);
    let value_quoted = value.first() == Some(&b'"');
    if value_quoted || quoted {
        // The closing quote may be the opening one, as in `hide="`.
        value = value.strip_suffix(b"\"").unwrap_or(value);
    }
    if value_quoted {
        value = value.strip_prefix(b"\"").unwrap_or(value);
    }
    (Argument { key: key.to_vec(), value: Some(value.to_vec()), at }, rest)
}

/// Whether two names are the same to the kernel, for which `-` and `_` are one (`parameq` in kernel/params.c).
pub fn same_name(one: &[u8], other: &[u8]) -> bool {
    let plain = |byte: &u8| if *byte == b'-' { b'_' } else { *byte };
    one.iter().map(plain).eq(other.iter().map(plain))
}

/// An argument as modprobe and insmod hand it to the kernel (kmod, `options_from_array` in tools/opt.c): the value in
/// double quotes when it holds a blank and has no quotes of its own. Other white space separates arguments as ever.
pub fn as_modprobe_passes(argument: &[u8]) -> Vec<u8> {
    let Some(equals) = argument.iter().position(|byte| *byte == b'=') else { return argument.to_vec() };
    let Some((key, value)) = argument.split_at_checked(equals + 1) else { return argument.to_vec() };
    if matches!(value, [b'"' | b'\'', ..]) || !value.contains(&b' ') {
        return argument.to_vec();
    }
    [key, b"\"", value, b"\""].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(line: &str) -> Vec<String> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let show = |argument: Argument| match argument.value {
            Some(value) => format!("{}={}", text(&argument.key), text(&value)),
            None => text(&argument.key),
        };
        arguments(line.as_bytes()).into_iter().map(show).collect()
    }

    #[test]
    fn quotes_are_undone_as_the_kernel_does_it() {
        for (line, expected) in [
            ("a=1 b", vec!["a=1", "b"]),
            (" \ta=1\n\u{b}b=2 ", vec!["a=1", "b=2"]),
            ("hide=\"(00:1d.0) (00:1d.1)\" quiet", vec!["hide=(00:1d.0) (00:1d.1)", "quiet"]),
            ("\"hide=(00:1d.0) (00:1d.1)\" quiet", vec!["hide=(00:1d.0) (00:1d.1)", "quiet"]),
            ("\"hide=\"(00:1d.0)\"\" x", vec!["hide=(00:1d.0)\"", "x"]),
            ("hide=\"(00:1d.0) x", vec!["hide=(00:1d.0) x"]),
            ("hide=(00:1d.0)\" x", vec!["hide=(00:1d.0)\" x"]),
            ("hide=\" ", vec!["hide= "]),
            ("hide=\"", vec!["hide="]),
            ("hide=\"\" x", vec!["hide=", "x"]),
            ("hide=a=b", vec!["hide=a=b"]),
            ("=x=y", vec!["=x=y"]),
            ("hide= (00:1d.0)", vec!["hide=", "(00:1d.0)"]),
            ("a -- b", vec!["a"]),
            ("--=1 b", vec!["--=1", "b"]),
            ("\"quiet\" b", vec!["quiet", "b"]),
            ("a\0b", vec!["a"]),
            ("", vec![]),
        ] {
            assert_eq!(pairs(line), expected, "{line:?}");
        }
    }

    #[test]
    fn each_argument_knows_where_it_begins() {
        let at: Vec<_> = arguments(b"  a=1 \"b=2 3\"  c").into_iter().map(|argument| argument.at).collect();
        assert_eq!(at, [2, 6, 15]);
    }

    #[test]
    fn names_are_compared_as_the_kernel_does() {
        assert!(same_name(b"xen-pciback.hide", b"xen_pciback.hide"));
        assert!(!same_name(b"Hide", b"hide") && !same_name(b"hid", b"hide"));
    }

    #[test]
    fn modprobe_quotes_a_value_with_a_blank() {
        for (argument, passed) in [
            ("hide=(a) (b)", "hide=\"(a) (b)\""),
            ("hide=(a)\n(b)", "hide=(a)\n(b)"),
            ("hide=\"(a) (b)\"", "hide=\"(a) (b)\""),
            ("hide='(a) (b)'", "hide='(a) (b)'"),
            ("a b", "a b"),
        ] {
            assert_eq!(as_modprobe_passes(argument.as_bytes()), passed.as_bytes());
        }
    }
}
