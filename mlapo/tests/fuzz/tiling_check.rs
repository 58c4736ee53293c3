//! Whether a plan is one that the kernel can follow: all work once, and every buffer large enough.
//!
//! Derived from what the plan's fields mean, from how the kernel walks them (`kernel/operation.h`, `kernel/cube.h`) and
//! from the sizes of the hardware's buffers, not from how the plan is made.

use mlapo_kernel::{Product, Shape, Tiling};

/// Sizes of a core's buffers in bytes (platform description of the Ascend 910B).
const L1: u64 = 512 << 10;
const L0A: u64 = 64 << 10;
const L0B: u64 = 64 << 10;
const L0C: u64 = 128 << 10;
const BIAS_TABLE: u64 = 1 << 10;
/// Of 192 KiB, 8 are the toolchain's.
const UNIFIED_BUFFER: u64 = (192 - 8) << 10;

/// How the kernel divides L1: a ring of weights, two panels of rows, two sets of scales and bias.
pub const WEIGHT_SLOTS: u64 = 4;
pub const WEIGHT_SLOT: u64 = 96 << 10;
pub const ROW_SLOTS: u64 = 2;
pub const ROW_SLOT: u64 = 56 << 10;
/// Columns of a set of scales (64 bits each) and bias (32).
pub const SCALE_COLUMNS: u64 = 256;
const _: () = assert!(
    WEIGHT_SLOTS * WEIGHT_SLOT + ROW_SLOTS * ROW_SLOT + 2 * SCALE_COLUMNS * (8 + 4) <= L1,
    "the kernel's slots fit L1"
);

/// Bytes of 8192 elements at a time in the unified buffer: three places of 16-bit values, three of floats, one each
/// of 16-bit and 8-bit results, and 4 KiB of sums and scales.
pub const PIECE: u64 = 8192;
const _: () = assert!(PIECE * (3 * 2 + 3 * 4 + 2 + 1) + 4096 <= UNIFIED_BUFFER, "the places fit");

const FRACTAL: u64 = 16;
const BLOCK: u64 = 32;
/// Where parts of the workspace may start.
const LINE: u64 = 512;

macro_rules! require {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err(format!($($message)+));
        }
    };
}

/// Says what is wrong with a plan of `shape` for `cores` cube cores.
pub fn check(plan: &Tiling, shape: &Shape, cores: usize) -> Result<(), String> {
    mirrors(plan, shape)?;
    let blocks = u64::from(plan.blocks);
    require!((1..=cores as u64).contains(&blocks), "{blocks} blocks");
    let (tokens, row_chunk) = (u64::from(plan.tokens), u64::from(plan.row_chunk));
    require!(row_chunk > 0 && row_chunk <= tokens, "{row_chunk} of {tokens} token rows at a time");
    require!(cut(tokens, row_chunk) == u64::from(plan.row_chunks), "chunks of token rows");
    let rows = row_chunk.next_multiple_of(FRACTAL);

    let [latent, rope, nope, q_rank, hidden, heads] = [
        shape.kv_lora_rank,
        shape.qk_rope_head_dim,
        shape.qk_nope_head_dim,
        shape.q_lora_rank,
        shape.hidden_size,
        shape.num_heads,
    ]
    .map(|n| n as u64);
    let head = nope + rope;
    let fused = plan.fused_dequant == 1;
    let [down, up, absorb] = &plan.product;
    let products = [
        ("down", down, latent + rope + q_rank, hidden, 1),
        ("up", up, heads * head, q_rank, 1),
        ("absorb", absorb, heads * latent, nope, 2),
    ];
    for (name, product, columns, inner, element) in products {
        let biased = fused && element == 1;
        let widest = columns_of_tiles(product, columns, blocks, |first, end| match name {
            // A tile has no part of a head's rotary columns.
            "up" => first % head <= nope && end % head <= nope,
            "absorb" => first / latent == (end - 1) / latent,
            _ => true,
        })
        .and_then(|widest| buffers(product, inner, element, rows, widest, biased));
        widest.map_err(|fault| format!("{name}: {fault}"))?;
        if name == "absorb" {
            // An int8 query's tile is as wide as the vector cores' places for it.
            let widest = u64::from(product.unit) * u64::from(product.tile_units);
            require!(
                plan.cache_mode != 2 || widest <= PIECE / 2,
                "absorb: {widest} columns in the unified buffer"
            );
        }
    }
    // Scales and bias of a row of keys, and of a head, in eighths and sixteenths of places.
    require!(4 * (latent + rope) <= PIECE, "a key of {latent} + {rope} in the unified buffer");
    require!(4 * nope.max(rope) <= PIECE / 2, "a head of {nope} + {rope} in the unified buffer");

    for (name, parts, part, width) in [
        ("hidden", plan.hidden_parts, plan.hidden_part, hidden),
        ("latent", plan.latent_parts, plan.latent_part, q_rank),
    ] {
        let part = u64::from(part);
        require!(part > 0 && part % BLOCK == 0, "{name}: parts of {part}");
        require!(cut(width, part) == u64::from(parts), "{name}: {parts} parts of {part} for {width}");
    }
    workspace(plan, shape)
}

