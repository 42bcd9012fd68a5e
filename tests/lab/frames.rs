//! What stands on the wire: broken, split, doubled, flooded; each time the right acknowledgement, and the inbox intact.

use super::*;

fn plain() -> String {
    result("c1", "F", "95", "20260501090000+0000")
}

#[test]
fn a_frame_may_come_byte_by_byte_and_several_in_one_piece() {
    let server = laboratory();
    let mut feed = Feed::open(&server);
    for byte in framed(plain().as_bytes()) {
        feed.write(&[byte]);
    }
    assert!(feed.answer().unwrap().contains("MSA|AA|c1"));
    let many: Vec<u8> = (2..5)
        .flat_map(|at| framed(result(&format!("c{at}"), "F", "95", &format!("202605010{at}0000+0000")).as_bytes()))
        .collect();
    feed.write(&many);
    for at in 2..5 {
        assert!(feed.answer().unwrap().contains(&format!("MSA|AA|c{at}")), "in their order");
    }
    assert_eq!(find(&server, "DiagnosticReport?patient=anne").len(), 1);
}

#[test]
fn garbage_between_frames_is_passed_over_and_a_broken_off_frame_leaves_no_trace() {
    let server = laboratory();
    let mut feed = Feed::open(&server);
    feed.write(b"\r\n\r\nnoise\x1c\r");
    feed.write(&framed(plain().as_bytes())[..60]);
    assert_eq!(feed.told(plain()), ok("c1"), "the sender begins anew on the same connection");
    let mut cut = Feed::open(&server);
    cut.write(&framed(result("c2", "F", "1", "20260501100000+0000").as_bytes())[..200]);
    drop(cut);
    assert_eq!(feed.told(result("c3", "F", "96", "20260501110000+0000")), ok("c3"));
    assert_eq!(inbox(&server).len(), 2, "what was cut off is nowhere");
}

#[test]
fn any_delimiters_and_line_ends_are_taken() {
    let server = laboratory();
    let mut feed = Feed::open(&server);
    let other = plain().replace('|', "#").replace('^', "*").replace("*~\\&", "*:@%").replace('&', "%");
    let answer = feed.send(other.as_bytes()).unwrap();
    assert!(answer.contains("MSA#AA#c1"), "{answer}");
    for (at, end) in ["\n", "\r\n"].iter().enumerate() {
        let control = format!("d{at}");
        let message = result(&control, "C", "97", &format!("202605011{at}0000+0000")).replace('\r', end);
        assert_eq!(feed.told(message), ok(&control));
    }
    assert_eq!(only(&server, "Observation?patient=anne")["meta"]["versionId"], "3");
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let server = laboratory();
    let mut feed = Feed::open(&server);
    let cases: Vec<(Vec<u8>, &str, &str)> = vec![
        (b"hello".to_vec(), "AE", "100"),
        (Vec::new(), "AE", "100"),
        (plain().replace("MSH|^~\\&", "MSH|^^\\&").into_bytes(), "AE", "102"),
        (plain().replace("|c1|", "||").into_bytes(), "AE", "101"),
        (plain().replace("ORU^R01^ORU_R01", "SIU^S12").into_bytes(), "AR", "200"),
        (plain().replace("ORU^R01^ORU_R01", "ORU^R99").into_bytes(), "AR", "201"),
        (plain().replace("|P|2.5.1", "|P|3.0").into_bytes(), "AR", "203"),
        (plain().replace("|P|2.5.1", "|X|2.5.1").into_bytes(), "AR", "202"),
        (plain().replace("PID|1", "PI|1").into_bytes(), "AE", "100"),
        (plain().replace("2345-7^Glucose^LN", "").into_bytes(), "AE", "101"),
        (plain().replace("OBR|", "ZBR|").into_bytes(), "AE", "100"),
        (plain().replace("fasting", "fast\0ing").into_bytes(), "AE", "102"),
        ([plain().replace("|P|2.5.1", "|P|2.5.1||||||UNICODE UTF-8").as_bytes(), b"NTE|1||\xFF\xFE\r"].concat(), "AE", "102"),
        ([plain().replace("|P|2.5.1", "|P|2.5.1||||||KLINGON").as_bytes(), b"NTE|1||\xFF\r"].concat(), "AE", "103"),
    ];
    for (message, code, error) in &cases {
        let answer = feed.send(message).unwrap();
        assert_eq!(field(&answer, "MSA", 1), *code, "{}: {answer}", String::from_utf8_lossy(message));
        let err = answer.split('\r').find(|line| line.starts_with("ERR")).unwrap_or_default();
        assert!(err.contains(error), "{error}: {answer}");
    }
    assert_eq!(inbox(&server).len(), cases.len(), "each is kept, none is dropped");
    assert!(find(&server, "DiagnosticReport").is_empty());
    assert_eq!(feed.told(plain()), ok("c1"), "the connection goes on");
}

