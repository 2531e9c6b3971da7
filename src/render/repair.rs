//! The plan as text: blocks that can be pasted as they are, their headings included.

use std::collections::BTreeMap;

use super::layout::hanging;
use super::style::Style;
use super::text::escape;
use crate::report::Repair;

/// Each part of the plan behind its heading.
pub(super) fn lines(plan: &Repair, style: &Style) -> Vec<String> {
    if plan.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![String::new()];
    lines.extend(plan.first.iter().flat_map(|line| line_of(line, style)));
    let is_command = |line: &String| !line.starts_with('#');
    if plan.now.iter().any(is_command) {
        lines.push("# now, as root:".to_owned());
    }
    lines.extend(plan.now.iter().flat_map(|line| line_of(line, style)));
    let for_good = plan.for_good_lines();
    if !for_good.is_empty() {
        let root = if for_good.iter().any(is_command) { ", as root" } else { "" };
        lines.extend(heading(plan, root, style));
        let is_hidden = |line: &&String| !style.verbose && root.is_empty() && is_held_back(line);
        let hidden = for_good.iter().filter(is_hidden).count();
        lines.extend(for_good.iter().filter(|line| !is_hidden(line)).flat_map(|line| line_of(line, style)));
        if hidden > 0 {
            lines.push(format!("# ({hidden} lines: -v shows them)"));
        }
    }
    if let Some(check) = plan.check.first() {
        // A list in quotes that is broken is no command any more.
        lines.push(format!("# then, and after the reboot: {}", escape(check)));
    }
    lines
}

/// What the block comes to, and the devices that it does not help: none is promised that was not proved.
fn heading(plan: &Repair, root: &str, style: &Style) -> Vec<String> {
    let Some(promise) = &plan.promise else { return vec![format!("# for good{root} (not proved):")] };
    let mut lines = vec![format!("# for good{root} ({} after a reboot):", promise.count())];
    let mut reasons: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (address, why) in &promise.others {
        reasons.entry(why).or_default().push(address.to_string());
    }
    for (why, names) in reasons {
        let more = names.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let some: Vec<String> = names.into_iter().take(NAMED).collect();
        let text = format!("not {}{more}: {why}", some.join(" "));
        lines.extend(hanging("# ", "#   ", &escape(&text), style.width));
    }
    lines
}

/// How many devices are named that a plan does not help.
const NAMED: usize = 3;

/// Whether a line is a command behind a question.
fn is_held_back(line: &str) -> bool {
    line.starts_with('#') && !line.starts_with("# ")
}

/// A command is one line, however long: it is there to be copied. Advice may be broken, and stays a comment.
fn line_of(line: &str, style: &Style) -> Vec<String> {
    match line.strip_prefix("# ") {
        Some(advice) if !advice.starts_with(' ') && !advice.contains("hide=") => {
            hanging("# ", "#   ", &escape(advice), style.width)
        }
        Some(_) | None => vec![escape(line)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pci::Address;
    use crate::report::{File, Measure, Promise};

    #[test]
    fn commands_are_not_broken_and_advice_stays_a_comment() {
        let command = format!("for device in {}; do true; done", "0000:00:1d.0 ".repeat(9));
        let advice = format!("# {}", "a word ".repeat(20));
        let file = File { path: "/etc/x".to_owned(), content: "a\n".to_owned() };
        let address = Address::new(0, 0, 0x1d, 0).unwrap();
        let plan = Repair {
            first: vec![advice],
            now: vec![command.clone()],
            for_good: vec![Measure::File(file)],
            promise: Some(Promise { wanted: 2, seized: 1, others: vec![(address, "it is gone".to_owned())] }),
            check: vec!["pciback-audit check".to_owned()],
        };
        let style = Style { width: 80, colour: false, verbose: false, ascii: true };
        let text = lines(&plan, &style);
        assert!(text.iter().all(|line| line.len() <= 80 || *line == command), "{text:#?}");
        let last = [
            "# for good, as root (1 of 2 after a reboot):",
            "# not 0000:00:1d.0: it is gone",
            "echo 'a' > /etc/x",
            "# then, and after the reboot: pciback-audit check",
        ];
        assert!(text.ends_with(&last.map(str::to_owned)), "{text:#?}");
        assert!(lines(&Repair::default(), &style).is_empty());
        let check = format!("pciback-audit check --hide '{}'", "(0000:00:1d.0) ".repeat(9));
        let text = lines(&Repair { check: vec![check.clone()], ..plan }, &style);
        assert!(text.last().is_some_and(|line| line.ends_with(&check)), "{text:#?}");
    }
}
