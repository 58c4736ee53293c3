//! The pages of a cache that a sequence has.

use ascendcl_sim::operator::Fault;

use crate::tensor::Operand;

/// What decoding needs to find the slots of its sequences.
pub(crate) struct Pages {
    /// `[sequences, most blocks of one]`
    table: Vec<i32>,
    width: usize,
    lengths: Vec<i32>,
    block_size: usize,
    blocks: usize,
}

impl Pages {
    /// Reads the table and the lengths. ATB takes the lengths from host memory, if the program hands them over there.
    pub(crate) fn new(
        table: &Operand<'_>,
        lengths: &Operand<'_>,
        blocks: usize,
        block_size: usize,
    ) -> Result<Self, Fault> {
        let lengths = match lengths.host {
            Some(bytes) if bytes.len() == 4 * lengths.len() => bytes
                .chunks_exact(4)
                .map(|word| i32::from_ne_bytes([word[0], word[1], word[2], word[3]]))
                .collect(),
            _ => lengths.memory.read(0, lengths.len())?,
        };
        let width = table.dim(1);
        Ok(Self { table: table.memory.read(0, table.len())?, width, lengths, block_size, blocks })
    }

    /// The slots of a sequence, in order.
    pub(crate) fn slots(&self, sequence: usize) -> Result<Vec<usize>, Fault> {
        let length = self.lengths.get(sequence).copied().unwrap_or(0);
        let tokens = usize::try_from(length)
            .ok()
            .filter(|length| *length > 0)
            .ok_or_else(|| Fault::new(format!("sequence {sequence} has the length {length}")))?;
        let needed = tokens.div_ceil(self.block_size.max(1));
        if needed > self.width || (sequence + 1) * self.width > self.table.len() {
            return Err(Fault::new(format!(
                "sequence {sequence} has {tokens} tokens, the block table {} blocks of {}",
                self.width, self.block_size
            )));
        }
        let row = &self.table[sequence * self.width..][..needed];
        if let Some(block) =
            row.iter().find(|block| usize::try_from(**block).map_or(true, |at| at >= self.blocks))
        {
            return Err(Fault::new(format!(
                "sequence {sequence} has the block {block}, the cache {} blocks",
                self.blocks
            )));
        }
        Ok((0..tokens)
            .map(|token| row[token / self.block_size] as usize * self.block_size + token % self.block_size)
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::harness::Tensor;
    use ascendcl_sys::ACL_INT32;

    fn pages(lengths: [i32; 2]) -> Pages {
        let table = Tensor::nd(ACL_INT32, &[2, 2], &[2i32, 0, 1, 7]);
        let lengths = Tensor::nd(ACL_INT32, &[2], &lengths);
        Pages::new(&table.operand(), &lengths.operand(), 3, 4).unwrap()
    }

    #[test]
    fn blocks_follow_the_table() {
        assert_eq!(pages([6, 2]).slots(0).unwrap(), [8, 9, 10, 11, 0, 1]);
        assert_eq!(pages([6, 2]).slots(1).unwrap(), [4, 5]);
    }

    #[test]
    fn lengths_of_the_host_come_first() {
        let table = Tensor::nd(ACL_INT32, &[1, 1], &[0i32]);
        let lengths = Tensor::nd(ACL_INT32, &[1], &[4i32]);
        let host = 2i32.to_ne_bytes();
        let operand = Operand { host: Some(&host), ..lengths.operand() };
        assert_eq!(Pages::new(&table.operand(), &operand, 1, 4).unwrap().slots(0).unwrap(), [0, 1]);
    }

    #[test]
    fn what_is_not_there_is_a_fault() {
        for (lengths, sequence, what) in [
            ([0, 1], 0, "length 0"),
            ([-1, 1], 0, "length -1"),
            ([9, 1], 0, "9 tokens"),
            ([1, 5], 1, "block 7"),
        ] {
            let fault = pages(lengths).slots(sequence).unwrap_err().to_string();
            assert!(fault.contains(what), "{fault}");
        }
    }
}
