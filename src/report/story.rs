//! All that is known of one device, in the order in which it happened.

use super::{Device, Evidence, Finding, Verdict};
use crate::pci::Address;
use crate::record::Stamp;

/// One device's story.
#[derive(Clone, Debug)]
pub struct DeviceStory {
    /// The device.
    pub address: Address,
    /// What the audit makes of it, where it is requested or pciback's.
    pub device: Option<Device>,
    /// What happened to it, in order.
    pub steps: Vec<Step>,
    /// What is so now, and around it: a label, what it is, and what shows it.
    pub facts: Vec<(&'static str, String, Option<Evidence>)>,
    /// The findings about it.
    pub findings: Vec<Finding>,
    /// The verdict of the whole audit.
    pub verdict: Verdict,
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub struct Step {
    /// When.
    pub stamp: Stamp,
    /// What, in plain words.
    pub text: String,
    /// The record.
    pub evidence: Evidence,
}

impl DeviceStory {
    /// Whether anything at all is known of the device.
    pub const fn is_known(&self) -> bool {
        self.device.is_some() || !self.steps.is_empty() || !self.facts.is_empty()
    }
}
