//! The reader of golden fixtures on any file.

use mlapo::fixture::Fixture;

use super::allocations::within_limit;

/// Opens the bytes as a fixture: it is one, consistent in itself, or the error names the file. Whether it is.
pub fn fixture_reader(bytes: &[u8]) -> bool {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    match within_limit("the fixture reader", || Fixture::open(file.path())) {
        Ok(fixture) => {
            let case = fixture.case();
            assert!(case.tokens > 0 && case.config.num_heads > 0);
            assert_eq!(fixture.path(), file.path());
            // All results of the attention inputs are stored, so a small file cannot claim a large batch.
            let query = case.tokens * case.config.num_heads * case.kv_cache.width();
            assert!(query <= bytes.len(), "{query} elements of a query in {} bytes", bytes.len());
            true
        }
        Err(error) => {
            let text = error.to_string();
            assert!(text.contains(&*file.path().to_string_lossy()), "no file in: {text}");
            false
        }
    }
}
