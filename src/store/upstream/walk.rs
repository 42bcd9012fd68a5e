//! Going through what a search finds, record by record: each is held to every condition and to the permit before anybody hears of it.

use super::UpstreamStore;
use super::fault::Fault;
use super::hunt::{Hunt, Leg, Question, Source};
use super::needle::{Needle, Silent};
use super::page::demand_carried;
use super::place::Place;
use super::round::Round;
use super::wire::Ask;
use crate::access::Permit;
use crate::disclosure::{EntryMode, Taken};
use crate::fhir::Key;
use crate::store::{Cursor, PageBounds};
use std::collections::HashSet;

/// Records of one page of the server behind, when all are gone through.
const MANY: usize = 250;

/// Records that an exchange counts as.
const PAGE: usize = 20;

/// How many times as many entries as were asked for a page may have, and some beside: servers count in their own ways.
pub(super) const MORE: usize = 4;
pub(super) const SLACK: usize = 1_000;
/// Entries after which others who wait for this thread get a turn.
const BREATH: usize = 32;

/// What comes after a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The next one.
    On,
    /// This one is left for another time.
    Stop,
}

/// The records that were found. Their ids are chosen by others: the hash has a secret of its own.
type Seen = HashSet<Key, foldhash::fast::RandomState>;

/// Called with each record, in order, that matches and may be seen.
pub(super) type Take<'t> = dyn FnMut(Taken) -> Result<Step, Fault> + Send + 't;

/// Through what, from where, and how.
pub(super) struct Walk<'w> {
    pub(super) permit: &'w Permit,
    pub(super) hunts: &'w [Hunt],
    pub(super) from: Option<&'w Place>,
    /// Records of one page of the server behind.
    pub(super) page: usize,
    /// Whether it must come to the end, or may be ended by the bound on records looked at.
    pub(super) all: bool,
}

impl UpstreamStore {
    /// Goes through everything that these find. The callback says false to end it.
    pub(super) async fn each(
        &self,
        permit: &Permit,
        hunts: &[Hunt],
        round: &mut Round,
        mut take: impl FnMut(Taken) -> Result<bool, Fault> + Send,
    ) -> Result<(), Fault> {
        let walk = Walk { permit, hunts, from: None, page: MANY, all: true };
        self.walk(&walk, round, &mut |taken| take(taken).map(|on| if on { Step::On } else { Step::Stop })).await.map(drop)
    }

    /// Goes through what a walk finds. Gives where it stopped, when it did not come to the end.
    pub(super) async fn walk(&self, walk: &Walk<'_>, round: &mut Round, take: &mut Take<'_>) -> Result<Option<Place>, Fault> {
        let mut seen = Seen::default();
        let mut place = walk.from.cloned();
        for hunt in walk.hunts {
            if place.as_ref().is_some_and(|place| place.of != hunt.of.name()) {
                continue;
            }
            for (at, leg) in hunt.legs.iter().enumerate() {
                let from = match &place {
                    Some(before) if before.leg > at => continue,
                    Some(_) => place.take().unwrap_or_default(),
                    None => Place { of: hunt.of.name().to_owned(), leg: at, page: None, skip: 0 },
                };
                let one = One { walk, hunt, earlier: hunt.legs.get(..at).unwrap_or_default() };
                let stopped = match &leg.source {
                    Source::Own(query) => self.through_own(&one, query, from, &mut seen, round, take).await?,
                    Source::Behind(question) => self.through(&one, question, from, &mut seen, round, take).await?,
                };
                if stopped.is_some() {
                    return Ok(stopped);
                }
            }
        }
        if place.is_some() {
            return Err(Fault::Cursor);
        }
        Ok(None)
    }

