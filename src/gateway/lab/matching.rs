//! Whose results are these: patients by their numbers, then by what else is told of them. In doubt a person decides.

use super::super::Gateway;
use crate::access::Permit;
use crate::disclosure::{Compared, Row, compared};
use crate::fhir::matching::{Demographics, Grade};
use crate::fhir::search::SearchQuery;
use crate::fhir::{Interaction, Key, Need, Refusal, Request, RouteOptions, encode, interaction};

/// Candidates that one condition may bring.
const CANDIDATES: u32 = 50;

/// A patient who may be meant.
pub(in crate::gateway) struct Candidate {
    pub(in crate::gateway) row: Row,
    pub(in crate::gateway) compared: Compared,
}

/// What was found for a message.
pub(super) enum Whose {
    /// This one, without a doubt.
    This(Box<Candidate>),
    /// A person must decide; why, and between whom.
    Unclear(&'static str, Vec<(Key, f64)>),
}

impl Gateway {
    /// Patients that share a number, or a name and a birth date, with a description; the best first. Only those that the permit shows.
    pub(in crate::gateway) async fn candidates(
        &self,
        permit: &Permit,
        asked: &Demographics,
        numbers_only: bool,
    ) -> Result<Vec<Candidate>, Refusal> {
        let tables = self.parts.lab.rules.tables.load_full();
        let strong = |system: &str| tables.is_strong(system);
        let mut found: Vec<Candidate> = Vec::new();
        for condition in conditions(asked, numbers_only) {
            let query = self.patient_search(&condition)?;
            for row in self.parts.store.select(permit, Need::Search, &query, CANDIDATES).await? {
                if found.iter().all(|known| known.row.facts.key != row.facts.key) {
                    let compared = compared(asked, &row, &strong)?;
                    found.push(Candidate { row, compared });
                }
            }
        }
        found.sort_by(|a, b| b.compared.likeness.score.total_cmp(&a.compared.likeness.score));
        Ok(found)
    }

    /// A search for patients, as it would be asked for.
    pub(super) fn patient_search(&self, condition: &str) -> Result<SearchQuery, Refusal> {
        let options =
            RouteOptions { base: &self.parts.base, now: self.parts.clock.now(), max_count: CANDIDATES, known: self.known() };
        match interaction(&Request::get(&format!("Patient?{condition}")), &options)? {
            Interaction::Search(search) => Ok(*search),
            _ => Err(Refusal::Internal),
        }
    }

    /// The one patient that is meant, if that is certain: by a number and the birth date with nothing against it; else by a score above
    /// the site's threshold, when nobody else comes near.
    pub(super) async fn whose(&self, asked: &Demographics) -> Result<Whose, Refusal> {
        if !asked.is_enough() {
            return Ok(Whose::Unclear("too-little", Vec::new()));
        }
        let permit = self.own_permit(Interaction::Search(Box::new(self.patient_search("")?)))?;
        let mut found = self.candidates(&permit, asked, true).await?;
        found.retain(|one| !one.compared.replaced);
        let certain = found.iter().filter(|one| one.compared.likeness.grade == Grade::Certain).count();
        if certain == 1 {
            let at = found.iter().position(|one| one.compared.likeness.grade == Grade::Certain).unwrap_or(0);
            return Ok(Whose::This(Box::new(found.swap_remove(at))));
        }
        let names = |found: &[Candidate]| {
            found.iter().map(|one| (one.row.facts.key.clone(), one.compared.likeness.score)).take(10).collect::<Vec<_>>()
        };
        if certain > 1 {
            return Ok(Whose::Unclear("ambiguous", names(&found)));
        }
        if found.iter().any(|one| one.compared.likeness.identified) {
            return Ok(Whose::Unclear("conflict", names(&found)));
        }
        let mut found = self.candidates(&permit, asked, false).await?;
        found.retain(|one| !one.compared.replaced && one.compared.likeness.grade > Grade::Not);
        let (best, others) = match found.as_slice() {
            [] => return Ok(Whose::Unclear("unmatched", Vec::new())),
            [best, others @ ..] => (best, others),
        };
        let sure = best.compared.likeness.score >= self.parts.lab.rules.threshold && !best.compared.likeness.conflict;
        if sure && others.is_empty() {
            return Ok(Whose::This(Box::new(found.swap_remove(0))));
        }
        let why = if others.is_empty() { "uncertain" } else { "ambiguous" };
        Ok(Whose::Unclear(why, names(&found)))
    }
}

/// What candidates are looked for by.
fn conditions(asked: &Demographics, numbers_only: bool) -> Vec<String> {
    let numbers = asked.identifiers.iter().filter(|(system, _)| !system.is_empty());
    let escape = |text: &str| {
        text.chars()
            .flat_map(|one| if matches!(one, '\\' | '|' | ',' | '$') { vec!['\\', one] } else { vec![one] })
            .collect::<String>()
    };
    let mut all: Vec<String> = numbers
        .map(|(system, value)| format!("identifier={}", encode(&format!("{}|{}", escape(system), escape(value)))))
        .collect();
    if numbers_only {
        return all;
    }
    let text = |name: &str, text: Option<&str>| text.map(|text| format!("{name}={}", encode(&escape(text))));
    let (birth, family, given) =
        (text("birthdate", asked.birth.as_deref()), text("family", asked.family()), text("given", asked.given()));
    for (a, b) in [(&birth, &family), (&birth, &given), (&family, &given)] {
        all.extend(a.as_ref().zip(b.as_ref()).map(|(a, b)| format!("{a}&{b}")));
    }
    all
}
