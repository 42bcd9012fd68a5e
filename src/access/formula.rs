//! What conditions and predicates have in common: AND and OR, and a truth that may not be known.

/// Of several parts the first that is `decisive` decides; else all must be known. With `false` this is AND, with `true` OR.
pub fn decided<T>(parts: impl IntoIterator<Item = T>, decisive: bool, mut holds: impl FnMut(T) -> Option<bool>) -> Option<bool> {
    let mut outcome = Some(!decisive);
    for part in parts {
        match holds(part) {
            Some(verdict) if verdict == decisive => return Some(decisive),
            Some(_) => {}
            None => outcome = None,
        }
    }
    outcome
}

/// What parts are joined to.
pub(super) trait Formula: Sized {
    /// Whether it holds always (`true`) or never (`false`), whatever it is asked of; `None` when that depends.
    fn constant(&self) -> Option<bool>;

    /// The parts, when it is a conjunction (`all`) or a disjunction of some; else itself.
    fn parts(self, all: bool) -> Result<Vec<Self>, Self>;

    /// A conjunction (`all`) or a disjunction.
    fn of_parts(parts: Vec<Self>, all: bool) -> Self;
}

/// Both of two (`all`), or either. What never changes the outcome is left out, and a first that is joined alike takes the other in.
pub(super) fn joined<F: Formula>(one: F, other: F, all: bool) -> F {
    match (one.constant(), other.constant()) {
        (Some(holds), _) if holds != all => one,
        (_, Some(holds)) if holds != all => other,
        (Some(_), _) => other,
        (_, Some(_)) => one,
        (None, None) => {
            let mut parts = one.parts(all).unwrap_or_else(|one| vec![one]);
            parts.push(other);
            F::of_parts(parts, all)
        }
    }
}
