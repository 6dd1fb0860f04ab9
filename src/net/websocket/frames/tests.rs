use super::*;
use proptest::prelude::*;

const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// A frame as a client sends it, written from section 5.2 and not with the decoder's library.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..=125 => frame.push(0x80 | length as u8),
        length @ 126..=0xFFFF => {
            frame.push(0x80 | 126);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend(KEY);
    frame.extend(payload.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8A;

/// Everything that came out, and how it ended.
fn decode(pieces: &[&[u8]]) -> (Vec<u8>, Vec<Vec<u8>>, Option<Ending>) {
    let mut decoder = Decoder::new();
    let (mut data, mut pings) = (Vec::new(), Vec::new());
    for piece in pieces {
        let mut piece = piece.to_vec();
        let decoded = decoder.decode(&mut piece);
        data.extend_from_slice(&piece[..decoded.data]);
        pings.extend(decoded.ping);
        if decoded.ending.is_some() {
            return (data, pings, decoded.ending);
        }
    }
    (data, pings, None)
}

#[track_caller]
fn fails_with(bytes: &[u8], code: u16, words: &str) {
    let (_, _, ending) = decode(&[bytes]);
    let Some(Ending::Fault(fault)) = &ending else { panic!("{ending:?}") };
    assert!(fault.what.contains(words), "{fault:?}");
    assert_eq!(close(ending.as_ref()), [&[CLOSE, 2][..], &code.to_be_bytes()].concat());
}

#[test]
fn frames_of_every_length_form_carry_their_payload() {
    for length in [0, 1, 7, 8, 9, 125, 126, 127, 65_535, 65_536, 70_003] {
        let payload: Vec<u8> = (0..length).map(|index: usize| (index % 251) as u8).collect();
        assert!(decode(&[&frame(BINARY, &payload)]) == (payload, vec![], None), "{length}");
    }
}

#[test]
fn fragments_are_one_stream_and_control_frames_may_stand_between_them() {
    let bytes = [frame(0x02, b"MQ"), frame(PING, b"?"), frame(0x00, b""), frame(0x80, b"TT"), frame(BINARY, b"!")];
    assert_eq!(decode(&[&bytes.concat()]), (b"MQTT!".to_vec(), vec![b"?".to_vec()], None));
}

#[test]
fn of_the_pings_in_a_piece_the_last_is_kept_and_pongs_say_nothing() {
    let bytes = [frame(PING, b"1"), frame(PONG, b"x"), frame(PING, b"2"), frame(PONG, b"")].concat();
    assert_eq!(decode(&[&bytes]), (vec![], vec![b"2".to_vec()], None));
    assert_eq!(pong(b"2"), [PONG, 1, b'2']);
}

#[test]
fn what_stands_before_a_close_or_a_fault_is_served_and_what_stands_behind_is_not() {
    let after = frame(BINARY, b"after");
    for (last, ending) in
        [(frame(CLOSE, &[]), Ending::Close(None)), (frame(CLOSE, &[3, 0xE8, b'x']), Ending::Close(Some(1000)))]
    {
        let bytes = [frame(BINARY, b"before"), last, after.clone()].concat();
        assert_eq!(decode(&[&bytes]), (b"before".to_vec(), vec![], Some(ending)));
    }
    let (data, _, ending) = decode(&[&[frame(BINARY, b"before"), frame(0x81, b"text"), after].concat()]);
    assert_eq!(data, b"before");
    assert!(matches!(ending, Some(Ending::Fault(_))));
}

#[test]
fn after_the_end_nothing_is_decoded() {
    let mut decoder = Decoder::new();
    assert!(decoder.decode(&mut frame(CLOSE, &[])).ending.is_some());
    assert_eq!(decoder.decode(&mut frame(BINARY, b"late")), Decoded::default());
}

#[test]
fn our_close_echoes_the_code_or_says_normal() {
    assert_eq!(close(None), [CLOSE, 2, 0x03, 0xE8]);
    assert_eq!(close(Some(&Ending::Close(Some(3000)))), [CLOSE, 2, 0x0B, 0xB8]);
    assert_eq!(close(Some(&Ending::Close(None))), [CLOSE, 0]);
}

#[test]
fn text_is_refused_with_1003() {
    fails_with(&frame(0x81, b"text"), 1003, "text");
    fails_with(&frame(0x01, b"begin of a text"), 1003, "text");
}

#[test]
fn what_rfc_6455_forbids_is_refused_with_1002() {
    fails_with(&[BINARY, 1, b'x'], 1002, "masked");
    fails_with(&frame(0xC2, b"x"), 1002, "reserved bit");
    fails_with(&frame(0xA2, b"x"), 1002, "reserved bit");
    fails_with(&frame(0x92, b"x"), 1002, "reserved bit");
    fails_with(&frame(0x83, b"x"), 1002, "opcode");
    fails_with(&frame(0x8B, b"x"), 1002, "opcode");
    fails_with(&frame(0x80, b"x"), 1002, "continuation");
    fails_with(&[frame(0x02, b"x"), frame(BINARY, b"y")].concat(), 1002, "inside");
    fails_with(&frame(0x09, b"x"), 1002, "control");
    fails_with(&frame(PING, &[0; 126]), 1002, "control");
    fails_with(&frame(CLOSE, &[3]), 1002, "half");
    for code in [0_u16, 999, 1004, 1005, 1006, 1015, 5000] {
        fails_with(&frame(CLOSE, &code.to_be_bytes()), 1002, "code");
    }
    fails_with(&[&[BINARY, 0x80 | 126, 0, 125][..], &KEY].concat(), 1002, "fewest");
    fails_with(&[&[BINARY, 0x80 | 127, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF][..], &KEY].concat(), 1002, "fewest");
    fails_with(&[&[BINARY, 0x80 | 127, 0x80, 0, 0, 0, 0, 1, 0, 0][..], &KEY].concat(), 1002, "highest");
}

#[test]
fn a_reason_that_is_not_utf8_is_refused_with_1007() {
    fails_with(&frame(CLOSE, &[3, 0xE8, 0xFF]), 1007, "UTF-8");
}

#[test]
fn a_declared_length_costs_nothing() {
    let mut decoder = Decoder::new();
    let mut head = [&[BINARY, 0x80 | 127, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF][..], &KEY].concat();
    assert_eq!(decoder.decode(&mut head), Decoded::default());
    assert_eq!(decoder.decode(&mut KEY.to_vec()), Decoded { data: 4, ..Decoded::default() });
}

/// A client's stream: (first byte, payload) of frames that are all legal.
fn legal_frames() -> impl Strategy<Value = Vec<(u8, Vec<u8>)>> {
    let payload = prop_oneof![prop::collection::vec(any::<u8>(), 0..10), prop::collection::vec(any::<u8>(), 120..300)];
    let short = prop::collection::vec(any::<u8>(), 0..126);
    let one = prop_oneof![
        payload.clone().prop_map(|payload| vec![(BINARY, payload)]),
        short.clone().prop_map(|payload| vec![(PING, payload)]),
        short.prop_map(|payload| vec![(PONG, payload)]),
        (payload.clone(), payload).prop_map(|(begin, end)| vec![(0x02, begin), (PING, b"?".to_vec()), (0x80, end)]),
    ];
    prop::collection::vec(one, 0..12).prop_map(|frames| frames.concat())
}

proptest! {
    #[test]
    fn where_the_stream_is_cut_makes_no_difference(frames in legal_frames(), cuts in prop::collection::vec(1_usize..50, 1..200)) {
        let bytes: Vec<u8> = frames.iter().flat_map(|(first, payload)| frame(*first, payload)).collect();
        let data: Vec<u8> = frames.iter().filter(|(first, _)| [0, 2].contains(&(first & 15))).flat_map(|(_, payload)| payload.clone()).collect();
        let (mut pieces, mut rest) = (Vec::new(), &bytes[..]);
        for cut in cuts.iter().cycle() {
            if rest.is_empty() { break; }
            let (piece, after) = rest.split_at((*cut).min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        let (served, _, ending) = decode(&pieces);
        prop_assert_eq!(served, data);
        prop_assert_eq!(ending, None);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let mut decoder = Decoder::new();
        let mut piece = bytes;
        let decoded = decoder.decode(&mut piece);
        prop_assert!(decoded.data <= piece.len());
    }
}
