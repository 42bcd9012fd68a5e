//! The SQL against `fhir::search::holds`, on random records and criteria.

use super::*;
use crate::fhir::definitions::search_parameter;
use crate::fhir::search::{
    CONTAINED, Circle, DateValue, ELEMENTS, Globe, NumberValue, Prefix, QuantityValue, Words, holds, words_of,
};
use crate::fhir::terms::Codes;
use proptest::prelude::*;
use proptest::sample::select;

const CODES: [&str; 3] = ["a", "b", "A"];
const SYSTEMS: [&str; 3] = ["", "http://s", "http://t"];
const TEXTS: [&str; 6] = ["Smith", "Smithers", "van Smith", "mit", "ann", "Ann"];
const URIS: [&str; 10] = [
    "http://x|1",
    "http://x|1.2",
    "http://x|1.2.3",
    "http://x|10",
    "http://x/a",
    "http://x/a/b",
    "http://x/ab",
    "http://x/",
    "http://x",
    "urn:x",
];
const PATIENTS: [&str; 3] = ["p1", "p2", "p3"];

fn all_prefixes() -> impl Strategy<Value = Prefix> {
    use Prefix::{Ap, Eb, Eq, Ge, Gt, Le, Lt, Ne, Sa};
    select(vec![Eq, Ne, Gt, Lt, Ge, Le, Sa, Eb, Ap])
}

fn some_entry() -> impl Strategy<Value = IndexEntry> {
    let p = parameters();
    let number = (0..6_i32, 0..3_i32).prop_map(|(low, wide)| (f64::from(low), f64::from(low + wide)));
    let tokens =
        (select(vec![p.code.id, p.category.id, p.code.id.typed(), p.patient.id.identifier()]), select(&SYSTEMS), select(&CODES));
    let plain = prop_oneof![
        tokens.prop_map(|(parameter, system, code)| (parameter, token(system, code))),
        (select(vec![p.note.id, p.code.id.text()]), select(&TEXTS)).prop_map(|(parameter, one)| (parameter, text(one))),
        (select(vec!["Patient", "Group"]), select(&PATIENTS))
            .prop_map(|(of, to)| (parameters().patient.id, reference(&format!("{of}/{to}")))),
        (select(vec![p.profile.id, p.patient.id]), select(&URIS))
            .prop_map(|(parameter, uri)| (parameter, IndexValue::Uri(uri.into()))),
        (0..6_i64, 1..4_i64).prop_map(|(low, wide)| {
            (parameters().date.id, IndexValue::Date { low: Instant(low), high: Instant(low + wide) })
        }),
        Just((p.date.id, IndexValue::Date { low: Instant(3), high: Instant(i64::MAX) })),
        number.clone().prop_map(|(low, high)| (parameters().probability.id, IndexValue::Number { low, high })),
        Just((p.probability.id, IndexValue::Number { low: f64::NEG_INFINITY, high: 2.0 })),
        (number, select(&SYSTEMS), select(vec!["mg", "g"])).prop_map(|((low, high), system, unit)| {
            (parameters().value.id, IndexValue::Quantity { low, high, system: system.into(), unit: unit.into() })
        }),
    ];
    let plain = plain.prop_map(|(parameter, value)| IndexEntry { parameter, group: 0, value });
    let component = (0..2_i32, 0..2_i32, select(&CODES), 0..6_i32).prop_map(|(group, which, code, number)| {
        let number = f64::from(number);
        let value = match which {
            0 => token("", code),
            _ => IndexValue::Quantity { low: number, high: number, system: String::new(), unit: "mg".into() },
        };
        IndexEntry { parameter: parameters().code_value.id.component(which), group, value }
    });
    prop_oneof![4 => plain, 1 => component]
}

/// Entries of which a record has one of a kind: words, a place.
fn some_words() -> impl Strategy<Value = Vec<IndexEntry>> {
    let said = proptest::option::of(select(&SAID)).prop_map(|said| said.map(words_of));
    let at = proptest::option::of((select(vec![0.0, 10.0, 20.0, 89.5]), select(vec![0.0, 5.0, 179.5])));
    (said.clone(), said, at).prop_map(|(narrative, content, at)| {
        let mut entries = Vec::new();
        for (code, words) in [("_text", narrative), ("_content", content)] {
            entries.extend(words.map(|words| IndexEntry { parameter: special(code), group: 0, value: IndexValue::Words(words) }));
        }
        if let Some(Globe { x, y, z }) = at.and_then(|(latitude, longitude)| Globe::new(latitude, longitude)) {
            for (n, value) in (0..).zip([x, y, z]) {
                let value = IndexValue::Number { low: value, high: value };
                entries.push(IndexEntry { parameter: parameters().near.id.component(n), group: 1, value });
            }
        }
        entries
    })
}

