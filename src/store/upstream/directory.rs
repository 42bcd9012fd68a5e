//! The records that decisions are made with (consents, who belongs to what), read whole. Nobody is shown them here.

use super::UpstreamStore;
use super::fault::Fault;
use super::round::Round;
use super::wire::Ask;
use crate::disclosure::{Row, Taken};
use crate::fhir::ResourceType;
use std::collections::HashMap;

/// Answers that all of a type may come to.
const ANSWERS: usize = 16;

impl UpstreamStore {
    /// Every current record of a type. What cannot be read to the end is not read at all: half of the consents would be a lie.
    pub(super) async fn everything(&self, of: ResourceType) -> Result<Vec<Row>, Fault> {
        let peer = self.peers.of(of);
        if !peer.abilities().serves(of) {
            return Ok(Vec::new());
        }
        let mut found = HashMap::new();
        let mut round = Round::default();
        let mut bytes = 0_usize;
        let mut next = Some(format!("{of}?_count=250"));
        while let Some(place) = next.take() {
            let mut page = self.page(peer, &Ask::search(place.clone())).await?.ok_or(Fault::Status(404))?;
            let mut came = false;
            while let Some(arrived) = page.entry().await? {
                came = true;
                if let Some(taken) = arrived.record.filter(|taken| taken.key().resource_type == of) {
                    bytes = bytes.saturating_add(taken.bytes());
                    if bytes > self.options.answer_bytes.saturating_mul(ANSWERS) {
                        return Err(Fault::Costly(
                            "there are more consents, or records of who belongs to what, than can be held",
                        ));
                    }
                    let taken = self.settled(taken, &mut round).await?;
                    found.insert(taken.key().clone(), taken);
                }
            }
            next = page.close().await?.next;
            if next.as_ref() == Some(&place) || (next.is_some() && !came) {
                return Err(Fault::wrong("pages that lead nowhere"));
            }
        }
        Ok(found.into_values().map(Taken::into_row).collect())
    }
}
