//! Conditions in one form, so that equal ones look equal and none asks for what cannot matter.

use crate::access::Condition;

/// The same condition: nested conjunctions and disjunctions flat, sorted and without repetition; a part that another implies, or
/// that contradicts another, folded.
pub(super) fn tidy(condition: Condition) -> Condition {
    match condition {
        Condition::Not(inner) => match tidy(*inner) {
            Condition::And(parts) => join(parts.into_iter().map(Condition::negated), false),
            Condition::Or(parts) => join(parts.into_iter().map(Condition::negated), true),
            one => one.negated(),
        },
        Condition::And(parts) => join(parts.into_iter().map(tidy), true),
        Condition::Or(parts) => join(parts.into_iter().map(tidy), false),
        one => one,
    }
}

/// Tidy parts to a tidy whole: of all of them, or of any.
fn join(parts: impl Iterator<Item = Condition>, all: bool) -> Condition {
    let mut flat = Vec::new();
    for part in parts {
        match part {
            Condition::And(inner) if all => flat.extend(inner),
            Condition::Or(inner) if !all => flat.extend(inner),
            one => flat.push(one),
        }
    }
    flat.sort_unstable();
    flat.dedup();
    let (decisive, neutral) = if all { (Condition::None, Condition::All) } else { (Condition::All, Condition::None) };
    let contradicts = |one: &Condition| matches!(one, Condition::Not(inner) if flat.binary_search(inner).is_ok());
    if flat.contains(&decisive) || flat.iter().any(contradicts) {
        return decisive;
    }
    flat.retain(|one| *one != neutral);
    let flat = gathered(flat, all);
    let kept: Vec<Condition> = flat.iter().filter(|one| !absorbed(one, &flat, all)).cloned().collect();
    match (<[Condition; 1]>::try_from(kept), all) {
        (Ok([one]), _) => one,
        (Err(none), _) if none.is_empty() => neutral,
        (Err(parts), true) => Condition::And(parts),
        (Err(parts), false) => Condition::Or(parts),
    }
}

/// Tests of one kind as one test: `a or b`, and `not a and not b`. However many rules name codes or dates, one set is asked for. Sorted
/// parts stay sorted.
fn gathered(mut parts: Vec<Condition>, all: bool) -> Vec<Condition> {
    loop {
        let before = parts.len();
        let mut rest = parts.into_iter().peekable();
        let mut fewer = Vec::with_capacity(before);
        while let Some(one) = rest.next() {
            // Of one kind stand next to each other.
            let both = rest.peek().and_then(|other| one_test(&one, other, all));
            if both.is_some() {
                rest.next();
            }
            fewer.push(both.unwrap_or(one));
        }
        fewer.sort_unstable();
        if fewer.len() == before {
            return fewer;
        }
        parts = fewer;
    }
}

fn one_test(one: &Condition, other: &Condition, all: bool) -> Option<Condition> {
    match (one, other) {
        (Condition::Test(one), Condition::Test(other)) if !all => one.or(other).map(Condition::Test),
        (Condition::Not(one), Condition::Not(other)) if all => one_test(one, other, false).map(Condition::negated),
        _ => None,
    }
}

/// `a and (a or b)` is `a`; `a or (a and b)` is `a`.
fn absorbed(one: &Condition, among: &[Condition], all: bool) -> bool {
    let (Condition::And(inner) | Condition::Or(inner)) = one else { return false };
    matches!(one, Condition::Or(_)) == all && inner.iter().any(|part| among.binary_search(part).is_ok())
}

#[cfg(test)]
mod tests {
    use super::tidy;
    use crate::access::{Condition, Test};
    use crate::fhir::Fact;

    fn one(bits: u64) -> Condition {
        Condition::Test(Test::SensitiveOnlyTo(bits))
    }

    fn any(bits: u64) -> Condition {
        Condition::Test(Test::SensitiveToAny(bits))
    }

    #[test]
    fn tests_of_one_kind_are_one_test() {
        let (a, b, c) = (any(1), any(2), any(4));
        assert_eq!(tidy(Condition::Or(vec![a.clone(), one(8), b.clone(), c.clone()])), Condition::Or(vec![any(7), one(8)]));
        let none = Condition::And(vec![a.clone().negated(), one(8), b.clone().negated()]);
        assert_eq!(tidy(none), Condition::And(vec![any(3).negated(), one(8)]));
        assert_eq!(tidy(Condition::And(vec![a.clone(), b.clone()])), Condition::And(vec![a.clone(), b.clone()]));
        let codes = |from: u32, to: u32| {
            (from..to).map(|n| Condition::Test(Test::Has(Fact::code(&n.to_string()).into()))).collect::<Vec<_>>()
        };
        let all: Vec<Fact> = (0..100).map(|n: u32| Fact::code(&n.to_string())).collect();
        assert_eq!(tidy(Condition::Or(codes(0, 100))), Condition::Test(Test::Has(all.into_iter().collect())));
        // What always holds is seen before the parts are gathered.
        assert_eq!(tidy(Condition::Or(vec![a.clone(), b, a.negated()])), Condition::All);
    }

    #[test]
    fn what_says_the_same_looks_the_same() {
        let (a, b, c) = (one(1), one(2), one(4));
        let nested = Condition::And(vec![c.clone(), Condition::And(vec![b.clone(), a.clone(), b.clone()]), Condition::All]);
        assert_eq!(tidy(nested), Condition::And(vec![a.clone(), b.clone(), c.clone()]));
        assert_eq!(tidy(Condition::Or(vec![a.clone(), Condition::And(vec![a.clone(), b.clone()])])), a);
        assert_eq!(tidy(Condition::And(vec![a.clone(), Condition::Or(vec![b.clone(), a.clone()])])), a);
        assert_eq!(tidy(Condition::And(vec![a.clone(), a.clone().negated()])), Condition::None);
        assert_eq!(tidy(Condition::Or(vec![a.clone().negated(), a.clone()])), Condition::All);
        assert_eq!(tidy(Condition::Or(vec![])), Condition::None);
        assert_eq!(tidy(Condition::And(vec![])), Condition::All);
        let not = Condition::Not(Box::new(Condition::Or(vec![a.clone(), b.clone().negated()])));
        assert_eq!(tidy(not), Condition::And(vec![a.negated(), b]));
    }
}