#[test]
fn a_message_beyond_the_bound_is_rejected_and_the_next_is_taken() {
    let server = laboratory_with("message_bytes = 4096\n", GRANT);
    let mut feed = Feed::open(&server);
    let large = plain().replace("fasting", &"x".repeat(100_000));
    let answer = feed.send(large.as_bytes()).unwrap();
    assert!(answer.contains("MSA|AR|c1|larger than 4096 bytes"), "{answer}");
    assert_eq!(inbox(&server), [state("rejected", "too-large")]);
    assert_eq!(feed.told(plain()), ok("c1"));
}

#[test]
fn enhanced_mode_is_acknowledged_as_it_asks() {
    let server = laboratory();
    let mut feed = Feed::open(&server);
    let asking = |control: &str, accept: &str, application: &str| {
        result(control, "F", "95", "20260501090000+0000").replace("|P|2.5.1", &format!("|P|2.5.1|||{accept}|{application}"))
    };
    assert_eq!(feed.told(asking("c1", "AL", "NE")), ("CA".to_owned(), "c1".to_owned()));
    assert_eq!(feed.told(asking("c2", "AL", "AL")), ("CA".to_owned(), "c2".to_owned()));
    assert!(feed.answer().unwrap().contains("MSA|AA|c2"), "the application's follows");
    assert_eq!(feed.told(asking("c3", "NE", "AL")), ok("c3"));
    assert_eq!(feed.told(asking("c4", "ER", "SU")), ok("c4"));
    assert_eq!(feed.told(asking("c5", "NE", "NE")), ok("c5"), "most who ask for nothing wait all the same");
    let wrong = asking("c6", "AL", "AL").replace("ORU^R01^ORU_R01", "SIU^S12");
    assert_eq!(feed.told(wrong).0, "CR");
    let wrong = asking("", "AL", "AL");
    assert_eq!(feed.told(wrong).0, "CE");
    assert_eq!(feed.told(asking("c2", "AL", "AL")).0, "CA", "again: both are answered again");
    assert!(feed.answer().unwrap().contains("MSA|AA|c2"));
}

#[test]
fn a_sender_taken_at_its_word_gets_no_acknowledgement() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("lab.toml"), "[[senders]]\napplication = \"LAB\"\nacknowledge = \"as-asked\"\n").unwrap();
    let tables = folder.path().join("lab.toml");
    let server = laboratory_with(&format!("tables = [\"{}\"]\n", tables.display()), GRANT);
    let mut feed = Feed::open(&server);
    let silent = plain().replace("|P|2.5.1", "|P|2.5.1|||NE|NE");
    feed.write(&framed(silent.as_bytes()));
    let next = result("c2", "C", "96", "20260501100000+0000");
    assert_eq!(feed.told(next), ok("c2"), "the first answer is to the second message");
    assert_eq!(only(&server, "Observation?patient=anne")["meta"]["versionId"], "2");
}

