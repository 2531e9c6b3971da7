//! Numbers that are the same on every machine (Marsaglia's xorshift).

pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    pub(crate) fn below(&mut self, limit: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let high = u32::try_from(self.0 >> 32).unwrap_or_default();
        u32::try_from((u64::from(high) * u64::from(limit)) >> 32).unwrap_or_default()
    }
}
