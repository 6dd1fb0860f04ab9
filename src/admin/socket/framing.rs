//! The lines on the socket.

use crate::admin::VERSION;
use crate::admin::reply::{AdminError, Fault, Reply};
use crate::admin::request::Request;
use serde::{Deserialize, Serialize};

/// A request line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Of the protocol.
    pub version: u32,
    /// What is asked.
    pub request: Request,
}

/// An answer line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// Of the protocol.
    pub version: u32,
    /// Where the request was carried out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reply: Option<Reply>,
    /// Where it was not.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<AdminError>,
}

/// What is read of a line of any version.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

impl Question {
    /// A request of this version.
    pub fn new(request: Request) -> Self {
        Self { version: VERSION, request }
    }

    /// Reads a line. A request that another version wrote is told apart from one that is wrong.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_line(line: &[u8]) -> Result<Self, AdminError> {
        serde_json::from_slice(line).map_err(|error| match serde_json::from_slice::<Versioned>(line) {
            Ok(Versioned { version }) if version != VERSION => AdminError::new(
                Fault::Internal,
                format!("the command speaks version {version} of the admin protocol, the broker {VERSION}: use the same certmq"),
            ),
            _ => AdminError::new(Fault::Data, format!("not a request: {error}")),
        })
    }

    /// The line, without its end.
    pub fn to_line(&self) -> Vec<u8> {
        // Nothing in a request can fail to be written: no map with keys other than text.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

impl Answer {
    /// Reads a line.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_line(line: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(line)
    }

    /// The line, without its end.
    pub fn to_line(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

impl From<Result<Reply, AdminError>> for Answer {
    fn from(answer: Result<Reply, AdminError>) -> Self {
        match answer {
            Ok(reply) => Self { version: VERSION, reply: Some(reply), error: None },
            Err(error) => Self { version: VERSION, reply: None, error: Some(error) },
        }
    }
}
