use super::*;
use crate::identity::fetch::Reach;
use crate::identity::forge::{Forge, Host, answer};
use crate::identity::jws::Jws;

const NOW: Instant = Instant(1_800_000_000_000);

fn cache(host: &Host, freshness: Freshness) -> KeyCache {
    let at = KeysAt::Address { url: host.url.clone(), reach: Reach::Inside, authorities: None };
    KeyCache::new(&at, freshness).unwrap()
}

async fn accepts(cache: &KeyCache, key: &Forge, now: Instant) -> bool {
    let token = key.token(&serde_json::json!({}));
    let jws = Jws::parse(&token).unwrap();
    match cache.knowing(&jws.header, now).await {
        Ok(set) => set.verify(&jws).is_ok(),
        Err(_) => false,
    }
}

fn failure() -> String {
    "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned()
}

#[tokio::test]
async fn unknown_key_ids_lead_to_one_more_fetch_an_interval() {
    let (known, unknown) = (Forge::new("ES256", "a"), Forge::new("ES256", "b"));
    let good = || answer("max-age=3600", &Forge::set(&[&known]));
    let host = Host::new(vec![good(), good(), answer("max-age=3600", &Forge::set(&[&known, &unknown]))]);
    let cache = cache(&host, Freshness::ISSUER);
    assert!(accepts(&cache, &known, NOW).await);
    for second in 0..REFETCH_INTERVAL {
        assert!(!accepts(&cache, &unknown, NOW.plus_seconds(second)).await);
    }
    assert_eq!(host.hits(), 1);
    for second in 0..REFETCH_INTERVAL {
        assert!(!accepts(&cache, &unknown, NOW.plus_seconds(REFETCH_INTERVAL + second)).await);
    }
    assert_eq!(host.hits(), 2);
    assert!(accepts(&cache, &unknown, NOW.plus_seconds(2 * REFETCH_INTERVAL)).await);
    assert_eq!(host.hits(), 3);
}

#[tokio::test]
async fn an_issuer_keeps_its_last_good_set_and_a_client_does_not() {
    let key = Forge::new("ES256", "a");
    let answers = || vec![answer("max-age=60", &Forge::set(&[&key])), failure(), answer("max-age=60", "{\"keys\":7}")];
    for (freshness, kept) in [(Freshness::ISSUER, true), (Freshness::CLIENT, false)] {
        let host = Host::new(answers());
        let cache = cache(&host, freshness);
        assert!(accepts(&cache, &key, NOW).await);
        assert_eq!(accepts(&cache, &key, NOW.plus_seconds(61)).await, kept);
        // The failure is remembered for a moment: no second request.
        assert_eq!(accepts(&cache, &key, NOW.plus_seconds(62)).await, kept);
        assert_eq!(host.hits(), 2);
        assert_eq!(accepts(&cache, &key, NOW.plus_seconds(80)).await, kept);
        assert_eq!(host.hits(), 3);
    }
}

#[tokio::test]
async fn a_client_key_set_is_kept_no_longer_than_its_answer_allows() {
    let (old, new) = (Forge::new("ES384", "k"), Forge::new("ES384", "k"));
    let host = Host::new(vec![answer("max-age=2", &Forge::set(&[&old])), answer("max-age=2", &Forge::set(&[&new]))]);
    let cache = cache(&host, Freshness::CLIENT);
    assert!(accepts(&cache, &old, NOW).await);
    let generation = cache.generation();
    assert!(accepts(&cache, &old, NOW.plus_seconds(1)).await);
    assert!(!accepts(&cache, &old, NOW.plus_seconds(3)).await);
    assert!(accepts(&cache, &new, NOW.plus_seconds(3)).await);
    assert_ne!(cache.generation(), generation);
    assert_eq!(host.hits(), 2);
}

#[tokio::test]
async fn callers_at_the_same_moment_share_one_fetch() {
    let key = Forge::new("ES256", "a");
    for freshness in [Freshness::ISSUER, Freshness::CLIENT] {
        let answers = vec![answer("max-age=60", &Forge::set(&[&key])); 8];
        let host = Host::slow(answers, std::time::Duration::from_millis(30));
        let cache = cache(&host, freshness);
        let all = futures_util::future::join_all((0..8).map(|_| accepts(&cache, &key, NOW))).await;
        assert_eq!(all, [true; 8]);
        assert_eq!(host.hits(), 1);
    }
}

#[tokio::test]
async fn a_changed_file_is_read_again_at_most_once_a_second() {
    let (old, new) = (Forge::new("ES256", "a"), Forge::new("ES256", "a"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jwks.json");
    std::fs::write(&path, Forge::set(&[&old])).unwrap();
    let cache = KeyCache::new(&KeysAt::File(path.clone()), Freshness::ISSUER).unwrap();
    assert!(accepts(&cache, &old, NOW).await);
    std::fs::write(&path, Forge::set(&[&new])).unwrap();
    let later = std::fs::metadata(&path).unwrap().modified().unwrap() + std::time::Duration::from_secs(2);
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(later).unwrap();
    assert!(accepts(&cache, &old, Instant(NOW.0 + 999)).await);
    assert!(accepts(&cache, &new, NOW.plus_seconds(1)).await);
    assert!(!accepts(&cache, &old, NOW.plus_seconds(1)).await);
    std::fs::write(&path, "broken").unwrap();
    assert!(accepts(&cache, &new, NOW.plus_seconds(3)).await);
}

#[test]
fn an_inline_set_is_checked_at_once() {
    assert!(KeyCache::new(&KeysAt::Inline("{}".to_owned()), Freshness::ISSUER).is_err());
}
