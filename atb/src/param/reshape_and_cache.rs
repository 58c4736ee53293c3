//! The write into a paged cache.

c_enum! {
    /// How heads are compressed (`ReshapeAndCacheParam::CompressType`).
    CacheCompressType: i32 {
        /// They are not (`COMPRESS_TYPE_UNDEFINED`).
        #[default]
        Undefined = 0,
        /// By head, with ALiBi (`COMPRESS_TYPE_KVHEAD`).
        Kvhead = 1,
        /// By head, with rotary embedding (`COMPRESS_TYPE_KVHEAD_ROPE`).
        KvheadRope = 2,
    }
}

c_enum! {
    /// Which caches there are (`ReshapeAndCacheParam::KvCacheCfg`).
    KvCacheCfg: i32 {
        /// Keys and values (`K_CACHE_V_CACHE`).
        #[default]
        KCacheVCache = 0,
        /// Keys only (`K_CACHE_V_BYPASS`).
        KCacheVBypass = 1,
        /// Keys and values, in fractals (`K_CACHE_V_CACHE_NZ`).
        KCacheVCacheNz = 2,
    }
}

/// The write of new keys and values into a paged cache (`atb::infer::ReshapeAndCacheParam`).
///
/// * Inputs: key and value `[tokens, heads, size]`; keyCache and valueCache `[blocks, block size, heads, size]`; slotMapping
///   `[tokens]` Int32, where a negative slot is skipped. With [`KvCacheCfg::KCacheVBypass`] there are key, keyCache and slotMapping;
///   compression adds inputs.
/// * Outputs: the caches, which must be given by [`updated`](crate::VariantPack::updated).
///
/// Slots are addresses to the device: executions are `unsafe`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReshapeAndCache {
    /// How heads are compressed (`compressType`).
    pub compress_type: CacheCompressType,
    /// Which caches there are (`kvCacheCfg`).
    pub kv_cache_cfg: KvCacheCfg,
}

impl super::sealed::Sealed for ReshapeAndCache {
    fn updates(&self) -> Vec<(usize, usize)> {
        match self.kv_cache_cfg {
            KvCacheCfg::KCacheVBypass => vec![(0, 1)],
            _ => vec![(0, 2), (1, 3)],
        }
    }
}
plain_param!(ReshapeAndCache: atb_reshape_and_cache_param, "ReshapeAndCache", addresses: true {
    compress_type: compressType, kv_cache_cfg: kvCacheCfg,
});