fn special(code: &str) -> ParameterId {
    search_parameter(ResourceType::Observation, code).unwrap().id
}

const SAID: [&str; 4] = ["Fever and chills", "chills, no fever", "Chest pain since Monday", "pain in the chest"];

/// What a record contains: resources with values of their own.
fn some_contained() -> impl Strategy<Value = Vec<Vec<IndexEntry>>> {
    proptest::collection::vec(proptest::collection::vec(some_entry(), 0..4), 0..3)
}

/// The entries of a record, with those of what it contains.
fn with_contained(mut entries: Vec<IndexEntry>, contained: &[Vec<IndexEntry>]) -> Vec<IndexEntry> {
    for (number, inner) in (1..).zip(contained) {
        let kind = IndexEntry { parameter: CONTAINED, group: number * ELEMENTS, value: token("", "Observation") };
        entries.push(kind);
        entries.extend(inner.iter().cloned().map(|entry| IndexEntry {
            parameter: entry.parameter.inside(),
            group: number * ELEMENTS + entry.group,
            value: entry.value,
        }));
    }
    entries
}

fn some_number() -> impl Strategy<Value = NumberValue> {
    (all_prefixes(), 0..6_i32).prop_map(|(prefix, at)| {
        let exact = f64::from(at);
        NumberValue { prefix, exact, low: exact - 0.5, high: exact + 0.5 }
    })
}

fn some_quantity() -> impl Strategy<Value = Value> {
    let system = proptest::option::of(select(&SYSTEMS)).prop_map(|system| system.map(str::to_owned));
    let unit = proptest::option::of(select(vec!["mg", "g"])).prop_map(|unit| unit.map(str::to_owned));
    (some_number(), system, unit).prop_map(|(number, system, unit)| Value::Quantity(QuantityValue { number, system, unit }))
}

fn some_date() -> impl Strategy<Value = DateValue> {
    (all_prefixes(), 0..6_i64, 1..4_i64).prop_map(|(prefix, low, wide)| DateValue {
        prefix,
        low: Instant(low),
        high: Instant(low + wide),
    })
}

fn some_token() -> impl Strategy<Value = Value> {
    let system = prop_oneof![
        Just(SystemMatch::Any),
        Just(SystemMatch::Absent),
        select(&SYSTEMS[1..]).prop_map(|system| SystemMatch::Is(system.to_owned()))
    ];
    let code = proptest::option::of(select(&CODES)).prop_map(|code| code.map(str::to_owned));
    (system, code).prop_map(|(system, code)| Value::Token(TokenValue { system, code }))
}

fn some_reference() -> impl Strategy<Value = Value> {
    let to = prop_oneof![
        select(&PATIENTS).prop_map(|one| ReferenceValue::Id(id(one))),
        select(&PATIENTS).prop_map(|one| ReferenceValue::Local(ResourceType::Patient, id(one))),
        select(&URIS).prop_map(|uri| ReferenceValue::Url(uri.to_owned())),
    ];
    to.prop_map(Value::Reference)
}

fn several(
    parameter: &'static SearchParameter,
    modifier: Modifier,
    value: impl Strategy<Value = Value> + 'static,
) -> BoxedStrategy<Criterion> {
    let values = proptest::collection::vec(value, 1..3);
    values.prop_map(move |values| Criterion::Match { parameter, modifier: modifier.clone(), values }).boxed()
}

fn some_codes() -> impl Strategy<Value = Value> {
    let listed = proptest::collection::vec((select(&SYSTEMS), select(&CODES)), 0..4).prop_map(|pairs| {
        let mut codes = Codes::default();
        for (system, code) in pairs {
            codes.insert(system, code);
        }
        codes
    });
    let whole = (select(&SYSTEMS), listed.clone()).prop_map(|(system, but)| Codes::whole(system).without(&but));
    let many = select(&SYSTEMS).prop_map(|system| Codes::of(system, (0..200).map(|n| n.to_string()).chain(["a".to_owned()])));
    prop_oneof![listed, whole, many].prop_map(|codes| Value::Codes(Arc::new(codes)))
}

fn some_records() -> impl Strategy<Value = Value> {
    let keys = proptest::collection::btree_set((select(vec!["Patient", "Group"]), select(&PATIENTS)), 0..3);
    keys.prop_map(|keys| Value::Records(Arc::new(keys.into_iter().map(|(of, to)| key(&format!("{of}/{to}"))).collect())))
}

