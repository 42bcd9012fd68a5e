//! What follows the durable trail from positions of its own and never stands in a request's way: checkpoints and their push, feeds to
//! other systems, the sentry with its alert rules, and whoever is told of alarms.

mod feed;
mod follow;
mod keeper;
mod lines;
mod mail;
mod notices;
mod post;
mod pseudonym;
mod push;
mod replaced;
mod retention;
mod sentry;
mod syslog;
mod target;

pub use keeper::{Keeper, KeeperError};

use crate::audit::rules::Acquaintance;
use crate::audit::{Site, Trail};
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::lab::changes::Audience;
use crate::store::evidence::EvidenceStore;
use crate::store::space::Space;
use crate::store::watch::WatchStore;
use crate::telemetry;
use feed::Feed;
use follow::{AWAY, LOOK, follow};
use notices::{Notices, Sources};
use pseudonym::Pseudonyms;
use push::Pusher;
use replaced::Subscriber;
use retention::Retention;
use sentry::Sentry;
use std::sync::Arc;
use std::time::Duration;
use target::Receiver;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

/// What the watch needs of the rooms around it.
pub struct Around {
    /// The trail as evidence.
    pub evidence: Arc<dyn EvidenceStore>,
    /// Where what the watch does is entered.
    pub trail: Arc<dyn Trail>,
    /// Alarms, restrictions, reviews.
    pub store: Arc<dyn WatchStore>,
    /// Who can tell how users and patients stand to each other.
    pub acquaintance: Arc<dyn Acquaintance>,
    /// Who decides whether subscribers of replaced results are told.
    pub audience: Arc<dyn Audience>,
    /// The disk that fills.
    pub space: Space,
}

/// What watches a serving gateway.
pub struct Watch {
    keeper: Arc<Keeper>,
    pushers: Arc<Mutex<Vec<Pusher>>>,
    followers: Mutex<Followers>,
    sentry: Option<Arc<Mutex<Sentry>>>,
    retention: Arc<Retention>,
    trail: Arc<dyn Trail>,
    settings: config::Checkpoints,
}

/// What is set going by [`Watch::begin`].
#[derive(Default)]
struct Followers {
    feeds: Vec<Feed>,
    notices: Vec<Notices>,
    subscribers: Vec<Subscriber>,
}

/// The name under which the key of pseudonyms is kept.
const PSEUDONYMS: &str = "pseudonym-key";

/// How often checkpoints are thought of.
const BEAT: Duration = Duration::from_secs(1);

/// How often expired months are thought of.
const HOURLY: Duration = Duration::from_hours(1);

/// How long the last push may hold up a stop.
const LAST_PUSH: Duration = Duration::from_secs(5);

impl Watch {
    /// Takes up where the last run stood.
    ///
    /// # Errors
    /// [`KeeperError`]
    pub async fn open(around: Around, config: &Config, site: &Site, clock: &Clock) -> Result<Self, KeeperError> {
        let Around { evidence, trail, store, acquaintance, audience, space } = around;
        let keeper = Arc::new(Keeper::open(Arc::clone(&evidence), &config.trail_origin(), clock).await?);
        let mut fresh = vec![0; 32];
        aws_lc_rs::rand::fill(&mut fresh).map_err(|_| KeeperError::Damaged("the system has no random numbers"))?;
        let pseudonyms = Arc::new(Pseudonyms::new(&evidence.kept_or(PSEUDONYMS, fresh).await?));
        let feeds = config.audit.feeds.iter().map(|one| Feed::new(&evidence, clock, site, one, &pseudonyms)).collect();
        let sources = Arc::new(Sources {
            evidence: Arc::clone(&evidence),
            store: Arc::clone(&store),
            trail: Arc::clone(&trail),
            space,
            clock: clock.clone(),
            node: site.node().to_owned(),
            pseudonyms: Arc::clone(&pseudonyms),
        });
        let told = |(at, target): (usize, &config::Target)| {
            Notices::new(&sources, format!("notice-{}-{at}", kind(target)), Receiver::of(target))
        };
        let notices = config.alarms.to.iter().enumerate().map(told).collect();
        let subscriber = |one| Subscriber::new(&evidence, &audience, clock, one);
        let subscribers: Vec<Subscriber> = config.lab.subscribers.iter().map(subscriber).collect();
        for one in &subscribers {
            one.begin().await?;
        }
        let pusher = |(at, target): (usize, &config::Target)| {
            Pusher::new(Arc::clone(&evidence), clock, format!("checkpoint-{}-{at}", kind(target)), Receiver::of(target))
        };
        let pushers = config.audit.checkpoints.to.iter().enumerate().map(pusher).collect();
        let retention = Arc::new(Retention {
            evidence: Arc::clone(&evidence),
            keeper: Arc::clone(&keeper),
            settings: config.audit.retention.clone(),
            clock: clock.clone(),
        });
        let sampled = config.audit.review_percent;
        let sentry = move || Sentry::new(&evidence, &store, acquaintance, &config.alarms, sampled, clock);
        Ok(Self {
            keeper,
            pushers: Arc::new(Mutex::new(pushers)),
            followers: Mutex::new(Followers { feeds, notices, subscribers }),
            sentry: config.alarms.enabled.then(sentry).map(|sentry| Arc::new(Mutex::new(sentry))),
            retention,
            trail,
            settings: config.audit.checkpoints.clone(),
        })
    }

