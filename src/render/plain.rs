//! Documentation written in Markdown, as plain text for a terminal: headings underlined, no marks of code or emphasis.

/// The text without its marks. Commands in a block keep every letter.
pub fn plain(markdown: &str) -> String {
    let mut lines = Vec::new();
    for line in markdown.lines().filter(|line| !is_rule_of_table(line)) {
        let text = line.trim_start_matches('#');
        if text.len() < line.len() && text.starts_with(' ') {
            let heading = unmarked(text.trim_start());
            let rule = "-".repeat(heading.chars().count());
            lines.extend([heading, rule]);
        } else if line.starts_with("    ") {
            lines.push(line.to_owned());
        } else if let Some(row) = line.strip_prefix('|') {
            let cells = row.trim_end().trim_end_matches('|').split('|').map(|cell| unmarked(cell.trim()));
            lines.push(format!("  {}", cells.collect::<Vec<_>>().join(": ")));
        } else {
            lines.push(unmarked(line));
        }
    }
    lines.join("\n") + "\n"
}

fn is_rule_of_table(line: &str) -> bool {
    line.starts_with('|') && line.contains("---") && line.chars().all(|letter| matches!(letter, '|' | '-' | ' ' | ':'))
}

fn unmarked(text: &str) -> String {
    text.replace("**", "").replace('`', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_taken_off_and_commands_are_kept() {
        let text =
            "## held-by-driver\n\n**Another** driver: `xl`.\n\n    echo `id` # x\n\n| a | `b` |\n| --- | --- |\n";
        let expected = "held-by-driver\n--------------\n\nAnother driver: xl.\n\n    echo `id` # x\n\n  a: b\n";
        assert_eq!(plain(text), expected);
    }
}
