//! The port in memory, for tests.

use super::client::Client;
use super::store::{ClientStore, ClientStoreError, Pending, StoredKey};
use crate::fhir::Instant;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

#[derive(Default)]
pub(crate) struct Memory {
    clients: Mutex<BTreeMap<String, Client>>,
    used: Mutex<BTreeMap<(String, String), Instant>>,
    keys: Mutex<Vec<StoredKey>>,
    pub(crate) failing: AtomicBool,
}

impl Memory {
    fn answer<T: Send + 'static>(&self, value: T) -> Pending<'static, T> {
        let failing = self.failing.load(Ordering::SeqCst);
        Box::pin(std::future::ready(if failing { Err(ClientStoreError("failing".to_owned())) } else { Ok(value) }))
    }
}

impl ClientStore for Memory {
    fn find<'a>(&'a self, id: &'a str) -> Pending<'a, Option<Client>> {
        self.answer(self.clients.lock().unwrap().get(id).cloned())
    }

    fn list(&self) -> Pending<'_, Vec<Client>> {
        self.answer(self.clients.lock().unwrap().values().cloned().collect())
    }

    fn add(&self, client: Client, _: Instant) -> Pending<'_, bool> {
        let mut clients = self.clients.lock().unwrap();
        let fresh = !clients.contains_key(&client.id);
        if fresh {
            clients.insert(client.id.clone(), client);
        }
        self.answer(fresh)
    }

    fn set_disabled<'a>(&'a self, id: &'a str, disabled: bool) -> Pending<'a, bool> {
        let mut clients = self.clients.lock().unwrap();
        let found = clients.get_mut(id).map(|client| client.disabled = disabled).is_some();
        self.answer(found)
    }

    fn remember_jti<'a>(&'a self, client: &'a str, jti: &'a str, expires: Instant, now: Instant) -> Pending<'a, bool> {
        let mut used = self.used.lock().unwrap();
        used.retain(|_, until| *until > now);
        let fresh = used.insert((client.to_owned(), jti.to_owned()), expires).is_none();
        self.answer(fresh)
    }

    fn signing_keys(&self) -> Pending<'_, Vec<StoredKey>> {
        self.answer(self.keys.lock().unwrap().iter().rev().cloned().collect())
    }

    fn add_signing_key(&self, key: StoredKey) -> Pending<'_, ()> {
        self.keys.lock().unwrap().push(key);
        self.answer(())
    }
}
