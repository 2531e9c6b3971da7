//! The codes of findings. Adding one adds its section to `docs/findings.md`, which a test demands.

use std::fmt;
use std::str::FromStr;

macro_rules! codes {
    ($($name:ident = $text:literal: $doc:literal),+ $(,)?) => {
        /// What a finding is. Stable: codes are added, never renamed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Code {
            $(#[doc = $doc] $name),+
        }

        impl Code {
            /// Every code, in the order of the catalogue.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Its stable name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }

            /// What it means, in one line.
            pub const fn summary(self) -> &'static str {
                match self { $(Self::$name => $doc),+ }
            }
        }
    };
}

codes! {
    ListMalformed = "list-malformed": "The kernel cannot read the list, and takes no device of it.",
    ListOutOfRange = "list-out-of-range": "A number of the list is too large: the kernel silently refuses all of it.",
    ListCutShort = "list-cut-short": "An entry without its closing bracket silently ends the list (up to 3.6).",
    ListTooLong = "list-too-long": "The list is longer than the kernel takes.",
    ListNotEffective = "list-not-effective": "A list stands where nothing reads it.",
    NextBootDrift = "next-boot-drift": "The next boot reads another list.",
    SourcesDisagree = "sources-disagree": "Two places that are read hold different lists.",
    DuplicateEntry = "duplicate-entry": "An entry names a device that another one names already.",
    OverlappingEntry = "overlapping-entry": "A wildcard or a bridge of the list covers an entry already.",
    XapiStyle = "xapi-style": "XAPI's tools cannot read an entry of the list.",
    CompetingStub = "competing-stub": "Another driver is told to take a requested device.",
    WildcardEmpty = "wildcard-empty": "No device exists under a wildcard of the list.",
    PolicyUnreadable = "policy-unreadable": "The policy cannot be used.",
    NothingRequested = "nothing-requested": "No list of devices is in force.",
    NotDom0 = "not-dom0": "This is not a dom0, or nothing shows that it is one.",
    DriverAbsent = "driver-absent": "No pciback driver is running.",
    LoadedWithoutList = "loaded-without-list": "The module was loaded without a list.",
    ModuleParameterRejected = "module-parameter-rejected": "The kernel refused or ignored a parameter of the module.",
    HeldByDriver = "held-by-driver": "Another driver has the device.",
    Unbound = "unbound": "No driver has the device, pciback neither.",
    Absent = "absent": "There is no such device.",
    Missing = "missing": "A complete log does not say that pciback took the device.",
    IdentityChanged = "identity-changed": "Another card is at the address than the policy expects.",
    SeizeFailed = "seize-failed": "pciback tried to take the device and failed.",
    Refused = "refused": "pciback refuses devices of this kind.",
    BootCritical = "boot-critical": "dom0 itself cannot do without the device.",
    ReleasedByHand = "released-by-hand": "The device was taken off pciback's own list.",
    LostAfterSeize = "lost-after-seize": "pciback had the device, and has lost it.",
    TakenFromGuest = "taken-from-guest": "pciback was unbound from the device while a guest had it.",
    Unrequested = "unrequested": "pciback has a device that the list does not name.",
    SiblingLeftBehind = "sibling-left-behind": "dom0's drivers have another function of the device's slot.",
    UsbCompanion = "usb-companion": "A driver that comes for another USB function may crash the kernel.",
    LateSeize = "late-seize": "The device was taken from a driver that had it long since.",
    ResetMissing = "reset-missing": "The kernel has no way to reset the device.",
    Twin = "twin": "Another card of the same make is not on the list.",
    VisibleByDesign = "visible-by-design": "Seized devices stay visible in dom0's lspci.",
    XenRefused = "xen-refused": "The hypervisor did not register the device: no guest can have it.",
    ResetStalled = "reset-stalled": "The device did not come back from a reset.",
    PowerStuck = "power-stuck": "The device did not change its power state.",
    AerError = "aer-error": "PCI Express reported an error of the device.",
    InUse = "in-use": "A guest was given the device.",
    GuestWantsUnseized = "guest-wants-unseized": "A guest is to be given a device that pciback does not have.",
    GuestClash = "guest-clash": "Several guests are to be given the same device.",
    AssignFailed = "assign-failed": "A guest could not have the device.",
    ConfigWriteBlocked = "config-write-blocked": "pciback dropped a guest's write to the device's configuration space.",
    PermissiveOn = "permissive-on": "A guest may write to all of the device's configuration space.",
    MsiFailed = "msi-failed": "The device's message-signalled interrupts could not be set up.",
    UnsafeRemoval = "unsafe-removal": "pciback was unbound while a guest had the device, and has it again.",
    OwnershipStolen = "ownership-stolen": "A guest was given the device while another one was noted as its owner.",
    IommuOff = "iommu-off": "The hypervisor's IOMMU is off.",
    InterruptRemappingOff = "interrupt-remapping-off": "The hypervisor does not remap interrupts.",
    DmaFault = "dma-fault": "The IOMMU blocked what the device did.",
    Rmrr = "rmrr": "The device shares memory that the firmware reserved.",
    NotGuest = "not-guest": "This is not a Xen guest, or not its log.",
    NoFrontend = "no-frontend": "The guest was given PCI devices, and no driver took their bus.",
    FrontendFailed = "frontend-failed": "The guest's pcifront failed.",
    SeveralHosts = "several-hosts": "Several hosts speak in the log; none was chosen.",
    OrderUnknown = "order-unknown": "Which records came last cannot be told.",
    OutsideWindow = "outside-window": "No boot in the logs is known to be of the time that was asked about.",
    RecordsLost = "records-lost": "Log records are missing.",
    LogBeginsLate = "log-begins-late": "The log does not reach back to the start of the boot.",
    LogUnreadable = "log-unreadable": "A log could not be read, or has nothing of a kernel in it.",
    Unsettled = "unsettled": "The log shows the device seized, and does not settle that it still is.",
    HostUnreadable = "host-unreadable": "A file of the host that would decide could not be read.",
    ForgedRecord = "forged-record": "A record looks like the driver's, and was not written by the kernel.",
    AuthorUnstated = "author-unstated": "The log's form does not say who wrote its lines.",
    StaleBoot = "stale-boot": "Records of an earlier boot were left out.",
    StaleLoad = "stale-load": "Records of an earlier load of the module were left out.",
    UeventsUnheard = "uevents-unheard": "Nothing says when a driver takes or leaves a device.",
    UnrecognisedRecord = "unrecognised-record": "pciback says something that this program does not know.",
    UserQuoted = "user-quoted": "A line of user space quotes a seizing line.",
}

