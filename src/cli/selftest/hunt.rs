//! The hunt: two gateways whose stores differ in what the caller may not see, asked the same until one answers otherwise.

use super::case::{Case, Reply};
use super::draw::Draw;
use super::masks::Names;
use super::twin::{Ground, Twin};
use super::world::World;
use crate::cli::screen::Failure;
use crate::clock::Clock;
use crate::fhir::Instant;
use futures_util::future::join_all;
use std::fmt;
use std::time::{Duration, Instant as Stopwatch};

/// Requests of one world, before the next begins.
const ROUND: u64 = 1250;

/// Reads that are asked at once, so that they share a sync of the trail.
const ABREAST: usize = 32;

/// When the stores are begun to be filled; each step takes ten minutes.
const MOMENT: &str = "2026-06-01T12:00:00Z";

/// How long to hunt.
#[derive(Debug, Clone, Copy)]
pub struct Hunt {
    /// Draws the requests.
    pub seed: u64,
    /// At most so many requests.
    pub cases: u64,
    /// At most so long; a round that has begun is broken off.
    pub time: Option<Duration>,
}

/// What was found.
#[derive(Debug)]
pub struct Outcome {
    /// Requests drawn.
    pub cases: u64,
    /// Answers compared, pages among them.
    pub answers: u64,
    /// Of those, the ones that showed content.
    pub telling: u64,
    /// The first difference.
    pub leak: Option<Leak>,
}

/// A request that tells what it must not.
#[derive(Debug)]
pub struct Leak {
    /// The world that it was found in.
    pub world: World,
    /// The seed of that world's requests.
    pub seed: u64,
    /// The number of the request, from 0.
    pub number: u64,
    /// The page, from 0.
    pub page: usize,
    /// The request.
    pub case: Case,
    /// With the hidden records.
    pub with: String,
    /// Without them.
    pub without: String,
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "LEAK in the world `{:?}`, seed {}, request {}, page {}", self.world, self.seed, self.number, self.page)?;
        writeln!(f, "{}\n\n--- with the hidden records\n{}\n\n--- without them\n{}", self.case, self.with, self.without)
    }
}

/// Hunts.
///
/// # Errors
/// When a gateway cannot be opened, or a world is not what it says.
pub(super) async fn hunt(plan: Hunt, ground: Ground<'_>) -> Result<Outcome, Failure> {
    let begun = Stopwatch::now();
    let mut outcome = Outcome { cases: 0, answers: 0, telling: 0, leak: None };
    let over_time = || plan.time.is_some_and(|time| begun.elapsed() >= time);
    // Every world is seen, however few requests there are.
    let worlds = u64::try_from(World::ALL.len()).unwrap_or(1);
    let round = ROUND.min(plan.cases.div_ceil(worlds));
    for (seed, world) in (plan.seed..).zip(World::ALL.into_iter().cycle()) {
        if outcome.cases >= plan.cases || over_time() {
            break;
        }
        let mut twins = Round::open(world, seed, ground).await?;
        let most = round.min(plan.cases - outcome.cases);
        outcome.leak = twins.run(most, &over_time).await;
        outcome.cases += twins.asked;
        outcome.answers += twins.answers;
        outcome.telling += twins.telling;
        twins.close().await;
        if outcome.leak.is_some() {
            break;
        }
    }
    Ok(outcome)
}

/// One world in two stores.
struct Round {
    world: World,
    seed: u64,
    draw: Draw,
    clock: Clock,
    twins: [Twin; 2],
    names: [Names; 2],
    asked: u64,
    answers: u64,
    telling: u64,
}

