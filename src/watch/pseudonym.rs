//! Names for patients that only this gateway can tell: for receivers who need to see that it is the same person, and not who.

use aws_lc_rs::hmac;
use std::fmt::Write as _;

/// Makes pseudonyms with a key of the tenant.
pub(super) struct Pseudonyms(hmac::Key);

impl std::fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pseudonyms")
    }
}

impl Pseudonyms {
    /// With this key.
    pub(super) fn new(key: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// The pseudonym of an id: the same each time, and no way back without the key.
    pub(super) fn of(&self, id: &str) -> String {
        let mut text = "p-".to_owned();
        for byte in hmac::sign(&self.0, id.as_bytes()).as_ref().iter().take(16) {
            let _written = write!(text, "{byte:02x}");
        }
        text
    }
}
