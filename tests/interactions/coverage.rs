//! Nothing is left out: a new interaction, route or refusal that no test knows fails here, or does not compile.

use super::doors::DOORS;
use super::operations::OPERATIONS;
use amanat::fhir::{Headers, Instant, Interaction, Method, Operation, Request, RouteOptions, interaction};
use std::collections::BTreeSet;

/// The variants with their names: a new one has no arm and does not compile; with an arm it needs a door.
macro_rules! variants {
    ($($pattern:pat => $name:literal),* $(,)?) => {
        const VARIANTS: &[&str] = &[$($name),*];

        fn variant(interaction: &Interaction) -> &'static str {
            match interaction { $($pattern => $name),* }
        }
    };
}

variants! {
    Interaction::Capabilities => "Capabilities",
    Interaction::Read(..) => "Read",
    Interaction::Vread(..) => "Vread",
    Interaction::History(_) => "History",
    Interaction::Search(_) => "Search",
    Interaction::Page(_) => "Page",
    Interaction::Create(..) => "Create",
    Interaction::Update(..) => "Update",
    Interaction::ConditionalUpdate(..) => "ConditionalUpdate",
    Interaction::Patch(..) => "Patch",
    Interaction::ConditionalPatch(..) => "ConditionalPatch",
    Interaction::Delete(..) => "Delete",
    Interaction::ConditionalDelete(_) => "ConditionalDelete",
    Interaction::Bundle => "Bundle",
    Interaction::Operate(Operation::BreakGlass(_)) => "$break-glass",
    Interaction::Operate(Operation::EndBreakGlass(_)) => "$end-break-glass",
    Interaction::Operate(Operation::BreakGlassNotices(..)) => "$break-glass-notices",
    Interaction::Operate(Operation::AcknowledgeNotice(_)) => "$acknowledge-notice",
    Interaction::Operate(Operation::ExplainAccess(..)) => "$explain-access",
    Interaction::Operate(Operation::Match) => "$match",
    Interaction::Operate(Operation::ProcessMessage) => "$process-message",
    Interaction::Operate(Operation::Accounting(..)) => "$accounting-of-disclosures",
    Interaction::Operate(Operation::AccessLog(..)) => "$access-log",
    Interaction::Operate(Operation::RecordDisclosure) => "$recordDisclosure",
    Interaction::Operate(Operation::FileConsent) => "$fileConsent",
    Interaction::Operate(Operation::RevokeConsent) => "$revokeConsent",
    Interaction::Operate(Operation::LastN(_)) => "$lastn",
    Interaction::Operate(Operation::IndexStatus) => "$index-status",
}

fn route(method: &str, path: &str) -> Option<&'static str> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let request = Request {
        method: Method::parse(method).unwrap(),
        path: path.to_owned(),
        query: query.to_owned(),
        form: (path.ends_with("_search")).then(String::new),
        headers: Headers::default(),
    };
    let options = RouteOptions {
        base: "https://localhost:8443/fhir",
        now: Instant(0),
        max_count: 10,
        known: &amanat::fhir::search::STANDARD,
    };
    interaction(&request, &options).ok().as_ref().map(variant)
}

/// The shape of a path, and whether a query belongs to it.
fn shape(path: &str) -> String {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let segments = path.split('/').map(|segment| match segment {
        "Observation" | "Patient" => "{type}",
        "o1" | "p1" | "v1" => "{id}",
        "1" => "{version}",
        other => other,
    });
    let page = if query.starts_with("_page") { "?page" } else { "" };
    format!("{}{page}", segments.collect::<Vec<_>>().join("/"))
}

#[test]
fn every_interaction_has_a_door_that_refuses() {
    let operations = OPERATIONS.iter().map(|(method, path, _)| (*method, *path));
    let doors = DOORS.iter().map(|door| (door.method, door.path)).chain(operations);
    let reached: BTreeSet<&str> = doors.filter_map(|(method, path)| route(method, path)).collect();
    let all: BTreeSet<&str> = VARIANTS.iter().copied().collect();
    assert_eq!(reached, all);
}

#[test]
fn every_route_has_a_door_that_refuses() {
    let operations = OPERATIONS.iter().map(|(method, path, _)| (*method, shape(path)));
    let doors: BTreeSet<(&str, String)> = DOORS.iter().map(|door| (door.method, shape(door.path))).chain(operations).collect();
    let paths = [
        "",
        "?_id=o1",
        "?_page=x",
        "metadata",
        "_history",
        "_search",
        "Observation",
        "Observation?_id=o1",
        "Observation/_search",
        "Observation/_history",
        "Observation/o1",
        "Observation/o1/_history",
        "Observation/o1/_history/1",
        "Observation/o1/_search",
        "Patient/p1/Observation",
        "Patient/p1/*",
        "Patient/p1/Observation/_search",
        "Patient/p1/Observation/o1",
        "metadata/x",
        "$everything",
        "$break-glass",
        "Patient/$break-glass",
        "Patient/p1/$break-glass",
        "Patient/p1/$end-break-glass",
        "Patient/p1/$explain-access",
        "Patient/$match",
        "$process-message",
        "Patient/p1/$accounting-of-disclosures",
        "Patient/p1/$access-log",
        "AuditEvent/$recordDisclosure",
        "Consent/$fileConsent",
        "Consent/$revokeConsent",
        "Observation/$lastn",
        "SearchParameter/$index-status",
    ];
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
        for path in paths {
            let Some(name) = route(method, path) else { continue };
            let known = doors.contains(&(method, shape(path).replace("{type}/{id}/*", "{type}/{id}/{type}")));
            assert!(known, "{method} {path} is {name}, and no door of the tests leads there");
        }
    }
}

/// Codes that no request of a test can bring about, and why.
const UNREACHED: &[(&str, &str)] = &[
    ("AMANAT-INT-0001", "a defect, by definition"),
    ("AMANAT-REC-0006", "needs a change between decision and commit, five times in a row; the store's own tests make it"),
];

#[test]
fn every_code_of_the_table_of_refusals_is_met_by_a_test() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = std::fs::read_to_string(folder.join("src/fhir/refusal/table.rs")).unwrap();
    let codes: BTreeSet<&str> = table.split('"').filter(|text| text.starts_with("AMANAT-")).collect();
    assert!(codes.len() > 20, "the table was not found");
    let mut tests = String::new();
    for place in ["tests/interactions", "tests/promises", "tests/smart", "tests/trail", "tests/upstream"] {
        for file in std::fs::read_dir(folder.join(place)).unwrap().map(|file| file.unwrap().path()) {
            if !file.ends_with("coverage.rs") {
                tests.push_str(&std::fs::read_to_string(file).unwrap());
            }
        }
    }
    for code in codes {
        let excused = UNREACHED.iter().any(|(unreached, _)| *unreached == code);
        assert_ne!(tests.contains(code), excused, "{code}");
    }
}
