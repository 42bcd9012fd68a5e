//! A gateway in a process of its own, so that its memory can be told from that of the tests: in front of a server that sends without end it
//! takes no more than its bounds.

use crate::site::Site;
use crate::support::{Behind, Heard, Manner, Said};
use serde_json::json;
use std::sync::{Arc, Mutex};

/// What one request may look at, in bytes, by the settings of this test.
const ANSWER: u64 = 4 << 20;
/// What the process may grow by, whatever is sent: a few answers, and what the allocator keeps of them.
const GROWTH: u64 = 96 << 20;

fn bundle(heard: &Heard) -> String {
    let url = format!("http://{}{}", heard.header("host").unwrap_or_default(), heard.target);
    json!({"resourceType": "Bundle", "type": "searchset", "link": [{"relation": "self", "url": url}]}).to_string()
}

/// Kilobytes, from the kernel's account of the process; `None` where there is none.
fn memory(site: &mut Site, field: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", site.process().id())).ok()?;
    let line = status.lines().find(|line| line.starts_with(field))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// What is said of Observations; nothing for an honest answer.
type Says = fn(&Heard) -> Option<Said>;
type Line = Arc<Mutex<Says>>;

/// Answers honestly that nothing is there, but for what the line says of Observations.
fn server(line: &Line) -> Behind {
    let line = Arc::clone(line);
    Behind::start(move |heard| {
        let asked = heard.below().0.contains("Observation");
        let said = if asked { line.lock().unwrap()(heard) } else { None };
        said.unwrap_or_else(|| Said::json(200, bundle(heard)))
    })
}

fn endless(text: &str) -> Said {
    Said::json(200, text.repeat(1 + (1 << 20) / text.len())).sent(Manner::Endless)
}

const FLOODS: &[(&str, Says)] = &[
    ("white space", |_| Some(endless("          "))),
    ("an entry that never ends", |_| {
        Some(endless("{\"resourceType\":\"Bundle\",\"entry\":[{\"resource\":{\"text\":\"xxxxxxxxxxxxxxxxxxxxxxxx"))
    }),
    ("brackets", |_| Some(endless("[[[[[[[[[[[["))),
    ("a name that never ends", |_| Some(endless("{\"aaaaaaaaaaaaaaaaaaaaaaaaaaaa"))),
    ("nothing but zeros", |_| Some(endless("\0\0\0\0\0\0\0\0"))),
    ("many small entries", |heard| {
        let one = json!({"resource": {"resourceType": "Observation", "id": "o1", "status": "final", "subject": {"reference": "Patient/p2"}}});
        let head = format!(
            "{{\"resourceType\":\"Bundle\",\"link\":[{{\"relation\":\"self\",\"url\":\"http://x{}\"}}],\"entry\":[",
            heard.target
        );
        Some(Said::json(200, head + &format!("{one},").repeat(200_000)))
    }),
    ("one entry of many megabytes", |heard| {
        let one = json!({"resource": {"resourceType": "Observation", "id": "o1", "note": [{"text": "x".repeat(40 << 20)}]}});
        let url = format!("http://x{}", heard.target);
        Some(Said::json(
            200,
            json!({"resourceType": "Bundle", "link": [{"relation": "self", "url": url}], "entry": [one]}).to_string(),
        ))
    }),
    ("entries of nothing", |heard| {
        let head = format!(
            "{{\"resourceType\":\"Bundle\",\"link\":[{{\"relation\":\"self\",\"url\":\"http://x{}\"}}],\"entry\":[",
            heard.target
        );
        Some(Said::json(200, head + &"{},".repeat(1_300_000) + "{}]}"))
    }),
    ("names without end", |_| {
        let names: Vec<String> = (0..400_000).map(|at| format!("\"{at}\":1")).collect();
        Some(Said::json(200, format!("{{{}}}", names.join(","))))
    }),
    ("headers", |heard| {
        let mut said = Said::json(200, bundle(heard));
        said.headers.extend((0..20_000).map(|at| (format!("X-{at}"), "y".repeat(1_000))));
        Some(said)
    }),
];

#[test]
fn whatever_a_server_sends_memory_stays_bounded() {
    let line: Line = Arc::new(Mutex::new(|_| None));
    let behind = server(&line);
    let settings = format!("[upstream]\nanswer_bytes = {ANSWER}\nrecord_bytes = {}\n", ANSWER / 4);
    let mut site = Site::prepare(&settings);
    let text = std::fs::read_to_string(site.settings()).unwrap();
    let store = format!("url = \"{}\"\nledger = \"sqlite:amanat.db\"", behind.base());
    std::fs::write(site.settings(), text.replace("url = \"sqlite:amanat.db\"", &store)).unwrap();
    site.start();
    let token = site.client("app", "system/*.rs");
    assert_eq!(site.get(&token, "Observation").status, 200);
    let Some(before) = memory(&mut site, "VmRSS:") else { return println!("skipped: no account of memory here") };
    let mut taken = Vec::new();
    for (what, flood) in FLOODS {
        *line.lock().unwrap() = *flood;
        let sent = *behind.sent.lock().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for path in ["Observation", "Observation/o1", "Observation/_history"] {
                        let reply = site.get(&token, path);
                        assert!(matches!(reply.status, 502..=504), "{what}, {path}: {} {}", reply.status, reply.body);
                        assert!(!reply.body.contains("Patient/p2"), "{what}");
                    }
                });
            }
        });
        // The breaker may have opened: it is let try again.
        *line.lock().unwrap() = |_| None;
        crate::site::until("the server is asked again", || site.get(&token, "Observation").status == 200);
        taken.push(format!("{what}: {} MB were sent", (*behind.sent.lock().unwrap() - sent) >> 20));
    }
    let peak = memory(&mut site, "VmHWM:").unwrap();
    println!("{before} kB before, {peak} kB at most; {}", taken.join(", "));
    assert!(peak < before + GROWTH / 1024, "{before} kB before, {peak} kB at most: {taken:?}");
}
