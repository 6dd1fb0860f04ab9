//! What a client does.

use super::client::{Due, Event, Link, Thirst, packet_id, travelling};
use super::fleet::devices;
use super::model::session::Subscription;
use super::model::topics::Filter;
use super::model::wills::Will;
use super::model::{Draft, Terms};
use super::world::{SMALL_PACKET, Sending, World};
use certmq::hub::{Closed, Outbound, Peer, Wakes};
use certmq::protocol::{
    self, Ack, Connect, Packet, Properties, PropertiesBuf, Property, Publish, QoS, ReasonCode, RetainHandling,
    Subscribe, SubscribeRequest, SubscriptionOptions, TopicFilter, TopicName, Unsubscribe, Version,
};

impl World {
    /// Connects, be it for the first time, again, or while an earlier connection lives.
    pub(crate) fn connect(&mut self, who: usize) {
        self.find_quiet_moment();
        if self.clients[who].closing.is_some() {
            return self.reap(who);
        }
        let now = self.moment();
        let device = self.clients[who].device;
        let version = self.clients[who].version;
        let is_new = version == Version::V5;
        let clean = self.dice.once_in(8);
        let seconds = if is_new { self.dice.pick(&[0, 2, 30, 100_000, 100_000]) } else { 0 };
        let terms = Terms {
            version,
            receive_maximum: if is_new { self.dice.pick(&[1, 2, 7, 65_535]) } else { 65_535 },
            small_packets: is_new && self.dice.once_in(6),
            expiry: match (is_new, clean) {
                (true, _) => (seconds > 0).then(|| u64::from(seconds) * 1000),
                (false, true) => None,
                (false, false) => Some(u64::try_from(self.hub.mqtt().maximum_session_expiry.as_millis()).unwrap()),
            },
            clean,
        };
        let mut properties = PropertiesBuf::default();
        if is_new {
            properties.push(Property::SessionExpiryInterval(seconds));
            properties.push(Property::ReceiveMaximum(u16::try_from(terms.receive_maximum).unwrap()));
            properties.push(Property::TopicAliasMaximum(self.dice.pick(&[0, 1, 4])));
            if terms.small_packets {
                properties.push(Property::MaximumPacketSize(SMALL_PACKET as u32));
            }
        }
        let will = self.dice.once_in(3).then(|| self.will(who));
        let topic = will.as_ref().map(|(will, _)| self.model.topics.topics[will.draft.topic].to_string());
        let wire_will = will.as_ref().zip(topic.as_ref()).map(|((will, properties), topic)| protocol::Will {
            topic: TopicName::parse(topic).unwrap(),
            payload: will.draft.text.as_bytes(),
            qos: will.draft.qos,
            retain: will.draft.retain,
            properties: properties.as_properties(),
        });
        let rights = self.model.history.present();
        let may_will = will
            .as_ref()
            .zip(topic.as_ref())
            .is_none_or(|((will, _), topic)| rights.may_publish(device, topic, will.draft.qos, will.draft.retain));
        let is_refused = rights.is_disabled(device) || !may_will;
        if !is_refused {
            // What the old connection had not brought yet is lost.
            self.take(who, Thirst::Spilled);
        }
        let keep_alive = self.dice.pick(&[0, 0, 1, 10]);
        let client_id = self.clients[who].client_id.clone();
        let connect = Connect {
            version,
            clean_start: clean,
            keep_alive,
            client_id: &client_id,
            will: wire_will,
            username: None,
            password: None,
            properties: properties.as_properties(),
        };
        let fleet = &devices()[device];
        let (identity, chain) = &fleet.certificates[self.dice.below(fleet.certificates.len())];
        let outbound = Outbound::new(self.shape.outbound_bytes, now);
        let connected = self.hub.connect(
            Peer { identity, key: &fleet.key, chain },
            &connect,
            &outbound,
            now,
            &mut Wakes::default(),
        );
        self.trace(|| format!("client {who} of device {device} connects: {connect:?}"));
        if is_refused {
            assert_eq!(connected.unwrap_err().reason, ReasonCode::NotAuthorized);
            return;
        }
        let link = Link::new(connected.expect("a known device"), outbound, version);
        self.connections += 1;
        let present = self.model.connect(who, device, &terms, will.map(|(will, _)| will), self.connections);
        let client = &mut self.clients[who];
        client.silence = u64::from(keep_alive) * 1500;
        client.last_packet = self.now;
        client.small_packets = terms.small_packets;
        client.asked.clear();
        if let Some(old) = client.link.replace(link) {
            assert!(old.outbound.is_closing(), "a takeover closes the old connection");
            old.end(now);
        }
        self.welcome(who, present);
        self.count_drops();
    }

