use super::{ParseOptions, parse_search};
use crate::fhir::search::{Criterion, DateValue, Modifier, Prefix, ReferenceValue, SearchQuery, SortKey, Total, Value};
use crate::fhir::{CompartmentOwner, Id, Instant, Problem, ResourceType, Summary, pairs};
use ResourceType::{Observation, Patient};
use proptest::prelude::*;

const NOW: Instant = Instant(1_700_000_000_000);

fn read(types: &[ResourceType], query: &str, lenient: bool) -> Result<SearchQuery, Vec<Problem>> {
    let options = ParseOptions { base: "https://own/fhir", now: NOW, lenient, max_count: 500 };
    parse_search(types, None, &pairs(query).unwrap(), &options)
}

fn good(types: &[ResourceType], query: &str) -> SearchQuery {
    read(types, query, false).unwrap_or_else(|problems| panic!("{query}: {problems:?}"))
}

fn problem(types: &[ResourceType], query: &str) -> Problem {
    let mut problems = read(types, query, false).expect_err(query);
    assert_eq!(problems.len(), 1, "{query}: {problems:?}");
    problems.remove(0)
}

fn only_match(query: &SearchQuery) -> (&Modifier, &[Value]) {
    match query.criteria.as_slice() {
        [Criterion::Match { modifier, values, .. }] => (modifier, values),
        other => panic!("{other:?}"),
    }
}

#[test]
fn commas_are_or_and_repetition_is_and() {
    let query = good(&[Observation], r"status=final,amended&date=ge2020&date=lt2021&code=a\,b");
    assert_eq!(query.criteria.len(), 4);
    assert!(matches!(&query.criteria[0], Criterion::Match { values, .. } if values.len() == 2));
    assert!(matches!(&query.criteria[3], Criterion::Match { values, .. } if values.len() == 1));
    assert_eq!(query.applied.len(), 4);
}

#[test]
fn references_are_read_in_every_spelling() {
    let local = Value::Reference(ReferenceValue::Local(Patient, Id::parse("p1").unwrap()));
    for query in ["subject=Patient/p1", "subject:Patient=p1", "subject=https://own/fhir/Patient/p1", "subject:Patient=Patient/p1"]
    {
        assert_eq!(only_match(&good(&[Observation], query)).1, std::slice::from_ref(&local), "{query}");
    }
    let id = Value::Reference(ReferenceValue::Id(Id::parse("p1").unwrap()));
    assert_eq!(only_match(&good(&[Observation], "patient=p1")).1, [id]);
    let url = Value::Reference(ReferenceValue::Url("http://x/Patient/1".into()));
    assert_eq!(only_match(&good(&[Observation], "subject=http://x/Patient/1")).1, [url]);
    problem(&[Observation], "subject:Patient=Group/g");
    assert_eq!(*only_match(&good(&[Observation], "subject:identifier=s|v")).0, Modifier::Identifier);
}

