//! Alternatives of a test: a set small enough to carry, quick to look into.

/// A set of alternatives, none twice, in order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OneOf<T>(Box<[T]>);

impl<T: Ord> OneOf<T> {
    /// Either of the two sets' alternatives.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        self.0.into_iter().chain(other.0).collect()
    }

    /// Is it among them?
    pub fn contains(&self, one: &T) -> bool {
        self.0.binary_search(one).is_ok()
    }
}

impl<T> OneOf<T> {
    /// All of them, in order.
    pub fn as_slice(&self) -> &[T] {
        &self.0
    }

    /// Each of them, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.0.iter()
    }
}

impl<'s, T> IntoIterator for &'s OneOf<T> {
    type Item = &'s T;
    type IntoIter = std::slice::Iter<'s, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T: Ord> FromIterator<T> for OneOf<T> {
    fn from_iter<I: IntoIterator<Item = T>>(all: I) -> Self {
        let mut all: Vec<T> = all.into_iter().collect();
        all.sort_unstable();
        all.dedup();
        Self(all.into())
    }
}

impl<T> From<T> for OneOf<T> {
    fn from(one: T) -> Self {
        Self([one].into())
    }
}
