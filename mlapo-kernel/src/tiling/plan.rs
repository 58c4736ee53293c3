//! The tiling of a shape for a SoC.

use super::{Product, Tiling};

/// What a launch computes.
///
/// The model's dimensions have the names of the Hugging Face config. Scales that a mode does not use are ignored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    /// Token rows, at least one.
    pub tokens: usize,
    /// A multiple of 32.
    pub hidden_size: usize,
    /// A multiple of 32.
    pub q_lora_rank: usize,
    /// A multiple of 32.
    pub kv_lora_rank: usize,
    /// A multiple of 16, at most 128.
    pub qk_rope_head_dim: usize,
    /// A multiple of 16, at most 1024.
    pub qk_nope_head_dim: usize,
    /// At least one.
    pub num_heads: usize,
    /// bfloat16, else half.
    pub bf16: bool,
    /// 0 to 3.
    pub cache_mode: u8,
    /// Each token has its own activation scales; else there is one for all.
    pub per_token: bool,
    /// The hidden state is normalized here. If not, static scales divide where they are multiplied otherwise.
    pub input_norm: bool,
    /// The key up-projection is FRACTAL_NZ, else ND.
    pub wuk_nz: bool,
    /// Every dequantization scale has at most 11 bits of mantissa, as the cube cores' way out keeps them. Then they
    /// can dequantize, if the mode allows it: see [`Tiling::fused_dequant`].
    pub short_scales: bool,
    /// Rows of a block of the cache.
    pub block_size: usize,
    /// Added to mean squares.
    pub epsilon: f32,
    /// Scale and zero point of the hidden state and of the query latent.
    pub quant: [(f32, i8); 2],
    /// Scale of an int8 latent in the cache.
    pub ctkv_scale: f32,
}

/// A shape that the kernel does not take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the kernel takes {field} {expected}, not {got}")]
pub struct TilingError {
    /// The dimension.
    pub field: &'static str,
    /// What the kernel takes.
    pub expected: String,
    /// What was asked for.
    pub got: usize,
}

const WEIGHT_SLOT_BYTES: usize = 96 << 10;
const ROW_SLOT_BYTES: usize = 56 << 10;
const L0_HALF_BYTES: usize = 32 << 10;
/// Sums in half of L0C.
const L0C_SUMS: usize = (64 << 10) / 4;
const FRACTAL_ROWS: usize = 16;
const BLOCK_BYTES: usize = 32;
/// Token rows that the cube cores take at a time, at most.
const ROW_CHUNK: usize = 128;
/// Columns of a tile, unless units are wider.
const TILE_COLUMNS: usize = 256;
/// Columns of int32 bias that the bias table holds.
const BIAS_COLUMNS: usize = (1 << 10) / 4;
/// The workspace's parts start at multiples of a cache line.
const LINE: u64 = 512;

impl Tiling {
    /// Most token rows of one launch; more tokens take several launches.
    pub const LARGEST_TOKENS: usize = 4096;

