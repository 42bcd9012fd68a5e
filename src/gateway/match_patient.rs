//! `Patient/$match` (<https://hl7.org/fhir/R4/patient-operation-match.html>): the same matcher as for results, within what the caller sees.

use super::{Errand, Gateway};
use crate::access::Caller;
use crate::disclosure::{Pending, described, input, matches};
use crate::fhir::matching::Grade;
use crate::fhir::{Interaction, Operation, Problem, Refusal};
use std::sync::Arc;

/// Candidates of one answer at most.
const MOST: u32 = 50;

/// Answers when `count` is not given.
const USUAL: u32 = 10;

impl Gateway {
    /// Who a description may mean: only patients whom the caller may search for, none of whom little is said, and each with its grade.
    pub(super) async fn match_patient(&self, caller: &Arc<Caller>, errand: &Errand) -> Result<Pending, Refusal> {
        let operation = Operation::Match;
        let permit = self.permit(caller, Interaction::Operate(operation.clone()), errand)?;
        let given = input(&errand.body, &operation)?;
        let (draft, _) = given.draft("resource")?.ok_or(Refusal::Internal)?;
        let asked = described(&draft);
        // What would fit anybody must not become a directory.
        if !asked.is_enough() {
            let text = "too little to match by: give an identifier with its system, or a family name and a whole birth date";
            return Err(Refusal::Unprocessable(vec![Problem::at("required", "Parameters.parameter[0].resource", text)]));
        }
        let only_certain = given.text("onlyCertainMatches") == Some("true");
        let least = if only_certain { Grade::Certain } else { Grade::Possible };
        let count = given.whole("count").unwrap_or(USUAL).clamp(1, MOST);
        let mut found = self.candidates(&permit, &asked, false).await?;
        found.retain(|one| one.compared.likeness.grade >= least);
        // Of two who are both certain neither is: one of them is a double that nobody merged.
        if only_certain && found.len() > 1 {
            found.clear();
        }
        found.truncate(usize::try_from(count).unwrap_or(0));
        let rows: Vec<_> = found.into_iter().map(|one| (one.row, one.compared.likeness)).collect();
        let hidden = self.hidden(&permit, rows.iter().map(|(row, _)| row)).await?;
        matches(&permit, &rows, &errand.rendering, &errand.visit, &self.redaction().hiding(&hidden))
    }
}
