//! Tokens: taken apart or refused, and nothing that is taken apart carries more than it says.
#![no_main]

use amanat::identity::Jws;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|token: &str| {
    let _ = (Jws::carrying_key(token), Jws::carrying_certificates(token));
    if Jws::parse(token).is_ok() {
        assert_eq!(token.matches('.').count(), 2, "a compact JWS has three parts (RFC 7515, 3.1)");
    }
});
