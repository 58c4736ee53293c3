//! Progress bars on standard error, when that is a terminal.

use indicatif::{ProgressBar, ProgressStyle};
use mlapo::checkpoint::Progress;

const TEMPLATE: &str =
    "{prefix} [{bar:40}] {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {wide_msg}";

/// Runs work that reports its progress under a bar, which is gone afterwards.
pub fn with_bar<T>(prefix: &'static str, work: impl FnOnce(&dyn Fn(Progress<'_>)) -> T) -> T {
    let style = ProgressStyle::with_template(TEMPLATE).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(0).with_style(style.progress_chars("=> ")).with_prefix(prefix);
    let result = work(&|progress| {
        bar.set_length(progress.total);
        bar.set_position(progress.bytes);
        bar.set_message(progress.tensor.to_owned());
    });
    bar.finish_and_clear();
    result
}