    /// CONNACK comes first and at once.
    fn welcome(&mut self, who: usize, present: bool) {
        let now = self.moment();
        let link = self.clients[who].link.as_mut().expect("just connected");
        let (mut events, _) = link.take(Thirst::Sip, now);
        let first = events.drain(..1).next();
        assert!(
            matches!(first, Some(Event::ConnAck { session_present }) if session_present == present),
            "client {who} was greeted with {first:?}, session present should be {present}"
        );
        for event in events {
            self.trace(|| format!("client {who} at once {event:?}"));
            self.look_at(who, event, Thirst::Sip);
        }
        if present {
            self.send_again(who);
        } else {
            self.clients[who].sending.clear();
        }
    }

    fn will(&mut self, who: usize) -> (Will, PropertiesBuf) {
        let mut draft = self.draft(who);
        // So that hardly anyone is refused.
        if self.dice.below(8) > 0 {
            draft.topic = self.dice.pick(&[0, 1, 1, 3]);
        }
        draft.text = format!("w{}", self.texts);
        draft.large = false;
        let mut properties = self.properties(who, &mut draft);
        let mut delay = 0;
        if self.clients[who].version == Version::V5 {
            delay = self.dice.pick(&[0, 0, 1, 5, 60]);
            properties.push(Property::WillDelayInterval(delay));
        }
        (Will::new(draft, self.clients[who].device, delay), properties)
    }

    /// The connection breaks: whatever was not taken is lost on the way.
    pub(crate) fn break_off(&mut self, who: usize) {
        self.find_quiet_moment();
        if self.clients[who].closing.is_some() {
            return self.reap(who);
        }
        self.take(who, Thirst::Spilled);
        self.end(who, true);
    }

    /// Says goodbye, perhaps with the will, perhaps with another session expiry.
    pub(crate) fn leave(&mut self, who: usize) {
        self.find_quiet_moment();
        if self.clients[who].closing.is_some() {
            return self.reap(who);
        }
        self.take(who, Thirst::Spilled);
        let now = self.moment();
        let client = &mut self.clients[who];
        let is_new = client.version == Version::V5;
        let with_will = is_new && self.dice.once_in(3);
        let session = self.model.session(who);
        // It may not begin to live on at the end.
        let expiry = (is_new && session.expiry.is_some() && self.dice.once_in(3)).then(|| self.dice.pick(&[0, 3, 500]));
        if let Some(seconds) = expiry {
            session.expiry = (seconds > 0).then(|| u64::from(seconds) * 1000);
        }
        let reason = if with_will { ReasonCode::DisconnectWithWill } else { ReasonCode::Success };
        client.link.as_mut().expect("connected").say_goodbye(reason, expiry, now);
        self.end(who, with_will);
    }

    /// A connection that the broker has closed is given up.
    pub(crate) fn reap(&mut self, who: usize) {
        if self.clients[who].closing.is_none() {
            return;
        }
        self.find_quiet_moment();
        self.take(who, Thirst::Spilled);
        self.end(who, true);
    }

    fn end(&mut self, who: usize, keeps_will: bool) {
        let now = self.moment();
        let client = &mut self.clients[who];
        client.closing = None;
        client.link.take().expect("connected").end(now);
        self.trace(|| format!("client {who} is gone, its will {}", if keeps_will { "stays" } else { "not" }));
        self.model.disconnect(who, keeps_will);
        self.count_drops();
    }

