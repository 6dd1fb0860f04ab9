use super::super::fixture::*;
use super::super::*;
use crate::protocol::QoS;
use crate::protocol::topic::TopicName;
use proptest::prelude::*;

fn versions() -> Vec<Policy> {
    let first =
        policy(vec![], vec![device("a", &[], &["allow publish t/+"]), device("b", &[], &["allow publish t/1 qos=0"])]);
    let change = |record| ChangeSet { expected_generation: None, changes: vec![Change::PutDevice(record)] };
    let second = first.with_changes(&change(device("a", &[], &["allow publish t/+", "deny publish t/2"])), NOW);
    let second = second.expect("a change");
    let third = second.with_changes(&change(device("a", &[], &[])), NOW).expect("a change");
    vec![first, second, third]
}

proptest! {
    /// Whoever asks whenever about whatever: the memory answers as the policy does.
    #[test]
    fn the_memory_agrees_with_the_policy(
        questions in proptest::collection::vec((0usize..3, 0usize..2, 0u8..12, 0usize..3, any::<bool>()), 1..64)
    ) {
        let policies = versions();
        let principals = [principal("a"), principal("b")];
        let mut memory = DecisionMemory::default();
        for (version, who, topic, qos, retain) in questions {
            let text = format!("t/{topic}");
            let topic = TopicName::parse(&text).expect("a topic");
            let qos = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce][qos];
            let (policy, principal) = (&policies[version], &principals[who]);
            let remembered = memory.authorize_publish(policy, principal, topic, qos, retain);
            let judged = policy.authorize_publish(principal, topic, qos, retain);
            prop_assert_eq!(
                remembered.map(|permit| (permit.topic(), permit.qos(), permit.retain(), permit.epoch())),
                judged.map(|permit| (permit.topic(), permit.qos(), permit.retain(), permit.epoch()))
            );
        }
    }
}

#[test]
fn it_stays_small_whatever_a_peer_publishes() {
    let policy = policy(vec![], vec![device("a", &[], &["allow publish #"])]);
    let principal = principal("a");
    let mut memory = DecisionMemory::default();
    for number in 0..100 {
        for length in [1, super::LONGEST_TOPIC, super::LONGEST_TOPIC + 1, 60_000] {
            let text = format!("{number:0length$}");
            let topic = TopicName::parse(&text).expect("a topic");
            assert!(memory.authorize_publish(&policy, &principal, topic, QoS::AtMostOnce, false).is_ok());
        }
    }
    assert_eq!(memory.remembered.len(), super::DECISIONS);
    assert!(memory.remembered.iter().all(|decision| decision.topic.capacity() <= 2 * super::LONGEST_TOPIC));
    memory.forget();
    assert_eq!(memory.remembered.capacity(), 0);
}
