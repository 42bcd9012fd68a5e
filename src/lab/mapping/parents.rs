//! Results that came of another result: OBR-26 names the result, OBR-29 its order.

use super::Context;
use super::groups::Order;
use super::json::Json;
use super::numbers::Numbers;
use crate::fhir::Key;
use crate::lab::Plan;
use crate::lab::v2::Segment;

/// What an order told of, as far as others of the message may point to it.
pub(super) struct Told {
    numbers: Numbers,
    parent: Numbers,
    /// OBR-26: code and sub-id of the result that this one came of.
    came_of: (String, String),
    request: Key,
    /// Code and sub-id of each result, and the record that holds it.
    observed: Vec<(String, String, Key)>,
}

impl Told {
    /// Of an order; `observed` holds the record of each of its OBX, in order.
    pub(super) fn of(order: &Order<'_>, obr: Segment<'_>, request: Key, observed: Vec<Key>, setting: &Context) -> Self {
        let named = order.observations.iter().map(|one| {
            let code = one.result.field(3);
            let code = [1, 4, 2].into_iter().find_map(|at| code.component(at).some()).unwrap_or_default();
            (code, one.result.field(4).text())
        });
        let source = obr.field(26);
        Self {
            numbers: Numbers::of(order, setting),
            parent: Numbers::of_parent(order, setting),
            came_of: (source.component(1).subcomponent(1).text(), source.component(2).text()),
            request,
            observed: named.zip(observed).map(|((code, sub_id), key)| (code, sub_id, key)).collect(),
        }
    }

    /// The result that OBR-26 names; without a sub-id the only one of its code.
    fn named(&self, (code, sub_id): &(String, String)) -> Option<&Key> {
        let mut found = self.observed.iter().filter(|(known, sub, _)| known == code && (sub_id.is_empty() || sub == sub_id));
        let first = found.next()?;
        found.next().is_none().then_some(&first.2)
    }
}

/// Ties what came of another order of the message to it: the order to the order, each result to the result.
pub(super) fn link(all: &[Told], plan: &mut Plan) {
    for child in all {
        let parent = all.iter().find(|one| one.request != child.request && one.numbers.meets(&child.parent));
        let Some(parent) = parent else { continue };
        put(plan, &child.request, "basedOn", &parent.request);
        if let Some(source) = parent.named(&child.came_of) {
            for (_, _, key) in child.observed.iter().filter(|(_, _, key)| key != source) {
                put(plan, key, "derivedFrom", source);
            }
        }
    }
}

fn put(plan: &mut Plan, key: &Key, name: &str, to: &Key) {
    if let Some(record) = plan.records.iter_mut().find(|record| record.key == *key) {
        record.content.put(name, Json::one(Json::reference(&to.to_string())));
    }
}
