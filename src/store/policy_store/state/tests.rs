use super::*;
use proptest::prelude::*;

#[test]
fn carries_run_through_all_words() {
    let mut hash = MultisetHash([u64::MAX; 4]);
    hash.add([1, 0, 0, 0]);
    assert_eq!(hash, MultisetHash::default());
    hash.subtract([1, 0, 0, 0]);
    assert_eq!(hash, MultisetHash([u64::MAX; 4]));
}

#[test]
fn key_and_value_do_not_run_together() {
    let hash = |key: &[u8], value: &[u8]| {
        let mut state = State::default();
        state.add(b'd', key, value);
        state.hash
    };
    assert_ne!(hash(b"ab", b"c"), hash(b"a", b"bc"));
    let mut other_tree = State::default();
    other_tree.add(b'g', b"ab", b"c");
    assert_ne!(hash(b"ab", b"c"), other_tree.hash);
}

#[test]
fn an_entry_twice_is_not_the_same_as_none() {
    // A hash by exclusive or would fall for this.
    let mut state = State::default();
    state.add(b'd', b"k", b"v");
    state.add(b'd', b"k", b"v");
    assert_ne!(state.hash, MultisetHash::default());
}

#[test]
fn hexadecimal_text_has_one_form() {
    let text = "00ff".repeat(16);
    assert_eq!(Hex32::parse(&text).unwrap().to_string(), text);
    assert_eq!(Hex32::parse(&text.to_uppercase()), None);
    assert_eq!(Hex32::parse(&text[1..]), None);
    assert_eq!(Hex32::parse(&format!("{text}0")), None);
}

proptest! {
    #[test]
    fn order_does_not_matter_and_removal_undoes(
        entries in prop::collection::vec((any::<[u8; 3]>(), any::<[u8; 5]>()), 1..20),
        gone in any::<prop::sample::Index>(),
    ) {
        let mut forward = State::default();
        entries.iter().for_each(|(key, value)| forward.add(b'd', key, value));
        let mut backward = State::default();
        entries.iter().rev().for_each(|(key, value)| backward.add(b'd', key, value));
        prop_assert_eq!(forward, backward);

        let gone = gone.index(entries.len());
        forward.subtract(b'd', &entries[gone].0, &entries[gone].1);
        let mut without = State::default();
        for (index, (key, value)) in entries.iter().enumerate() {
            if index != gone {
                without.add(b'd', key, value);
            }
        }
        prop_assert_eq!(forward, without);

        let text = serde_json::to_string(&forward).unwrap();
        prop_assert_eq!(serde_json::from_str::<State>(&text).unwrap(), forward);
    }
}