/// How many pieces of `piece` cover `whole`, the last of which is not empty.
fn cut(whole: u64, piece: u64) -> u64 {
    (0..).take_while(|n| n * piece < whole).count() as u64
}

/// The plan's copies of what was asked for.
fn mirrors(plan: &Tiling, shape: &Shape) -> Result<(), String> {
    let numbers = [
        ("tokens", plan.tokens, shape.tokens),
        ("hidden_size", plan.hidden_size, shape.hidden_size),
        ("q_lora_rank", plan.q_lora_rank, shape.q_lora_rank),
        ("kv_lora_rank", plan.kv_lora_rank, shape.kv_lora_rank),
        ("qk_rope_head_dim", plan.qk_rope_head_dim, shape.qk_rope_head_dim),
        ("qk_nope_head_dim", plan.qk_nope_head_dim, shape.qk_nope_head_dim),
        ("num_heads", plan.num_heads, shape.num_heads),
        ("bf16", plan.bf16, shape.bf16.into()),
        ("cache_mode", plan.cache_mode, shape.cache_mode.into()),
        ("per_token", plan.per_token, shape.per_token.into()),
        ("input_norm", plan.input_norm, shape.input_norm.into()),
        ("divide", plan.divide, (!shape.input_norm).into()),
        ("wuk_nz", plan.wuk_nz, shape.wuk_nz.into()),
        ("block_size", plan.block_size, shape.block_size),
        ("reserved", plan.reserved, 0),
    ];
    for (name, planned, asked) in numbers {
        require!(planned as usize == asked, "{name} is {planned} for {asked}");
    }
    let floats = [
        ("epsilon", plan.epsilon, shape.epsilon),
        ("quant_scale0", plan.quant_scale0, shape.quant[0].0),
        ("quant_offset0", plan.quant_offset0, shape.quant[0].1.into()),
        ("quant_scale1", plan.quant_scale1, shape.quant[1].0),
        ("quant_offset1", plan.quant_offset1, shape.quant[1].1.into()),
        ("ctkv_scale", plan.ctkv_scale, shape.ctkv_scale),
    ];
    for (name, planned, asked) in floats {
        require!(planned.to_bits() == asked.to_bits(), "{name} is {planned} for {asked}");
    }
    // One short scale for each column and half: what the way out of the cube cores can do.
    let possible = !shape.bf16 && !shape.per_token && shape.short_scales;
    require!(plan.fused_dequant <= u32::from(possible), "fused_dequant is {}", plan.fused_dequant);
    Ok(())
}

/// Walks the tiles of all blocks as the kernel does: every column once. The columns of the widest.
fn columns_of_tiles(
    product: &Product,
    columns: u64,
    blocks: u64,
    whole: impl Fn(u64, u64) -> bool,
) -> Result<u64, String> {
    let [unit, units, tile_units] = [product.unit, product.units, product.tile_units].map(u64::from);
    require!(u64::from(product.columns) == columns, "{} columns for {columns}", product.columns);
    require!(unit > 0 && unit % FRACTAL == 0, "units of {unit} columns");
    require!(units * unit == columns, "{units} units of {unit} for {columns} columns");
    require!((1..=units).contains(&tile_units), "tiles of {tile_units} units");
    let (mut next, mut widest) = (0, 0);
    for block in 0..blocks {
        // Block b of n has the units from U * b / n up to U * (b + 1) / n.
        let (mut first, end) = (units * block / blocks, units * (block + 1) / blocks);
        while first < end {
            let tile_end = (first + tile_units).min(end);
            require!(first == next, "unit {next} is in no tile, or in two");
            require!(whole(first * unit, tile_end * unit), "a tile cuts what belongs together");
            widest = widest.max((tile_end - first) * unit);
            next = tile_end;
            first = tile_end;
        }
    }
    require!(next == units, "only {next} of {units} units are in tiles");
    Ok(widest)
}

