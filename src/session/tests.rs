//! Tests of the session without a hub; what needs routing is tested there.

use super::Outbox;
use bytes::Bytes;
use proptest::prelude::*;

proptest! {
    /// Each frame is `length` times the number of the frame, so that a cut or a mix-up shows.
    #[test]
    fn an_outbox_never_splits_or_reorders_frames(
        steps in prop::collection::vec((any::<bool>(), 1_usize..200, any::<bool>()), 1..100),
    ) {
        let mut outbox = Outbox::new(100);
        let mut expected: Vec<u8> = Vec::new();
        for (number, (is_control, length, take)) in steps.into_iter().enumerate() {
            let frame = vec![u8::try_from(number).unwrap(); length];
            if is_control {
                outbox.frames().extend_from_slice(&frame);
                expected.extend(frame);
            } else if outbox.accepts(length) {
                if outbox.is_large(length) {
                    outbox.frames().extend_from_slice(&frame[..1]);
                    outbox.attach(Bytes::copy_from_slice(&frame[1..]));
                } else {
                    outbox.frames().extend_from_slice(&frame);
                }
                expected.extend(frame);
            }
            if take {
                let mut taken = Vec::new();
                while !outbox.is_empty() {
                    let mut frames = Vec::new();
                    let large = outbox.take(&mut frames);
                    taken.extend(frames);
                    taken.extend(large.iter().flatten());
                }
                prop_assert_eq!(&taken, &std::mem::take(&mut expected));
            }
        }
    }
}

#[test]
fn a_closed_outbox_takes_no_publication() {
    assert!(!Outbox::closed().accepts(0));
    assert!(Outbox::new(0).accepts(1_000), "a frame alone always fits");
}
