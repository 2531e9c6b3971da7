//! A plan that is being put together: its steps, and the files of the machine as they are once these are done.

use crate::report::{File, Measure};
use crate::request::loading::IMAGE;
use crate::tree::{Node, Tree};

/// The steps, and what they come to.
pub(super) struct Draft {
    pub(super) steps: Vec<Measure>,
    /// The files with all steps done; the boot image is one that is made of them.
    pub(super) after: Tree,
    /// Whether every step that matters is a file or a command: else nobody knows what comes of it.
    pub(super) is_whole: bool,
}

impl Draft {
    pub(super) fn of(tree: &Tree) -> Self {
        let mut after = tree.clone();
        after.remove(IMAGE);
        // The names of devices are longer than all the rest, and decide nothing.
        after.remove("usr/share");
        Self { steps: Vec::new(), after, is_whole: true }
    }

    /// A command that changes no file here, or advice that nothing depends on.
    pub(super) fn line(&mut self, text: &str) {
        self.steps.push(Measure::Line(text.to_owned()));
    }

    /// What only a person can do.
    pub(super) fn by_hand(&mut self, text: &str) {
        self.is_whole = false;
        self.line(text);
    }

    /// A file with all that is to be in it.
    pub(super) fn file(&mut self, path: &str, content: &str) {
        self.write(path, content);
        self.steps.push(Measure::File(File { path: path.to_owned(), content: content.to_owned() }));
    }

    /// A file that a command of the plan changes.
    pub(super) fn write(&mut self, path: &str, content: &str) {
        self.after.insert(path, Node::File(content.as_bytes().to_vec()));
    }

    /// The text of a file, where it can be written again as it is.
    pub(super) fn text(&self, path: &str) -> Option<&str> {
        let text = std::str::from_utf8(self.after.read(path.trim_start_matches('/')).is()?).ok()?;
        text.chars().all(|letter| letter == '\n' || letter == '\t' || !letter.is_control()).then_some(text)
    }

    /// A line at the end of a file, which is written whole where its text is known.
    pub(super) fn append(&mut self, path: &str, line: &str) {
        if let Some(old) = self.text(path).map(str::to_owned) {
            let gap = if old.is_empty() || old.ends_with('\n') { "" } else { "\n" };
            self.file(path, &format!("{old}{gap}{line}\n"));
        } else {
            self.line(&format!("echo '{line}' >> {path}"));
            self.write(path, &format!("{line}\n"));
        }
    }
}