#[test]
fn interleaved_senders_and_doubles_at_the_same_moment_file_each_result_once() {
    let server = laboratory();
    std::thread::scope(|scope| {
        for sender in 0..6 {
            let server = &server;
            scope.spawn(move || {
                let mut feed = Feed::open(server);
                for at in 0..8 {
                    // Two senders each send the same messages.
                    let control = format!("s{}-{at}", sender / 2);
                    let message =
                        result(&control, "F", "95", "20260501090000+0000").replace("100^", &format!("{}{at}^", sender / 2));
                    let told = format!("MSA|AA|{control}");
                    // Whoever gets no acknowledgement sends again, as laboratories do.
                    let acked = (0..20).any(|_| {
                        let answer = feed.send(message.as_bytes());
                        if answer.is_none() {
                            feed = Feed::open(server);
                        }
                        answer.is_some_and(|answer| answer.contains(&told))
                    });
                    assert!(acked, "{control}");
                }
            });
        }
    });
    let reports = find(&server, "DiagnosticReport?patient=anne&_count=100");
    assert_eq!(reports.len(), 24);
    assert!(reports.iter().all(|report| report["meta"]["versionId"] == "1"), "none was filed twice");
    assert_eq!(inbox(&server).len(), 24);
}

#[test]
fn a_flood_of_connections_is_bounded_and_everybody_is_served() {
    let server = laboratory_with("mllp_connections = 4\n", GRANT);
    std::thread::scope(|scope| {
        for at in 0..40 {
            let server = &server;
            scope.spawn(move || {
                let control = format!("c{at}");
                let message = result(&control, "F", "95", "20260501090000+0000").replace("100^", &format!("{at}^"));
                // One that was turned away sends again.
                let acked =
                    (0..20).any(|_| Feed::open(server).send(message.as_bytes()).is_some_and(|answer| answer.contains("MSA|AA|")));
                assert!(acked);
            });
        }
    });
    assert_eq!(find(&server, "DiagnosticReport?patient=anne&_count=100").len(), 40);
}

#[test]
fn who_is_not_known_or_disabled_is_not_answered() {
    let server = Server::with("Policy-all-normal", "[lab]\nmllp_listen = \"127.0.0.1:0\"\n");
    let mut feed = Feed::open(&server);
    drop(feed.stream.write_all(&framed(plain().as_bytes())));
    assert_eq!(feed.answer(), None, "nobody sends without a certificate here");
    let server = laboratory();
    let mut feed = Feed::open(&server);
    assert_eq!(feed.told(plain()), ok("c1"));
    server.disable("lab");
    drop(feed.stream.write_all(&framed(plain().as_bytes())));
    assert_eq!(feed.answer(), None, "a disabled client sends no more, also on a connection that was open");
}

#[test]
fn a_message_cut_at_any_place_is_acknowledged_and_kept() {
    let server = laboratory();
    let mut feed = Feed::open(&server);
    let whole = plain();
    let mut sent = std::collections::BTreeSet::new();
    for length in (0..whole.len()).step_by(7) {
        let cut = &whole.as_bytes()[..length];
        let answer = feed.send(cut).unwrap_or_else(|| panic!("no acknowledgement at {length}"));
        let code = field(&answer, "MSA", 1);
        assert!(["AA", "AE", "AR"].contains(&code.as_str()), "{length}: {answer}");
        let tells = whole[..length].contains("OBR|1|");
        assert!(code != "AA" || tells, "{length}: nothing was said, and it was accepted");
        sent.insert(cut.to_vec());
    }
    assert_eq!(inbox(&server).len(), sent.len(), "each is kept");
    assert_eq!(feed.told(result("c2", "C", "96", "20260502090000+0000")), ok("c2"), "the connection goes on");
    let glucose = only(&server, "Observation?patient=anne&code=http://loinc.org|2345-7");
    assert_eq!(glucose["valueQuantity"]["value"], 96);
}

