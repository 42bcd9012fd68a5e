//! The database of a server goes away: nothing is decided, every refusal is entered, and the trail goes on in its order afterwards.

use super::ALL;
use crate::site::until;
use crate::support::records::{observation, patient};
use crate::support::{Server, postgres};

fn ids(server: &Server, kind: &str) -> Vec<String> {
    let all = server.trail().into_iter().filter(|leaf| leaf["request_id"].as_str().is_some_and(|id| id.starts_with(kind)));
    all.map(|leaf| leaf["request_id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn refusals_wait_beside_each_node_while_the_database_is_away_and_share_one_chain_again() {
    let Some(server) = postgres::server() else { return println!("skipped: AMANAT_TEST_POSTGRES names no server") };
    let name = format!("away{}", std::process::id());
    let say = |sql: &str| drop(postgres::ask(&server, sql));
    say(&format!("CREATE DATABASE {name}"));
    let url = format!("{}/{name}", server.rsplit_once('/').unwrap().0);
    let one = Server::with("Policy-all-normal", &format!("[store]\nurl = \"{url}\"\nconnections = 6"));
    let other = one.beside();
    one.seed(&[patient("p1", "Amin"), observation("o1", "p1", "laboratory")]);
    let all = one.system(ALL);
    for round in 0..2 {
        let before = one.trail().len();
        // Nobody gets in any more, and whoever is in is thrown out.
        say(&format!("ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false"));
        say(&format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"));
        let mut sent = [Vec::new(), Vec::new()];
        for number in 0..8 {
            for (at, node) in [&one, &other].into_iter().enumerate() {
                let id = format!("away-{at}-{round}-{number}");
                let reply = node.call("GET", "Observation/o1").token(&all).header("X-Request-Id", &id).send();
                assert_eq!((reply.status, reply.code().as_str()), (503, "AMANAT-STORE-0001"), "{}", reply.text());
                assert!(!reply.text().contains("laboratory"));
                sent[at].push(id);
            }
        }
        say(&format!("ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true"));
        until("both serve again", || [&one, &other].iter().all(|node| node.get("Observation/o1", &all).status == 200));
        for (at, sent) in sent.iter().enumerate() {
            until("what waited is in the trail", || ids(&one, &format!("away-{at}-{round}-")).len() >= sent.len());
            assert_eq!(&ids(&one, &format!("away-{at}-{round}-")), sent, "each once, and in order");
        }
        let leaves = one.trail();
        let numbers: Vec<i64> = leaves.iter().map(|leaf| leaf["seq"].as_i64().unwrap()).collect();
        assert_eq!(numbers, (1..).take(numbers.len()).collect::<Vec<i64>>(), "no number is left out");
        let stopped = leaves.iter().skip(before).filter(|leaf| leaf["event"]["word"] == "stopped").count();
        assert!(stopped >= 2, "each node tells that it could not write: {stopped}");
    }
}
