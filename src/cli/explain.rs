//! `explain`: the documentation of the findings, from the binary itself.

use std::time::Duration;

use pciback_audit::audit::{Asked, explain_device};
use pciback_audit::pci::Address;
use pciback_audit::render::{device_story, plain};
use pciback_audit::report::Code;
use pciback_audit::source::{keep, keep_archive};

use super::plan::Check;
use super::watchdog::{self, AtSignal, Limits, Stage};
use super::write::{self, Page};
use super::{CANNOT_SAY, evidence};

const FINDINGS: &str = include_str!("../../docs/findings.md");
const EVIDENCE: &str = include_str!("../../docs/evidence.md");

/// Tells the story of a device, and hands back the exit status: 3 where nothing is known of it.
pub(super) fn story(check: Check, address: Address, page: Page) -> u8 {
    let limits = Limits { timeout: check.timeout, at_signal: AtSignal::Die, spent: Duration::ZERO };
    let work = move |stage: &Stage| {
        let asked = Asked::Found { from: None };
        let (case, complaints) = evidence::gather(&check, &asked, &[keep, keep_archive], stage);
        stage.enter("judging");
        let story = explain_device(&case, address);
        let status = if story.is_known() { 0 } else { CANNOT_SAY };
        if !stage.write() {
            return CANNOT_SAY;
        }
        for complaint in &complaints {
            write::complain(complaint, status);
        }
        page.write(&device_story(&story, &page.style()), page.quiet && status == 0, status)
    };
    watchdog::run(&limits, work, |why| write::complain(&why, CANNOT_SAY))
}

/// The section about `code`, the rules of evidence, or a list of all codes.
pub(super) fn explain(code: Option<&str>) -> Result<String, String> {
    let Some(name) = code else { return Ok(list()) };
    if name == "evidence" {
        return Ok(plain(EVIDENCE));
    }
    let code: Code = name.parse().map_err(|_unknown| unknown(name))?;
    Ok(plain(section(code).unwrap_or_else(|| code.summary()).trim_end()))
}

fn list() -> String {
    let widest = Code::ALL.iter().map(|code| code.name().len()).max().unwrap_or_default();
    let lines: Vec<String> =
        Code::ALL.iter().map(|code| format!("{:widest$}  {}", code.name(), code.summary())).collect();
    lines.join("\n") + "\n\nrules by which evidence is weighed: pciback-audit explain evidence\n"
}

/// What stands in the documentation from the code's heading to the next one.
fn section(code: Code) -> Option<&'static str> {
    let heading = format!("## {code}\n");
    let start = FINDINGS.match_indices(&heading).find(|(at, _)| *at == 0 || FINDINGS.get(at - 1..*at) == Some("\n"))?.0;
    let text = FINDINGS.get(start..)?;
    let end = text.match_indices("\n## ").map(|(at, _)| at).next();
    text.get(..end.unwrap_or(text.len()))
}

fn unknown(name: &str) -> String {
    let words: Vec<&str> = name.split(['-', '_', ' ']).filter(|word| word.len() > 2).collect();
    let near: Vec<&str> =
        Code::ALL.iter().map(|code| code.name()).filter(|code| words.iter().any(|word| code.contains(word))).collect();
    let hint = if near.is_empty() {
        "`pciback-audit explain` lists them all".to_owned()
    } else {
        format!("perhaps {}", near.join(", "))
    };
    format!("explain: `{name}` is no finding: {hint}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_section_and_every_section_a_code() {
        for code in Code::ALL {
            let section = section(*code).unwrap_or_else(|| panic!("no section for {code}"));
            assert!(section.lines().count() >= 5, "{code} says too little");
        }
        let headings: Vec<&str> = FINDINGS.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        let codes: Vec<&str> = Code::ALL.iter().map(|code| code.name()).collect();
        assert_eq!(headings, codes, "in the order of the catalogue");
    }

    #[test]
    fn a_terminal_of_80_columns_shows_it_unbroken() {
        for line in FINDINGS.lines().chain(EVIDENCE.lines()) {
            assert!(line.chars().count() <= 80, "{line}");
        }
        assert!(list().lines().all(|line| line.chars().count() <= 100));
    }

    #[test]
    fn an_unknown_code_brings_near_ones() {
        assert!(explain(Some("held")).unwrap_err().contains("held-by-driver"));
        assert!(explain(Some("nothing")).unwrap_err().contains("nothing-requested"));
        assert!(explain(Some("xyz")).unwrap_err().contains("lists them all"));
    }
}
