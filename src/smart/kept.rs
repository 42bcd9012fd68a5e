//! What the authorization server keeps, in the ledger of the embedded store.

use super::client::Client;
use super::state::{Kind, StateRow, StateStore};
use super::state_storage;
use super::storage;
use super::store::{ClientStore, ClientStoreError, Pending, StoredKey};
use crate::fhir::Instant;
use crate::store::StoreError;
use crate::store::sql::{Connection, SqlStore};
use diesel::QueryResult;
use std::sync::Arc;

/// The [`ClientStore`] of an embedded store.
#[derive(Debug, Clone)]
pub struct Kept(Arc<SqlStore>);

impl Kept {
    /// Keeps them in this store.
    pub fn new(store: Arc<SqlStore>) -> Self {
        Self(store)
    }

    fn read<T: Send + 'static>(&self, work: impl FnOnce(&mut Connection) -> QueryResult<T> + Send + 'static) -> Pending<'_, T> {
        Box::pin(async move {
            self.0.ledger().read(move |connection| work(connection).map_err(StoreError::from)).await.map_err(failed)
        })
    }

    fn write<T: Send + 'static>(&self, work: impl FnOnce(&mut Connection) -> QueryResult<T> + Send + 'static) -> Pending<'_, T> {
        Box::pin(async move {
            self.0.ledger().write(move |connection| work(connection).map_err(StoreError::from)).await.map_err(failed)
        })
    }
}

fn failed(error: impl std::fmt::Display) -> ClientStoreError {
    ClientStoreError(error.to_string())
}

impl ClientStore for Kept {
    fn find<'a>(&'a self, id: &'a str) -> Pending<'a, Option<Client>> {
        let id = id.to_owned();
        self.read(move |connection| storage::find(connection, &id))
    }

    fn list(&self) -> Pending<'_, Vec<Client>> {
        self.read(storage::list)
    }

    fn add(&self, client: Client, now: Instant) -> Pending<'_, bool> {
        let client = client.keyed(None, now);
        self.write(move |connection| storage::add(connection, &client, now))
    }

    fn set_disabled<'a>(&'a self, id: &'a str, disabled: bool) -> Pending<'a, bool> {
        let id = id.to_owned();
        self.write(move |connection| storage::set_disabled(connection, &id, disabled))
    }

    fn replace(&self, client: Client, now: Instant) -> Pending<'_, bool> {
        self.write(move |connection| {
            let before = storage::find(connection, &client.id)?;
            storage::replace(connection, &client.keyed(before.as_ref(), now))
        })
    }

    fn remove<'a>(&'a self, id: &'a str) -> Pending<'a, bool> {
        let id = id.to_owned();
        self.write(move |connection| storage::remove(connection, &id))
    }

    fn remember_jti<'a>(&'a self, client: &'a str, jti: &'a str, expires: Instant, now: Instant) -> Pending<'a, bool> {
        let (client, jti) = (client.to_owned(), jti.to_owned());
        self.write(move |connection| storage::remember_jti(connection, &client, &jti, expires, now))
    }

    fn signing_keys(&self) -> Pending<'_, Vec<StoredKey>> {
        self.read(storage::signing_keys)
    }

    fn rotate_signing_key(&self, key: StoredKey, lost: bool) -> Pending<'_, ()> {
        self.write(move |connection| storage::rotate_signing_key(connection, &key, lost))
    }

    fn add_signing_key(&self, key: StoredKey) -> Pending<'_, ()> {
        self.write(move |connection| storage::add_signing_key(connection, &key))
    }

    fn add_first_signing_key(&self, key: StoredKey) -> Pending<'_, ()> {
        self.write(move |connection| storage::add_first_signing_key(connection, &key))
    }
}

impl StateStore for Kept {
    fn state<'a>(&'a self, kind: Kind, id: &'a str) -> Pending<'a, Option<StateRow>> {
        let id = id.to_owned();
        self.read(move |connection| state_storage::state(connection, kind, &id))
    }

    fn states<'a>(&'a self, kind: Kind, owner: Option<&'a str>, now: Instant) -> Pending<'a, Vec<StateRow>> {
        let owner = owner.map(str::to_owned);
        self.read(move |connection| state_storage::states(connection, kind, owner.as_deref(), now))
    }

    fn add_state(&self, kind: Kind, row: StateRow, now: Instant) -> Pending<'_, bool> {
        self.write(move |connection| state_storage::add(connection, kind, &row, now))
    }

    fn change_state(&self, kind: Kind, row: StateRow) -> Pending<'_, bool> {
        self.write(move |connection| state_storage::change(connection, kind, &row))
    }

    fn remove_state<'a>(&'a self, kind: Kind, id: &'a str) -> Pending<'a, bool> {
        let id = id.to_owned();
        self.write(move |connection| state_storage::remove(connection, kind, &id))
    }
}
