//! Time as the pure rooms know it: a number that only the composition root reads from a clock.

use std::time::Duration;

/// Milliseconds on the broker's monotonic clock, from its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub u64);

/// How long a session stays after its connection ended (MQTT 5.0 section 3.1.2.11.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// It ends with the connection.
    WithConnection,
    /// It stays this long.
    After(Duration),
}

impl Moment {
    /// This moment and `span` more; saturates.
    pub fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)))
    }

    /// The time since `earlier`, zero when it lies ahead.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Expiry {
    /// From the seconds of the Session Expiry Interval, bounded by the server's maximum. The longest interval, which
    /// means never, lasts as long as that.
    pub fn from_interval(seconds: u32, maximum: Duration) -> Self {
        Self::lasting(Duration::from_secs(u64::from(seconds)), maximum)
    }

    /// This long, or as long as the server's maximum; no time at all is the connection's.
    pub fn lasting(span: Duration, maximum: Duration) -> Self {
        match span.min(maximum) {
            Duration::ZERO => Self::WithConnection,
            span => Self::After(span),
        }
    }

    /// Whole seconds for the CONNACK property.
    pub fn seconds(self) -> u32 {
        match self {
            Self::WithConnection => 0,
            Self::After(span) => u32::try_from(span.as_secs()).unwrap_or(u32::MAX),
        }
    }
}
