//! Queries: read or refused with a reason, for one type, for another and for all.
#![no_main]

use amanat::fhir::ResourceType::{Observation, Patient};
use amanat::fhir::search::{ParseOptions, STANDARD, parse_search};
use amanat::fhir::{Instant, pairs};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|query: &str| {
    let Ok(pairs) = pairs(query) else { return };
    for lenient in [false, true] {
        let options =
            ParseOptions { base: "https://own/fhir", now: Instant(1_700_000_000_000), lenient, max_count: 50, known: &STANDARD };
        for types in [&[Observation][..], &[Patient, Observation], &[]] {
            match parse_search(types, None, &pairs, &options) {
                Ok(read) => assert!(read.shape.count.is_none_or(|count| count <= 50), "a page above the largest"),
                Err(problems) => assert!(!problems.is_empty(), "refused without a reason"),
            }
        }
    }
});
