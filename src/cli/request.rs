//! What is requested: as it was typed, or as a policy has it, whose file is read here.

use std::path::{Path, PathBuf};

use pciback_audit::audit::Asked;

/// What is requested, or the file that says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// What was typed.
    Typed(Asked),
    /// `--policy`.
    Policy(PathBuf),
}

impl Request {
    /// What is to be audited, or why the policy cannot be used.
    pub(super) fn read(&self) -> Result<Asked, String> {
        match self {
            Self::Typed(asked) => Ok(asked.clone()),
            Self::Policy(path) => policy(path).map_err(|why| format!("--policy {why}")),
        }
    }
}

/// Not one byte more is read than shows that the file is too long.
#[cfg(feature = "policy")]
fn policy(path: &Path) -> Result<Asked, String> {
    use std::io::Read as _;

    use pciback_audit::report::Code;
    use pciback_audit::request::policy::{LONGEST, read};

    let name = path.to_string_lossy();
    let most = u64::try_from(LONGEST).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    let taken = pciback_audit::source::open_regular(path).and_then(|file| file.take(most).read_to_end(&mut bytes));
    taken.map_err(|error| format!("{name}: {error}"))?;
    let policy = read(&name, &bytes).map_err(|error| error.to_string())?;
    for accept in &policy.accepts {
        accept.code.parse::<Code>().map_err(|error| format!("{}: {error}", policy.at(accept.line)))?;
    }
    Ok(Asked::Policy(policy))
}

#[cfg(not(feature = "policy"))]
fn policy(path: &Path) -> Result<Asked, String> {
    let name = path.to_string_lossy();
    Err(format!("{name}: this program was built without the feature `policy`; name the devices with --device"))
}
