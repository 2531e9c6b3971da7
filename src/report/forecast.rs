//! What a list would come to: the reports of the module's load now and of the next boot, made before either happens.

use super::Report;

/// When the list is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// `modprobe`, as things are now.
    Now,
    /// The next boot.
    Boot,
}

impl Moment {
    /// Its name on the command line and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Now => "now",
            Self::Boot => "boot",
        }
    }
}

/// A plan: what would be, and what that rests on.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Which of them decides the exit status.
    pub moment: Moment,
    /// The list, as the kernel would get it.
    pub list: String,
    /// After `modprobe` with the list.
    pub now: Expectation,
    /// After the next boot, with the list where it would be read.
    pub boot: Expectation,
    /// After the next boot as things are written down now, where the list was given by hand.
    pub as_written: Option<Expectation>,
}

/// One outcome.
#[derive(Clone, Debug)]
pub struct Expectation {
    /// The judgement of the machine as it would be.
    pub report: Report,
    /// What was taken to be so, in words.
    pub notes: Vec<String>,
}

impl Expectation {
    /// "1 of 6".
    pub fn count(&self) -> String {
        format!("{} of {}", self.report.count("seized"), self.report.wanted())
    }
}

impl Plan {
    /// The outcome that decides.
    pub const fn chosen(&self) -> &Expectation {
        match self.moment {
            Moment::Now => &self.now,
            Moment::Boot => &self.boot,
        }
    }
}