    /// Cuts a shape's work for a device with `cube_cores` cube cores.
    ///
    /// # Errors
    ///
    /// [`TilingError`] with the first dimension that the kernel does not take.
    pub fn plan(shape: &Shape, cube_cores: usize) -> Result<Self, TilingError> {
        shape.check()?;
        if cube_cores == 0 || cube_cores > 64 {
            return Err(TilingError {
                field: "cube cores",
                expected: "from 1 to 64".into(),
                got: cube_cores,
            });
        }
        let up_unit = shape.up_unit();
        // A tile has at least one unit, so that wide units take fewer token rows.
        let row_chunk = [ROW_CHUNK, 64, 32, 16]
            .into_iter()
            .find(|rows| L0C_SUMS / rows >= up_unit)
            .ok_or_else(|| TilingError {
                field: "qk_nope_head_dim + qk_rope_head_dim",
                expected: format!("up to {}", L0C_SUMS / FRACTAL_ROWS),
                got: up_unit,
            })?
            .min(shape.tokens);
        let padded = row_chunk.next_multiple_of(FRACTAL_ROWS);
        let columns = (L0C_SUMS / padded).min(TILE_COLUMNS.max(up_unit));
        let cut = |columns_total, inner, unit, element| Cut {
            blocks: cube_cores,
            padded,
            columns,
            columns_total,
            inner,
            unit,
            element,
        };
        let down_rows = shape.kv_lora_rank + shape.qk_rope_head_dim + shape.q_lora_rank;
        let up_rows = shape.num_heads * (shape.qk_nope_head_dim + shape.qk_rope_head_dim);
        let absorbed = shape.num_heads * shape.kv_lora_rank;
        let absorb_unit = shape.absorb_unit(cube_cores, columns);
        let product = [
            cut(down_rows, shape.hidden_size, FRACTAL_ROWS, 1).product()?,
            cut(up_rows, shape.q_lora_rank, up_unit, 1).product()?,
            Cut { columns: absorb_unit, ..cut(absorbed, shape.qk_nope_head_dim, absorb_unit, 2) }
                .product()?,
        ];
        let (hidden_parts, hidden_part) = parts(shape.hidden_size, shape.tokens, 2 * cube_cores);
        let (latent_parts, latent_part) = parts(shape.q_lora_rank, shape.tokens, 2 * cube_cores);
        let mut workspace = Workspace(0);
        let rows = |bytes: usize| shape.tokens as u64 * bytes as u64;
        let int8_query = shape.cache_mode == 2;
        Ok(Self {
            tokens: shape.tokens as u32,
            hidden_size: shape.hidden_size as u32,
            q_lora_rank: shape.q_lora_rank as u32,
            kv_lora_rank: shape.kv_lora_rank as u32,
            qk_rope_head_dim: shape.qk_rope_head_dim as u32,
            qk_nope_head_dim: shape.qk_nope_head_dim as u32,
            num_heads: shape.num_heads as u32,
            bf16: shape.bf16.into(),
            cache_mode: shape.cache_mode.into(),
            per_token: shape.per_token.into(),
            input_norm: shape.input_norm.into(),
            divide: (!shape.input_norm).into(),
            wuk_nz: shape.wuk_nz.into(),
            fused_dequant: (!shape.bf16 && !shape.per_token && shape.short_scales && columns <= BIAS_COLUMNS)
                .into(),
            block_size: shape.block_size as u32,
            epsilon: shape.epsilon,
            quant_scale0: shape.quant[0].0,
            quant_offset0: shape.quant[0].1.into(),
            quant_scale1: shape.quant[1].0,
            quant_offset1: shape.quant[1].1.into(),
            ctkv_scale: shape.ctkv_scale,
            blocks: cube_cores as u32,
            row_chunk: row_chunk as u32,
            row_chunks: shape.tokens.div_ceil(row_chunk) as u32,
            hidden_parts,
            hidden_part,
            latent_parts,
            latent_part,
            reserved: 0,
            product,
            hidden_offset: workspace.take(rows(shape.hidden_size)),
            hidden_scale_offset: workspace.take(rows(4)),
            down_offset: workspace.take(rows(down_rows * 4)),
            latent_offset: workspace.take(rows(shape.q_lora_rank)),
            latent_scale_offset: workspace.take(rows(4)),
            up_offset: workspace.take(rows(up_rows * 4)),
            query_offset: workspace.take(rows(shape.num_heads * shape.qk_nope_head_dim * 2)),
            absorbed_offset: workspace.take(if int8_query { rows(absorbed * 2) } else { 0 }),
            workspace_bytes: workspace.0,
        })
    }

    /// The bytes that a launch passes.
    pub fn as_bytes(&self) -> &[u8] {
        bytemuck::bytes_of(self)
    }
}

impl Shape {
    fn check(&self) -> Result<(), TilingError> {
        // (name, value, multiple, largest)
        const WIDE: usize = 1 << 16;
        let limits = [
            ("tokens", self.tokens, 1, Tiling::LARGEST_TOKENS),
            ("hidden_size", self.hidden_size, 32, WIDE),
            ("q_lora_rank", self.q_lora_rank, 32, WIDE),
            ("kv_lora_rank", self.kv_lora_rank, 32, 1920),
            ("qk_rope_head_dim", self.qk_rope_head_dim, 16, 128),
            ("qk_nope_head_dim", self.qk_nope_head_dim, 16, 1024),
            ("num_heads", self.num_heads, 1, 1 << 12),
            ("block_size", self.block_size, 1, WIDE),
            ("cache_mode + 1", usize::from(self.cache_mode) + 1, 1, 4),
        ];
        for (field, value, multiple, largest) in limits {
            if value == 0 || value % multiple != 0 || value > largest {
                let expected = match multiple {
                    1 => format!("from 1 to {largest}"),
                    _ => format!("a multiple of {multiple} up to {largest}"),
                };
                return Err(TilingError { field, expected, got: value });
            }
        }
        Ok(())
    }

