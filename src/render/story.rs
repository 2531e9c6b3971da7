//! One device's story, on one screen.

use super::findings;
use super::layout::paragraph;
use super::style::Style;
use super::text::escape;
use super::time;
use crate::report::{DeviceStory, Finding, Severity, Step};

/// How many steps are shown of the beginning and of the end without `-v`.
const EACH: usize = 10;

/// The story as text.
pub fn device_story(story: &DeviceStory, style: &Style) -> String {
    let mut lines = heading(story, style);
    if !story.is_known() {
        lines.push("nothing is known of it: no record, no file and no list names it".to_owned());
        return lines.join("\n") + "\n";
    }
    if !story.steps.is_empty() {
        lines.push(String::new());
        lines.extend(steps(story, style));
    }
    if !story.facts.is_empty() {
        lines.push(String::new());
        for (label, text, evidence) in &story.facts {
            let shown = evidence.as_ref().map(|evidence| format!("  [{}]", findings::words(evidence)));
            let text = escape(&format!("{text}{}", shown.unwrap_or_default()));
            lines.extend(paragraph(&format!("{label:<10}"), &text, style.width));
        }
    }
    let counts = |finding: &&Finding| style.verbose || finding.severity != Severity::Info;
    let shown: Vec<&Finding> = story.findings.iter().filter(counts).collect();
    lines.extend(findings::lines(&shown, style));
    lines.join("\n") + "\n"
}

fn heading(story: &DeviceStory, style: &Style) -> Vec<String> {
    let device = story.device.as_ref();
    let id = device.and_then(|device| device.id).map(|id| id.to_string());
    let name = device.and_then(|device| device.label.clone().or_else(|| device.name.clone()));
    let status = device.map_or("not requested, and not pciback's", |device| device.status.name());
    let known: Vec<String> = id.into_iter().chain(name).collect();
    let what = if known.is_empty() { String::new() } else { format!(" ({})", known.join(" ")) };
    paragraph("", &escape(&format!("{}{what}: {status}", story.address)), style.width)
}

fn steps(story: &DeviceStory, style: &Style) -> Vec<String> {
    let all = &story.steps;
    let left_out = if style.verbose { 0 } else { all.len().saturating_sub(2 * EACH) };
    let begin = if left_out > 0 { EACH } else { all.len() };
    let mut lines: Vec<String> = all.iter().take(begin).flat_map(|step| line(step, style)).collect();
    if left_out > 0 {
        lines.push(format!("{:>16}  and {left_out} more; -v shows them", ""));
        lines.extend(all.iter().skip(begin + left_out).flat_map(|step| line(step, style)));
    }
    lines
}

fn line(step: &Step, style: &Style) -> Vec<String> {
    let at = time::as_written(&step.stamp).unwrap_or_else(|| "-".to_owned());
    let text = format!("{}  [{}]", step.text, findings::words(&step.evidence));
    paragraph(&format!("{at:>16}  "), &escape(&text), style.width)
}
