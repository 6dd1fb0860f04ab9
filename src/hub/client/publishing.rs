//! Publications from the client: topic aliases, rights, exactly-once ids, and what the publisher is told.

use super::{Client, Closed};
use crate::config::mqtt::RefusedPublish;
use crate::hub::{Published, Wakes, words};
use crate::policy::{Action, Permit};
use crate::protocol::topic::TopicNameBuf;
use crate::protocol::{PacketId, Properties, Publish, QoS, ReasonCode, TopicName, Version};
use crate::session::{Arrival, Moment, Place, Publication, TooManyUnreleased};
use crate::telemetry::metrics::METRICS;
use std::time::Duration;

impl Client {
    pub(super) fn publish(&mut self, publish: &Publish<'_>, now: Moment, wakes: &mut Wakes) -> Result<(), Closed> {
        METRICS.messages_received.increment();
        METRICS.payload_bytes_received.add(publish.payload.len() as u64);
        // The alias table lends the topic while the rest of the client is used.
        let mut aliases = std::mem::take(&mut self.aliases);
        let result = match resolve(&mut aliases, self.hub.mqtt().topic_alias_maximum, publish) {
            Ok(topic) if self.hub.is_out_of_bounds(topic.as_str()) => {
                Err(Closed::Fault(ReasonCode::TopicNameInvalid, "a topic beyond limits.topic_bytes or topic_levels"))
            }
            Ok(topic) => self.publish_to(topic, publish, now, wakes),
            Err(closed) => Err(closed),
        };
        self.aliases = aliases;
        result
    }

    fn publish_to(
        &mut self,
        topic: TopicName<'_>,
        publish: &Publish<'_>,
        now: Moment,
        wakes: &mut Wakes,
    ) -> Result<(), Closed> {
        if let (QoS::ExactlyOnce, Some(id)) = (publish.qos, publish.packet_id)
            && self.arrive(id)? == Arrival::Repeated
        {
            self.acknowledge(QoS::ExactlyOnce, id, ReasonCode::Success, wakes);
            return Ok(());
        }
        let place = (publish.qos == QoS::ExactlyOnce).then(|| self.outbound.place());
        let policy = self.hub.policy.load();
        let judged = self.decisions.authorize_publish(&policy, &self.principal, topic, publish.qos, publish.retain);
        if let Err(denied) = &judged {
            let address = self.outbound.address();
            self.hub.note_denied(&policy, &self.principal, address, Action::Publish, topic.as_str(), *denied);
        }
        drop(policy);
        let reason = match judged {
            Ok(_) if !is_payload_as_said(publish.properties, publish.payload) => ReasonCode::PayloadFormatInvalid,
            Ok(permit) => self.route(permit, publish, now, wakes),
            Err(_) => ReasonCode::NotAuthorized,
        };
        self.conclude(topic, publish, reason, place, wakes)
    }

    /// Registers a QoS 2 packet id.
    fn arrive(&self, id: PacketId) -> Result<Arrival, Closed> {
        let (maximum, fault) = match self.terms.version {
            Version::V5 => (usize::from(self.hub.receive_maximum()), "more QoS 2 publications than receive maximum"),
            // It was announced nothing.
            Version::V3_1 | Version::V3_1_1 => {
                (self.hub.limits().unreleased_ids, "more QoS 2 publications than limits.unreleased_ids")
            }
        };
        self.own_state()?
            .session
            .incoming
            .arrive(id, maximum)
            .map_err(|TooManyUnreleased| Closed::Fault(ReasonCode::ReceiveMaximumExceeded, fault))
    }

    fn route(&mut self, permit: Permit<'_>, publish: &Publish<'_>, now: Moment, wakes: &mut Wakes) -> ReasonCode {
        let seconds = |seconds: u32| Duration::from_secs(u64::from(seconds));
        let expires = publish.properties.message_expiry_interval().map(|interval| now.after(seconds(interval)));
        let publication = Publication::new(
            permit,
            publish.payload,
            publish.properties,
            &self.writer,
            Some(self.session_id()),
            expires,
        );
        match self.hub.publish(&publication, Some(&mut self.routes), now, wakes) {
            Published::Taken { receivers: 0 } => ReasonCode::NoMatchingSubscribers,
            Published::Taken { .. } => ReasonCode::Success,
            Published::OverQuota => ReasonCode::QuotaExceeded,
        }
    }

