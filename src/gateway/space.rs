//! May this be written now: nobody has locked the caller's writes, and the disk has room. Every change is asked so, whichever way it comes.

use super::Gateway;
use crate::access::Caller;
use crate::disclosure::Part;
use crate::fhir::{Instant, Method, Refusal};
use crate::store::space::Room;
use std::sync::OnceLock;

/// So many changes in one Bundle are not bulk: a form that an app sends, one visit.
const FEW: usize = 20;

/// The room that a request found on the disk: looked for when it first matters, and once, however many entries the request has.
#[derive(Debug, Clone, Default)]
pub(super) struct Found(OnceLock<Room>);

impl Gateway {
    /// May this caller write now? To be asked before anything is changed.
    pub(super) fn demand_writable(&self, caller: &Caller, now: Instant, found: &Found) -> Result<(), Refusal> {
        self.parts.restrictions.writes(caller, now)?;
        self.demand_room(found)
    }

    /// Is there room for anything but the trail?
    pub(super) fn demand_room(&self, found: &Found) -> Result<(), Refusal> {
        if self.room(found) < Room::TrailOnly { Ok(()) } else { Err(Refusal::StoreFull("writes")) }
    }

    /// Is there room for all that these entries write?
    pub(super) fn demand_room_for(&self, parts: &[Part], found: &Found) -> Result<(), Refusal> {
        let writes = parts.iter().filter(|part| !matches!(part.request.method, Method::Get | Method::Head)).count();
        if writes == 0 {
            return Ok(());
        }
        match self.room(found) {
            Room::NoBulk if writes > FEW => Err(Refusal::StoreFull("bulk")),
            Room::TrailOnly => Err(Refusal::StoreFull("writes")),
            _ => Ok(()),
        }
    }

    fn room(&self, found: &Found) -> Room {
        *found.0.get_or_init(|| self.parts.space.room())
    }
}
