//! Reason strings: they help, they tell nothing of others, they stay away where nobody wants them or takes them.

use super::fixture::{Connection, Dial, World};
use crate::hub::{Closed, Wakes};
use crate::protocol::{
    Packet, PacketId, Properties, Property, QoS, ReasonCode, Subscribe, SubscribeRequest, SubscriptionOptions,
    TopicFilter, Unsubscribe, Version,
};

fn terse() -> Dial {
    Dial::v5("a").with(Property::RequestProblemInformation(false))
}

fn talkative() -> Dial {
    Dial::v5("a").with(Property::RequestProblemInformation(true))
}

fn subscribe(client: &mut Connection, filters: &[&str]) {
    client.handle(subscription(filters)).unwrap();
}

fn subscription(filters: &[&str]) -> Packet<'static> {
    let options = SubscriptionOptions::new(QoS::AtMostOnce);
    let requests = parsed(filters).into_iter().map(|filter| SubscribeRequest { filter, options }).collect();
    Packet::Subscribe(Subscribe { packet_id: PacketId::FIRST, properties: Properties::default(), requests })
}

fn unsubscription(filters: &[&str]) -> Packet<'static> {
    let filters = parsed(filters);
    Packet::Unsubscribe(Unsubscribe { packet_id: PacketId::FIRST, properties: Properties::default(), filters })
}

fn parsed(filters: &[&str]) -> Vec<TopicFilter> {
    filters.iter().map(|filter| TopicFilter::parse(filter).unwrap()).collect()
}

#[test]
fn a_denied_publish_is_told_what_was_refused() {
    let world = World::new();
    let mut client = world.connect(&Dial::v5("a"));
    client.publish_with("secret/x", QoS::AtLeastOnce, 1, "m", true, &[]).unwrap();
    client.publish("secret/x", QoS::ExactlyOnce, 2, "m");
    client.publish("t/x", QoS::AtLeastOnce, 3, "m");
    let expected =
        ["no right to publish with QoS 1, retained to secret/x", "no right to publish with QoS 2 to secret/x", ""];
    assert_eq!(client.reasons(), expected, "and nothing where nothing failed");
}

#[test]
fn a_refused_filter_is_named_and_others_counted() {
    let world = World::new();
    let mut client = world.connect(&Dial::v5("a"));
    subscribe(&mut client, &["t/x", "secret/#"]);
    subscribe(&mut client, &["t/x", "secret/#", "other/#", "#"]);
    subscribe(&mut client, &["t/x"]);
    let expected =
        ["no right to subscribe to secret/#", "3 refusals, the first: no right to subscribe to secret/#", ""];
    assert_eq!(client.reasons(), expected);
}

#[test]
fn no_reason_string_says_which_rule_denied() {
    let mut world = World::new();
    world.deny("{ publish = \"t/hidden/#\" }, { subscribe = \"t/hidden/#\" }");
    let mut client = world.connect(&Dial::v5("a"));
    client.publish("t/hidden/x", QoS::AtLeastOnce, 1, "m");
    subscribe(&mut client, &["t/hidden/x"]);
    let expected = ["no right to publish with QoS 1 to t/hidden/x", "no right to subscribe to t/hidden/x"];
    assert_eq!(client.reasons(), expected, "the device learns of no filter but its own");
}

#[test]
fn a_fault_is_told_in_words_to_a_client_that_asked() {
    let world = World::new();
    for (dial, expected) in [(talkative(), "a packet that only servers send"), (Dial::v5("a"), "")] {
        let mut client = world.connect(&dial);
        let Err(Closed::Fault(reason, fault)) = client.handle(Packet::PingResp) else { panic!("a server's packet") };
        client.client.close(reason, fault, &mut Wakes::default());
        assert_eq!(client.reasons(), [expected]);
    }
}