    pub(crate) fn subscribe(&mut self, who: usize) {
        let version = self.clients[who].version;
        let is_new = version == Version::V5;
        let mut identifier = (is_new && self.dice.once_in(2)).then(|| self.identifier());
        let mut requests = Vec::new();
        let mut asked = Vec::new();
        for _ in 0..=self.dice.below(3) / 2 {
            let filter = self.filter(who);
            let name = self.model.topics.filters[filter].to_string();
            let mut options = SubscriptionOptions::new(self.dice.qos());
            if is_new {
                options.no_local = self.dice.once_in(4) && !name.starts_with("$share/");
                // So that a live message with the flag and a retained one can be told apart by their identifiers.
                options.retain_as_published = (who + filter).is_multiple_of(2) && !name.starts_with("$share/");
                if options.retain_as_published {
                    identifier = identifier.or_else(|| Some(self.identifier()));
                    options.retain_handling = RetainHandling::Never;
                } else {
                    let handlings =
                        [RetainHandling::OnSubscribe, RetainHandling::OnNewSubscription, RetainHandling::Never];
                    options.retain_handling = self.dice.pick(&handlings);
                }
            }
            asked.push((filter, options));
            requests.push(SubscribeRequest { filter: TopicFilter::parse(&name).unwrap(), options });
        }
        if asked.iter().any(|(_, options): &(Filter, SubscriptionOptions)| options.retain_as_published) {
            // The others bear the same identifier.
            let options = asked.iter_mut().map(|(_, options)| options);
            options
                .chain(requests.iter_mut().map(|request| &mut request.options))
                .for_each(|options| options.retain_handling = RetainHandling::Never);
        }
        let mut properties = PropertiesBuf::default();
        properties.extend(identifier.map(Property::SubscriptionIdentifier));
        let id = self.clients[who].fresh_id();
        let packet = Subscribe { packet_id: packet_id(id), properties: properties.as_properties(), requests };
        self.send(who, Packet::Subscribe(packet)).expect("a good SUBSCRIBE");
        let reasons = asked.into_iter().map(|(filter, options)| {
            let subscription = Subscription {
                qos: options.qos,
                no_local: options.no_local,
                retain_as_published: options.retain_as_published,
                identifier,
            };
            let reason = self.model.subscribe(who, filter, subscription, options.retain_handling);
            if reason.is_error() && !is_new { ReasonCode::UnspecifiedError } else { reason }
        });
        let reasons = reasons.collect();
        self.clients[who].asked.insert(id, reasons);
    }

    fn identifier(&mut self) -> u32 {
        self.dice.below(100_000) as u32 + 1
    }

    /// Any filter, but only one group for a client: then a copy tells whose it is.
    fn filter(&mut self, who: usize) -> Filter {
        loop {
            let filter = self.dice.below(self.model.topics.filters.len());
            let shared = self.model.topics.shared.clone();
            if !shared.contains(&filter) || filter == shared.start + who % shared.len() {
                return filter;
            }
        }
    }

    pub(crate) fn unsubscribe(&mut self, who: usize) {
        let filter = self.filter(who);
        let filters = vec![TopicFilter::parse(&self.model.topics.filters[filter]).unwrap()];
        let id = self.clients[who].fresh_id();
        let packet = Unsubscribe { packet_id: packet_id(id), properties: Properties::default(), filters };
        self.send(who, Packet::Unsubscribe(packet)).expect("a good UNSUBSCRIBE");
        let reason = self.model.unsubscribe(who, filter);
        let reasons = if self.clients[who].version == Version::V5 { vec![reason] } else { Vec::new() };
        self.clients[who].asked.insert(id, reasons);
    }

    pub(crate) fn ping(&mut self, who: usize) {
        self.send(who, Packet::PingReq).expect("a good PINGREQ");
    }

