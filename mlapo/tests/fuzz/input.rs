//! Numbers out of a fuzzer's bytes.

/// Bytes not used yet; zeros follow the last.
pub struct Input<'a>(pub &'a [u8]);

impl<'a> Input<'a> {
    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// The next bit.
    pub fn flag(&mut self) -> bool {
        self.byte() % 2 == 1
    }

    /// The next eight bytes, the lowest first.
    pub fn word(&mut self) -> u64 {
        u64::from_le_bytes(std::array::from_fn(|_| self.byte()))
    }

    /// A number from 1 to `limit`.
    pub fn up_to(&mut self, limit: usize) -> usize {
        usize::from(u16::from_le_bytes([self.byte(), self.byte()])) % limit + 1
    }

    /// A number from 1 to one of two limits.
    pub fn up_to_one_of(&mut self, small: usize, large: usize) -> usize {
        let limit = if self.flag() { small } else { large };
        self.up_to(limit)
    }

    /// Any number, those at which arithmetic tends to break more often than others.
    pub fn size(&mut self) -> usize {
        match self.byte() % 6 {
            0 => self.word() as usize,
            1 => usize::from(self.byte()),
            2 => usize::MAX - usize::from(self.byte()),
            // Around a power of two.
            3 => (1usize << (self.byte() % 64)).wrapping_add(usize::from(self.byte())).wrapping_sub(128),
            4 => 32usize << (self.byte() % 12),
            _ => 16 * self.up_to(128),
        }
    }

    /// The next `len` bytes, or all if there are fewer.
    pub fn bytes(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }
}
