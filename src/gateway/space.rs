//! What is not written when the disk is nearly full.

use super::Gateway;
use super::restrictions::changes;
use crate::disclosure::Part;
use crate::fhir::{Interaction, Method, Refusal};
use crate::store::space::Room;

/// So many changes in one Bundle are not bulk: a form that an app sends, one visit.
const FEW: usize = 20;

impl Gateway {
    /// Is there room for this?
    pub(super) fn demand_room(&self, interaction: &Interaction) -> Result<(), Refusal> {
        if changes(interaction) { self.demand_room_to_write() } else { Ok(()) }
    }

    /// Is there room for anything but the trail?
    pub(super) fn demand_room_to_write(&self) -> Result<(), Refusal> {
        if self.parts.space.room() < Room::TrailOnly { Ok(()) } else { Err(Refusal::StoreFull("writes")) }
    }

    /// Is there room for all that these entries write?
    pub(super) fn demand_room_for(&self, parts: &[Part]) -> Result<(), Refusal> {
        let writes = parts.iter().filter(|part| !matches!(part.request.method, Method::Get | Method::Head)).count();
        match self.parts.space.room() {
            Room::NoBulk if writes > FEW => Err(Refusal::StoreFull("bulk")),
            Room::TrailOnly if writes > 0 => Err(Refusal::StoreFull("writes")),
            _ => Ok(()),
        }
    }
}