#[test]
fn an_approximate_date_is_wider_the_farther_it_is() {
    let query = good(&[Patient], "birthdate=ap1973-11-14,ap2023-11-14");
    let widths: Vec<i64> = only_match(&query)
        .1
        .iter()
        .map(|value| match value {
            Value::Date(DateValue { prefix: Prefix::Ap, low, high }) => (high.0 - low.0) / 86_400_000,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(widths, [3653, 1]);
}

#[test]
fn chains_branch_into_the_types_that_have_the_parameter() {
    let query = good(&[Observation], "subject.name=x");
    let [Criterion::Chain { targets, .. }] = query.criteria.as_slice() else { panic!("{:?}", query.criteria) };
    let types: Vec<&str> = targets.iter().map(|(target, _)| target.name()).collect();
    assert_eq!(types, ["Location", "Patient"]);
    let query = good(&[Observation], "subject:Patient.organization.name:exact=X");
    let [Criterion::Chain { targets, .. }] = query.criteria.as_slice() else { panic!() };
    assert!(matches!(&targets[0].1, Criterion::Chain { .. }));
    good(&[Observation], "patient._id=a,b");
    good(&[Observation], "patient._has:Encounter:patient:class=IMP");
}

#[test]
fn reverse_chains_nest() {
    let query = good(&[Patient], "_has:Observation:patient:_has:AuditEvent:entity:agent=Practitioner/p");
    let [Criterion::Has { resource_type: Observation, criterion, .. }] = query.criteria.as_slice() else { panic!() };
    assert!(matches!(**criterion, Criterion::Has { resource_type: ResourceType::AuditEvent, .. }));
    problem(&[Patient], "_has:Observation:encounter:code=1");
    problem(&[Patient], "_has:Observation:patient=1");
    problem(&[Patient], "_has:Observation:code:status=final");
}

#[test]
fn the_shape_of_the_result_is_read() {
    let query = good(
        &[Observation],
        "_count=1000&_sort=-date,_id&_total=accurate&_summary=text&_elements=code,subject&_pretty=true&_format=json\
         &_include=Observation:subject:Patient&_include:iterate=Patient:*&_revinclude=Provenance:target",
    );
    assert_eq!(query.shape.count, Some(500));
    assert_eq!(query.shape.total, Total::Accurate);
    assert!(query.shape.sort[0].descending && matches!(query.shape.sort[1].by, SortKey::Id));
    assert_eq!(query.rendering.summary, Some(Summary::Text));
    assert_eq!(query.rendering.elements, ["code", "subject"]);
    assert_eq!(query.shape.includes.len(), 2);
    assert!(query.shape.includes[1].iterate && query.shape.includes[1].parameters.len() == 3);
    assert_eq!(query.shape.reverse_includes.len(), 1);
    assert_eq!(good(&[Patient], "_summary=count&_count=7").shape.count, Some(0));
    assert!(good(&[Patient], "_revinclude=*").shape.reverse_includes.len() > 60);
    assert_eq!(good(&[Patient], "_include=*").shape.includes.len(), 1);
}

#[test]
fn several_types_share_what_each_of_them_defines() {
    assert_eq!(good(&[], "_type=Patient,Observation&_tag=x").types, [Patient, Observation]);
    good(&[], "_type=Patient&name=x");
    let query = good(&[], "_type=Observation,Condition&patient=p1");
    let [Criterion::OfEach(each)] = query.criteria.as_slice() else { panic!("{:?}", query.criteria) };
    assert!(each.iter().map(|(of, _)| *of).eq([Observation, ResourceType::Condition]));
    good(&[], "_type=Observation,Condition&patient.family=x&code:not=y&encounter:missing=true");
    problem(&[], "_type=Observation,Condition,Organization&patient=p1");
    problem(&[], "_type=Observation,Condition&status=final");
    problem(&[], "_type=Observation,Condition&_sort=patient");
    assert!(problem(&[], "_type=Observation,Condition&patiemt=p1").text.contains("Did you mean `patient`?"));
    good(&[], "_lastUpdated=gt2020&_sort=-_lastUpdated");
    problem(&[], "_type=Patient,Observation&name=x");
    problem(&[], "name=x");
    problem(&[], "_type=Patients");
    problem(&[Patient], "_type=Patient");
}

#[test]
fn the_compartment_stays_with_the_query() {
    let owner = CompartmentOwner { resource_type: Patient, id: Id::parse("p1").unwrap() };
    let options = ParseOptions { base: "", now: NOW, lenient: false, max_count: 1 };
    let query = parse_search(&[Observation], Some(owner.clone()), &[], &options).unwrap();
    assert_eq!(query.compartment, Some(owner));
}

#[test]
fn an_unknown_parameter_names_the_nearest_and_all_valid_ones() {
    let problem = problem(&[Patient], "famly=x");
    assert_eq!(problem.issue, "invalid");
    assert!(problem.text.contains("Did you mean `family`?") && problem.text.contains("birthdate"), "{}", problem.text);
}

#[test]
fn lenient_handling_ignores_the_unknown_but_never_what_may_narrow() {
    let query = read(&[Observation], "colour=red&status=final", true).unwrap();
    assert_eq!(query.ignored, ["colour"]);
    assert_eq!(query.applied.len(), 1);
    for name in ["patint", "Patient", "subjct", "_securty", "_tags", "_ids", "patient.nosuch", "_has:Nosuch:a:b", "_profil"] {
        assert!(read(&[Observation], &format!("{name}=x"), true).is_err(), "{name}");
    }
    assert!(read(&[Observation], "status:nosuch=final", true).is_err());
    assert!(read(&[Observation], "_text=x", true).is_err());
}

#[test]
fn what_is_not_supported_is_said_to_be() {
    for query in [
        "code:in=http://vs",
        "code:not-in=x",
        "code:of-type=a|b|c",
        "code:above=x",
        "_text=x",
        "_content=x",
        "_filter=x",
        "_query=x",
        "_list=1",
        "_contained=true",
        "_format=xml",
    ] {
        assert_eq!(problem(&[Observation], query).issue, "not-supported", "{query}");
    }
    assert_eq!(problem(&[ResourceType::Location], "near=1|2").issue, "not-supported");
}

#[test]
fn wrong_values_and_modifiers_are_problems_each() {
    for query in [
        "code=",
        "code=%20",
        "code=a,,b",
        "code:exact=x",
        "date:contains=2020",
        "date=yesterday",
        "date=xx2020",
        "code=a|b|c",
        "code=|",
        "value-quantity=5|mg",
        "value-quantity=x",
        "code-value-quantity=a",
        "code-value-quantity=a$",
        "status:missing=maybe",
        "_id=a/b",
        "_id:exact=a",
        "_count=-1",
        "_count=x",
        "_sort=nosuch",
        "_sort=code-value-quantity",
        "_sort=date:asc",
        "_total=some",
        "_summary=some",
        "_elements=a.b",
        "_pretty=1",
        "_include=Observation",
        "_include=Observation:nosuch",
        "_include=Patient:link",
        "_include=Observation:subject:Medication",
        "_include:recurse=Observation:subject",
        "_revinclude=x:y:z:w",
        "status.name=x",
        "subject:Medication.name=x",
        "subject:exact=x",
        "_count:x=1",
        "_sort=date&_sort=code",
        "subject=%23contained",
        "=x",
    ] {
        problem(&[Observation], query);
    }
    assert_eq!(read(&[Observation], "date=x&nosuch=1&_count=x", false).unwrap_err().len(), 3);
}

#[test]
fn a_query_cannot_multiply_without_bound() {
    let chain = ["focus"; 5].join(".") + ".focus._id=1";
    let problems = read(&[Observation], &chain, false).unwrap_err();
    assert!(problems.iter().any(|problem| problem.issue == "too-costly"), "{problems:?}");
    let many = format!("code={}", vec!["a"; 5000].join(","));
    assert_eq!(problem(&[Observation], &many).issue, "too-costly");
}

proptest! {
    #[test]
    fn no_query_makes_the_parser_panic(
        name in "(code|date|value-quantity|subject|patient|_has|_id|_sort|_include|code-value-quantity|url|_type)?[:.a-zA-Z_-]{0,12}(:missing|:exact|:not)?",
        value in "\\PC{0,24}",
    ) {
        let options = ParseOptions { base: "https://own/fhir", now: NOW, lenient: true, max_count: 10 };
        for types in [&[Observation][..], &[], &[Patient, Observation]] {
            drop(parse_search(types, None, &[(name.clone(), value.clone())], &options));
        }
    }

    #[test]
    fn values_of_the_alphabet_of_search_never_panic(value in "[a-z0-9|,$\\\\:./#eE+-]{0,30}", at in 0usize..60) {
        let parameters: Vec<_> = crate::fhir::definitions::search_parameters(Observation).collect();
        let code = parameters[at % parameters.len()].code.clone();
        let options = ParseOptions { base: "https://own/fhir", now: NOW, lenient: false, max_count: 10 };
        drop(parse_search(&[Observation], None, &[(code, value)], &options));
    }
}
