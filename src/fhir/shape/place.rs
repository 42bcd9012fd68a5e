//! Where in a record: a FHIRPath that is only written out when there is something to say about it.

use std::fmt;

/// A place below another one, on the stack of the walk.
#[derive(Debug, Clone, Copy)]
pub(in crate::fhir) struct Place<'p> {
    above: Option<&'p Place<'p>>,
    name: &'p str,
    index: Option<usize>,
}

impl<'p> Place<'p> {
    /// The record itself.
    pub(in crate::fhir) fn root(type_name: &'p str) -> Self {
        Self { above: None, name: type_name, index: None }
    }

    /// An element of this one.
    pub(in crate::fhir) fn element<'q>(&'q self, name: &'q str) -> Place<'q>
    where
        'p: 'q,
    {
        Place { above: Some(self), name, index: None }
    }

    /// One of several.
    pub(in crate::fhir) fn item(self, index: usize) -> Self {
        Self { index: Some(index), ..self }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(above) = self.above {
            write!(f, "{above}.")?;
        }
        f.write_str(self.name)?;
        self.index.map_or(Ok(()), |index| write!(f, "[{index}]"))
    }
}
