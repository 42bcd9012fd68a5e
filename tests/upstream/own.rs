//! What the gateway keeps itself in front of a server.

use crate::support::{Server, records};
use std::time::{Duration, Instant};

#[test]
fn entries_that_an_earlier_release_indexed_are_found_by_what_this_one_indexes() {
    let server = Server::in_front("Policy-all-normal", "");
    let token = server.system("system/*.cruds");
    let _ = server.put("Patient/a", &token, &records::patient("a", "Haider")).expect(201);
    let updates = |server: &Server| {
        let found = server.get("AuditEvent?subtype=update", &server.system("system/AuditEvent.rs")).expect(200).json();
        found["entry"].as_array().map_or(0, Vec::len)
    };
    let before = updates(&server);
    assert_ne!(before, 0, "as they were indexed");
    server.execute("DELETE FROM index_token; DELETE FROM setting WHERE name = 'extraction'");
    assert_eq!(updates(&server), 0);
    let server = server.restart(|_| {});
    let begun = Instant::now();
    while updates(&server) < before {
        assert!(begun.elapsed() < Duration::from_secs(30), "never indexed");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(updates(&server), before);
}