fn some_circle() -> impl Strategy<Value = Circle> {
    let places = (select(vec![0.0, 10.0, 89.0]), select(vec![0.0, 5.0, -179.5]), select(vec![0.0, 6.0e5, 2.0e6]));
    places.prop_map(|(latitude, longitude, radius)| Circle { centre: Globe::new(latitude, longitude).unwrap(), radius })
}

const ASKED: [&str; 8] = [
    "fever",
    "chil*",
    "\"chest pain\"",
    "chest pain",
    "fever NOT \"no fever\"",
    "monday OR fever",
    "(pain OR fever) AND chest",
    "nothing",
];

fn some_more() -> impl Strategy<Value = Criterion> {
    let p = parameters();
    let text = || select(vec!["a", "A", "s", "http", "x", "/a"]).prop_map(|one| Value::Text(one.to_owned()));
    let words = || select(vec!["smith", "ers", "van smith", "ann"]).prop_map(|one| Value::Text(one.to_owned()));
    let versions = || select(vec!["http://x|1", "http://x|1.2", "http://x|1.2.3", "http://x"]);
    let canonical = move || versions().prop_map(|one| Value::Reference(ReferenceValue::Url(one.to_owned())));
    let uris = || select(&URIS).prop_map(|uri| Value::Uri(uri.to_owned()));
    prop_oneof![
        several(&p.code, Modifier::Plain, some_codes()),
        several(&p.category, Modifier::Not, some_codes()),
        several(&p.code, Modifier::Below, some_codes()),
        several(&p.patient, Modifier::Plain, some_records()),
        several(&p.code, Modifier::OfType, some_token()),
        several(&p.code, Modifier::Unequal, some_token()),
        several(&p.patient, Modifier::Unequal, some_reference()),
        several(&p.note, Modifier::Unequal, words()),
        several(&p.profile, Modifier::Unequal, uris()),
        several(&p.note, Modifier::Equal, words()),
        several(&p.note, Modifier::Ends, words()),
        several(&p.code, Modifier::Contains, text()),
        several(&p.code, Modifier::Begins, text()),
        several(&p.profile, Modifier::Ends, text()),
        several(&p.patient, Modifier::Below, canonical()),
        several(&p.patient, Modifier::Above, canonical()),
        (select(vec!["_text", "_content"]), select(&ASKED))
            .prop_map(|(code, asked)| Criterion::Words(special(code), Words::parse(asked).unwrap())),
        proptest::collection::vec(some_circle(), 1..3)
            .prop_map(|circles| Criterion::Near { parameter: &parameters().near, circles }),
        any::<bool>().prop_map(|missing| Criterion::Missing { parameter: &parameters().near, missing }),
    ]
}

fn any_criterion() -> impl Strategy<Value = Criterion> {
    let leaf = prop_oneof![3 => some_criterion(), 3 => some_more()].boxed();
    let inside = proptest::collection::vec(some_criterion(), 1..3)
        .prop_map(|criteria| Criterion::Contained { of: ResourceType::Observation, criteria });
    let branch = leaf.clone().prop_recursive(2, 6, 2, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Criterion::All),
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Criterion::Any),
            inner.prop_map(|one| Criterion::Not(Box::new(one))),
        ]
    });
    prop_oneof![4 => leaf, 2 => branch, 1 => inside]
}

/// Whether a criterion holds, for what is contained as well.
fn decided(criterion: &Criterion, key: &Key, updated: Instant, entries: &[IndexEntry], contained: &[Vec<IndexEntry>]) -> bool {
    let again = |one: &Criterion| decided(one, key, updated, entries, contained);
    match criterion {
        Criterion::All(all) => all.iter().all(again),
        Criterion::Any(any) => any.iter().any(again),
        Criterion::Not(inner) => !again(inner),
        Criterion::Contained { criteria, .. } => contained.iter().any(|inner| {
            let holds = |one: &Criterion| match one {
                // They have neither an id nor a time of their own here.
                Criterion::Id(_) | Criterion::LastUpdated(_) => false,
                one => holds(one, key, updated, inner).unwrap(),
            };
            criteria.iter().all(holds)
        }),
        plain => holds(plain, key, updated, entries).unwrap(),
    }
}

