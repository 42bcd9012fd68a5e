//! The vault. Content of records can be read in here and nowhere else, and the only ways out are [`release`] (to the caller, after
//! the trail is durable) and a [`Commit`] (to the store, after the checks).

mod app_state;
mod codings;
mod column;
mod contained;
mod crossing;
mod draft;
mod echo;
mod envelope;
mod forward;
mod fragment;
mod frame;
mod input;
mod intake;
mod known;
mod marking;
mod outcome;
mod own;
mod parcel;
mod pending;
mod policy;
mod record;
mod redact;
mod released;
mod sealed;
mod taken;
mod terms;
mod traits;
mod visit;
mod written;

pub use app_state::{AppState, LARGEST_APP_STATE};
pub use codings::kinds_of;
pub use column::{SealedColumn, SealedContent};
pub use crossing::{Crossing, CrossingFault};
pub use draft::{Draft, deletion, patched};
pub use envelope::{Arrived, EntryMode, Envelope};
pub use forward::{Change, Commit, Committed, Expected, Forwarded, Guard, Stored};
pub use fragment::Fragment;
pub use frame::{PageFrame, history, matches, responses, searchset};
pub use input::{Input, input};
pub use intake::{AS_OF, Compared, Reported, compared, described, message_in, reported};
pub use marking::Marking;
pub use outcome::outcome;
pub use own::own_record;
pub use parcel::{Part, unpack};
pub use pending::{Pending, refuse, release, throttle};
pub use policy::{
    ConsentChange, Said, compiled, compiled_draft, consent_changes, consent_of, consent_problems, print_of, says_of,
    take_membership, was_in_force,
};
pub use record::{Eye, found, show};
pub use redact::Redaction;
pub use released::{Answer, HeaderWord, Refused, Released};
pub use sealed::{Row, Sealed};
pub use taken::{Taken, joined};
pub use terms::{code_system_of, index_of, parameter_of, value_set_of, values_under};
pub use traits::{Traits, period_end, stay_end};
pub use visit::Visit;
pub use written::written;
