//! The bounds of a site.

use super::rate::Rate;

/// Bounds that a site can set. Counts are entries, sizes bytes.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Matches of a page when the caller names no `_count`.
    pub page_default: u32,
    /// The largest `_count`.
    pub page_max: u32,
    /// Included records of a page.
    pub page_included: u32,
    /// Bytes of content at which a page ends early.
    pub page_bytes: usize,
    /// Entries of a batch or transaction.
    pub bundle_entries: usize,
    /// Requests of one client.
    pub clients: Rate,
    /// Requests without a valid token from one address.
    pub strangers: Rate,
}

impl Default for Limits {
    fn default() -> Self {
        let (clients, strangers) = (Rate::default(), Rate::default());
        Self {
            page_default: 20,
            page_max: 1000,
            page_included: 5000,
            page_bytes: 16 << 20,
            bundle_entries: 25_000,
            clients,
            strangers,
        }
    }
}
