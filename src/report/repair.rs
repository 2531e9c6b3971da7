//! How to mend what a report found: made once, for all of it.

use crate::pci::Address;

/// What to do, in four parts. A line is a command for a shell, or advice that starts with `#`: each part can be pasted as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repair {
    /// What has to be settled before anything is taken from dom0.
    pub first: Vec<String>,
    /// What mends it until the next boot.
    pub now: Vec<String>,
    /// What mends it from the next boot on.
    pub for_good: Vec<Measure>,
    /// What the next boot comes to with all that is for good; `None` where nothing can be promised of it.
    pub promise: Option<Promise>,
    /// How to see that it worked.
    pub check: Vec<String>,
}

/// The next boot with the files of a plan in place, as `plan` would judge it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Promise {
    /// Requested devices, without bridges.
    pub wanted: usize,
    /// Those of them that pciback would have.
    pub seized: usize,
    /// The others, each with the reason.
    pub others: Vec<(Address, String)>,
}

impl Promise {
    /// "5 of 6".
    pub fn count(&self) -> String {
        format!("{} of {}", self.seized, self.wanted)
    }
}

/// One measure of what outlives a reboot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Measure {
    /// A command, or advice.
    Line(String),
    /// A file with all that is to be in it.
    File(File),
}

/// A file to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its path, from the root.
    pub path: String,
    /// All of it, with a line end.
    pub content: String,
}

impl Repair {
    /// Whether there is nothing to do.
    pub const fn is_empty(&self) -> bool {
        self.first.is_empty() && self.now.is_empty() && self.for_good.is_empty()
    }

    /// The steps that outlive a reboot as lines for a shell: a file as a here-document.
    pub fn for_good_lines(&self) -> Vec<String> {
        let lines = |step: &Measure| match step {
            Measure::Line(line) => vec![line.clone()],
            Measure::File(file) => here_document(file),
        };
        self.for_good.iter().flat_map(lines).collect()
    }

    /// The files among them.
    pub fn files(&self) -> impl Iterator<Item = &File> {
        self.for_good.iter().filter_map(|step| match step {
            Measure::Line(_) => None,
            Measure::File(file) => Some(file),
        })
    }
}

/// A file of one line is an `echo`; a script and a unit, which nobody edits, are one `printf`. The word that ends a here-document does not
/// stand on a line of the file (POSIX, Shell Command Language, 2.7.4).
fn here_document(file: &File) -> Vec<String> {
    let is_plain = !file.content.contains(['\'', '\\']);
    let text = file.content.strip_suffix('\n').filter(|_| is_plain);
    if let Some(line) = text.filter(|text| !text.contains('\n')) {
        return vec![format!("echo '{line}' > {}", file.path)];
    }
    if let Some(text) = text.filter(|text| ["#!", "[Unit]"].iter().any(|begins| text.starts_with(begins))) {
        return vec![format!(r"printf '%s\n' '{}' > {}", text.replace('\n', "' '"), file.path)];
    }
    let mut end = "EOF".to_owned();
    while file.content.lines().any(|line| line == end) {
        end.push('_');
    }
    let mut lines = vec![format!("cat > {} <<'{end}'", file.path)];
    lines.extend(file.content.lines().map(str::to_owned));
    lines.push(end);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_a_here_document_that_its_own_lines_do_not_end() {
        let file = |content: &str| Measure::File(File { path: "/etc/x".to_owned(), content: content.to_owned() });
        let plan = Repair { for_good: vec![file("a\nEOF\n"), Measure::Line("reboot".to_owned())], ..Repair::default() };
        assert_eq!(plan.for_good_lines(), ["cat > /etc/x <<'EOF_'", "a", "EOF", "EOF_", "reboot"]);
        let one = Repair { for_good: vec![file("options x y=(1)\n")], ..Repair::default() };
        assert_eq!(one.for_good_lines(), ["echo 'options x y=(1)' > /etc/x"]);
        let script = Repair { for_good: vec![file("#!/bin/sh\n[ x ] || true\n")], ..Repair::default() };
        assert_eq!(script.for_good_lines(), [r"printf '%s\n' '#!/bin/sh' '[ x ] || true' > /etc/x"]);
        assert_eq!(plan.files().count(), 1);
        assert!(!plan.is_empty() && Repair::default().is_empty());
    }
}
