//! `Observation/$lastn` (<https://hl7.org/fhir/R4/observation-operation-lastn.html>): of the observations that a search finds, the newest of
//! each kind. Observations that share a coding are of one kind.

use super::{Errand, Gateway};
use crate::access::{Caller, Permit};
use crate::disclosure::{PageFrame, Pending, Row, kinds_of, searchset};
use crate::fhir::search::SearchQuery;
use crate::fhir::{Interaction, Operation, Problem, Refusal, Request, RouteOptions, encode, has_value, interaction};
use crate::store::PageBounds;
use std::collections::HashMap;
use std::sync::Arc;

/// Observations of each kind at most.
const MOST: usize = 1_000;

impl Gateway {
    pub(super) async fn last_n(
        &self,
        caller: &Arc<Caller>,
        query: &[(String, String)],
        errand: &Errand,
    ) -> Result<Pending, Refusal> {
        // Whether it may be asked at all comes before whether it makes sense.
        self.permit(caller, Interaction::Operate(Operation::LastN(Vec::new())), errand)?;
        let (max, path) = asked(query)?;
        let options = RouteOptions {
            base: &self.parts.base,
            now: errand.visit.now,
            max_count: self.parts.limits.page_max,
            known: self.known(),
        };
        let search = interaction(&Request::get(&path), &options)?;
        let permit = self.permit(caller, search, errand)?;
        let Interaction::Search(search) = permit.interaction() else { return Err(Refusal::Internal) };
        let rows = self.newest(&permit, search, max).await?;
        let frame = PageFrame {
            total: u64::try_from(rows.len()).ok(),
            self_link: format!("{}/Observation/$lastn?max={max}&{}", self.parts.base, path.split_once('?').unwrap_or_default().1),
            ignored: search.ignored.clone(),
            now: Some(errand.visit.now),
            ..PageFrame::default()
        };
        searchset(&permit, (&rows, &[]), &frame, &search.rendering, &errand.visit, &self.redaction())
    }

    /// Reads page after page, the newest first, and keeps what is among the first of its kind.
    async fn newest(&self, permit: &Permit, search: &SearchQuery, max: usize) -> Result<Vec<Row>, Refusal> {
        let limits = &self.parts.limits;
        let bounds = PageBounds { count: limits.page_max, included: 0, bytes: limits.page_bytes };
        let (mut kept, mut bytes, mut from) = (Kinds::default(), 0, None);
        loop {
            let page = self.parts.store.search(permit, search, from.as_ref(), bounds).await?;
            for row in page.matches {
                let size = row.content.as_ref().map_or(0, crate::disclosure::Sealed::len);
                if kept.take(row, max)? {
                    bytes += size;
                }
            }
            if bytes > limits.page_bytes {
                let text =
                    "the newest of each kind are more than one answer holds: ask for fewer (`max`), or for fewer kinds (`code`)";
                return Err(Refusal::Invalid(vec![Problem::of("too-costly", text)]));
            }
            match page.next {
                Some(next) => from = Some(next),
                None => return Ok(kept.rows(max)),
            }
        }
    }
}

/// How many of each kind, and the search below the base.
fn asked(query: &[(String, String)]) -> Result<(usize, String), Refusal> {
    let invalid = |text: &str| Refusal::Invalid(vec![Problem::of("invalid", text)]);
    let mut max = None;
    let mut search = Vec::new();
    let query: Vec<&(String, String)> = query.iter().filter(|pair| has_value(pair)).collect();
    for (name, value) in &query {
        if name == "max" {
            let number = value.parse::<usize>().ok().filter(|number| (1..=MOST).contains(number) && max.is_none());
            max = Some(number.ok_or_else(|| invalid(&format!("`max` comes once and is a number from 1 to {MOST}")))?);
        } else if matches!(name.as_str(), "_sort" | "_count" | "_include" | "_revinclude" | "_contained" | "_total") {
            return Err(invalid(&format!("`$lastn` takes no `{name}`")));
        } else {
            search.push(format!("{}={}", encode(name), encode(value)));
        }
    }
    let named =
        |names: [&str; 2]| query.iter().any(|(name, _)| names.iter().any(|known| name.split([':', '.']).next() == Some(known)));
    if !named(["patient", "subject"]) || !named(["code", "category"]) {
        return Err(invalid("`$lastn` needs a `patient` or `subject`, and a `code` or `category`"));
    }
    search.push("_sort=-date".to_owned());
    Ok((max.unwrap_or(1), format!("Observation?{}", search.join("&"))))
}

/// Rows by kind, in the order in which they came.
#[derive(Default)]
struct Kinds {
    kind_of: HashMap<(String, String), usize>,
    /// Where a kind went when it turned out to be another one.
    same_as: Vec<usize>,
    counts: Vec<usize>,
    kept: Vec<(usize, Row)>,
}

impl Kinds {
    /// Keeps a row unless its kind has enough; whether it was kept.
    fn take(&mut self, row: Row, max: usize) -> Result<bool, Refusal> {
        let mut codings = kinds_of(&row)?;
        if codings.is_empty() {
            codings.push((" ".to_owned(), String::new()));
        }
        let kind = self.kind(codings);
        let Some(count) = self.counts.get_mut(kind) else { return Err(Refusal::Internal) };
        *count += 1;
        let keep = *count <= max;
        if keep {
            self.kept.push((kind, row));
        }
        Ok(keep)
    }

    fn kind(&mut self, codings: Vec<(String, String)>) -> usize {
        let known: Vec<usize> =
            codings.iter().filter_map(|coding| self.kind_of.get(coding)).map(|kind| self.root(*kind)).collect();
        let kind = known.iter().copied().min().unwrap_or_else(|| {
            self.same_as.push(self.same_as.len());
            self.counts.push(0);
            self.same_as.len() - 1
        });
        for other in known.into_iter().filter(|other| *other != kind) {
            if let Some(same) = self.same_as.get_mut(other) {
                *same = kind;
            }
            let moved = self.counts.get_mut(other).map(std::mem::take).unwrap_or_default();
            if let Some(count) = self.counts.get_mut(kind) {
                *count += moved;
            }
        }
        for coding in codings {
            self.kind_of.insert(coding, kind);
        }
        kind
    }

    fn root(&self, mut kind: usize) -> usize {
        while let Some(&next) = self.same_as.get(kind).filter(|next| **next != kind) {
            kind = next;
        }
        kind
    }

    /// What was kept. Two kinds that turned out to be one may have kept more than one of them may.
    fn rows(mut self, max: usize) -> Vec<Row> {
        let kept = std::mem::take(&mut self.kept);
        let mut counts: HashMap<usize, usize> = HashMap::new();
        let mut rows = Vec::with_capacity(kept.len());
        for (kind, row) in kept {
            let count = counts.entry(self.root(kind)).or_insert(0);
            *count += 1;
            if *count <= max {
                rows.push(row);
            }
        }
        rows
    }
}
