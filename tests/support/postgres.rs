//! The PostgreSQL server that the tests run on when `AMANAT_TEST_STORE=postgres` says so. Where it is, is in `AMANAT_TEST_POSTGRES`; `scripts/with-postgres`
//! starts one. Each folder of a test has a schema of its own there.

use std::path::Path;
use tokio_postgres::SimpleQueryMessage;

/// Whether these tests run on a server.
pub(crate) fn asked() -> bool {
    std::env::var("AMANAT_TEST_STORE").is_ok_and(|store| store == "postgres")
}

/// A server, if there is one to test with.
pub(crate) fn server() -> Option<String> {
    std::env::var("AMANAT_TEST_POSTGRES").ok()
}

/// The settings of a test, with the store on the server when the tests run on one.
pub(super) fn settings(folder: &Path, settings: &str) -> String {
    if !asked() || settings.contains("[store]") {
        return settings.to_owned();
    }
    let url = schema(folder, &server().unwrap());
    format!("{settings}\n[store]\nurl = \"{url}\"\nconnections = 6\n")
}

/// The URL of a schema that belongs to this folder, made if it is not there.
pub(crate) fn schema(folder: &Path, server: &str) -> String {
    let name: String = folder.to_string_lossy().chars().filter(char::is_ascii_alphanumeric).collect();
    let name = format!("t{}_{}", std::process::id(), name.to_lowercase());
    drop(ask(server, &format!("CREATE SCHEMA IF NOT EXISTS {name}")));
    format!("{server}?options=-csearch_path%3D{name}&application_name={name}")
}

/// Runs SQL, on a thread that may wait, and gives the first column of every row.
pub(crate) fn ask(url: &str, sql: &str) -> Vec<String> {
    let (url, sql) = (url.to_owned(), sql.to_owned());
    let work = async move {
        let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
        let driven = tokio::spawn(connection);
        let messages = client.simple_query(&sql).await.unwrap();
        drop(client);
        driven.await.unwrap().unwrap();
        let first = |message: &SimpleQueryMessage| match message {
            SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        };
        messages.iter().filter_map(first).collect()
    };
    let run = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work);
    std::thread::spawn(run).join().unwrap()
}
