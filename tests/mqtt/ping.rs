//! PINGREQ and PINGRESP (sections 3.12 and 3.13).

use crate::common::wire::{self, PINGRESP};
use crate::scene::Scene;

/// 5.0 `[MQTT-3.12.4-1]`
/// 3.1.1 `[MQTT-3.12.4-1]`
#[test]
fn each_pingreq_is_answered_with_a_pingresp() {
    for scene in Scene::both() {
        let mut client = scene.enter("c");
        client.send(&wire::ping().repeat(3));
        for _ in 0..3 {
            let answer = client.expect(PINGRESP);
            assert_eq!((answer.first, answer.body.len()), (0xD0, 0));
        }
        client.send(&wire::disconnect());
        assert_eq!(client.expect_close(), None, "no fourth");
    }
}
