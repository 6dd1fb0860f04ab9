//! Quantities with units, as the settings file writes them: `"64 KiB"`, `"10 s"`.
//!
//! A bare number is refused: nobody can tell bytes from kibibytes or seconds from milliseconds by looking at it.

use std::time::Duration;

#[cfg(test)]
mod tests;

/// Sizes are powers of 1024.
const SIZES: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// Spans in milliseconds.
const SPANS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000), ("ms", 1)];

/// Reads a size such as `"64 KiB"`, in bytes.
pub fn parse_size(text: &str) -> Result<u64, String> {
    parse(text, &SIZES)
        .ok_or_else(|| format!("{text:?} is not a size: write a whole number and B, KiB, MiB or GiB, as in \"64 KiB\""))
}

/// Reads a span of time such as `"10 s"`.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    parse(text, &SPANS).map(Duration::from_millis).ok_or_else(|| {
        format!("{text:?} is not a span of time: write a whole number and ms, s, min, h or d, as in \"10 s\"")
    })
}

/// Writes `bytes` in the largest unit that leaves a whole number.
pub fn format_size(bytes: u64) -> String {
    format(bytes, &SIZES)
}

/// Writes `span` (to the millisecond) in the largest unit that leaves a whole number.
pub fn format_duration(span: Duration) -> String {
    format(u64::try_from(span.as_millis()).unwrap_or(u64::MAX), &SPANS)
}

fn parse(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = unit.strip_prefix(' ').unwrap_or(unit);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

fn format(value: u64, units: &[(&str, u64)]) -> String {
    let smallest = units.last().copied().unwrap_or(("", 1));
    let (unit, factor) =
        units.iter().copied().find(|(_, factor)| value > 0 && value.is_multiple_of(*factor)).unwrap_or(smallest);
    format!("{} {unit}", value / factor)
}

/// `#[serde(with)]` for a number of bytes of any unsigned type.
pub mod bytes {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// Writes `"64 KiB"`.
    pub fn serialize<T: Copy + TryInto<u64>, S: Serializer>(bytes: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::format_size((*bytes).try_into().unwrap_or(u64::MAX)))
    }

    /// Reads `"64 KiB"`.
    pub fn deserialize<'de, T: TryFrom<u64>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = super::parse_size(&text).map_err(D::Error::custom)?;
        T::try_from(bytes).map_err(|_| D::Error::custom(format!("{text} is too large")))
    }
}

/// `#[serde(with)]` for an optional number of bytes.
pub mod optional_bytes {
    use serde::{Deserializer, Serializer};

    /// Writes `"4 KiB"`; without a value the key is left out by `skip_serializing_if`.
    pub fn serialize<S: Serializer>(bytes: &Option<usize>, serializer: S) -> Result<S::Ok, S::Error> {
        super::bytes::serialize(&bytes.unwrap_or_default(), serializer)
    }

    /// Reads `"4 KiB"`.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
        super::bytes::deserialize(deserializer).map(Some)
    }
}

/// `#[serde(with)]` for a span of time.
pub mod span {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use std::time::Duration;

    /// Writes `"10 s"`.
    pub fn serialize<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::format_duration(*span))
    }

    /// Reads `"10 s"`.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        super::parse_duration(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// `#[serde(with)]` for an optional number of whole seconds that the wire carries in 16 bits.
pub mod optional_seconds {
    use serde::{Deserializer, Serializer, de::Error};
    use std::time::Duration;

    /// Writes `"60 s"`; without a value the key is left out by `skip_serializing_if`.
    pub fn serialize<S: Serializer>(seconds: &Option<u16>, serializer: S) -> Result<S::Ok, S::Error> {
        super::span::serialize(&Duration::from_secs(u64::from(seconds.unwrap_or_default())), serializer)
    }

    /// Reads `"60 s"`.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u16>, D::Error> {
        let span = super::span::deserialize(deserializer)?;
        match u16::try_from(span.as_secs()) {
            Ok(seconds) if span.subsec_millis() == 0 => Ok(Some(seconds)),
            _ => Err(D::Error::custom("write whole seconds, at most 65535 s")),
        }
    }
}
