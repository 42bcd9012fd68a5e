//! Sealed page links: opaque, bound to the caller, decided again when they are followed.

use super::{Errand, Gateway};
use crate::access::{Caller, Permit};
use crate::disclosure::Pending;
use crate::fhir::{Interaction, Refusal, Request, RouteOptions, interaction};
use crate::store::Cursor;
use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::sync::Arc;

/// A cursor is sealed as a multiple of this many bytes: row numbers tell how much lies in the store, and their digits would show in the
/// length of a link (`consent` L5).
const CURSOR_BYTES: usize = 256;

/// The key that page links are sealed with; kept in the store, so that links outlive a restart and hold on every node.
pub struct LinkKey(RandomizedNonceKey);

impl LinkKey {
    /// The key with these 32 bytes.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        RandomizedNonceKey::new(&AES_256_GCM, bytes).ok().map(Self)
    }

    fn seal(&self, text: &str, binding: &str) -> Option<String> {
        let mut bytes = text.as_bytes().to_vec();
        let nonce = self.0.seal_in_place_append_tag(Aad::from(binding.as_bytes()), &mut bytes).ok()?;
        let mut sealed = nonce.as_ref().to_vec();
        sealed.extend_from_slice(&bytes);
        Some(URL_SAFE_NO_PAD.encode(sealed))
    }

    fn open(&self, token: &str, binding: &str) -> Option<String> {
        let sealed = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (nonce, bytes) = sealed.split_at_checked(NONCE_LEN)?;
        let mut bytes = bytes.to_vec();
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let text = self.0.open_in_place(nonce, Aad::from(binding.as_bytes()), &mut bytes).ok()?;
        String::from_utf8(text.to_vec()).ok()
    }
}

impl Gateway {
    /// The link to the page that begins at this cursor. `path` is the request as it was understood.
    pub(super) fn next_link(&self, permit: &Permit, path: &str, cursor: &Cursor) -> Result<String, Refusal> {
        let width = cursor.0.len().next_multiple_of(CURSOR_BYTES);
        let text = format!("{path}\n{:width$}", cursor.0);
        let sealed = self.parts.link_key.seal(&text, &permit.caller().binding()).ok_or(Refusal::Internal)?;
        Ok(format!("{}?_page={sealed}", self.parts.base))
    }

    /// Follows a link: the same request, authorized anew. Somebody else's link does not exist.
    pub(super) async fn page(&self, caller: &Arc<Caller>, token: &str, errand: &mut Errand) -> Result<Pending, Refusal> {
        let text = self.parts.link_key.open(token, &caller.binding()).ok_or(Refusal::NotFound)?;
        let (path, cursor) = text.split_once('\n').ok_or(Refusal::NotFound)?;
        let cursor = Cursor(cursor.trim_end_matches(' ').to_owned());
        let request = Request::get(path);
        let options = RouteOptions {
            base: &self.parts.base,
            now: errand.visit.now,
            max_count: self.parts.limits.page_max,
            known: self.known(),
        };
        let continued = interaction(&request, &options)?;
        errand.visit.event = continued.code();
        errand.visit.query = Some(format!("GET {}?{}", request.path, request.query));
        let permit = self.permit(caller, continued, errand)?;
        match permit.interaction() {
            Interaction::Search(query) => self.search(&permit, query, Some(&cursor), errand).await,
            Interaction::History(query) => self.history(&permit, query, Some(&cursor), errand).await,
            _ => Err(Refusal::NotFound),
        }
    }
}
