//! The tables of the authorization server. Plain functions over a connection: whoever owns the ledger runs them inside its own
//! transactions, and makes them a [`super::ClientStore`].

use super::client::Client;
use super::store::StoredKey;
use crate::fhir::Instant;
use crate::on;
use crate::store::sql::Connection;
use diesel::prelude::*;
use diesel::result::Error;

diesel::table! {
    /// Clients; `disabled` counts, not the flag inside the registration.
    client (id) {
        /// `client_id`
        id -> Text,
        /// What people call it.
        name -> Text,
        /// The client as JSON.
        registration -> Text,
        /// Locked out.
        disabled -> Bool,
        /// Milliseconds.
        created -> BigInt,
    }
}

diesel::table! {
    /// Assertions that were used.
    assertion_jti (client, jti) {
        /// `iss`
        client -> Text,
        /// `jti`
        jti -> Text,
        /// Milliseconds; afterwards the row may go.
        expires -> BigInt,
    }
}

diesel::table! {
    /// The gateway's own keys.
    signing_key (kid) {
        /// `kid`
        kid -> Text,
        /// `alg`
        algorithm -> Text,
        /// PKCS#8.
        private_key -> Binary,
        /// Milliseconds.
        created -> BigInt,
        /// Milliseconds.
        retired -> Nullable<BigInt>,
    }
}

/// The client with this id.
///
/// # Errors
/// Those of the database, and [`Error::DeserializationError`] for a registration that cannot be read.
pub fn find(connection: &mut Connection, id: &str) -> QueryResult<Option<Client>> {
    let row = client::table.find(id).select((client::registration, client::disabled));
    on!(connection, c => row.first::<(String, bool)>(c)).optional()?.map(read).transpose()
}

/// Every client, by id.
///
/// # Errors
/// As [`find`].
pub fn list(connection: &mut Connection) -> QueryResult<Vec<Client>> {
    let rows = client::table.order(client::id).select((client::registration, client::disabled));
    on!(connection, c => rows.load::<(String, bool)>(c))?.into_iter().map(read).collect()
}

/// Adds a client; `false` when the id is taken.
///
/// # Errors
/// Those of the database.
pub fn add(connection: &mut Connection, new: &Client, now: Instant) -> QueryResult<bool> {
    let registration = serde_json::to_string(new).map_err(|fault| Error::SerializationError(Box::new(fault)))?;
    let row = (
        client::id.eq(&new.id),
        client::name.eq(&new.name),
        client::registration.eq(registration),
        client::disabled.eq(new.disabled),
        client::created.eq(now.0),
    );
    let insert = diesel::insert_into(client::table).values(row).on_conflict_do_nothing();
    Ok(on!(connection, c => insert.execute(c))? == 1)
}

/// Locks a client out or lets it in again; `false` when there is none.
///
/// # Errors
/// Those of the database.
pub fn set_disabled(connection: &mut Connection, id: &str, disabled: bool) -> QueryResult<bool> {
    let update = diesel::update(client::table.find(id)).set(client::disabled.eq(disabled));
    Ok(on!(connection, c => update.execute(c))? == 1)
}

/// Puts a client in the place of the one with its id; `false` when there is none.
///
/// # Errors
/// Those of the database.
pub fn replace(connection: &mut Connection, new: &Client) -> QueryResult<bool> {
    let registration = serde_json::to_string(new).map_err(|fault| Error::SerializationError(Box::new(fault)))?;
    let values = (client::name.eq(&new.name), client::registration.eq(registration));
    let update = diesel::update(client::table.find(&new.id)).set(values);
    Ok(on!(connection, c => update.execute(c))? == 1)
}

/// Removes a client; `false` when there is none.
///
/// # Errors
/// Those of the database.
pub fn remove(connection: &mut Connection, id: &str) -> QueryResult<bool> {
    let delete = diesel::delete(client::table.find(id));
    Ok(on!(connection, c => delete.execute(c))? == 1)
}

/// Notes the use of an assertion; `false` when it is in use already. The primary key decides, so it holds across nodes and connections.
///
/// # Errors
/// Those of the database.
pub fn remember_jti(connection: &mut Connection, by: &str, jti: &str, expires: Instant, now: Instant) -> QueryResult<bool> {
    let delete = diesel::delete(assertion_jti::table.filter(assertion_jti::expires.le(now.0)));
    on!(&mut *connection, c => delete.execute(c))?;
    let row = (assertion_jti::client.eq(by), assertion_jti::jti.eq(jti), assertion_jti::expires.eq(expires.0));
    let insert = diesel::insert_into(assertion_jti::table).values(row).on_conflict_do_nothing();
    Ok(on!(connection, c => insert.execute(c))? == 1)
}

/// Every signing key, newest first.
///
/// # Errors
/// Those of the database.
pub fn signing_keys(connection: &mut Connection) -> QueryResult<Vec<StoredKey>> {
    type Row = (String, String, Vec<u8>, i64, Option<i64>);
    let rows = signing_key::table.order((signing_key::created.desc(), signing_key::kid));
    let rows = on!(connection, c => rows.load::<Row>(c))?;
    let key = |(id, algorithm, private_key, created, retired): Row| StoredKey {
        id,
        algorithm,
        private_key,
        created: Instant(created),
        retired: retired.map(Instant),
    };
    Ok(rows.into_iter().map(key).collect())
}

