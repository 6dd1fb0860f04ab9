//! DISCONNECT and AUTH (sections 3.14 and 3.15).

use super::Body;
use crate::protocol::{Auth, DecodeError, Disconnect, Properties, ReasonCode};

impl<'a> Body<'a> {
    pub(super) fn disconnect(mut self) -> Result<Disconnect<'a>, DecodeError> {
        let reason = self.reason_or_success()?;
        let properties = self.optional_properties()?;
        self.reader.finish()?;
        Ok(Disconnect { reason, properties })
    }

    /// All of it may be left out, or nothing: there is no AUTH with a reason code alone (section 3.15.2.1).
    pub(super) fn auth(mut self) -> Result<Auth<'a>, DecodeError> {
        let whole = !self.reader.is_empty();
        let reason = self.reason_or_success()?;
        let properties = match whole {
            true => self.properties()?,
            false => Properties::default(),
        };
        self.reader.finish()?;
        Ok(Auth { reason, properties })
    }

    /// An absent reason code means success, where the sender may say so at all.
    fn reason_or_success(&mut self) -> Result<ReasonCode, DecodeError> {
        if !self.reader.is_empty() {
            return self.reason();
        }
        match ReasonCode::Success.is_valid_in(self.packet_type, self.from) {
            true => Ok(ReasonCode::Success),
            false => Err(DecodeError::Protocol("a left out reason code means success, which this side cannot say")),
        }
    }
}