    /// Begins to follow.
    pub async fn begin(&self) -> Vec<JoinHandle<()>> {
        let followers = std::mem::take(&mut *self.followers.lock().await);
        let mut tasks = vec![self.sign_and_push(), self.retain()];
        tasks.extend(followers.feeds.into_iter().map(|feed| tokio::spawn(follow(feed))));
        tasks.extend(followers.notices.into_iter().map(|notices| tokio::spawn(follow(notices))));
        tasks.extend(followers.subscribers.into_iter().map(|subscriber| tokio::spawn(follow(subscriber))));
        tasks.extend(self.sentry.clone().map(|sentry| tokio::spawn(stand_guard(sentry))));
        tasks
    }

    fn sign_and_push(&self) -> JoinHandle<()> {
        let (keeper, pushers, sentry) = (Arc::clone(&self.keeper), Arc::clone(&self.pushers), self.sentry.clone());
        let (entries, every) = (self.settings.every_entries, Duration::from_secs(self.settings.every_seconds));
        let alert = i64::try_from(self.settings.alert_seconds).unwrap_or(i64::MAX);
        tokio::spawn(async move {
            let mut beat = tokio::time::interval(BEAT);
            beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                beat.tick().await;
                if let Err(error) = keeper.tend(entries, every).await {
                    tracing::error!(code = "AMANAT-TRAIL-0002", %error, "the state of the trail could not be signed");
                }
                for receiver in push_all(&pushers, alert).await {
                    let Some(sentry) = &sentry else { continue };
                    if let Err(error) = sentry.lock().await.missing_checkpoint(&receiver).await {
                        tracing::error!(%error, receiver, "nobody could be told that a checkpoint is missing");
                    }
                }
            }
        })
    }

    fn retain(&self) -> JoinHandle<()> {
        let (retention, trail) = (Arc::clone(&self.retention), Arc::clone(&self.trail));
        tokio::spawn(async move {
            let mut beat = tokio::time::interval(HOURLY);
            loop {
                beat.tick().await;
                match retention.tend().await {
                    Ok(Some(entry)) => {
                        if trail.append(entry).await.is_err() {
                            tracing::error!("the trail cannot be written");
                        }
                    }
                    Ok(None) => {}
                    Err(error) => tracing::error!(code = "AMANAT-TRAIL-0005", %error, "expired entries could not be sealed"),
                }
            }
        })
    }

    /// Signs the last state and pushes it. To be called when the last entry is written and before the store closes.
    pub async fn end(&self) {
        if let Err(error) = self.keeper.checkpoint().await {
            tracing::error!(code = "AMANAT-TRAIL-0002", %error, "the last state of the trail could not be signed");
        }
        if tokio::time::timeout(LAST_PUSH, push_all(&self.pushers, i64::MAX)).await.is_err() {
            tracing::warn!("the last checkpoint could not be pushed in time");
        }
    }
}

async fn stand_guard(sentry: Arc<Mutex<Sentry>>) {
    while let Err(error) = sentry.lock().await.begin().await {
        tracing::warn!(%error, "the sentry cannot begin yet");
        tokio::time::sleep(AWAY).await;
    }
    loop {
        let followed = sentry.lock().await.follow().await;
        match followed {
            Ok(true) => tokio::task::yield_now().await,
            Ok(false) => tokio::time::sleep(LOOK).await,
            Err(error) => {
                tracing::warn!(%error, "the sentry cannot follow the trail now");
                tokio::time::sleep(AWAY).await;
            }
        }
    }
}

fn kind(target: &config::Target) -> &'static str {
    match target {
        config::Target::File(_) => "file",
        config::Target::Https { .. } => "https",
        config::Target::Mail(_) => "mail",
        config::Target::Syslog { .. } => "syslog",
    }
}

/// Pushes what waits. Gives the receivers that have had nothing for so many seconds.
async fn push_all(pushers: &Mutex<Vec<Pusher>>, alert: i64) -> Vec<String> {
    let mut late = Vec::new();
    for pusher in pushers.lock().await.iter_mut() {
        let waited = pusher.push().await;
        #[expect(clippy::cast_precision_loss, reason = "seconds of a wait are far below 2^52")]
        metrics::gauge!(telemetry::CHECKPOINT_WAITING, "receiver" => pusher.name().to_owned()).set(waited as f64);
        if waited >= alert {
            late.push(pusher.name().to_owned());
        }
    }
    late
}