impl Code {
    /// Whether such a finding explains what became of every device, so that it alone counts.
    pub const fn explains_devices(self) -> bool {
        matches!(
            self,
            Self::ListMalformed
                | Self::ListOutOfRange
                | Self::ListCutShort
                | Self::ListTooLong
                | Self::PolicyUnreadable
                | Self::NothingRequested
                | Self::NotDom0
                | Self::SeveralHosts
                | Self::OrderUnknown
                | Self::OutsideWindow
                | Self::DriverAbsent
        )
    }
}

impl Code {
    /// Whether such a note is true of a machine on which all is as it should be, so that it is no reason to look closer.
    pub const fn is_remark(self) -> bool {
        matches!(
            self,
            Self::SiblingLeftBehind
                | Self::UsbCompanion
                | Self::LateSeize
                | Self::ResetMissing
                | Self::Twin
                | Self::VisibleByDesign
        )
    }

    /// Whether such a finding says why its device has its status.
    pub const fn states_a_device(self) -> bool {
        matches!(
            self,
            Self::HeldByDriver
                | Self::Unbound
                | Self::Absent
                | Self::Missing
                | Self::SeizeFailed
                | Self::Refused
                | Self::ReleasedByHand
                | Self::LostAfterSeize
                | Self::TakenFromGuest
        )
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Code {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        let code = Self::ALL.iter().copied().find(|code| code.name() == text);
        code.ok_or_else(|| UnknownCode(text.to_owned()))
    }
}

/// A text that is no code of a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownCode(String);

impl fmt::Display for UnknownCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no finding code; `explain` lists them", self.0)
    }
}

impl std::error::Error for UnknownCode {}
