//! The port in memory, for tests.

use super::client::Client;
use super::state::{Kind, StateRow, StateStore};
use super::store::{ClientStore, ClientStoreError, Pending, StoredKey};
use crate::fhir::Instant;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::oneshot;

#[derive(Default)]
pub(crate) struct Memory {
    clients: Mutex<BTreeMap<String, Client>>,
    used: Mutex<BTreeMap<(String, String), Instant>>,
    keys: Mutex<Vec<StoredKey>>,
    states: Mutex<BTreeMap<(Kind, String), StateRow>>,
    pub(crate) failing: AtomicBool,
    /// What the next list of clients, read already, waits for.
    held: Mutex<Option<oneshot::Receiver<()>>>,
}

impl Memory {
    /// The next list of clients is as it is when it is asked for, and comes when the sender says so.
    pub(crate) fn hold_next_list(&self) -> oneshot::Sender<()> {
        let (sender, receiver) = oneshot::channel();
        *self.held.lock().unwrap() = Some(receiver);
        sender
    }

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
        let answer = self.answer(self.clients.lock().unwrap().values().cloned().collect());
        let held = self.held.lock().unwrap().take();
        Box::pin(async move {
            if let Some(held) = held {
                let _ = held.await;
            }
            answer.await
        })
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

    fn replace(&self, client: Client, _: Instant) -> Pending<'_, bool> {
        let mut clients = self.clients.lock().unwrap();
        let found = clients.get_mut(&client.id).map(|held| *held = client).is_some();
        self.answer(found)
    }

    fn remove<'a>(&'a self, id: &'a str) -> Pending<'a, bool> {
        let removed = self.clients.lock().unwrap().remove(id).is_some();
        self.answer(removed)
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

    fn rotate_signing_key(&self, key: StoredKey, lost: bool) -> Pending<'_, ()> {
        let mut keys = self.keys.lock().unwrap();
        for old in keys.iter_mut().filter(|old| old.algorithm == key.algorithm && (lost || old.retired.is_none())) {
            old.retired = Some(if lost { Instant(0) } else { key.created });
        }
        keys.push(key);
        self.answer(())
    }

    fn add_signing_key(&self, key: StoredKey) -> Pending<'_, ()> {
        self.keys.lock().unwrap().push(key);
        self.answer(())
    }

    fn add_first_signing_key(&self, key: StoredKey) -> Pending<'_, ()> {
        let mut keys = self.keys.lock().unwrap();
        if !keys.iter().any(|one| one.signs_beside(&key)) {
            keys.push(key);
        }
        self.answer(())
    }
}

impl StateStore for Memory {
    fn state<'a>(&'a self, kind: Kind, id: &'a str) -> Pending<'a, Option<StateRow>> {
        self.answer(self.states.lock().unwrap().get(&(kind, id.to_owned())).cloned())
    }

    fn states<'a>(&'a self, kind: Kind, owner: Option<&'a str>, now: Instant) -> Pending<'a, Vec<StateRow>> {
        let states = self.states.lock().unwrap();
        let fits = |row: &StateRow| row.expires > now && owner.is_none_or(|owner| row.owner == owner);
        let found = states.iter().filter(|((of, _), row)| *of == kind && fits(row)).map(|(_, row)| row.clone()).collect();
        self.answer(found)
    }

    fn add_state(&self, kind: Kind, row: StateRow, now: Instant) -> Pending<'_, bool> {
        let mut states = self.states.lock().unwrap();
        states.retain(|_, row| row.expires > now);
        let key = (kind, row.id.clone());
        let fresh = !states.contains_key(&key);
        if fresh {
            states.insert(key, StateRow { version: 0, ..row });
        }
        self.answer(fresh)
    }

    fn change_state(&self, kind: Kind, row: StateRow) -> Pending<'_, bool> {
        let mut states = self.states.lock().unwrap();
        let same = states.get_mut(&(kind, row.id.clone())).filter(|held| held.version == row.version);
        let changed = same.map(|held| *held = StateRow { version: row.version + 1, ..row }).is_some();
        self.answer(changed)
    }

    fn remove_state<'a>(&'a self, kind: Kind, id: &'a str) -> Pending<'a, bool> {
        let removed = self.states.lock().unwrap().remove(&(kind, id.to_owned())).is_some();
        self.answer(removed)
    }
}