    /// What a client thinks up.
    fn draft(&mut self, who: usize) -> Draft {
        self.texts += 1;
        let qos = self.dice.qos();
        // A refused message with the retain flag may be retained or not, and the model could not tell.
        let retain = self.dice.once_in(6) && (qos == QoS::AtMostOnce || !self.model.refuses());
        let large = self.dice.once_in(12);
        let topic = self.dice.below(self.model.topics.topics.len());
        // Messages without a payload look alike, and so would the copies of groups.
        let clears = retain && self.dice.once_in(3) && !self.model.topics.is_shared(topic);
        Draft {
            topic,
            text: if clears { String::new() } else { format!("{who}:{}", self.texts) },
            // Of those only what comes at once can be told apart.
            qos: if clears { QoS::AtMostOnce } else { qos },
            retain,
            expiry: None,
            properties: Vec::new(),
            large: large && !clears,
        }
    }

    /// Response topic and the like, and the expiry.
    fn properties(&mut self, who: usize, draft: &mut Draft) -> PropertiesBuf {
        let mut properties = PropertiesBuf::default();
        if self.clients[who].version < Version::V5 || draft.text.is_empty() {
            return properties;
        }
        if self.dice.once_in(3) {
            properties.push(Property::PayloadFormatIndicator(1));
            properties.push(Property::ResponseTopic("answers/here"));
            properties.push(Property::CorrelationData(draft.text.as_bytes()));
        }
        if self.dice.once_in(3) {
            properties.push(Property::UserProperty("twice", "a"));
            properties.push(Property::ContentType("text"));
            properties.push(Property::UserProperty("twice", "b"));
        }
        if self.dice.once_in(3) {
            let seconds = self.dice.pick(&[1, 3, 20]);
            draft.expiry = Some(seconds);
            properties.push(Property::MessageExpiryInterval(seconds));
        }
        draft.properties = travelling(properties.as_properties());
        properties
    }

    pub(crate) fn publish(&mut self, who: usize) {
        if self.clients[who].sending.len() >= usize::from(self.shape.receive_maximum) {
            return;
        }
        let mut draft = self.draft(who);
        let properties = self.properties(who, &mut draft);
        let id = self.clients[who].fresh_id();
        let sending = Sending { id, draft, properties, released: false, reasons: Vec::new() };
        self.transmit(who, sending, false);
    }

    /// Sends a PUBLISH and tells the model, unless the broker must know that it has it.
    fn transmit(&mut self, who: usize, mut sending: Sending, dup: bool) {
        let id = sending.id;
        let is_repetition = sending.draft.qos == QoS::ExactlyOnce && self.model.session(who).incoming.contains(&id);
        if dup && !is_repetition && !sending.draft.text.is_empty() {
            // Routed once more: told apart, so that it is known which of them came.
            sending.draft.text.push('\'');
        }
        let draft = sending.draft.clone();
        let topic = self.model.topics.topics[draft.topic].to_string();
        let mut payload = draft.text.clone();
        if draft.large {
            payload.push_str(&".".repeat(500));
        }
        let (alias, is_named) = self.alias(who, &topic);
        let mut properties = sending.properties.clone();
        properties.extend(alias.map(Property::TopicAlias));
        let publish = Publish {
            dup,
            qos: draft.qos,
            retain: draft.retain,
            topic: is_named.then(|| TopicName::parse(&topic).unwrap()),
            packet_id: (draft.qos > QoS::AtMostOnce).then(|| packet_id(id)),
            properties: properties.as_properties(),
            payload: payload.as_bytes(),
        };
        let outcome = self.send(who, Packet::Publish(publish));
        if is_repetition {
            sending.reasons = vec![ReasonCode::Success];
        } else {
            let from = (who, self.model.session(who).number);
            sending.reasons = self.model.publish(&draft, self.clients[who].device, from, who as u64 + 1);
        }
        let told = self.clients[who].version == Version::V5;
        let denied = sending.reasons == [ReasonCode::NotAuthorized];
        let refused = matches!(outcome, Err(Closed::Fault(ReasonCode::QuotaExceeded, _)));
        assert!(outcome.is_ok() || refused && !told && sending.reasons.contains(&ReasonCode::QuotaExceeded));
        if draft.qos == QoS::ExactlyOnce && !(denied && told) && !refused {
            self.model.session(who).incoming.insert(id);
        }
        if draft.qos > QoS::AtMostOnce {
            self.clients[who].sending.push(sending);
        }
        self.count_drops();
        if refused {
            self.break_off(who);
        }
    }

