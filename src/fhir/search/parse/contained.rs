//! `_contained`, `_containedType` (R4 search § 3.1.1.5.9).

use super::{Fault, Search};
use crate::fhir::has_value;
use crate::fhir::search::query::{Contained, Criterion, Modifier, SortKey, Value};

impl Search<'_> {
    /// Reads both, which change what all the others mean.
    pub(super) fn read_contained(&mut self, pairs: &[(String, String)]) {
        match self.contained_of(pairs) {
            Ok(contained) => self.query.contained = contained,
            Err(fault) => self.problems.push(fault.problem()),
        }
    }

    fn contained_of(&mut self, pairs: &[(String, String)]) -> Result<Option<Contained>, Fault> {
        let one = |wanted: &str| {
            let given = pairs.iter().filter(|pair| pair.0 == wanted && has_value(pair));
            let mut all = given.map(|(_, value)| value.as_str());
            match (all.next(), all.next()) {
                (found, None) => Ok(found),
                _ => Err(Fault::wrong(format!("`{wanted}` may come once"))),
            }
        };
        let (contained, shown) = (one("_contained")?, one("_containedType")?);
        let shows_contained = match shown {
            None | Some("container") => false,
            Some("contained") => true,
            Some(_) => return Err(Fault::wrong("`_containedType` is `container` or `contained`")),
        };
        let containers_too = match contained {
            None | Some("false") => return Ok(None),
            Some("true") => false,
            Some("both") => true,
            Some(_) => return Err(Fault::wrong("`_contained` is `true`, `false` or `both`")),
        };
        let ([of], None) = (self.query.types.as_slice(), &self.query.compartment) else {
            return Err(Fault::wrong("`_contained` is for the search of one type, outside compartments"));
        };
        Ok(Some(Contained { of: *of, containers_too, shows_contained, criteria: Vec::new() }))
    }

    /// Turns the criteria, which are about contained resources, into one about what contains them.
    pub(super) fn settle_contained(&mut self) {
        let Some(contained) = &mut self.query.contained else { return };
        let criteria = std::mem::take(&mut self.query.criteria);
        let shown = contained.shows_contained;
        if let Some(reason) = criteria.iter().find_map(|one| refused(one, shown)) {
            self.problems.push(Fault::unsupported(format!("`_contained`: {reason}")).problem());
        }
        let by_parameter = |key: &SortKey| matches!(key, SortKey::Parameter(_));
        if self.query.shape.sort.iter().any(|key| by_parameter(&key.by)) {
            let text = "`_contained`: what is found is of several types, which have an order by `_lastUpdated` and `_id`";
            self.problems.push(Fault::wrong(text).problem());
        }
        let of = contained.of;
        contained.criteria.clone_from(&criteria);
        let inside = Criterion::Contained { of, criteria: criteria.clone() };
        self.query.criteria = vec![if contained.containers_too {
            Criterion::Any(vec![Criterion::OfEach(vec![(of, Criterion::All(criteria))]), inside])
        } else {
            inside
        }];
    }
}

/// Why a criterion cannot be asked of a contained resource.
fn refused(criterion: &Criterion, shown: bool) -> Option<&'static str> {
    match criterion {
        Criterion::Has { .. } => {
            Some("nothing outside its container refers to a contained resource, so `_has` and `_list` say nothing")
        }
        Criterion::LastUpdated(_) => Some("a contained resource has no `_lastUpdated` of its own"),
        Criterion::Words(..) | Criterion::Near { .. } => {
            Some("`_text`, `_content` and `near` are not kept for contained resources")
        }
        Criterion::Chain { .. } if shown => {
            Some("a chain says which container is meant, not which contained resource; leave `_containedType` out")
        }
        Criterion::Match { modifier, values, .. } if shown && looked_up(modifier, values) => {
            Some("`:in`, `:not-in`, `:above` and `:below` say which container is meant; leave `_containedType` out")
        }
        Criterion::All(all) | Criterion::Any(all) => all.iter().find_map(|one| refused(one, shown)),
        Criterion::Not(inner) => refused(inner, shown),
        Criterion::OfEach(each) => each.iter().find_map(|(_, one)| refused(one, shown)),
        _ => None,
    }
}

fn looked_up(modifier: &Modifier, values: &[Value]) -> bool {
    let terms = matches!(modifier, Modifier::In | Modifier::NotIn | Modifier::Above | Modifier::Below);
    terms && values.iter().any(|value| !matches!(value, Value::Uri(_)))
}
