//! Mutations of good input, the same for the same seed.

/// Numbers at which readers tend to break.
const EXTREMES: [&str; 14] = [
    "0",
    "-1",
    "1",
    "31",
    "33",
    "65536",
    "65537",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "18446744073709551615",
    "18446744073709551616",
    "1e400",
    "0.5",
];

/// A source of mutations: xorshift.
pub struct Mutator(u64);

impl Mutator {
    pub fn new(seed: u64) -> Self {
        let mut mutator = Self(seed | 1);
        // Seeds that are close to each other part.
        for _ in 0..8 {
            mutator.next();
        }
        mutator
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `limit`; 0 for no limit.
    pub fn below(&mut self, limit: usize) -> usize {
        ((self.next() >> 16) % limit.max(1) as u64) as usize
    }

    /// Up to `most` random bytes.
    pub fn random(&mut self, most: usize) -> Vec<u8> {
        (0..most).map(|_| (self.next() >> 32) as u8).collect()
    }

    /// One of some texts, mutated once to four times.
    pub fn text(&mut self, good: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = good[self.below(good.len())].clone();
        for _ in 0..=self.below(4) {
            let other = &good[self.below(good.len())];
            self.mutate(&mut bytes, other);
        }
        bytes
    }

    /// One of some safetensors files: its header is mutated as a text and framed again, or bits of its data, or the
    /// whole file as a text.
    pub fn safetensors(&mut self, good: &[Vec<u8>]) -> Vec<u8> {
        let file = &good[self.below(good.len())];
        let (header, data) = parts(file);
        let (mut header, mut data) = (header.to_vec(), data.to_vec());
        match self.below(4) {
            0 => return self.text(good),
            1 => {
                for _ in 0..=self.below(4) {
                    let place = self.below(data.len());
                    data[place] ^= 1 << self.below(8);
                }
            }
            _ => header = self.text(&[header]),
        }
        [&(header.len() as u64).to_le_bytes(), header.as_slice(), &data].concat()
    }

    fn mutate(&mut self, bytes: &mut Vec<u8>, other: &[u8]) {
        let len = bytes.len();
        match self.below(8) {
            // A bit of any byte.
            0 if len > 0 => bytes[self.below(len)] ^= 1 << self.below(8),
            // Any byte near the start, where lengths are.
            1 if len > 0 => bytes[self.below(len.min(64))] = self.next() as u8,
            2 => bytes.truncate(self.below(len)),
            // The start of this one and the end of another.
            3 => {
                bytes.truncate(self.below(len));
                bytes.extend(&other[self.below(other.len())..]);
            }
            // A piece twice, or gone.
            4 if len > 0 => {
                let (start, size) = (self.below(len), self.below(40));
                let piece = bytes[start..(start + size).min(len)].to_vec();
                let at = self.below(len);
                bytes.splice(at..at, piece);
            }
            5 if len > 0 => {
                let start = self.below(len);
                let end = (start + self.below(40)).min(len);
                bytes.drain(start..end);
            }
            _ => self.replace_number(bytes),
        }
    }

    /// Puts an extreme number in the place of one that is written out.
    fn replace_number(&mut self, bytes: &mut Vec<u8>) {
        let len = bytes.len();
        let from = self.below(len);
        let Some(start) = (from..len).find(|i| bytes[*i].is_ascii_digit()) else { return };
        let end = (start..len).find(|i| !bytes[*i].is_ascii_digit()).unwrap_or(len);
        let number = EXTREMES[self.below(EXTREMES.len())];
        bytes.splice(start..end, number.bytes());
    }
}

/// Header and data of a good safetensors file.
fn parts(file: &[u8]) -> (&[u8], &[u8]) {
    let (len, rest) = file.split_first_chunk().expect("a good file");
    rest.split_at(u64::from_le_bytes(*len) as usize)
}
