//! The list given to this program: `--hide`.

use super::{Source, Written};

/// The list of `--hide LIST`, exactly as the kernel would get it.
pub fn written(list: &[u8]) -> Written {
    Written { text: list.to_vec(), source: Source::Argument, location: None, key: "--hide".to_owned(), effective: true }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pci::Era;

    #[test]
    fn the_argument_is_the_list() {
        let written = written(b"(00:1d.0)");
        assert_eq!((written.key.as_str(), written.source.name()), ("--hide", "argument"));
        assert!(written.read(Era::From3_7).accepted());
    }
}