/// Retires the keys of the same algorithm that sign, and keeps a new one. To be run inside one transaction.
///
/// # Errors
/// Those of the database.
pub fn rotate_signing_key(connection: &mut Connection, key: &StoredKey, lost: bool) -> QueryResult<()> {
    let same = signing_key::table.filter(signing_key::algorithm.eq(&key.algorithm));
    if lost {
        let update = diesel::update(same).set(signing_key::retired.eq(0_i64));
        on!(&mut *connection, c => update.execute(c))?;
    } else {
        let update = diesel::update(same.filter(signing_key::retired.is_null())).set(signing_key::retired.eq(key.created.0));
        on!(&mut *connection, c => update.execute(c))?;
    }
    add_signing_key(connection, key)
}

/// Keeps a new signing key.
///
/// # Errors
/// Those of the database; a `kid` that is there already among them.
pub fn add_signing_key(connection: &mut Connection, key: &StoredKey) -> QueryResult<()> {
    let row = (
        signing_key::kid.eq(&key.id),
        signing_key::algorithm.eq(&key.algorithm),
        signing_key::private_key.eq(&key.private_key),
        signing_key::created.eq(key.created.0),
        signing_key::retired.eq(key.retired.map(|at| at.0)),
    );
    let insert = diesel::insert_into(signing_key::table).values(row);
    on!(connection, c => insert.execute(c)).map(drop)
}

/// Keeps a signing key unless one with its algorithm signs already. To be called where nobody else writes meanwhile, on any node.
///
/// # Errors
/// Those of the database.
pub fn add_first_signing_key(connection: &mut Connection, key: &StoredKey) -> QueryResult<()> {
    let there = signing_keys(connection)?.iter().any(|one| one.signs_beside(key));
    if there { Ok(()) } else { add_signing_key(connection, key) }
}

fn read((registration, disabled): (String, bool)) -> QueryResult<Client> {
    let client: Client = serde_json::from_str(&registration).map_err(|fault| Error::DeserializationError(Box::new(fault)))?;
    Ok(Client { disabled, ..client })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smart::client::ClientKeys;
    use crate::smart::keys::SigningKey;
    use diesel::SqliteConnection;
    use diesel::connection::{Connection as _, SimpleConnection as _};

    fn tables() -> Connection {
        let mut connection = SqliteConnection::establish(":memory:").unwrap();
        connection
            .batch_execute(
                "CREATE TABLE client (id TEXT PRIMARY KEY, name TEXT NOT NULL, registration TEXT NOT NULL, disabled BOOL NOT NULL, created BIGINT NOT NULL);
                 CREATE TABLE assertion_jti (client TEXT NOT NULL, jti TEXT NOT NULL, expires BIGINT NOT NULL, PRIMARY KEY (client, jti));
                 CREATE TABLE signing_key (kid TEXT PRIMARY KEY, algorithm TEXT NOT NULL, private_key BLOB NOT NULL, created BIGINT NOT NULL, retired BIGINT);",
            )
            .unwrap();
        Connection::Sqlite(connection)
    }

    #[test]
    fn a_client_comes_back_as_it_was_added_and_only_once() {
        let mut tables = tables();
        let lab = Client::backend("lab", "Laboratory", ClientKeys::JwksUri("https://lab.example/jwks".to_owned()), "system/*.rs");
        assert!(add(&mut tables, &lab, Instant(1)).unwrap());
        assert!(!add(&mut tables, &lab, Instant(2)).unwrap());
        assert_eq!(find(&mut tables, "lab").unwrap(), Some(lab.clone()));
        assert_eq!(find(&mut tables, "LAB").unwrap(), None);
        assert!(set_disabled(&mut tables, "lab", true).unwrap());
        assert!(!set_disabled(&mut tables, "nobody", true).unwrap());
        assert_eq!(list(&mut tables).unwrap(), [Client { disabled: true, ..lab }]);
    }

    #[test]
    fn an_assertion_is_used_once_by_each_client_until_it_expires() {
        let mut tables = tables();
        let mut use_at = |client, now| remember_jti(&mut tables, client, "j", Instant(100), Instant(now)).unwrap();
        assert!(use_at("lab", 1));
        assert!(!use_at("lab", 99));
        assert!(use_at("hospital", 2));
        assert!(use_at("lab", 100));
    }

    #[test]
    fn signing_keys_come_back_newest_first() {
        let mut tables = tables();
        for created in [1, 2] {
            let (key, private_key) = SigningKey::generate().unwrap();
            let stored = StoredKey {
                id: key.id().to_owned(),
                algorithm: "ES256".to_owned(),
                private_key,
                created: Instant(created),
                retired: None,
            };
            add_signing_key(&mut tables, &stored).unwrap();
            assert!(add_signing_key(&mut tables, &stored).is_err());
        }
        let keys = signing_keys(&mut tables).unwrap();
        assert_eq!(keys.iter().map(|key| key.created.0).collect::<Vec<_>>(), [2, 1]);
        assert!(SigningKey::from_pkcs8(&keys[0].private_key).is_ok());
    }
}
