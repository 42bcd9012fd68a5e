//! history of an instance, a type, the system (<https://hl7.org/fhir/R4/http.html#history>).

use super::{Errand, Gateway};
use crate::access::Permit;
use crate::disclosure::{self, PageFrame, Pending};
use crate::fhir::{HistoryQuery, HistoryScope, Need, Refusal, encode};
use crate::store::Cursor;

impl Gateway {
    pub(super) async fn history(
        &self,
        permit: &Permit,
        query: &HistoryQuery,
        from: Option<&Cursor>,
        errand: &Errand,
    ) -> Result<Pending, Refusal> {
        if let HistoryScope::Type(resource_type) = query.scope {
            self.view_trail(resource_type).await?;
        }
        // Whether there is anything is asked even where nothing is to be shown.
        let none = query.count == Some(0);
        let asked = HistoryQuery { count: if none { Some(1) } else { query.count }, ..query.clone() };
        let mut page = self.parts.store.history(permit, &asked, from, self.bounds(asked.count)).await?;
        let instance = matches!(query.scope, HistoryScope::Instance(_));
        if instance && page.versions.is_empty() && from.is_none() && query.since.is_none() && query.at.is_none() {
            return Err(Refusal::NotFound);
        }
        if none {
            page.versions.clear();
            page.next = None;
        }
        let path = history_path(query);
        let next_link = page.next.map(|cursor| self.next_link(permit, &path, &cursor)).transpose()?;
        let frame = PageFrame {
            total: page.total,
            self_link: format!("{}/{path}", self.parts.base),
            next_link,
            ignored: Vec::new(),
            now: Some(errand.visit.now),
            ..PageFrame::default()
        };
        let need = if instance { Need::Read } else { Need::Search };
        let hidden = self.hidden(permit, &page.versions).await?;
        let redaction = self.redaction().hiding(&hidden);
        disclosure::history(permit, need, &page.versions, &frame, &query.rendering, &errand.visit, &redaction)
    }
}

fn history_path(query: &HistoryQuery) -> String {
    let scope = match &query.scope {
        HistoryScope::Instance(key) => format!("{key}/"),
        HistoryScope::Type(resource_type) => format!("{resource_type}/"),
        HistoryScope::System => String::new(),
    };
    let mut parameters: Vec<String> = Vec::new();
    parameters.extend(query.since.map(|since| format!("_since={}", encode(&since.to_string()))));
    parameters.extend(query.at.as_ref().map(|at| format!("_at={}", encode(&at.text))));
    parameters.extend(query.count.map(|count| format!("_count={count}")));
    let mark = if parameters.is_empty() { "" } else { "?" };
    format!("{scope}_history{mark}{}", parameters.join("&"))
}
