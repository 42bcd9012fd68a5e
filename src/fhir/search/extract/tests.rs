use super::extract;
use crate::fhir::definitions::{Values, definitions, search_parameter};
use crate::fhir::json::Document;
use crate::fhir::search::element_type::ElementType;
use crate::fhir::search::expression::Step;
use crate::fhir::search::{IndexEntry, IndexValue, ParameterId, ParameterType};
use crate::fhir::{Instant, ResourceType};

const BASE: &str = "https://own/fhir";

fn entries(resource_type: ResourceType, json: &str) -> Vec<IndexEntry> {
    extract(&Document::parse(json.as_bytes()).unwrap(), resource_type, BASE, &crate::fhir::search::STANDARD)
}

fn id(resource_type: ResourceType, code: &str) -> ParameterId {
    search_parameter(resource_type, code).unwrap().id
}

fn at(entries: &[IndexEntry], rows: ParameterId) -> Vec<IndexValue> {
    entries.iter().filter(|entry| entry.parameter == rows).map(|entry| entry.value.clone()).collect()
}

fn token(system: &str, code: &str) -> IndexValue {
    IndexValue::Token { system: system.to_owned(), code: code.to_owned() }
}

fn reference(resource_type: ResourceType, id: &str) -> IndexValue {
    IndexValue::Reference { resource_type, id: id.to_owned() }
}

#[test]
fn a_choice_element_is_read_by_the_type_in_its_name() {
    use ResourceType::Observation;
    let found = entries(
        Observation,
        r#"{"resourceType":"Observation","status":"final","subject":{"reference":"https://own/fhir/Patient/p1/_history/2"},
            "code":{"coding":[{"system":"http://loinc.org","code":"8302-2","display":"Body Height"}],"text":"Height"},
            "effectivePeriod":{"start":"2020-01-01"},
            "valueQuantity":{"value":1.50,"unit":"metre","system":"http://unitsofmeasure.org","code":"m"}}"#,
    );
    assert_eq!(at(&found, id(Observation, "subject")), [reference(ResourceType::Patient, "p1")]);
    assert_eq!(at(&found, id(Observation, "patient")), [reference(ResourceType::Patient, "p1")]);
    assert_eq!(at(&found, id(Observation, "code")), [token("http://loinc.org", "8302-2")]);
    assert_eq!(at(&found, id(Observation, "code").text()).len(), 2);
    let low = Instant::parse("2020-01-01T00:00:00Z").unwrap();
    assert_eq!(at(&found, id(Observation, "date")), [IndexValue::Date { low, high: Instant(i64::MAX) }]);
    let quantity =
        |system: &str, unit: &str| IndexValue::Quantity { low: 1.5, high: 1.5, system: system.into(), unit: unit.into() };
    let expected = [quantity("", "metre"), quantity("http://unitsofmeasure.org", "m")];
    assert_eq!(at(&found, id(Observation, "value-quantity")), expected);
    assert!(at(&found, id(Observation, "value-date")).is_empty());
}

