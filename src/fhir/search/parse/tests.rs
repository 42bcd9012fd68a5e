use super::{ParseOptions, parse_search};
use crate::fhir::search::{Criterion, DateValue, Modifier, Prefix, ReferenceValue, SearchQuery, SortKey, Total, Value};
use crate::fhir::{CompartmentOwner, Id, Instant, Problem, ResourceType, Summary, pairs};
use ResourceType::{Observation, Patient};
use proptest::prelude::*;

const NOW: Instant = Instant(1_700_000_000_000);

fn read(types: &[ResourceType], query: &str, lenient: bool) -> Result<SearchQuery, Vec<Problem>> {
    let options =
        ParseOptions { base: "https://own/fhir", now: NOW, lenient, max_count: 500, known: &crate::fhir::search::STANDARD };
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
        "_count=1000&_sort=-date,_id&_total=accurate&_summary=data&_elements=code,subject&_pretty=true&_format=json\
         &_include=Observation:subject:Patient&_include:iterate=Patient:*&_revinclude=Provenance:target",
    );
    assert_eq!(query.shape.count, Some(500));
    assert_eq!(query.shape.total, Total::Accurate);
    assert!(query.shape.sort[0].descending && matches!(query.shape.sort[1].by, SortKey::Id));
    assert_eq!(query.rendering.summary, Some(Summary::Data));
    assert_eq!(query.rendering.elements, ["code", "subject"]);
    assert_eq!(query.shape.includes.len(), 2);
    assert!(query.shape.includes[1].iterate && query.shape.includes[1].parameters.len() == 3);
    assert_eq!(query.shape.reverse_includes.len(), 1);
    assert_eq!(good(&[Patient], "_sort=family,-given&_sort=birthdate").shape.sort.len(), 3);
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
    let options = ParseOptions { base: "", now: NOW, lenient: false, max_count: 1, known: &crate::fhir::search::STANDARD };
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
    for name in ["_txt", "_contnt", "_fliter", "_lists"] {
        assert!(read(&[Observation], &format!("{name}=x"), true).is_err(), "{name}");
    }
}

#[test]
fn what_is_not_supported_is_said_to_be() {
    for query in [
        "_query=current",
        "_list=$current-problems",
        "_contained=true&_has:Provenance:target:_id=1",
        "_contained=true&_text=x",
        "_contained=true&_containedType=contained&patient.name=x",
        "_contained=true&_containedType=contained&code:in=http://vs",
        "_format=xml",
    ] {
        assert_eq!(problem(&[Observation], query).issue, "not-supported", "{query}");
    }
}

#[test]
fn every_modifier_of_r4_is_read() {
    for query in [
        "code:in=http://vs",
        "code:in=http://vs|2",
        "code:not-in=ValueSet/v1",
        "code:above=http://s|c",
        "code:below=http://s|c,http://s|d",
        "code:text=x",
        "code:code-text=x",
        "code:not=x",
        "code:missing=true",
        "identifier:of-type=http://t|MR|123",
        "subject:text=x",
        "subject:Patient=p1",
        "subject:identifier=s|v",
        "subject:below=Patient/p1",
        "instantiates-canonical:below=http://x|1",
        "_profile:below=http://x",
        "_id:missing=false",
        "_lastUpdated:missing=true",
        "_text=fever OR chills",
        "_content=\"chest pain\"",
        "_list=l1,l2",
        "subject.id=p1",
        "_contained=both",
        "_contained=true&_containedType=contained&code=x",
    ] {
        let types = if query.starts_with("instantiates") { &[ResourceType::CarePlan] } else { &[Observation] };
        good(types, query);
    }
    for query in ["near=24.86|67.00", "near=24.86|67|5", "near=-24.86|67|5|km", "near=1|2|3|[mi_i],4|5||m", "near:missing=true"] {
        good(&[ResourceType::Location], query);
    }
    for query in ["near=1", "near=91|0", "near=a|b", "near=1|2|3|parsec", "near=1|2|-3", "near:exact=1|2"] {
        problem(&[ResourceType::Location], query);
    }
    for query in [
        "code:in=x",
        "code:of-type=a|b",
        "code:above=x",
        "subject:below=p1",
        "_text=(",
        "_text:exact=x",
        "_list:exact=l1",
        "_contained=maybe",
        "_contained=true&_containedType=both",
        "_contained=true&_contained=both",
        "_contained=true&_sort=date",
    ] {
        problem(&[Observation], query);
    }
    problem(&[], "_contained=true&_lastUpdated=gt2020");
}

#[test]
fn filters_are_read_as_their_grammar_says() {
    for filter in [
        "status eq final",
        r#"code eq http://loinc.org|1234-5 and subject.name co "pete""#,
        "subject:Patient.name co pete or not (date ge 2014-10-10)",
        "(status eq final or status eq amended) and (date ap 2020 and date po 2021)",
        r#"performer[name sw "A" and active eq true].family ew "z""#,
        "patient re Patient/4 and code in http://vs and category ni ValueSet/v1",
        "code ss http://s|a and code sb http://s|b",
        "value-quantity gt 5.4|http://unitsofmeasure.org|g",
        "code-value-quantity eq code$5",
        "date pr false and _id ne o1 and _lastUpdated gt 2020",
        "_has:Provenance:target:recorded gt 2020",
        "has-member.subject.organization.name eq x",
        r#"code eq "with ) and ] and \"quotes\"""#,
        "id eq o1",
    ] {
        good(&[Observation], &format!("_filter={}", crate::fhir::encode(filter)));
    }
    for filter in [
        "status",
        "status eq",
        "status is final",
        "status gt final",
        "date co 2020",
        "status eq final and",
        "(status eq final",
        "status eq final)",
        "not status eq final",
        "nosuch eq 1",
        "status.name eq x",
        "subject[name eq x] eq y",
        "subject[name eq x.name eq y",
        "value-quantity po 5",
        "_text eq x",
        r#"code eq "open"#,
        "date pr maybe",
        "date eq yesterday",
        "code in x",
    ] {
        problem(&[Observation], &format!("_filter={}", crate::fhir::encode(filter)));
    }
    let deep = format!("{}status eq final{}", "(".repeat(40), ")".repeat(40));
    problem(&[Observation], &format!("_filter={}", crate::fhir::encode(&deep)));
    good(&[Observation, Patient], "_filter=_id eq x");
}

