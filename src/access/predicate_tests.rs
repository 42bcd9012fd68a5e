use super::{Look, Predicate};
use crate::access::{Condition, Verdicts};
use crate::fhir::{Facts, Id, Instant, Key, ResourceType, Version};
use proptest::prelude::*;

fn id(text: &str) -> Id {
    Id::parse(text).unwrap()
}

fn holds(predicate: &Predicate, patients: &[Id]) -> bool {
    let key = Key::new(ResourceType::Observation, id("o"));
    let facts = Facts {
        key,
        version: Version::FIRST,
        updated: Instant(0),
        deleted: false,
        patients: patients.to_vec(),
        marks: crate::fhir::Marks::default(),
    };
    predicate.holds(&Look::new(&facts, &Vec::new)).unwrap()
}

fn every(otherwise: bool, exceptions: impl IntoIterator<Item = Id>) -> Predicate {
    let exceptions = exceptions.into_iter().map(|patient| (patient, Condition::always(!otherwise)));
    Predicate::EveryPatient(Verdicts::new(Condition::always(otherwise), exceptions))
}

fn patients() -> impl Strategy<Value = Vec<Id>> {
    prop::sample::subsequence(vec![id("p1"), id("p2"), id("p3")], 0..=3)
}

fn predicates() -> impl Strategy<Value = Predicate> {
    let leaf = prop_oneof![
        Just(Predicate::All),
        Just(Predicate::None),
        Just(Predicate::WithoutPatient),
        prop::sample::select(vec!["p1", "p2", "p3"]).prop_map(|text| Predicate::Patient(id(text))),
        (any::<bool>(), patients()).prop_map(|(otherwise, exceptions)| { every(otherwise, exceptions) }),
    ];
    leaf.prop_recursive(3, 16, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(one, other)| one.and(other)),
            (inner.clone(), inner).prop_map(|(one, other)| one.or(other)),
        ]
    })
}

proptest! {
    #[test]
    fn and_and_or_mean_what_they_say(one in predicates(), other in predicates(), row in patients()) {
        let (a, b) = (holds(&one, &row), holds(&other, &row));
        prop_assert_eq!(holds(&one.clone().and(other.clone()), &row), a && b);
        prop_assert_eq!(holds(&one.or(other), &row), a || b);
    }

    #[test]
    fn all_and_none_are_neutral_and_absorbing(one in predicates(), row in patients()) {
        let held = holds(&one, &row);
        prop_assert_eq!(holds(&one.clone().and(Predicate::All), &row), held);
        prop_assert_eq!(holds(&one.clone().or(Predicate::None), &row), held);
        prop_assert!(matches!(one.clone().and(Predicate::None), Predicate::None));
        prop_assert!(matches!(one.or(Predicate::All), Predicate::All));
    }
}

#[test]
fn a_record_of_two_patients_needs_both() {
    let refuse = |patient: &str| every(true, [id(patient)]);
    assert!(!holds(&refuse("p2"), &[id("p1"), id("p2")]));
    assert!(holds(&refuse("p3"), &[id("p1"), id("p2")]));
    assert!(holds(&refuse("p1"), &[]));
}
