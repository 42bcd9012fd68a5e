//! One page of an answer: entries as they arrive, then its links.

use super::UpstreamStore;
use super::fault::Fault;
use super::peer::Peer;
use super::wire::{Answer, Ask};
use crate::disclosure::{Arrived, Envelope, Fragment, Taken};
use crate::fhir::pairs;
use crate::fhir::rebase::Base;
use hyper::body::{Buf as _, Bytes};
use tokio::time::Instant;

/// A Bundle of the server behind, while it is read.
pub(super) struct Page<'s> {
    store: &'s UpstreamStore,
    peer: &'s Peer,
    answer: Answer,
    envelope: Envelope,
    /// What has arrived and is not taken yet.
    arrived: Bytes,
    ended: bool,
    /// Records that came in part and were read again.
    parts: usize,
    begun: Instant,
}

/// How many records of a page are read again, one by one, because they came in part.
const PARTS: usize = 50;

/// What a page said of itself.
#[derive(Debug, Default)]
pub(super) struct Links {
    /// `self`, as parameters.
    pub(super) own: Option<Vec<(String, String)>>,
    /// `next`, below the base.
    pub(super) next: Option<String>,
}

impl UpstreamStore {
    /// Asks for a page. `None` when the server says that there is nothing of the kind (404, or 410 for a page that is no more).
    pub(super) async fn page<'s>(&'s self, peer: &'s Peer, ask: &Ask) -> Result<Option<Page<'s>>, Fault> {
        let answer = peer.wire.ask(ask).await?;
        match answer.status {
            200 => self.bundle(peer, answer, ask.place()).map(Some),
            404 | 410 => Ok(None),
            status => Err(Fault::Status(status)),
        }
    }

    /// An answer that must be a Bundle, to what was asked at this place.
    pub(super) fn bundle<'s>(&'s self, peer: &'s Peer, answer: Answer, place: &str) -> Result<Page<'s>, Fault> {
        answer.demand_json()?;
        let envelope = Envelope::new(place, self.options.record_bytes, &self.crossing);
        Ok(Page { store: self, peer, answer, envelope, arrived: Bytes::new(), ended: false, parts: 0, begun: Instant::now() })
    }
}

impl Peer {
    /// A link of the server below its own base; anywhere else it is not followed.
    pub(super) fn below_base(&self, url: &str) -> Result<String, Fault> {
        let bases = std::iter::once(&self.base).chain(&self.aliases);
        for base in bases.filter_map(|base| Base::read(base)) {
            if let Some(rest) = base.strip(url) {
                match rest.as_bytes().first() {
                    Some(b'/') => return safe(rest.trim_start_matches('/')),
                    Some(b'?') => return safe(rest),
                    _ => {}
                }
            }
        }
        if url.starts_with('?') || (!url.contains("://") && !url.starts_with('/')) {
            return safe(url);
        }
        Err(Fault::wrong("a link to the next page that leads elsewhere"))
    }
}

/// Nothing that leaves the base, or that two readers would understand differently.
fn safe(place: &str) -> Result<String, Fault> {
    let path = place.split('?').next().unwrap_or_default().to_ascii_lowercase();
    // Some servers cut parameters off a part of a path, and some take an escaped slash for one.
    let steps = |part: &str| matches!(part.split(';').next(), Some("." | ".."));
    let dots = path.split('/').any(steps) || ["%2e", "%2f", "%5c", "%00"].iter().any(|hidden| path.contains(hidden));
    let legible = place.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'#' | b'\\' | b'"' | b'<' | b'>'));
    if dots || !legible || path.contains("//") || place.len() > 16_384 {
        return Err(Fault::wrong("a link to the next page that is no address below the base"));
    }
    Ok(place.to_owned())
}