/// `AMANAT_ROUNDS` messages with bytes changed, left out, doubled and put in at random; a few hundred by themselves.
#[test]
fn whatever_stands_in_a_frame_it_is_acknowledged_once_and_kept() {
    use proptest::strategy::{Strategy as _, ValueTree as _};
    use proptest::test_runner::TestRunner;
    let rounds: usize = std::env::var("AMANAT_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(200);
    let server = laboratory();
    let mut feed = Feed::open(&server);
    let change = (0_usize..1_000, 0_u8..4, proptest::prelude::any::<u8>());
    let changes = proptest::collection::vec(change, 1..12);
    let (mut runner, mut sent) = (TestRunner::deterministic(), std::collections::BTreeSet::new());
    for round in 0..rounds {
        let mut bytes = result(&format!("r{round}"), "F", "95", "20260501090000+0000").into_bytes();
        for (at, how, byte) in changes.new_tree(&mut runner).unwrap().current() {
            // What ends or begins a frame would make two of it.
            let byte = if matches!(byte, 0x0B | 0x1C) { b'|' } else { byte };
            let at = at % bytes.len().max(1);
            match how {
                0 => bytes[at] = byte,
                1 => drop(bytes.remove(at)),
                2 => bytes.insert(at, byte),
                _ => bytes.extend_from_within(at..),
            }
        }
        let answer = feed
            .send(&bytes)
            .unwrap_or_else(|| panic!("round {round}: no acknowledgement of {}", String::from_utf8_lossy(&bytes)));
        let msa = answer.split(['\r', '\n']).find(|line| line.starts_with("MSA")).unwrap_or_else(|| panic!("{round}: {answer}"));
        assert!(["AA", "AE", "AR", "CA", "CE", "CR"].contains(&&msa[4..6]), "{round}: {answer}");
        sent.insert(bytes);
    }
    assert_eq!(inbox(&server).len(), sent.len(), "each is kept, none is dropped");
    assert_eq!(feed.told(result("end", "C", "96", "20260601090000+0000")), ok("end"), "and the connection goes on");
}

#[test]
fn what_never_ends_is_cut_off_and_others_are_served() {
    let server = laboratory_with("message_bytes = 4096\n", GRANT);
    let mut endless = Feed::open(&server);
    let chunk = vec![b'x'; 64 << 10];
    endless.write(&[0x0B]);
    let cut = (0..1_000).any(|_| endless.stream.write_all(&chunk).is_err());
    assert!(cut, "it is not read for ever");
    let mut web = Feed::open(&server);
    drop(web.stream.write_all(&vec![b'G'; 200 << 10]));
    assert_eq!(web.answer(), None, "what speaks no MLLP is not answered");
    assert_eq!(Feed::open(&server).told(plain()), ok("c1"));
    assert_eq!(inbox(&server).len(), 1);
}

#[test]
fn many_large_messages_at_once_stay_within_the_memory_that_they_are_given() {
    let server = laboratory_with("message_bytes = 1000000\nmllp_memory_bytes = 2000000\n", GRANT);
    let mut large: Vec<_> = (0..5).map(|_| Feed::open(&server)).collect();
    let cut = |feed: &mut Feed<TcpStream>| {
        drop(feed.stream.write_all(&[&[0x0B], vec![b'x'; 900_000].as_slice()].concat()));
        feed.stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        // Closed, not merely silent.
        match feed.stream.read(&mut [0; 1]) {
            Ok(count) => count == 0,
            Err(error) => !matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut),
        }
    };
    let closed = large.iter_mut().map(cut).filter(|cut| *cut).count();
    assert!(closed >= 3, "{closed} of five were cut off");
    assert_eq!(Feed::open(&server).told(plain()), ok("c1"), "whoever sends little is served");
    drop(large);
    let long = result("c2", "C", "96", "20260502090000+0000").replace("fasting", &"x".repeat(900_000));
    until("there is room again", || Feed::open(&server).send(long.as_bytes()).is_some_and(|answer| answer.contains("MSA|AA|c2")));
}