    /// Goes through one query of the server behind, page by page.
    async fn through(
        &self,
        one: &One<'_>,
        question: &Question,
        mut from: Place,
        seen: &mut Seen,
        round: &mut Round,
        take: &mut Take<'_>,
    ) -> Result<Option<Place>, Fault> {
        let peer = self.peers.of(one.hunt.of);
        let most = one.walk.page.saturating_mul(MORE).saturating_add(SLACK);
        let (mut first, mut all) = (from.page.is_none(), true);
        loop {
            let address = from.page.clone().unwrap_or_else(|| question.place(one.walk.page, all));
            let mut page = match self.page(peer, &Ask::search(address.clone())).await {
                Ok(Some(page)) => page,
                // A page that is no more; or nothing of this type or compartment is there.
                Ok(None) => return if first { Ok(None) } else { Err(Fault::Cursor) },
                // It does not know some of it. What is left out is held against each record that comes.
                Err(Fault::Status(400 | 422)) if first && all && !question.told.is_empty() => {
                    all = false;
                    continue;
                }
                Err(fault) => return Err(fault),
            };
            // A page counts too, as it takes an exchange, and there may be nothing on it.
            round.looked += PAGE;
            let (mut at, mut stopped) = (0, None);
            while let Some(arrived) = page.entry().await? {
                if arrived.mode != EntryMode::Match {
                    continue;
                }
                at += 1;
                if at > most {
                    return Err(Fault::wrong("many more entries than were asked for"));
                }
                if at % BREATH == 0 {
                    tokio::task::yield_now().await;
                }
                if at <= from.skip {
                    continue;
                }
                round.looked += 1;
                let Some(taken) = arrived.record else { continue };
                let Some(taken) = self.found(one, taken, seen, round).await? else { continue };
                if take(taken)? == Step::Stop {
                    stopped = Some(at - 1);
                    break;
                }
            }
            // Read to the end even so: what it says of itself may stand there, and the connection can be used again.
            let links = page.close().await?;
            if first && peer.demand_self_link {
                demand_carried(&question.pairs(all), links.own.as_deref())?;
            }
            if let Some(skip) = stopped {
                return Ok(Some(Place { skip, ..from }));
            }
            let Some(next) = links.next else { return Ok(None) };
            if next == address {
                return Err(Fault::wrong("pages that lead nowhere"));
            }
            first = false;
            from = Place { page: Some(next), skip: 0, ..from };
            if self.is_enough(one.walk, round)? {
                return Ok(Some(from));
            }
        }
    }

    /// Whether a walk has gone on for as long as one request may; an error where it must come to the end.
    fn is_enough(&self, walk: &Walk<'_>, round: &Round) -> Result<bool, Fault> {
        let many = round.looked >= self.options.looked_at;
        match (many || round.lasted(self.options.whole), walk.all) {
            (true, true) if many => Err(Fault::Costly(TOO_MANY)),
            (true, true) => Err(Fault::Slow("one page after the other")),
            (enough, _) => Ok(enough),
        }
    }

    /// Goes through one query of the gateway's own store.
    async fn through_own(
        &self,
        one: &One<'_>,
        query: &crate::fhir::search::SearchQuery,
        mut from: Place,
        seen: &mut Seen,
        round: &mut Round,
        take: &mut Take<'_>,
    ) -> Result<Option<Place>, Fault> {
        let count = u32::try_from(one.walk.page).unwrap_or(u32::MAX);
        let bounds = PageBounds { count, included: 0, bytes: self.options.answer_bytes };
        loop {
            let cursor = from.page.clone().map(Cursor);
            let page = self.own.search(one.walk.permit, query, cursor.as_ref(), bounds).await?;
            for (at, row) in page.matches.into_iter().enumerate().skip(from.skip) {
                round.looked += 1;
                let taken = self.crossing.reopened(row)?;
                let Some(taken) = self.found(one, taken, seen, round).await? else { continue };
                if take(taken)? == Step::Stop {
                    return Ok(Some(Place { skip: at, ..from }));
                }
            }
            let Some(next) = page.next else { return Ok(None) };
            from = Place { page: Some(next.0), skip: 0, ..from };
            if self.is_enough(one.walk, round)? {
                return Ok(Some(from));
            }
        }
    }

    /// A record that came, when it is what was asked for and may be seen. What is neither stays inside, without a word.
    async fn found(&self, one: &One<'_>, taken: Taken, seen: &mut Seen, round: &mut Round) -> Result<Option<Taken>, Fault> {
        let withheld = |why: &'static str| {
            metrics::counter!("amanat_upstream_withheld_total", "reason" => why).increment(1);
            Ok(None)
        };
        if taken.key().resource_type != one.hunt.of || seen.contains(taken.key()) {
            return withheld("not-asked-for");
        }
        let taken = self.settled(taken, round).await?;
        if one.is_earlier(&taken) {
            return Ok(None);
        }
        let silent = self.silent(one.walk.permit, &one.hunt.needles, &taken, round).await?;
        if !one.hunt.needles.iter().all(|needle| needle.holds(&taken, &silent)) {
            return withheld("no-match");
        }
        if !self.shows(&one.hunt.predicate, &taken.facts, Some(&taken), round).await? {
            return withheld("permit");
        }
        seen.insert(taken.key().clone());
        Ok(Some(taken))
    }
}

const TOO_MANY: &str =
    "this needs more records to be looked at than one request may; narrow it, by a patient or a date for example";

/// One query of one hunt.
struct One<'w> {
    walk: &'w Walk<'w>,
    hunt: &'w Hunt,
    earlier: &'w [Leg],
}

impl One<'_> {
    /// Whether a query before this one has found it.
    fn is_earlier(&self, taken: &Taken) -> bool {
        self.earlier.iter().filter_map(|leg| leg.mine.as_ref()).any(|mine: &Needle| mine.holds(taken, &Silent::default()))
    }
}
