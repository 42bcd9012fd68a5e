//! How long it takes from an event to its notice: printed, and bounded by nothing but patience.

use super::{EVERYTHING, patient};
use crate::site::{Site, until};
use std::fs;
use std::time::{Duration, Instant};

const TIMES: usize = 20;

#[test]
fn from_an_event_to_its_notice() {
    let mut site =
        Site::prepare("[alarms]\nquiet_seconds = 0\ncanaries = [\"Patient/canary\"]\n[alarms.notify]\nfile = \"alarms\"\n");
    let token = site.client("hospital", EVERYTHING);
    site.start();
    site.ask("PUT", &token, "Patient/canary", Some(&patient("canary"))).expect(201);
    let told = || fs::read_to_string(site.folder.path().join("alarms")).unwrap_or_default().matches("\"R13\"").count();
    until("the first is told", || told() == 1);
    let mut waits: Vec<Duration> = (0..TIMES)
        .map(|number| {
            let sent = Instant::now();
            site.get(&token, "Patient/canary").expect(200);
            until("it is told", || told() > number + 1);
            sent.elapsed()
        })
        .collect();
    waits.sort();
    let at = |part: usize| waits[(waits.len() * part).div_ceil(100) - 1];
    println!("from event to notice: median {:?}, 95 of 100 within {:?}, longest {:?}", at(50), at(95), at(100));
}