impl Round {
    async fn open(world: World, seed: u64, ground: Ground<'_>) -> Result<Self, Failure> {
        let begin = Instant::parse(MOMENT).unwrap_or(Instant(0));
        let clock = Clock::fixed(begin);
        let asker = world.asker();
        let twins = [Twin::open(&clock, &asker, ground).await?, Twin::open(&clock, &asker, ground).await?];
        let (shown, hidden, mut moment) = (world.seen(), world.hidden(), begin);
        for step in 0..shown.len().max(hidden.len()) {
            moment = moment.plus_seconds(600);
            clock.set(moment);
            twins[0].fill(hidden.get(step).map_or(&[][..], Vec::as_slice)).await?;
            for twin in &twins {
                twin.fill(shown.get(step).map_or(&[][..], Vec::as_slice)).await?;
            }
        }
        let round = Self {
            world,
            seed,
            draw: Draw::new(seed),
            clock,
            twins,
            names: [Names::default(), Names::default()],
            asked: 0,
            answers: 0,
            telling: 0,
        };
        round.is_what_it_says().await?;
        Ok(round)
    }

    /// A hidden record that could be seen would be no leak, and one that nobody sees no world.
    async fn is_what_it_says(&self) -> Result<(), Failure> {
        let keys = |steps: Vec<Vec<serde_json::Value>>| {
            let part =
                |record: &serde_json::Value, name| record.get(name).and_then(|one| one.as_str()).unwrap_or_default().to_owned();
            steps.into_iter().flatten().map(move |one| format!("{}/{}", part(&one, "resourceType"), part(&one, "id")))
        };
        let seen = keys(self.world.seen()).map(|key| (key, [200, 200]));
        let hidden = keys(self.world.hidden()).map(|key| (key, [404, 403]));
        for (key, statuses) in seen.chain(hidden) {
            let reply = self.twins[0].ask(&Case::get(key.clone())).await;
            let status = reply.first().map_or(0, |reply| reply.status);
            // An organization is nobody's, and a scope may leave it out.
            let expected = statuses.contains(&status) || (self.world == World::Scope && status == 403);
            if !expected {
                let text = format!("the world `{:?}` is not what it says: {key} answers {status}", self.world);
                return Err(Failure::Failed(text));
            }
        }
        Ok(())
    }

    async fn run(&mut self, most: u64, over_time: &dyn Fn() -> bool) -> Option<Leak> {
        while self.asked < most && !over_time() {
            let creating = self.asked > most / 2;
            let mut reads = Vec::new();
            while reads.len() < ABREAST && self.asked + (reads.len() as u64) < most {
                if self.draw.chance(12) {
                    break;
                }
                reads.push(self.draw.read());
            }
            if let Some(leak) = self.compare(&reads).await {
                return Some(leak);
            }
            // Each change has a time of its own, as it would have.
            self.clock.set(Instant(self.clock.now().0 + 1));
            let change = self.draw.change(creating);
            if let Some(leak) = self.compare(&[change]).await {
                return Some(leak);
            }
            self.draw.made = self.names[0].any();
        }
        None
    }

    async fn compare(&mut self, cases: &[Case]) -> Option<Leak> {
        let [one, other] = &self.twins;
        let with = join_all(cases.iter().map(|case| one.ask(case))).await;
        let without = join_all(cases.iter().map(|case| other.ask(case))).await;
        for ((case, with), without) in cases.iter().zip(with).zip(without) {
            self.asked += 1;
            let mask = |replies: Vec<Reply>, names: &mut Names| replies.iter().map(|one| names.masked(one)).collect::<Vec<_>>();
            let (with, without) = (mask(with, &mut self.names[0]), mask(without, &mut self.names[1]));
            self.answers += with.len() as u64;
            self.telling += with.iter().filter(|one| one.status < 300 && one.body.contains("\"resourceType\"")).count() as u64;
            let pages = with.len().max(without.len());
            if let Some(page) = (0..pages).find(|page| with.get(*page) != without.get(*page)) {
                let told = |replies: &[Reply]| replies.get(page).map_or_else(|| "no such page".to_owned(), ToString::to_string);
                let (world, seed, number) = (self.world, self.seed, self.asked - 1);
                return Some(Leak { world, seed, number, page, case: case.clone(), with: told(&with), without: told(&without) });
            }
        }
        None
    }

    async fn close(self) {
        for twin in self.twins {
            twin.close().await;
        }
    }
}