/// The buffers of a cube core for tiles of up to `columns` columns and `rows` token rows.
fn buffers(
    product: &Product,
    inner: u64,
    element: u64,
    rows: u64,
    columns: u64,
    biased: bool,
) -> Result<(), String> {
    let [chunk, chunks, together, step] =
        [product.inner_chunk, product.inner_chunks, product.row_chunks_of_inner, product.step].map(u64::from);
    let c0 = BLOCK / element;
    require!(u64::from(product.inner) == inner, "an inner dimension of {} for {inner}", product.inner);
    require!(chunk > 0 && chunk % c0 == 0, "chunks of {chunk} of the inner dimension");
    require!(cut(inner, chunk) == chunks, "{chunks} chunks of {chunk} for {inner}");
    require!((1..=chunks).contains(&together), "rows of {together} chunks at a time");
    require!(step > 0 && step % c0 == 0 && step <= chunk, "steps of {step}");
    let fits = |what: &str, bytes: u64, size: u64| {
        if bytes <= size { Ok(()) } else { Err(format!("{bytes} bytes of {what}, which has {size}")) }
    };
    let longest = chunk.min(inner);
    fits("a slot of weights in L1", columns * longest * element, WEIGHT_SLOT)?;
    fits("a slot of rows in L1", rows * (together * chunk).min(inner) * element, ROW_SLOT)?;
    fits("half of L0A", rows * step * element, L0A / 2)?;
    fits("half of L0B", columns * step * element, L0B / 2)?;
    fits("half of L0C", rows * columns * 4, L0C / 2)?;
    if biased {
        fits("the bias table", columns * 4, BIAS_TABLE)?;
        require!(columns <= SCALE_COLUMNS, "scales of {columns} columns");
    }
    // Counts in the instructions' fields: repeats of a load, and the sides of a product.
    require!(step / c0 <= 255, "{} fractals in a load", step / c0);
    require!(rows.max(columns).max(step) <= 4095, "a product of {rows} x {columns} x {step}");
    Ok(())
}

/// The parts of the workspace, each for all tokens, one after the other.
fn workspace(plan: &Tiling, shape: &Shape) -> Result<(), String> {
    let tokens = shape.tokens as u64;
    let [down, up, absorb] = plan.product.map(|product| u64::from(product.columns));
    let nope = (shape.num_heads * shape.qk_nope_head_dim) as u64;
    let int8_query = u64::from(shape.cache_mode == 2);
    let parts = [
        ("hidden state", plan.hidden_offset, shape.hidden_size as u64),
        ("scales of the hidden state", plan.hidden_scale_offset, 4),
        ("down-projection", plan.down_offset, 4 * down),
        ("query latent", plan.latent_offset, shape.q_lora_rank as u64),
        ("scales of the query latent", plan.latent_scale_offset, 4),
        ("up-projection", plan.up_offset, 4 * up),
        ("query", plan.query_offset, 2 * nope),
        ("absorbed query", plan.absorbed_offset, 2 * absorb * int8_query),
    ];
    let mut free = 0;
    for (name, start, row) in parts {
        require!(start % LINE == 0, "workspace: {name} starts at {start}");
        require!(
            start >= free,
            "workspace: {name} starts at {start}, before the end {free} of what precedes it"
        );
        // No more than to align: a plan that asks for far too much memory cannot be launched.
        require!(start - free < LINE, "workspace: a gap of {} bytes before {name}", start - free);
        free = start + tokens * row;
    }
    let all = plan.workspace_bytes;
    require!(all >= free && all - free < LINE, "workspace: {all} bytes for {free}");
    Ok(())
}
