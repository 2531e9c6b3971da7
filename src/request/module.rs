//! The module's own parameter in sysfs: what it was really given.

use super::{Location, Said, Source, Written};
use crate::tree::{Known, Tree};

/// The module's directory below `sys/module`: `xen_pciback` from 2.6.32 on, `pciback` in 2.6.18-xen.
const MODULES: [&str; 2] = ["xen_pciback", "pciback"];

/// How `param_get_charp` (kernel/params.c) prints a parameter that was not given; the second form up to 2.6.18.
const NOT_GIVEN: [&[u8]; 2] = [b"(null)", b"<NULL>"];

/// The list that the loaded or built-in module has. One that is empty or was never given is none.
pub fn written(tree: &Tree) -> Said {
    let mut said = Said::nothing(Source::Module);
    if let Some((path, why)) = unseen(tree) {
        said.not_seen(&path, why);
    }
    for module in MODULES {
        let path = format!("sys/module/{module}/parameters/hide");
        let text = match tree.read(&path) {
            Known::Absent => continue,
            Known::Unreadable(obstacle) => {
                said.obstacles.push(obstacle);
                continue;
            }
            Known::Is(text) => text.strip_suffix(b"\n").unwrap_or(text),
        };
        if !text.is_empty() && !NOT_GIVEN.contains(&text) {
            let location = Some(Location::on_host(&path, None));
            let (text, key) = (text.to_vec(), "hide".to_owned());
            said.written.push(Written { text, source: Source::Module, location, key, effective: true });
        }
        break;
    }
    said
}

/// Why the parameter would not be seen if there were one: every module that is loaded, or built in with parameters, has a
/// directory, and pciback's has had this parameter in every version.
fn unseen(tree: &Tree) -> Option<(String, &'static str)> {
    const ABOVE: &str = "sys/module";
    if matches!(tree.list(ABOVE), Known::Absent) {
        return Some((ABOVE.to_owned(), "is not there"));
    }
    let loaded = MODULES.iter().map(|module| format!("{ABOVE}/{module}"));
    let mut loaded = loaded.filter(|path| !matches!(tree.list(path), Known::Absent));
    let path = format!("{}/parameters/hide", loaded.next()?);
    matches!(tree.read(&path), Known::Absent).then_some((path, "is not there, though the module is"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(manifest: &str) -> Said {
        written(&Tree::from_manifest(manifest).unwrap())
    }

    #[test]
    fn one_newline_is_not_the_list_s() {
        let said = said("sys/module/xen_pciback/parameters/hide = (00:1d.0) \\n\\n");
        assert_eq!(said.written[0].text, b"(00:1d.0) \n");
        assert_eq!(said.written[0].location.as_ref().unwrap().to_string(), "/sys/module/xen_pciback/parameters/hide");
    }

    #[test]
    fn the_old_module_has_another_name() {
        assert_eq!(said("sys/module/pciback/parameters/hide = (00:1d.0)\\n").written.len(), 1);
    }

    #[test]
    fn a_parameter_that_was_not_given_is_none() {
        for text in ["(null)\\n", "<NULL>\\n", "\\n", ""] {
            let said = said(&format!("sys/module/xen_pciback/parameters/hide = {text}\n"));
            assert_eq!((said.written.len(), said.obstacles.len()), (0, 0), "{text}");
        }
        assert_eq!(said("sys/module/other/x = 1\n"), Said::nothing(Source::Module));
        for manifest in ["sys/\n", "sys/module/xen_pciback/refcnt = 0\\n\n"] {
            assert_eq!(said(manifest).unseen.len(), 1, "{manifest}");
        }
    }

    #[test]
    fn a_parameter_that_cannot_be_read_is_an_obstacle() {
        let said = said("sys/module/xen_pciback/parameters/hide ! permission denied\n");
        assert_eq!(said.obstacles[0].why, "permission denied");
    }
}
