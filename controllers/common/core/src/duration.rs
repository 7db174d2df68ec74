//! Durations as Go programs write them: `1h30m`, `300ms`, `5m`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A duration in the notation of Go's [`time.ParseDuration`], which the flags of
/// the systems that these binaries replace use. Not negative.
///
/// [`time.ParseDuration`]: https://pkg.go.dev/time#ParseDuration
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct GoDuration(pub Duration);

/// A text that is not such a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a duration; allowed: a sequence of numbers with the units ns, us, ms, s, m, h, such as 1h30m"
)]
pub struct GoDurationError(String);

impl FromStr for GoDuration {
    type Err = GoDurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text)
            .map(Self)
            .ok_or_else(|| GoDurationError(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<Duration> {
    let text = text.strip_prefix('+').unwrap_or(text);
    if text == "0" {
        return Some(Duration::ZERO);
    }
    if text.is_empty() {
        return None;
    }
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let number_len = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let (number, tail) = rest.split_at(number_len);
        let unit_len = tail
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_len);
        let nanos_per_unit: u64 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        total = total.checked_add(amount(number, nanos_per_unit)?)?;
        rest = tail;
    }
    Some(total)
}

/// `number` units, exactly: whole and fraction are digits, the fraction is cut at a nanosecond.
fn amount(number: &str, nanos_per_unit: u64) -> Option<Duration> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let whole: u64 = if whole.is_empty() {
        0
    } else {
        whole.parse().ok()?
    };
    let mut nanos = u128::from(whole) * u128::from(nanos_per_unit);
    let mut scale = u128::from(nanos_per_unit);
    for digit in fraction.bytes() {
        scale /= 10;
        nanos += u128::from(digit - b'0') * scale;
    }
    let seconds = u64::try_from(nanos / 1_000_000_000).ok()?;
    let rest = u32::try_from(nanos % 1_000_000_000).ok()?;
    Some(Duration::new(seconds, rest))
}

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let nanos = self.0.subsec_nanos();
        let (h, m, s) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        if seconds == 0 && nanos == 0 {
            return f.write_str("0s");
        }
        if h > 0 {
            write!(f, "{h}h")?;
        }
        if m > 0 {
            write!(f, "{m}m")?;
        }
        if s > 0 {
            write!(f, "{s}s")?;
        }
        if nanos > 0 {
            if nanos.is_multiple_of(1_000_000) {
                write!(f, "{}ms", nanos / 1_000_000)?;
            } else {
                write!(f, "{nanos}ns")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    #[test]
    fn go_notation() {
        for (text, millis) in [
            ("0", 0),
            ("5m", 300_000),
            ("1h30m", 5_400_000),
            ("1.5h", 5_400_000),
            ("300ms", 300),
            (".5s", 500),
            ("1m0s", 60_000),
            ("+2s", 2_000),
        ] {
            let parsed: GoDuration = text.parse().unwrap();
            assert_eq!(parsed.0, Duration::from_millis(millis), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            "5",
            "m",
            "5 m",
            "-5m",
            "5d",
            "1..5s",
            ".s",
            "1h-5m",
            "99999999999999999999h",
        ] {
            assert!(text.parse::<GoDuration>().is_err(), "{text}");
        }
    }

    proptest! {
        // The same cases each time, so that a change is judged and not luck.
        #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(53), ..ProptestConfig::default() })]

        #[test]
        fn what_is_written_is_read(seconds in 0_u64..1_000_000_000, nanos in 0_u32..1_000_000_000) {
            let duration = GoDuration(Duration::new(seconds, nanos));
            prop_assert_eq!(duration.to_string().parse::<GoDuration>().unwrap(), duration);
        }

        #[test]
        fn never_panics(text in ".{0,40}") {
            let _ = text.parse::<GoDuration>();
        }
    }
}
