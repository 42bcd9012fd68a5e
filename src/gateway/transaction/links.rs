//! What references between the entries of a transaction become.

use super::Step;
use crate::disclosure::Part;
use crate::fhir::{Id, Key, ResourceType, Version};
use std::collections::HashMap;

/// The records that entries mean, by what other entries may call them, each with the version that it will have.
pub(super) struct Links(HashMap<String, (Key, Version)>);

impl Links {
    /// By `fullUrl`, and by the relative form of a `fullUrl` whose entry gets a new id.
    pub(super) fn between(parts: &[Part], steps: &[Step]) -> Self {
        let mut links = HashMap::new();
        for (part, step) in parts.iter().zip(steps) {
            let (Some(full_url), Some(meant)) = (part.full_url(), step.act.means()) else { continue };
            links.insert(full_url.to_owned(), (meant.0.clone(), meant.1));
            let mut tail = full_url.rsplitn(3, '/');
            if let (Some(id), Some(name)) = (tail.next(), tail.next())
                && let (Some(resource_type), Some(id)) = (ResourceType::parse(name), Id::parse(id))
            {
                links.insert(Key::new(resource_type, id).to_string(), (meant.0.clone(), meant.1));
            }
        }
        Self(links)
    }

    /// The address that stands where this one stood. What named a version names the new one (R4 http § transaction).
    pub(super) fn address(&self, url: &str) -> Option<String> {
        if let Some((key, _)) = self.0.get(url) {
            return Some(key.to_string());
        }
        let (unversioned, _) = url.split_once("/_history/")?;
        self.0.get(unversioned).map(|(key, version)| format!("{key}/_history/{version}"))
    }
}