fn some_criterion() -> impl Strategy<Value = Criterion> {
    let p = parameters();
    let words = || select(vec!["smith", "Smith", "mit", "ann", "", "van smith"]).prop_map(|one| Value::Text(one.to_owned()));
    let uris = || select(&URIS).prop_map(|uri| Value::Uri(uri.to_owned()));
    let bare = || select(&PATIENTS).prop_map(|one| Value::Reference(ReferenceValue::Id(id(one))));
    let all = [&p.code, &p.patient, &p.date, &p.note, &p.probability, &p.value, &p.profile, &p.code_value];
    prop_oneof![
        several(&p.code, Modifier::Plain, some_token()),
        several(&p.category, Modifier::Not, some_token()),
        several(&p.code, Modifier::Text, words()),
        several(&p.patient, Modifier::Plain, some_reference()),
        several(&p.patient, Modifier::Type(ResourceType::Group), bare()),
        several(&p.patient, Modifier::Identifier, some_token()),
        several(&p.date, Modifier::Plain, some_date().prop_map(Value::Date)),
        several(&p.note, Modifier::Plain, words()),
        several(&p.note, Modifier::Exact, words()),
        several(&p.note, Modifier::Contains, words()),
        several(&p.probability, Modifier::Plain, some_number().prop_map(Value::Number)),
        several(&p.value, Modifier::Plain, some_quantity()),
        several(&p.profile, Modifier::Plain, uris()),
        several(&p.profile, Modifier::Above, uris()),
        several(&p.profile, Modifier::Below, uris()),
        several(&p.code_value, Modifier::Plain, (some_token(), some_quantity()).prop_map(|(a, b)| Value::Composite(vec![a, b]))),
        (select(all.to_vec()), any::<bool>()).prop_map(|(parameter, missing)| Criterion::Missing { parameter, missing }),
        proptest::collection::vec(0..12_usize, 1..4)
            .prop_map(|some| Criterion::Id(some.iter().map(|n| id(&format!("o{n}"))).collect())),
        proptest::collection::vec(some_date(), 1..3).prop_map(|ranges| {
            let shifted = ranges.iter().map(|range| DateValue {
                prefix: range.prefix,
                low: Instant(START.0 + range.low.0),
                high: Instant(START.0 + range.high.0),
            });
            Criterion::LastUpdated(shifted.collect())
        }),
    ]
}

#[derive(Debug, Clone)]
struct RecordCase {
    entries: Vec<IndexEntry>,
    contained: Vec<Vec<IndexEntry>>,
    patient: Option<usize>,
}

#[derive(Debug, Clone)]
struct Case {
    records: Vec<RecordCase>,
    queries: Vec<Vec<Criterion>>,
}

fn some_case() -> impl Strategy<Value = Case> {
    let entries = (proptest::collection::vec(some_entry(), 0..14), some_words()).prop_map(|(mut entries, words)| {
        entries.extend(words);
        entries
    });
    let record = (entries, some_contained(), proptest::option::of(0..3_usize))
        .prop_map(|(entries, contained, patient)| RecordCase { entries, contained, patient });
    let records = proptest::collection::vec(record, 12);
    let queries = proptest::collection::vec(proptest::collection::vec(any_criterion(), 1..3), 40);
    (records, queries).prop_map(|(records, queries)| Case { records, queries })
}

async fn check(case: Case) -> usize {
    let world = World::new();
    let mut kept = Vec::new();
    for (n, RecordCase { entries, contained, patient }) in case.records.into_iter().enumerate() {
        world.clock.set(Instant(START.0 + i64::try_from(n / 2).unwrap()));
        let patients: Vec<&str> = patient.iter().map(|at| PATIENTS[*at]).collect();
        let mut record = Record::new(&format!("Observation/o{n}"), &patients);
        record.add = with_contained(entries.clone(), &contained);
        let stored = world.put(record).await;
        kept.push((stored.stored[0].key.clone(), stored.stored[0].updated, (entries, contained), patient));
    }
    let mut count = 0;
    for criteria in case.queries {
        for only in [None, Some(1_usize)] {
            let narrowing = only.map_or(Predicate::All, |at| Predicate::Patient(id(PATIENTS[at])));
            let mut expected = Vec::new();
            for (key, updated, (entries, contained), patient) in &kept {
                count += 1;
                let holds = criteria.iter().all(|one| decided(one, key, *updated, entries, contained));
                if holds && (only.is_none() || *patient == only) {
                    expected.push(key.id.to_string());
                }
            }
            let mut found = world.ids(&permit(narrowing.clone()), &observations(criteria.clone())).await;
            found.sort();
            expected.sort();
            assert_eq!(found, expected, "{criteria:#?}");
            let scoped = permit(narrowing.and(Predicate::Criteria(criteria.clone().into())));
            let mut granular = world.ids(&scoped, &observations(Vec::new())).await;
            granular.sort();
            assert_eq!(granular, expected, "as a granular scope: {criteria:#?}");
        }
    }
    count
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_sql_finds_what_the_evaluator_says(case in some_case()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        prop_assert!(runtime.block_on(check(case)) > 0, "nothing was decided");
    }
}