    /// Which alias to send, and whether to send the topic too.
    fn alias(&mut self, who: usize, topic: &str) -> (Option<u16>, bool) {
        if self.clients[who].version < Version::V5 || !self.dice.once_in(3) {
            return (None, true);
        }
        let alias = self.dice.below(3) as u16 + 1;
        let link = self.clients[who].link.as_mut().expect("connected");
        let known = link.own_aliases.insert(alias, topic.to_owned());
        (Some(alias), known.as_deref() != Some(topic))
    }

    /// After a reconnect: everything that was not acknowledged, in the order of the first time.
    fn send_again(&mut self, who: usize) {
        for sending in std::mem::take(&mut self.clients[who].sending) {
            if self.clients[who].link.is_none() {
                // A publication of these was refused, and the connection with it.
                self.clients[who].sending.push(sending);
            } else if sending.released {
                let id = sending.id;
                self.clients[who].sending.push(sending);
                self.release(who, id);
            } else {
                self.transmit(who, sending, true);
            }
        }
    }

    /// PUBREL.
    pub(crate) fn release(&mut self, who: usize, id: u16) {
        self.send(who, Packet::PubRel(Ack::new(packet_id(id), ReasonCode::Success))).expect("a good PUBREL");
        self.model.session(who).incoming.remove(&id);
    }

    /// Takes what is there, once.
    pub(crate) fn sip(&mut self, who: usize) {
        self.take(who, Thirst::Sip);
    }

    /// Takes all there is.
    pub(crate) fn drain(&mut self, who: usize) {
        self.take(who, Thirst::All);
    }

    /// Sends one of the acknowledgements that are due, whichever, and not always a good one.
    pub(crate) fn acknowledge(&mut self, who: usize) {
        let pick = self.dice.below(8);
        let Some((due, id)) = self.clients[who].due(pick) else { return };
        let negative = self.clients[who].version == Version::V5 && self.dice.once_in(30);
        let reason = if negative && due != Due::Complete { ReasonCode::QuotaExceeded } else { ReasonCode::Success };
        self.answer(who, due, id, reason);
    }

    fn answer(&mut self, who: usize, due: Due, id: u16, reason: ReasonCode) {
        let now = self.moment();
        self.clients[who].last_packet = self.now;
        self.trace(|| format!("client {who} answers {due:?} {id} {reason:?}"));
        self.model.acknowledged(who, due, id, reason.is_error());
        self.clients[who].link.as_mut().expect("connected").acknowledge(due, id, reason, now);
    }

    /// Takes and acknowledges all there is, until nothing more comes; then nothing may be missing.
    pub(crate) fn calm(&mut self, who: usize) {
        self.ping(who);
        loop {
            let packets = self.take(who, Thirst::All);
            match self.clients[who].due(0) {
                Some((due, id)) => self.answer(who, due, id, ReasonCode::Success),
                None if packets == 0 => break,
                None => {}
            }
        }
        let client = &self.clients[who];
        let left: Vec<_> = client.sending.iter().map(|sending| &sending.draft.text).collect();
        assert!(left.is_empty(), "client {who}: the broker never acknowledged {left:?}");
        assert!(client.asked.is_empty(), "client {who}: the broker never answered {:?}", client.asked);
        self.model.calm(who);
    }

    fn send(&mut self, who: usize, packet: Packet<'_>) -> Result<(), Closed> {
        self.trace(|| format!("client {who} sends {packet:?}"));
        let now = self.moment();
        let client = &mut self.clients[who];
        client.last_packet = self.now;
        client.link.as_mut().expect("connected").send(packet, now)
    }
}
