//! What an intruder cannot hide in a trail that lies in PostgreSQL: the same as in a file.

use super::{ALL, nodes};
use crate::site::amanat;
use crate::support::{Server, postgres};
use serde_json::Value;

/// Exit code and document of `amanat audit verify --json`, run beside the gateway.
fn verified(server: &Server) -> (Option<i32>, Value) {
    let settings = server.folder().join("amanat.toml");
    let output = amanat(&["audit", "verify", "--json", "--config", settings.to_str().unwrap()]);
    let told = serde_json::from_slice(&output.stdout);
    (output.status.code(), told.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr))))
}

#[test]
fn every_manipulation_is_found_and_the_first_bad_entry_is_named() {
    let Some((one, other)) = nodes() else { return };
    let all = one.system(ALL);
    for server in [&one, &other, &one, &other, &one, &other] {
        assert_eq!(server.get("Observation/o1", &all).status, 200);
    }
    let url = one.schema().unwrap();
    drop(other);
    let say = |sql: &str| drop(postgres::ask(&url, sql));
    let one = one.restart(|_| say("CREATE TABLE earlier AS SELECT * FROM trail WHERE seq <= 6"));
    for _ in 0..3 {
        assert_eq!(one.get("Observation/o1", &all).status, 200);
    }
    // The stop signs the last state.
    let one = one.restart(|_| {
        say("CREATE TABLE kept AS SELECT * FROM trail");
        say("CREATE TABLE kept_checkpoint AS SELECT * FROM checkpoint");
    });
    let back = "DELETE FROM trail; INSERT INTO trail SELECT * FROM kept";
    let cases = [
        ("one byte changed", "UPDATE trail SET leaf = set_byte(leaf, 30, get_byte(leaf, 30) # 1) WHERE seq = 5", 5),
        ("a hash changed", "UPDATE trail SET hash = set_byte(hash, 0, get_byte(hash, 0) # 1) WHERE seq = 5", 5),
        ("a row dropped", "DELETE FROM trail WHERE seq = 5", 5),
        (
            "two swapped",
            "UPDATE trail SET seq = -5 WHERE seq = 5; UPDATE trail SET seq = 5 WHERE seq = 6; UPDATE trail SET seq = 6 WHERE seq = -5",
            5,
        ),
        ("the tail cut", "DELETE FROM trail WHERE seq > 7", 8),
        ("an old copy restored", "DELETE FROM trail; INSERT INTO trail SELECT * FROM earlier", 7),
    ];
    for (what, manipulation, bad) in cases {
        say(back);
        say(manipulation);
        let (code, told) = verified(&one);
        assert_eq!((code, &told["first_bad"]), (Some(3), &Value::from(bad)), "{what}: {told}");
    }
    say(back);
    let (code, told) = verified(&one);
    assert_eq!((code, &told["broken"]), (Some(0), &Value::Null), "and nothing in the one that was left alone: {told}");
}
