//! HL7 v2 as bytes: read or refused, each place of it can be looked at, and its acknowledgement is itself a message.
#![no_main]

use amanat::fhir::Instant;
use amanat::lab::acknowledge::{Header, acknowledgement};
use amanat::lab::v2::{Charset, Message};
use libfuzzer_sys::fuzz_target;

/// Looks at every place.
fn walk(message: &Message) {
    for segment in message.segments() {
        for number in 0..40 {
            for one in segment.field(number).repetitions() {
                for component in 0..=one.components().min(40) {
                    let part = one.component(component);
                    assert!(part.is_valued() || part.is_empty() || part.is_null());
                    let _ = (part.text(), part.some(), part.subcomponent(2).text());
                }
            }
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let read = Message::read(bytes, Charset::Latin1);
    if let Ok(message) = &read {
        walk(message);
    }
    let header = read.as_ref().map_or_else(|_| Header::guessed(bytes), Header::of);
    let faults: Vec<_> = read.err().into_iter().collect();
    let answer = acknowledgement(&header, "AE", &faults, "it was not taken", "7", Instant(0));
    let answer = Message::read(&answer, Charset::Latin1).expect("an acknowledgement is a message");
    assert_eq!(answer.first("MSA").expect("an acknowledgement says what of").field(1).text(), "AE");
});
