use super::*;
use crate::hub::sessions::SessionKey;
use crate::policy::{DeviceKey, Principal, SubjectSelector};
use crate::session::{Expiry, Session, SessionId};
use std::time::Duration;

const IN_A_DAY: Moment = Moment(86_400_000);

fn cell(id: u64) -> Arc<SessionCell> {
    let key = DeviceKey { trust: Arc::from("default"), name: Arc::from("CN=device") };
    let principal = Arc::new(Principal::named(key.clone(), SubjectSelector::Dn));
    let session = Session::new(SessionId(id), principal, Expiry::After(Duration::from_secs(60)));
    SessionCell::new(SessionKey { device: key, client_id: Arc::from("one") }, session)
}

#[test]
fn clients_that_come_and_go_leave_no_heap_of_deadlines() {
    let deadlines = Deadlines::default();
    let lasting = cell(0);
    for id in 1..=20_000 {
        let passing = cell(id);
        passing.connected_by(ConnectionId(id));
        deadlines.add(IN_A_DAY, Deadline::KeepAlive, &passing, ConnectionId(id));
        lasting.connected_by(ConnectionId(id));
        deadlines.add(IN_A_DAY, Deadline::KeepAlive, &lasting, ConnectionId(id));
        deadlines.add(IN_A_DAY, Deadline::SessionExpiry, &lasting, ConnectionId(id));
    }
    let left = deadlines.heap.lock().due.len();
    assert!(left <= FEW + 1, "{left} deadlines of one session");
}

#[test]
fn deadlines_that_hold_are_kept() {
    let deadlines = Deadlines::default();
    let cells: Vec<_> = (1..=5_000).map(cell).collect();
    for (cell, id) in cells.iter().zip(1..) {
        cell.connected_by(ConnectionId(id));
        deadlines.add(Moment(id), Deadline::KeepAlive, cell, ConnectionId(id));
    }
    let mut due = Vec::new();
    loop {
        let slice = deadlines.take_due(Moment(5_000));
        if slice.is_empty() {
            break;
        }
        due.extend(slice.iter().map(|due| due.at.0));
    }
    assert_eq!(due, (1..=5_000).collect::<Vec<_>>());
}
