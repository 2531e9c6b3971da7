//! The tags of an XML file, as far as toolstacks write them: no definitions.

/// One tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag<'a> {
    /// Its name, with a slash in front where it ends an element.
    pub(super) name: &'a str,
    attributes: &'a str,
    /// What stands behind it, up to the next tag.
    pub(super) text: &'a str,
    /// Its line.
    pub(super) line: usize,
    /// Whether it is an element without content.
    pub(super) empty: bool,
}

impl<'a> Tag<'a> {
    /// The value of an attribute.
    pub(super) fn attribute(&self, wanted: &str) -> Option<&'a str> {
        let mut rest = self.attributes;
        while let Some((name, behind)) = rest.split_once('=') {
            let behind = behind.trim_start();
            let quote = behind.chars().next().filter(|c| matches!(c, '"' | '\''))?;
            let (value, after) = behind.get(1..)?.split_once(quote)?;
            if name.trim() == wanted {
                return Some(value);
            }
            rest = after;
        }
        None
    }

    /// A number in C's spelling.
    pub(super) fn number(&self, wanted: &str) -> Option<u32> {
        let value = self.attribute(wanted)?;
        value.strip_prefix("0x").map_or_else(|| value.parse().ok(), |hex| u32::from_str_radix(hex, 16).ok())
    }
}

/// The tags of `text`, in order, comments left out.
pub(super) fn tags(text: &str) -> impl Iterator<Item = Tag<'_>> {
    let (mut rest, mut line) = (text, 1);
    std::iter::from_fn(move || {
        loop {
            let (before, inside) = rest.split_once('<')?;
            line += lines(before);
            if let Some(comment) = inside.strip_prefix("!--") {
                let (comment, behind) = comment.split_once("-->")?;
                line += lines(comment);
                rest = behind;
                continue;
            }
            let (tag, behind) = inside.split_once('>')?;
            let at = line;
            line += lines(tag);
            rest = behind;
            let (inner, empty) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
            let end = inner.find(char::is_whitespace).unwrap_or(inner.len());
            let (name, attributes) = inner.split_at_checked(end)?;
            let text = behind.split('<').next().unwrap_or_default();
            return Some(Tag { name, attributes, text, line: at, empty });
        }
    })
}

/// A text with the characters that its entities stand for (XML 1.0, section 4.6; `&#39;` is how Python writes `'`).
pub(super) fn unescaped(text: &str) -> String {
    const ENTITIES: [(&str, &str); 6] =
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&#39;", "'"), ("&amp;", "&")];
    let mut text = text.to_owned();
    for (entity, meant) in ENTITIES.iter().filter(|_| text.contains('&')).collect::<Vec<_>>() {
        text = text.replace(entity, meant);
    }
    text
}

fn lines(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
}