#[test]
fn of_a_timing_the_outer_limits_matter() {
    use ResourceType::Observation;
    let of = |timing: &str| {
        let text = format!(r#"{{"resourceType":"Observation","effectiveTiming":{timing}}}"#);
        at(&entries(Observation, &text), id(Observation, "date"))
    };
    let moment = |text: &str| Instant::parse(&format!("{text}T00:00:00Z")).unwrap();
    let date = |low: &str, high: &str| IndexValue::Date { low: moment(low), high: moment(high) };
    assert_eq!(of(r#"{"event":["2013-03-24","2013-01-31"]}"#), [date("2013-01-31", "2013-03-25")]);
    assert_eq!(of(r#"{"repeat":{"boundsPeriod":{"start":"2013-01","end":"2013-03-24"}}}"#), [date("2013-01-01", "2013-03-25")]);
    let both = of(r#"{"event":["2013-02-01"],"repeat":{"boundsPeriod":{"start":"2013-03-01"}}}"#);
    assert_eq!(both, [IndexValue::Date { low: moment("2013-02-01"), high: Instant(i64::MAX) }]);
    assert!(of(r#"{"repeat":{"boundsDuration":{"value":3,"code":"d"}}}"#).is_empty());
}

#[test]
fn texts_that_are_tokens_are_found_in_any_case() {
    let sets = entries(ResourceType::ValueSet, r#"{"resourceType":"ValueSet","version":"1.0-Draft"}"#);
    assert_eq!(at(&sets, id(ResourceType::ValueSet, "version")), [token("", "1.0-Draft"), token("", "1.0-draft")]);
    assert!(search_parameter(ResourceType::ValueSet, "version").unwrap().ignores_case);
    assert!(!search_parameter(ResourceType::ValueSet, "status").unwrap().ignores_case);
    assert!(!search_parameter(ResourceType::Patient, "identifier").unwrap().ignores_case);
}

#[test]
fn components_of_one_element_share_a_group() {
    use ResourceType::Observation;
    let found = entries(
        Observation,
        r#"{"resourceType":"Observation","code":{"coding":[{"code":"bp"}]},"component":[
            {"code":{"coding":[{"code":"sys"}]},"valueQuantity":{"value":120,"code":"mm[Hg]"}},
            {"code":{"coding":[{"code":"dia"}]},"valueQuantity":{"value":80,"code":"mm[Hg]"}}]}"#,
    );
    let rows = id(Observation, "combo-code-value-quantity");
    let groups = |rows: ParameterId| -> Vec<i32> { found.iter().filter(|e| e.parameter == rows).map(|e| e.group).collect() };
    assert_eq!(groups(rows.component(0)), [1, 2, 3]);
    assert_eq!(groups(rows.component(1)), [2, 3]);
    assert!(groups(rows).is_empty());
}

#[test]
fn presence_and_choice_of_deceased() {
    use ResourceType::Patient;
    let deceased = |json: &str| at(&entries(Patient, json), id(Patient, "deceased"));
    assert_eq!(deceased(r#"{"resourceType":"Patient"}"#), [token("", "false")]);
    assert_eq!(deceased(r#"{"resourceType":"Patient","deceasedBoolean":false}"#), [token("", "false")]);
    assert_eq!(deceased(r#"{"resourceType":"Patient","deceasedDateTime":"2020"}"#), [token("", "true")]);
}

#[test]
fn conditions_in_expressions_select() {
    use ResourceType::Patient;
    let found = entries(
        Patient,
        r##"{"resourceType":"Patient","telecom":[{"system":"phone","value":"555"},{"system":"email","value":"a@b"}],
            "name":[{"family":"Müller","given":["Eva","Eva"]}],"link":[{"other":{"reference":"#x"}}],
            "managingOrganization":{"identifier":{"system":"urn:o","value":"7"},"display":"Clinic"}}"##,
    );
    assert_eq!(at(&found, id(Patient, "phone")), [token("phone", "555")]);
    assert_eq!(at(&found, id(Patient, "telecom")).len(), 2);
    let given = IndexValue::Text { folded: "eva".into(), exact: "Eva".into() };
    assert_eq!(at(&found, id(Patient, "given")), [given]);
    assert_eq!(at(&found, id(Patient, "name")).len(), 2);
    assert!(at(&found, id(Patient, "link")).is_empty());
    assert_eq!(at(&found, id(Patient, "organization").identifier()), [token("urn:o", "7")]);
    assert_eq!(at(&found, id(Patient, "organization").text()).len(), 1);
}

#[test]
fn extensions_canonicals_inline_resources_and_paths_behind_a_cast() {
    let device = entries(
        ResourceType::Device,
        r#"{"resourceType":"Device","extension":[{"url":"http://hl7.org/fhir/SearchParameter/device-extensions-Device-din",
            "valueIdentifier":{"system":"s","value":"v"}}]}"#,
    );
    assert_eq!(at(&device, id(ResourceType::Device, "din")), [token("s", "v")]);
    let plan = entries(ResourceType::CarePlan, r#"{"resourceType":"CarePlan","instantiatesCanonical":["http://x/p|1"]}"#);
    let uris = [IndexValue::Uri("http://x/p|1".into()), IndexValue::Uri("http://x/p".into())];
    assert_eq!(at(&plan, id(ResourceType::CarePlan, "instantiates-canonical")), uris);
    let bundle = r#"{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Composition","id":"c"}},{"resource":{"resourceType":"Composition","id":"d"}}]}"#;
    let bundle = entries(ResourceType::Bundle, bundle);
    assert_eq!(at(&bundle, id(ResourceType::Bundle, "composition")), [reference(ResourceType::Composition, "c")]);
    assert!(at(&bundle, id(ResourceType::Bundle, "message")).is_empty());
    let observation = r#"{"resourceType":"Observation","valueCodeableConcept":{"text":"Positive"}}"#;
    let observation = entries(ResourceType::Observation, observation);
    assert_eq!(at(&observation, id(ResourceType::Observation, "value-string")).len(), 1);
}

#[test]
fn hostile_shapes_make_no_entries_and_no_panic() {
    for json in
        ["[]", "null", r#"{"code":[[]],"subject":{"reference":7},"effectiveDateTime":{"a":1},"valueQuantity":{"value":"x"}}"#]
    {
        let mut found = entries(ResourceType::Observation, json);
        found.retain(|entry| !matches!(entry.value, IndexValue::Words(_)));
        assert!(found.is_empty(), "{found:?}");
    }
}

#[test]
fn every_parameter_reaches_elements_that_its_type_can_hold() {
    for definition in ResourceType::ALL.iter().flat_map(|one| definitions(*one)) {
        let Values::Of(program) = &definition.values else { continue };
        let parameter = &definition.parameter;
        let kinds: Vec<ElementType> = program.branches.iter().flat_map(|branch| leaves(&branch.steps)).collect();
        let held = kinds.iter().any(|kind| holds(parameter.parameter_type, *kind));
        assert!(held, "{}.{}: {kinds:?}", parameter.resource_type, parameter.code);
    }
}

/// The types that the last step of a branch may reach.
fn leaves(steps: &[Step]) -> Vec<ElementType> {
    match steps.split_last() {
        Some((Step::Member(_, kind), _)) => vec![*kind],
        Some((Step::Choice(kinds), _)) => kinds.iter().map(|(_, kind)| *kind).collect(),
        Some((Step::Extension(_), _)) => vec![ElementType::Coding, ElementType::String, ElementType::Reference],
        Some((_, before)) => leaves(before),
        None => Vec::new(),
    }
}

fn holds(parameter_type: ParameterType, kind: ElementType) -> bool {
    use ElementType as E;
    match parameter_type {
        ParameterType::Token => {
            matches!(
                kind,
                E::CodeableConcept | E::Coding | E::Identifier | E::ContactPoint | E::Boolean | E::Code | E::String | E::Uri
            )
        }
        ParameterType::String => matches!(kind, E::String | E::HumanName | E::Address | E::CodeableConcept),
        ParameterType::Reference => matches!(kind, E::Reference | E::Canonical | E::Resource | E::Uri),
        ParameterType::Date => matches!(kind, E::Date | E::Period | E::Timing),
        ParameterType::Number => matches!(kind, E::Number | E::Range),
        ParameterType::Quantity => matches!(kind, E::Quantity | E::Range | E::Money | E::SampledData),
        ParameterType::Uri => matches!(kind, E::Uri | E::Canonical),
        ParameterType::Composite | ParameterType::Special => false,
    }
}

#[test]
fn an_observation_is_extracted_in_little_time() {
    let json = r#"{"resourceType":"Observation","id":"o1","meta":{"versionId":"1","lastUpdated":"2020-01-01T00:00:00Z","profile":["http://hl7.org/fhir/us/core/StructureDefinition/us-core-observation-lab"]},"status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"laboratory","display":"laboratory"}]}],"code":{"coding":[{"system":"http://loinc.org","code":"20565-8","display":"Carbon Dioxide"}],"text":"Carbon Dioxide"},"subject":{"reference":"Patient/p"},"encounter":{"reference":"Encounter/e"},"effectiveDateTime":"2011-07-28T11:02:18+00:00","issued":"2011-07-28T11:02:18.594+00:00","valueQuantity":{"value":28.11,"unit":"mmol/L","system":"http://unitsofmeasure.org","code":"mmol/L"}}"#;
    let document = Document::parse(json.as_bytes()).unwrap();
    let count = extract(&document, ResourceType::Observation, BASE, &crate::fhir::search::STANDARD).len();
    let begin = std::time::Instant::now();
    for _ in 0..1000 {
        assert_eq!(extract(&document, ResourceType::Observation, BASE, &crate::fhir::search::STANDARD).len(), count);
    }
    let each = begin.elapsed() / 1000;
    println!("{count} entries in {each:?}");
    assert!(each < std::time::Duration::from_millis(2), "{each:?}");
}
