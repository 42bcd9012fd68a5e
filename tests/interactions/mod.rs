//! Every interaction of the API: the allowed path and its refusals. Each refusal is asserted by status, by the gateway's own code, and
//! by the entry that it leaves in the trail.

mod batch;
mod capabilities;
mod conditional;
mod coverage;
mod create;
mod delete;
mod doors;
mod history;
mod once;
pub(crate) mod operations;
mod page;
mod patch;
mod rate;
mod read;
mod rendering;
mod scopes;
mod search;
mod token;
mod transaction;
mod update;
mod vread;

use crate::support::records::{condition, encounter, observation, organization, patient, practitioner};
use crate::support::{Reply, Server};
use serde_json::{Value, json};

/// Two patients with records of a few kinds, and people who belong to nobody.
pub(crate) fn ward() -> Server {
    let server = Server::open();
    fill(&server);
    server
}

fn fill(server: &Server) {
    server.seed(&[
        patient("p1", "Amin"),
        patient("p2", "Bano"),
        practitioner("d1", "Khan"),
        organization("h1", "Ward"),
        encounter("e-p1", "p1"),
        encounter("e-p2", "p2"),
        observation("o1", "p1", "laboratory"),
        observation("v1", "p1", "vital-signs"),
        observation("o2", "p2", "laboratory"),
        condition("c1", "p1"),
        condition("c2", "p2"),
    ]);
}

const ALL: &str = "system/*.cruds";

/// What a hidden record and one that never existed answer, side by side: equal to the byte, and 404.
#[track_caller]
fn hidden_as_absent(server: &Server, token: &str, method: &str, hidden: &str, absent: &str, body: Option<&Value>) {
    let ask = |path: &str| {
        let call = server.call(method, path).token(token);
        // The body of an update names the record.
        let id = path.split('/').nth(1).unwrap_or_default().split('?').next().unwrap_or_default().to_owned();
        let named = body.cloned().map(|mut body| {
            if method == "PUT" {
                body["id"] = json!(id);
            }
            body
        });
        match named {
            Some(body) => call.json(&body).send(),
            None => call.send(),
        }
    };
    let (one, other): (Reply, Reply) = (ask(hidden), ask(absent));
    server.refused(&one, 404, "AMANAT-REC-0001", "not-found");
    server.refused(&other, 404, "AMANAT-REC-0001", "not-found");
    assert_eq!(one.masked(), other.masked(), "{method} {hidden} and {absent}");
    for name in ["etag", "last-modified", "location", "content-location", "link"] {
        assert_eq!(one.header(name), None, "{name} of {method} {hidden}");
    }
}