#[test]
fn a_client_that_wants_no_problem_information_gets_none() {
    let world = World::new();
    let mut client = world.connect(&terse());
    client.publish("secret/x", QoS::AtLeastOnce, 1, "m");
    client.publish("secret/x", QoS::ExactlyOnce, 2, "m");
    subscribe(&mut client, &["secret/#"]);
    client.client.close(ReasonCode::ProtocolError, "text", &mut Wakes::default());
    let refused = ["PUBACK 1 NotAuthorized", "PUBREC 2 NotAuthorized", "SUBACK [NotAuthorized]"];
    assert_eq!(client.seen(), [&refused[..], &["DISCONNECT ProtocolError"]].concat());
    let mut client = world.connect(&terse());
    client.publish("secret/x", QoS::AtLeastOnce, 1, "m");
    client.publish("secret/x", QoS::ExactlyOnce, 2, "m");
    subscribe(&mut client, &["secret/#"]);
    assert_eq!(client.reasons(), ["", "", ""]);
    assert_eq!(world.told(&Dial { id: "", cn: "stranger", ..terse() }), "");
}

#[test]
fn a_reason_string_that_makes_the_packet_too_large_is_left_out() {
    let world = World::new();
    for (maximum, whole) in [(1_000, true), (30, false)] {
        let mut client = world.connect(&talkative().with(Property::MaximumPacketSize(maximum)));
        client.publish("secret/x", QoS::AtLeastOnce, 1, "m");
        subscribe(&mut client, &["secret/#"]);
        client.each(|packet| {
            let mut frame = Vec::new();
            packet.encode(Version::V5, &mut frame);
            assert!(frame.len() <= maximum as usize, "{packet:?}");
        });
        client.publish("secret/x", QoS::AtLeastOnce, 2, "m");
        assert_eq!(client.reasons()[0].is_empty(), !whole);
        client.client.close(ReasonCode::ProtocolError, &"long ".repeat(20), &mut Wakes::default());
        assert_eq!(client.reasons()[0].is_empty(), !whole);
    }
    let stranger = Dial { cn: "stranger", ..Dial::v5("a").with(Property::MaximumPacketSize(10)) };
    assert_eq!(world.told(&stranger), "");
}

#[test]
fn a_long_topic_is_cut_in_its_reason_string() {
    let world = World::new();
    let mut client = world.connect(&Dial::v5("a"));
    client.publish(&format!("secret/{}", "é".repeat(400)), QoS::AtLeastOnce, 1, "m");
    let reasons = client.reasons();
    assert!(reasons[0].ends_with('é') && reasons[0].len() <= 512, "{}", reasons[0].len());
}

#[test]
fn a_refused_connect_is_told_why_but_not_of_others() {
    let mut world = World::new();
    assert_eq!(world.told(&Dial::v5("stranger")), "this device is not admitted");
    let will = Dial { will: Some(("other/a", Vec::new())), ..Dial::v5("a") };
    assert_eq!(world.told(&will), "no right to publish the will to other/a");
    world.set_fleet(&super::fixture::FLEET.replace("subject = \"CN=b\"", "subject = \"CN=b\"\nenabled = false"));
    assert_eq!(
        world.told(&Dial::v5("b")),
        "this device is not admitted",
        "whether it was disabled is not its business"
    );
    let method = talkative().with(Property::AuthenticationMethod("SCRAM"));
    assert!(world.told(&method).contains("certificate is the authentication"));
}

#[test]
fn an_acknowledgement_of_filters_that_cannot_be_sent_closes() {
    let world = World::new();
    // Without properties SUBACK and UNSUBACK have a byte a filter and five more.
    for (filters, outcome) in [(11, None), (12, Some(ReasonCode::PacketTooLarge))] {
        let mut client = world.connect(&Dial::v5("a").with(Property::MaximumPacketSize(16)));
        let filters: Vec<_> = (0..filters).map(|n| format!("t/{n}")).collect();
        let filters: Vec<_> = filters.iter().map(String::as_str).collect();
        assert_eq!(fault(client.handle(subscription(&filters))), outcome, "SUBSCRIBE");
        assert_eq!(fault(client.handle(unsubscription(&filters))), outcome, "UNSUBSCRIBE");
        assert_eq!(client.seen().len(), if outcome.is_none() { 2 } else { 0 });
    }
}

fn fault(served: Result<(), Closed>) -> Option<ReasonCode> {
    match served {
        Ok(()) => None,
        Err(Closed::Fault(reason, _)) => Some(reason),
        Err(Closed::ByClient | Closed::ByBroker) => panic!("the client said no goodbye"),
    }
}