impl Page<'_> {
    /// The next entry, its record whole.
    pub(super) async fn entry(&mut self) -> Result<Option<Arrived>, Fault> {
        let Some(mut arrived) = self.next().await? else { return Ok(None) };
        if let Some(part) = arrived.part.take() {
            arrived.record = self.whole(&part).await?;
        }
        Ok(Some(arrived))
    }

    /// The whole of a record that came in part; `None` when it is gone. What decides about others is read again each time.
    async fn whole(&mut self, part: &Fragment) -> Result<Option<Taken>, Fault> {
        let decides = self.store.options.deciding.contains(&part.key().resource_type);
        if let Some(before) = self.store.crossing.whole_before(part).filter(|_| !decides && !part.is_past()) {
            return Ok(Some(before));
        }
        self.parts += 1;
        if self.parts > PARTS {
            return Err(Fault::wrong("more parts of records (SUBSETTED) on a page than are read again"));
        }
        if self.begun.elapsed() >= self.store.options.whole {
            return Err(Fault::Slow("records that came in part"));
        }
        self.store.whole_of(part).await
    }

    /// The next entry as it came.
    async fn next(&mut self) -> Result<Option<Arrived>, Fault> {
        loop {
            let mut left = &*self.arrived;
            let entry = self.envelope.next_entry(&self.store.crossing, &mut left)?;
            let taken = self.arrived.len() - left.len();
            self.arrived.advance(taken);
            if entry.is_some() {
                return Ok(entry);
            }
            if self.ended {
                return Ok(None);
            }
            match self.answer.chunk().await? {
                Some(bytes) => self.arrived = bytes,
                None => self.ended = true,
            }
        }
    }

    /// Reads what is left, and the links.
    pub(super) async fn close(mut self) -> Result<Links, Fault> {
        while self.next().await?.is_some() {}
        let mut links = Links::default();
        for (relation, url) in self.envelope.close()? {
            match relation.as_str() {
                "self" => links.own = url.split_once('?').map_or(Ok(Vec::new()), |(_, query)| pairs(query)).ok(),
                "next" => links.next = Some(self.peer.below_base(&url)?),
                _ => {}
            }
        }
        Ok(links)
    }
}

/// Parameters that a server may change without changing what is found.
const SHAPES: &[&str] = &["_count", "_format", "_pretty"];

/// R4 search § 3.1.1.1: the `self` link tells what was understood. A parameter that is not there was ignored.
pub(super) fn demand_carried(asked: &[(String, String)], own: Option<&[(String, String)]>) -> Result<(), Fault> {
    let asked = asked.iter().filter(|(name, _)| !SHAPES.contains(&name.as_str()));
    let mut left: Vec<&(String, String)> = own.unwrap_or_default().iter().collect();
    for (name, value) in asked {
        let same = |told: &&&(String, String)| told.0 == *name && is_same(&told.1, value);
        let Some(at) = left.iter().position(|told| same(&told)) else {
            return Err(Fault::wrong(format!("the `self` link does not carry `{name}`: the upstream ignored it")));
        };
        left.swap_remove(at);
    }
    Ok(())
}

/// A value may come back with the type of its reference added or taken away.
fn is_same(told: &str, asked: &str) -> bool {
    let last = |text: &str| text.split(',').map(|one| one.rsplit('/').next().unwrap_or(one).to_owned()).collect::<Vec<_>>();
    told == asked || last(told) == last(asked)
}

#[cfg(test)]
mod tests {
    use super::{demand_carried, safe};

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn every_parameter_must_come_back_as_often_as_it_was_sent() {
        let asked = [pair("patient", "Patient/p1"), pair("date", "ge2020"), pair("date", "lt2021"), pair("_count", "5")];
        let own = [pair("date", "lt2021"), pair("date", "ge2020"), pair("patient", "p1")];
        assert!(demand_carried(&asked, Some(&own)).is_ok());
        assert!(demand_carried(&asked, Some(&own[..2])).is_err());
        assert!(demand_carried(&asked, None).is_err());
        assert!(demand_carried(&asked[3..], None).is_ok());
        let once = [pair("date", "ge2020"), pair("patient", "p1")];
        assert!(demand_carried(&asked, Some(&once)).is_err(), "repeated parameters are not the same");
        assert!(demand_carried(&asked[..1], Some(&[pair("patient", "p2")])).is_err());
    }

    #[test]
    fn links_stay_below_the_base() {
        for good in [
            "?_getpages=a-b&_bundletype=searchset",
            "Observation?patient=Patient/p1&date=ge2020",
            "Patient/p1/Observation?_page=x",
        ] {
            assert!(safe(good).is_ok(), "{good}");
        }
        for bad in [
            "../admin",
            "Patient/%2e%2e/%2E%2E/x",
            "a//b",
            "x y",
            "x#y",
            "x\\y",
            "a/..;/b",
            "..;x=y/admin",
            "a%2F..%2Fb",
            "a%5c..%5cb",
        ] {
            assert!(safe(bad).is_err(), "{bad}");
        }
    }
}
