//! Random secrets, what is kept of them, and how they are compared.

use aws_lc_rs::{constant_time, digest, hmac, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The system has no random numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system has no random numbers")]
pub struct NoRandomness;

/// 256 random bits in base64url: 43 characters.
///
/// # Errors
/// [`NoRandomness`]
pub fn random() -> Result<String, NoRandomness> {
    Ok(URL_SAFE_NO_PAD.encode(random_bytes::<32>()?))
}

/// So many random bytes.
///
/// # Errors
/// [`NoRandomness`]
pub fn random_bytes<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(bytes)
}

/// What is kept of a secret of 128 bits or more: its SHA-256. Nothing slower is needed, there is nothing to guess.
pub fn kept(secret: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, secret.as_bytes()))
}

/// HMAC-SHA-256 of a text under a key.
pub fn mac(key: &[u8], text: &str) -> String {
    URL_SAFE_NO_PAD.encode(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()))
}

/// Equality in a time that tells nothing of where they differ.
pub fn equal(one: &str, other: &str) -> bool {
    constant_time::verify_slices_are_equal(one.as_bytes(), other.as_bytes()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_long_and_differ_and_only_their_digest_is_kept() {
        let (one, other) = (random().unwrap(), random().unwrap());
        assert_eq!((one.len(), one == other), (43, false));
        assert!(equal(&kept(&one), &kept(&one)) && !equal(&kept(&one), &kept(&other)));
        assert!(!kept(&one).contains(&one));
        assert_ne!(mac(b"k", "a"), mac(b"k", "b"));
    }
}
