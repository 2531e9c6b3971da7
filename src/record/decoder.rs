//! Placeholder, see record/mod.rs.
use super::Input;

/// Turns the bytes of one log into records, however they are cut into reads.
#[derive(Debug)]
pub struct Decoder {}

impl Decoder {
    /// Longest record, in bytes. printk cuts at 1 KiB (2 KiB from 7.x), journald at 64 KiB a field; rsyslog at 8 KiB.
    pub const LONGEST: usize = 1 << 20;

    /// A decoder for log number `log` of the case.
    pub fn new(_log: usize) -> Self {
        Self {}
    }

    /// Takes the next bytes, and hands every record that is whole to `sink`.
    pub fn feed(&mut self, _bytes: &[u8], _sink: &mut dyn FnMut(Input<'_>)) {}

    /// Ends the log: hands the last record to `sink`, or what is left of it as cut short.
    pub fn finish(&mut self, _sink: &mut dyn FnMut(Input<'_>)) {}
}
