//! Numbers as people read them.

use std::time::Duration;

/// A size in bytes, KiB, MiB or GiB.
pub fn bytes(count: u64) -> String {
    const KIB: f64 = 1024.0;
    let units = [("GiB", KIB * KIB * KIB), ("MiB", KIB * KIB), ("KiB", KIB)];
    for (unit, size) in units {
        if count as f64 >= size {
            return format!("{:.1} {unit}", count as f64 / size);
        }
    }
    format!("{count} B")
}

/// A number of things.
pub fn count(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

/// A time in µs, ms or s, with four significant digits or so.
pub fn time(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    match seconds {
        s if s >= 1.0 => format!("{s:.2} s"),
        s if s >= 1e-3 => format!("{:.2} ms", s * 1e3),
        s => format!("{:.1} µs", s * 1e6),
    }
}

/// A difference: `0` only where there is none.
pub fn difference(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        v if !v.is_finite() => "not finite".to_owned(),
        v if v.fract() == 0.0 && v < 1e6 => format!("{v}"),
        v if (1e-3..1e4).contains(&v) => format!("{v:.4}"),
        v => format!("{v:.2e}"),
    }
}

/// A fraction in percent: `0 %` only where it is zero.
pub fn percent(fraction: f64) -> String {
    match 100.0 * fraction {
        0.0 => "0 %".to_owned(),
        p if p < 0.01 => format!("{p:.1e} %"),
        p => format!("{p:.2} %"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_times_and_fractions() {
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(69_900_000), "66.7 MiB");
        assert_eq!(time(Duration::from_nanos(43_800)), "43.8 µs");
        assert_eq!(time(Duration::from_micros(7_123)), "7.12 ms");
        assert_eq!(time(Duration::from_millis(2_500)), "2.50 s");
        assert_eq!(
            (difference(0.0), difference(1.0), difference(0.0078125)),
            ("0".into(), "1".into(), "0.0078".into())
        );
        assert_eq!(difference(f64::INFINITY), "not finite");
        assert_eq!(
            (percent(0.0), percent(0.000_001), percent(0.25)),
            ("0 %".into(), "1.0e-4 %".into(), "25.00 %".into())
        );
    }
}
