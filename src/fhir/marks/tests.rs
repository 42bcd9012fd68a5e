use super::{Confidentiality, Fact, FactSet, Marks};
use crate::fhir::Key;

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
