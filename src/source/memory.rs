//! What a watch remembers from one run to the next (`--resume`).

use std::io::{ErrorKind, Read as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::FileError;
use super::inside::words;
use super::output::{Access, replace};
use super::regular::open_regular;
use crate::record::BootId;
use crate::report::{Code, Snapshot, Standing, Status};

const SCHEMA: &str = "pciback-audit/watch/1";

/// Far more than the state of a host with thousands of devices.
const LONGEST: u64 = 4 << 20;

/// How far a watch came: what it told last, and of which boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    /// The boot.
    pub boot: BootId,
    /// Sequence number of the last record that was read, where records have numbers.
    pub sequence: Option<u64>,
    /// What was told.
    pub told: Snapshot,
}

#[derive(Serialize, Deserialize)]
struct KeptState {
    schema: String,
    boot_id: String,
    sequence: Option<u64>,
    verdict: Option<String>,
    devices: Vec<KeptDevice>,
    findings: Vec<KeptFinding>,
}

#[derive(Serialize, Deserialize)]
struct KeptDevice {
    address: String,
    status: String,
    driver: Option<String>,
    seizing: Option<u64>,
}

#[derive(Serialize, Deserialize)]
struct KeptFinding {
    code: String,
    address: Option<String>,
}

impl Memory {
    /// Reads the file at `path`; `None` where there is none yet.
    pub fn read(path: &Path) -> Result<Option<Self>, FileError> {
        Self::parse(path).map_err(|why| FileError::of(path, why))
    }

    fn parse(path: &Path) -> Result<Option<Self>, String> {
        let file = match open_regular(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            file => file.map_err(|error| words(&error))?,
        };
        let mut text = Vec::new();
        file.take(LONGEST).read_to_end(&mut text).map_err(|error| words(&error))?;
        let object: KeptState = serde_json::from_slice(&text).map_err(|error| format!("is damaged: {error}"))?;
        Self::of(object).map(Some)
    }

    /// Replaces the file at `path`.
    pub fn write(&self, path: &Path) -> Result<(), FileError> {
        let device = |standing: &Standing| KeptDevice {
            address: standing.address.to_string(),
            status: standing.status.to_owned(),
            driver: standing.driver.clone(),
            seizing: standing.seizing,
        };
        let finding = |(code, address): &(Code, Option<_>)| KeptFinding {
            code: code.name().to_owned(),
            address: address.as_ref().map(ToString::to_string),
        };
        let object = KeptState {
            schema: SCHEMA.to_owned(),
            boot_id: self.boot.to_string(),
            sequence: self.sequence,
            verdict: self.told.verdict.map(|verdict| verdict.name().to_owned()),
            devices: self.told.devices.iter().map(device).collect(),
            findings: self.told.findings.iter().map(finding).collect(),
        };
        let mut text = serde_json::to_vec(&object).map_err(|error| FileError::of(path, error))?;
        text.push(b'\n');
        replace(path, &text, Access::Private).map_err(|error| FileError::of(path, error))
    }

    fn of(object: KeptState) -> Result<Self, String> {
        if object.schema != SCHEMA {
            return Err(format!("is of another form: {}", object.schema));
        }
        let unknown = |what: &str, text: &str| format!("holds a {what} that is not known: {text}");
        let address = |text: &str| text.parse().map_err(|_error| unknown("device", text));
        let mut told = Snapshot::default();
        for device in object.devices {
            let status = Status::NAMES.into_iter().find(|name| *name == device.status);
            told.devices.push(Standing {
                address: address(&device.address)?,
                status: status.ok_or_else(|| unknown("status", &device.status))?,
                driver: device.driver,
                seizing: device.seizing,
            });
        }
        for finding in object.findings {
            let code = finding.code.parse().map_err(|_error| unknown("finding", &finding.code))?;
            told.findings.push((code, finding.address.as_deref().map(address).transpose()?));
        }
        told.verdict = match object.verdict.as_deref() {
            Some(name) => Some(crate::report::Verdict::named(name).ok_or_else(|| unknown("verdict", name))?),
            None => None,
        };
        let boot = BootId::parse(object.boot_id.as_bytes()).ok_or_else(|| unknown("boot id", &object.boot_id))?;
        Ok(Self { boot, sequence: object.sequence, told })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::report::Verdict;

    fn memory() -> Memory {
        let standing = Standing {
            address: "0000:00:1d.0".parse().unwrap(),
            status: "seized",
            driver: Some("pciback".to_owned()),
            seizing: Some(24_787_468),
        };
        let findings = vec![(Code::ForgedRecord, Some("0000:00:1d.0".parse().unwrap())), (Code::WildcardEmpty, None)];
        let told = Snapshot { verdict: Some(Verdict::Warning), devices: vec![standing], findings, lost: 0 };
        Memory { boot: BootId(7), sequence: Some(812), told }
    }

    #[test]
    fn what_was_remembered_is_found_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state");
        assert_eq!(Memory::read(&path), Ok(None));
        memory().write(&path).unwrap();
        assert_eq!(Memory::read(&path), Ok(Some(memory())));
    }

    #[test]
    fn a_damaged_file_is_said_to_be_damaged() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state");
        memory().write(&path).unwrap();
        let text = fs::read(&path).unwrap();
        for length in 0..text.len() - 1 {
            fs::write(&path, &text[..length]).unwrap();
            assert!(Memory::read(&path).is_err(), "{length} of {}", text.len());
        }
        for (from, to) in
            [("seized", "sized"), ("0000:00:1d.0", "nowhere"), ("forged-record", "x"), ("watch/1", "watch/9")]
        {
            fs::write(&path, String::from_utf8_lossy(&text).replacen(from, to, 1)).unwrap();
            assert!(Memory::read(&path).is_err(), "{to}");
        }
        assert!(Memory::read(directory.path()).is_err());
    }
}
