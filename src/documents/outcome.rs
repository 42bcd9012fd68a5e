//! OperationOutcome (<https://hl7.org/fhir/R4/operationoutcome.html>).

use crate::bare;
use crate::object::Object;
use fhir_sdk::r4b::codes::{IssueSeverity, IssueType};
use fhir_sdk::r4b::resources::OperationOutcomeIssue;

/// The system of the stable codes of the gateway, in `issue.details.coding`.
pub const CODES: &str = "urn:amanat:error";

/// One issue of an [`operation_outcome`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Issue<'a> {
    /// `fatal`, `error`, `warning` or `information`; anything else becomes `error`.
    pub severity: &'a str,
    /// A code of `http://hl7.org/fhir/issue-type`; anything else becomes `processing`.
    pub issue: &'a str,
    /// The stable code of [`CODES`]; empty for none.
    pub code: &'a str,
    /// For people: `details.text`.
    pub text: &'a str,
    /// For engineers: `diagnostics`. Where there is none the text stands in, since clients exist that read only this one.
    pub diagnostics: Option<&'a str>,
    /// The FHIRPath of the place.
    pub expression: Option<&'a str>,
}

/// An OperationOutcome with these issues, in their order. R4 wants at least one; for none it says that all is well.
pub fn operation_outcome(issues: &[Issue<'_>]) -> String {
    const ALL_WELL: Issue<'static> =
        Issue { severity: "information", issue: "informational", code: "", text: "Done.", diagnostics: None, expression: None };
    let issues = if issues.is_empty() { &[ALL_WELL] } else { issues };
    let mut document = Object::resource("OperationOutcome");
    document.array("issue", &issues.iter().map(typed).collect::<Vec<_>>());
    document.finish()
}

fn typed(issue: &Issue<'_>) -> OperationOutcomeIssue {
    let severity = issue.severity.parse().unwrap_or(IssueSeverity::Error);
    let mut typed = bare::issue(severity, issue.issue.parse().unwrap_or(IssueType::Processing));
    let mut details = bare::concept();
    if !issue.code.is_empty() {
        let mut coding = bare::coding();
        coding.system = Some(CODES.to_owned());
        coding.code = Some(issue.code.to_owned());
        details.coding = vec![Some(coding)];
    }
    details.text = Some(issue.text.to_owned());
    typed.details = Some(details);
    typed.diagnostics = Some(issue.diagnostics.unwrap_or(issue.text).to_owned());
    typed.expression = issue.expression.iter().map(|&place| Some(place.to_owned())).collect();
    typed
}

#[cfg(test)]
mod tests {
    use super::{Issue, operation_outcome};
    use serde_json::{Value, json};

    #[test]
    fn each_problem_is_an_issue_with_text_diagnostics_code_and_place() {
        let issue = Issue {
            severity: "error",
            issue: "structure",
            code: "AMANAT-IN-0003",
            text: "A \"name\" is missing.",
            diagnostics: Some("line 3"),
            expression: Some("Patient.name"),
        };
        let plain = Issue { diagnostics: None, expression: None, code: "", issue: "no-such-code", ..issue };
        let document: Value = serde_json::from_str(&operation_outcome(&[issue, plain])).unwrap();
        let expected = json!({"resourceType": "OperationOutcome", "issue": [
            {"severity": "error", "code": "structure", "diagnostics": "line 3", "expression": ["Patient.name"],
             "details": {"coding": [{"system": super::CODES, "code": "AMANAT-IN-0003"}], "text": "A \"name\" is missing."}},
            {"severity": "error", "code": "processing", "diagnostics": "A \"name\" is missing.", "details": {"text": "A \"name\" is missing."}}
        ]});
        assert_eq!(document, expected);
    }

    #[test]
    fn an_outcome_without_problems_says_so() {
        let document: Value = serde_json::from_str(&operation_outcome(&[])).unwrap();
        assert_eq!(document["issue"][0]["severity"], "information");
    }
}