#[test]
fn what_has_no_value_says_nothing() {
    for query in
        ["code=", "code=%20", "code:in=", "nosuch=", "_filter=", "_sort=", "_summary=&_count=", "_type=", "subject.name="]
    {
        let found = good(&[Observation], query);
        assert!(found.criteria.is_empty() && found.applied.is_empty() && found.ignored.is_empty(), "{query}");
    }
    let found = good(&[Observation], "status=final&code=");
    assert_eq!((found.criteria.len(), found.applied.len()), (1, 1));
}

#[test]
fn media_types_have_parameters_below_them() {
    let document = &[ResourceType::DocumentReference];
    for query in
        ["contenttype:below=text/xml", "contenttype:below=text/xml,application/fhir%2bjson", "contenttype:below=text/xml; x=y"]
    {
        let found = good(document, query);
        assert!(matches!(found.criteria.as_slice(), [Criterion::Any(each)] if each.len() == query.split(',').count()), "{query}");
    }
    for query in
        ["contenttype:below=text", "contenttype:below=http://a/b", "contenttype:above=text/xml", "contenttype:below=a/b/c"]
    {
        problem(document, query);
    }
}

#[test]
fn a_canonical_with_a_version_names_both() {
    let sets = &[ResourceType::ValueSet];
    let found = good(sets, "url=http://x|1.0,http://y");
    let [Criterion::Any(each)] = found.criteria.as_slice() else { panic!("{:?}", found.criteria) };
    assert!(matches!(each.as_slice(), [Criterion::All(both), Criterion::Match { .. }] if both.len() == 2));
    assert!(matches!(good(sets, "url=http://x").criteria.as_slice(), [Criterion::Match { .. }]));
}

#[test]
fn texts_and_includes_exclude_each_other() {
    let query = "_summary=text&_include=Observation:subject&_revinclude=Provenance:target";
    problem(&[Observation], query);
    let found = read(&[Observation], query, true).unwrap();
    assert!(found.shape.includes.is_empty() && found.shape.reverse_includes.is_empty());
    assert_eq!((found.ignored.len(), found.applied.len()), (2, 1));
}

#[test]
fn wrong_values_and_modifiers_are_problems_each() {
    for query in [
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
        "subject=%23contained",
        "=x",
    ] {
        problem(&[Observation], query);
    }
    assert_eq!(read(&[Observation], "date=x&nosuch=1&_count=x", false).unwrap_err().len(), 3);
}

#[test]
fn a_query_cannot_multiply_without_bound() {
    let chain = ["focus"; 12].join(".") + ".focus._id=1";
    let problems = read(&[Observation], &chain, false).unwrap_err();
    assert!(problems.iter().any(|problem| problem.issue == "too-costly"), "{problems:?}");
    let many = format!("code={}", vec!["a"; 5000].join(","));
    assert_eq!(problem(&[Observation], &many).issue, "too-costly");
}

proptest! {
    #[test]
    fn no_query_makes_the_parser_panic(
        name in "(code|date|value-quantity|subject|patient|_has|_id|_sort|_include|code-value-quantity|url|_type|_filter|_text|near|_list|_contained)?[:.a-zA-Z_-]{0,12}(:missing|:exact|:not)?",
        value in "\\PC{0,24}",
    ) {
        let options = ParseOptions { base: "https://own/fhir", now: NOW, lenient: true, max_count: 10, known: &crate::fhir::search::STANDARD };
        for types in [&[Observation][..], &[], &[Patient, Observation]] {
            drop(parse_search(types, None, &[(name.clone(), value.clone())], &options));
        }
    }

    #[test]
    fn no_filter_makes_the_parser_panic(filter in "([a-z_.:]{1,9}|[(\\[\\])]|eq|co|pr|and|or|not|\"[^\"]{0,4}\"?|[0-9-]{1,10}| ){0,14}") {
        let options = ParseOptions { base: "", now: NOW, lenient: false, max_count: 10, known: &crate::fhir::search::STANDARD };
        drop(parse_search(&[Observation], None, &[("_filter".to_owned(), filter)], &options));
    }

    #[test]
    fn values_of_the_alphabet_of_search_never_panic(value in "[a-z0-9|,$\\\\:./#eE+-]{0,30}", at in 0usize..60) {
        let parameters: Vec<_> = crate::fhir::definitions::search_parameters(Observation).collect();
        let code = parameters[at % parameters.len()].code.clone();
        let options = ParseOptions { base: "https://own/fhir", now: NOW, lenient: false, max_count: 10, known: &crate::fhir::search::STANDARD };
        drop(parse_search(&[Observation], None, &[(code, value)], &options));
    }
}
