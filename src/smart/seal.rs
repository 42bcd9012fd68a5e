//! Secrets that must be readable again, sealed at rest: AES-256-GCM, bound to whose they are.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// What a sealed secret begins with.
const MARK: &str = "sealed:";

/// The key.
pub struct Seal(RandomizedNonceKey);

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal")
    }
}

impl Seal {
    /// With a key of 32 bytes; `None` for any other.
    pub fn new(key: &[u8]) -> Option<Self> {
        RandomizedNonceKey::new(&AES_256_GCM, key).ok().map(Self)
    }

    /// A secret of somebody, sealed. `None` when the machine fails.
    pub fn close(&self, whose: &str, secret: &str) -> Option<String> {
        let mut bytes = secret.as_bytes().to_vec();
        let nonce = self.0.seal_in_place_append_tag(Aad::from(whose.as_bytes()), &mut bytes).ok()?;
        let all: Vec<u8> = nonce.as_ref().iter().copied().chain(bytes).collect();
        Some(format!("{MARK}{}", STANDARD_NO_PAD.encode(all)))
    }

    /// The secret again. One from before there were seals is as it stands.
    pub fn open(&self, whose: &str, kept: &str) -> Option<String> {
        let Some(sealed) = kept.strip_prefix(MARK) else { return Some(kept.to_owned()) };
        let all = STANDARD_NO_PAD.decode(sealed).ok()?;
        let (nonce, rest) = all.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut bytes = rest.to_vec();
        let plain = self.0.open_in_place(nonce, Aad::from(whose.as_bytes()), &mut bytes).ok()?;
        String::from_utf8(plain.to_vec()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_secret_opens_for_whose_it_is_and_only_with_the_key() {
        let (seal, other) = (Seal::new(&[1; 32]).unwrap(), Seal::new(&[2; 32]).unwrap());
        let kept = seal.close("khan", "JBSWY3DP").unwrap();
        assert!(kept.starts_with(MARK) && !kept.contains("JBSWY3DP"));
        assert_ne!(kept, seal.close("khan", "JBSWY3DP").unwrap());
        assert_eq!(seal.open("khan", &kept).as_deref(), Some("JBSWY3DP"));
        assert_eq!(seal.open("amin", &kept), None);
        assert_eq!(other.open("khan", &kept), None);
        assert_eq!(seal.open("khan", "JBSWY3DP").as_deref(), Some("JBSWY3DP"));
        assert!(Seal::new(&[1; 16]).is_none());
    }
}