    /// Tells the publisher what became of its message, as far as its version can be told.
    fn conclude(
        &self,
        topic: TopicName<'_>,
        publish: &Publish<'_>,
        reason: ReasonCode,
        place: Option<Place>,
        wakes: &mut Wakes,
    ) -> Result<(), Closed> {
        let Some(id) = publish.packet_id else {
            return match reason {
                // Nothing else tells it (section 3.3.2.3.2).
                ReasonCode::PayloadFormatInvalid => Err(Closed::Fault(reason, words::PAYLOAD_FORMAT)),
                _ => Ok(()),
            };
        };
        if reason.is_error() && publish.qos == QoS::ExactlyOnce && self.terms.version == Version::V5 {
            // PUBREC with an error ends the exchange; the id is free again (section 4.3.3).
            self.own_state()?.session.incoming.release(id);
        }
        match (self.terms.version, reason) {
            (Version::V5, _) => {}
            (Version::V3_1 | Version::V3_1_1, ReasonCode::QuotaExceeded) => {
                self.own_state()?.session.incoming.release(id);
                return Err(Closed::Fault(reason, "a bound was reached: the message was not taken, send it again"));
            }
            (Version::V3_1 | Version::V3_1_1, ReasonCode::NotAuthorized)
                if self.hub.mqtt().refused_publish == RefusedPublish::Close =>
            {
                return Err(Closed::Fault(reason, "a denied publish (mqtt.refused_publish = \"close\")"));
            }
            (Version::V3_1 | Version::V3_1_1, _) => {}
        }
        match reason {
            ReasonCode::NotAuthorized => {
                let text = words::denied_publish(topic, publish.qos, publish.retain);
                self.refuse(publish.qos, id, reason, &text, wakes);
            }
            ReasonCode::PayloadFormatInvalid => {
                self.refuse(publish.qos, id, reason, words::PAYLOAD_FORMAT, wakes);
            }
            ReasonCode::QuotaExceeded => self.refuse(publish.qos, id, reason, words::FULL, wakes),
            _ => match place {
                Some(place) => self.receive_at(place, id, wakes),
                None => self.acknowledge(publish.qos, id, reason, wakes),
            },
        }
        Ok(())
    }
}

/// The topic of a PUBLISH, its alias looked up or learned (section 3.3.2.3.4).
fn resolve<'a>(
    aliases: &'a mut Vec<Option<TopicNameBuf>>,
    maximum: u16,
    publish: &Publish<'a>,
) -> Result<TopicName<'a>, Closed> {
    let Some(alias) = publish.properties.topic_alias() else {
        return publish.topic.ok_or(Closed::Fault(ReasonCode::ProtocolError, "neither a topic nor an alias"));
    };
    if alias == 0 || alias > maximum {
        return Err(Closed::Fault(ReasonCode::TopicAliasInvalid, "a topic alias beyond the announced maximum"));
    }
    let index = usize::from(alias) - 1;
    if aliases.len() <= index {
        aliases.resize(index + 1, None);
    }
    match (publish.topic, aliases.get_mut(index)) {
        (Some(topic), Some(slot)) => {
            *slot = Some(topic.to_buf());
            Ok(topic)
        }
        (None, Some(Some(known))) => Ok(known.as_name()),
        (_, _) => Err(Closed::Fault(ReasonCode::ProtocolError, "a topic alias that was never set")),
    }
}

/// Whether the payload is UTF-8 where the payload format indicator says so (section 3.3.2.3.2); a will's too.
pub(in crate::hub) fn is_payload_as_said(properties: Properties<'_>, payload: &[u8]) -> bool {
    properties.payload_format_indicator() != Some(1) || std::str::from_utf8(payload).is_ok()
}