    /// Columns of the up-projection that must stay together: a head's rotary part, if units of its width fall on
    /// it; else a head.
    fn up_unit(&self) -> usize {
        let (nope, rope) = (self.qk_nope_head_dim, self.qk_rope_head_dim);
        if nope % rope == 0 { rope } else { nope + rope }
    }

    /// Columns of the absorbed query in a tile: the part of a head with which the slowest core is done first.
    fn absorb_unit(&self, blocks: usize, columns: usize) -> usize {
        let latent = self.kv_lora_rank;
        let widths = (1..=columns.min(latent) / BLOCK_BYTES).map(|blocks| blocks * BLOCK_BYTES);
        let candidates = widths.filter(|unit| latent.is_multiple_of(*unit));
        // A tile's start and end cost about as much as some columns.
        const TILE: usize = 32;
        let slowest = |unit: &usize| (self.num_heads * latent / unit).div_ceil(blocks) * (unit + TILE);
        candidates.min_by_key(slowest).unwrap_or(32)
    }
}

/// A product and the buffers that it must fit.
struct Cut {
    blocks: usize,
    padded: usize,
    columns: usize,
    columns_total: usize,
    inner: usize,
    unit: usize,
    /// Bytes of an element.
    element: usize,
}

impl Cut {
    fn product(self) -> Result<Product, TilingError> {
        let units = self.columns_total / self.unit;
        let most = units.div_ceil(self.blocks);
        // Tiles of a block that are as even as can be.
        let tiles = most.div_ceil((self.columns / self.unit).max(1));
        let tile_units = most.div_ceil(tiles);
        let columns = tile_units * self.unit;
        let c0 = BLOCK_BYTES / self.element;
        let fitting = |bytes: usize, rows: usize| bytes / (rows * self.element) / c0 * c0;
        let longest =
            fitting(WEIGHT_SLOT_BYTES, columns).min(fitting(ROW_SLOT_BYTES, self.padded)).min(self.inner);
        let step = fitting(L0_HALF_BYTES, columns).min(fitting(L0_HALF_BYTES, self.padded));
        if longest == 0 || step == 0 {
            return Err(TilingError {
                field: "columns of a tile",
                expected: format!("up to {}", L0_HALF_BYTES / BLOCK_BYTES),
                got: columns,
            });
        }
        let inner_chunk = self.inner.div_ceil(self.inner.div_ceil(longest)).next_multiple_of(c0).min(longest);
        let inner_chunks = self.inner.div_ceil(inner_chunk);
        let row_chunks_of_inner = fitting(ROW_SLOT_BYTES, self.padded) / inner_chunk;
        Ok(Product {
            columns: self.columns_total as u32,
            inner: self.inner as u32,
            unit: self.unit as u32,
            units: units as u32,
            tile_units: tile_units as u32,
            inner_chunk: inner_chunk as u32,
            inner_chunks: inner_chunks as u32,
            row_chunks_of_inner: row_chunks_of_inner.clamp(1, inner_chunks) as u32,
            step: step.min(inner_chunk) as u32,
        })
    }
}

/// How many cores share a row of `width`, and the width of their parts: as many as there are cores for the rows, but
/// no part so narrow that its share of the common work is lost.
fn parts(width: usize, rows: usize, cores: usize) -> (u32, u32) {
    const NARROWEST: usize = 256;
    let most = (cores / rows).clamp(1, width.div_ceil(NARROWEST));
    let part = width.div_ceil(most).next_multiple_of(32);
    (width.div_ceil(part) as u32, part as u32)
}

/// Places in the workspace, one after the other.
struct Workspace(u64);

impl Workspace {
    fn take(&mut self, bytes: u64) -> u64 {
        let start = self.0;
        self.0 += bytes.next_multiple_of(LINE);
        start
    }
}
