use proptest::prelude::*;

use super::*;

const HEADER: &str = include_str!("../../kernel/mlapo_tiling.h");

#[test]
fn the_kernel_reads_the_same_structures() {
    assert_eq!(HEADER, tiling_header(), "kernel/mlapo_tiling.h differs from src/tiling/definition.rs");
}

fn deepseek_v3(tokens: usize, num_heads: usize) -> Shape {
    Shape {
        tokens,
        hidden_size: 7168,
        q_lora_rank: 1536,
        kv_lora_rank: 512,
        qk_rope_head_dim: 64,
        qk_nope_head_dim: 128,
        num_heads,
        bf16: true,
        cache_mode: 1,
        per_token: false,
        input_norm: true,
        wuk_nz: false,
        short_scales: false,
        block_size: 128,
        epsilon: 1e-6,
        quant: [(0.05, 0); 2],
        ctkv_scale: 1.0,
    }
}

#[test]
fn decode_of_deepseek_v3_keeps_every_core_busy() {
    let tiling = Tiling::plan(&deepseek_v3(4, 128), 20).unwrap();
    let [down, up, absorb] = tiling.product;
    // 132 units of 16 columns over 20 cores: at most 7, one tile.
    assert_eq!((down.units, down.tile_units), (132, 7));
    // 384 units of 64 columns: at most 20 a core.
    assert_eq!((up.unit, up.units), (64, 384));
    assert_eq!((absorb.unit, absorb.units), (256, 256));
    assert_eq!(tiling.hidden_parts, 10);
}

#[test]
fn the_cube_cores_dequantize_where_they_can() {
    let fused = |change: fn(&mut Shape)| {
        let mut shape = Shape { bf16: false, short_scales: true, ..deepseek_v3(4, 8) };
        change(&mut shape);
        Tiling::plan(&shape, 20).unwrap().fused_dequant
    };
    assert_eq!(fused(|_| ()), 1);
    assert_eq!(fused(|s| s.bf16 = true), 0);
    assert_eq!(fused(|s| s.per_token = true), 0);
    assert_eq!(fused(|s| s.short_scales = false), 0);
}

#[test]
fn refusals_name_the_dimension() {
    let refused = |change: fn(&mut Shape)| {
        let mut shape = deepseek_v3(4, 8);
        change(&mut shape);
        Tiling::plan(&shape, 20).unwrap_err()
    };
    assert_eq!(refused(|s| s.tokens = 0).field, "tokens");
    assert_eq!(refused(|s| s.hidden_size = 33).field, "hidden_size");
    assert_eq!(refused(|s| s.qk_rope_head_dim = 256).field, "qk_rope_head_dim");
    assert_eq!(
        refused(|s| s.cache_mode = 4).to_string(),
        "the kernel takes cache_mode + 1 from 1 to 4, not 5"
    );
    assert_eq!(Tiling::plan(&deepseek_v3(1, 1), 0).unwrap_err().field, "cube cores");
}

proptest! {
    /// Every shape has a tiling that fits the buffers and covers the work exactly, or an error.
    #[test]
    fn tilings_fit_and_cover(
        tokens in 1usize..3000, hidden in 1usize..300, q in 1usize..80, latent in 1usize..60, rope in 1usize..8,
        nope in 1usize..65, heads in 1usize..200, mode in 0u8..4, cores in 1usize..30,
    ) {
        let shape = Shape {
            hidden_size: 32 * hidden, q_lora_rank: 32 * q, kv_lora_rank: 32 * latent, qk_rope_head_dim: 16 * rope,
            qk_nope_head_dim: 16 * nope, cache_mode: mode, ..deepseek_v3(tokens, heads)
        };
        let Ok(tiling) = Tiling::plan(&shape, cores) else { return Ok(()) };
        let padded = (tiling.row_chunk as usize).next_multiple_of(16);
        prop_assert!(tiling.row_chunk * tiling.row_chunks >= tiling.tokens);
        prop_assert!(tiling.row_chunk * (tiling.row_chunks - 1) < tiling.tokens);
        for (p, element) in tiling.product.iter().zip([1usize, 1, 2]) {
            let columns = (p.tile_units * p.unit) as usize;
            prop_assert_eq!(p.unit * p.units, p.columns);
            prop_assert_eq!(columns % 16, 0);
            prop_assert!(columns * padded * 4 <= 64 << 10);
            prop_assert!(columns * p.inner_chunk as usize * element <= 96 << 10);
            prop_assert!((p.inner_chunk * p.row_chunks_of_inner) as usize * padded * element <= 56 << 10);
            prop_assert!(p.step as usize * columns.max(padded) * element <= 32 << 10);
            prop_assert_eq!(p.step as usize * element % 32, 0);
            prop_assert_eq!(p.inner_chunk as usize * element % 32, 0);
            prop_assert!(p.inner_chunk * p.inner_chunks >= p.inner);
            prop_assert!(p.inner_chunk * (p.inner_chunks - 1) < p.inner);
        }
        prop_assert_eq!(tiling.kv_lora_rank % tiling.product[2].unit, 0);
        prop_assert_eq!(tiling.product[2].tile_units, 1);
        for (parts, part, width) in [
            (tiling.hidden_parts, tiling.hidden_part, tiling.hidden_size),
            (tiling.latent_parts, tiling.latent_part, tiling.q_lora_rank),
        ] {
            prop_assert_eq!(part % 32, 0);
            prop_assert!(parts * part >= width && (parts - 1) * part < width);
        }
        let ends = [
            (tiling.hidden_offset, tokens * shape.hidden_size, tiling.hidden_scale_offset),
            (tiling.hidden_scale_offset, tokens * 4, tiling.down_offset),
            (tiling.down_offset, tokens * 4 * tiling.product[0].columns as usize, tiling.latent_offset),
            (tiling.latent_offset, tokens * shape.q_lora_rank, tiling.latent_scale_offset),
            (tiling.latent_scale_offset, tokens * 4, tiling.up_offset),
            (tiling.up_offset, tokens * 4 * tiling.product[1].columns as usize, tiling.query_offset),
            (tiling.query_offset, tokens * 2 * heads * shape.qk_nope_head_dim, tiling.absorbed_offset),
            (
                tiling.absorbed_offset,
                if mode == 2 { tokens * 2 * heads * shape.kv_lora_rank } else { 0 },
                tiling.workspace_bytes,
            ),
        ];
        for (start, bytes, next) in ends {
            prop_assert!(start % 512 == 0 && start + bytes as u64 <= next);
        }
    }
}
