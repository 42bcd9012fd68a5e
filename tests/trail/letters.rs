//! Alarms by mail: over TLS, signed in, with nothing of a patient but a pseudonym.

use super::{listener, tls_listener};
use crate::site::until;
use crate::support::Server;
use crate::support::records::patient;
use serde_json::json;
use std::fs;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::sync::mpsc::{Receiver, channel};

const GREETING: &[u8] = b"220 mail.example ESMTP\r\n";

/// Speaks SMTP with one client at a time, after the greeting; gives what was said, and the letter.
fn converse(stream: impl Read + Write) -> Option<(Vec<String>, String)> {
    let mut stream = BufReader::new(stream);
    let mut said = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let verb = line.split(' ').next().unwrap_or_default().trim().to_ascii_uppercase();
        said.push(line.trim().to_owned());
        let answer: &[u8] = match verb.as_str() {
            "EHLO" => b"250-mail.example\r\n250 AUTH PLAIN\r\n",
            "AUTH" => b"235 welcome\r\n",
            "DATA" => b"354 go on\r\n",
            _ => b"250 yes\r\n",
        };
        stream.get_mut().write_all(answer).ok()?;
        if verb == "DATA" {
            let mut letter = String::new();
            while !letter.ends_with("\r\n.\r\n") {
                stream.read_line(&mut letter).ok()?;
            }
            stream.get_mut().write_all(b"250 taken\r\n").ok()?;
            return Some((said, letter));
        }
    }
}

type Letters = Receiver<(Vec<String>, String)>;

/// A mail server with TLS from the first byte.
fn mail_server() -> (u16, tempfile::TempDir, Letters) {
    let (sender, letters) = channel();
    let (port, folder) = tls_listener(move |mut tls| {
        let told = tls.write_all(GREETING).ok().and_then(|()| converse(tls));
        drop(told.map(|told| sender.send(told)));
    });
    (port, folder, letters)
}

/// A mail server that begins in the clear: it offers STARTTLS (RFC 3207), or does not. Gives what was said in the clear, too.
fn clear_mail_server(offers: bool) -> (u16, tempfile::TempDir, Letters, Receiver<String>) {
    let ((sender, letters), (clear, overheard)) = (channel(), channel());
    let (port, folder) = listener(move |mut stream, config| {
        let _ = stream.write_all(GREETING);
        let mut lines = BufReader::new(stream.try_clone().unwrap());
        let mut line = String::new();
        while lines.read_line(&mut line).is_ok_and(|read| read > 0) {
            let said = std::mem::take(&mut line).trim().to_owned();
            let secured = said == "STARTTLS";
            let answer: &[u8] = match said.split(' ').next() {
                Some("EHLO") if offers => b"250-mail.example\r\n250 STARTTLS\r\n",
                Some("EHLO") => b"250 mail.example\r\n",
                Some("STARTTLS") => b"220 go on\r\n",
                _ => b"250 yes\r\n",
            };
            let _ = (clear.send(said), stream.write_all(answer));
            if secured {
                let session = rustls::ServerConnection::new(std::sync::Arc::clone(config)).unwrap();
                drop(converse(rustls::StreamOwned::new(session, stream)).map(|told| sender.send(told)));
                return;
            }
        }
    });
    (port, folder, letters, overheard)
}

fn sections(port: u16, tls: &str, folder: &tempfile::TempDir) -> String {
    format!(
        "[alarms.notify.mail]\nserver = \"localhost:{port}\"\ntls = \"{tls}\"\nca = \"{}\"\n\
         user = \"amanat\"\npassword = \"secret\"\nfrom = \"Amanat <amanat@hospital.example>\"\nto = [\"dpo@hospital.example\", \"night@hospital.example\"]\n",
        folder.path().join("ca.pem").display()
    )
}

/// A clinician reads a patient of the same name: R6.
fn alarmed(sections: &str) -> Server {
    let server = Server::with("Policy-all-normal", sections);
    let doctor = json!({"resourceType": "Practitioner", "id": "d1", "name": [{"family": "Bano"}]});
    server.seed(&[patient("p2", "Bano"), doctor]);
    let _ = server.get("Patient/p2", &server.clinician("d1", "user/*.rs")).expect(200);
    server
}

#[test]
fn an_alarm_is_written_to_people_over_tls() {
    let (port, folder, letters) = mail_server();
    let _server = alarmed(&sections(port, "implicit", &folder));
    let mut all = Vec::new();
    until("a letter comes", || {
        all.extend(letters.try_iter());
        all.iter().any(|(_, letter)| letter.contains("Practitioner/d1"))
    });
    let (said, letter) = all.iter().find(|(_, letter)| letter.contains("Practitioner/d1")).unwrap();
    assert!(said.iter().any(|line| line.starts_with("AUTH PLAIN")), "{said:?}");
    let to: Vec<&String> = said.iter().filter(|line| line.starts_with("RCPT TO")).collect();
    assert_eq!(to.len(), 2, "{said:?}");
    assert!(letter.contains("Subject: [Amanat amanat] R6"), "{letter}");
    assert!(letter.contains("Rule: R6") && letter.contains("Patient: p-"), "{letter}");
    assert!(!letter.contains("Bano"), "nothing of the record: {letter}");
}

#[test]
fn a_letter_begins_in_the_clear_and_nothing_is_said_before_starttls() {
    let (port, folder, letters, overheard) = clear_mail_server(true);
    let _server = alarmed(&sections(port, "starttls", &folder));
    let mut all = Vec::new();
    until("a letter comes", || {
        all.extend(letters.try_iter());
        all.iter().any(|(_, letter)| letter.contains("Practitioner/d1"))
    });
    assert!(all[0].0.iter().any(|line| line.starts_with("AUTH PLAIN")), "{:?}", all[0].0);
    for said in overheard.try_iter() {
        assert!(said.starts_with("EHLO") || said == "STARTTLS", "said in the clear: {said}");
    }
}

#[test]
fn a_server_that_offers_no_starttls_is_told_nothing() {
    let (port, folder, letters, overheard) = clear_mail_server(false);
    let _server = alarmed(&sections(port, "starttls", &folder));
    let mut said = Vec::new();
    until("the server is asked", || {
        said.extend(overheard.try_iter());
        said.len() >= 2
    });
    assert!(said.iter().all(|line| line.starts_with("EHLO") || line == "QUIT" || line == "STARTTLS"), "{said:?}");
    assert!(letters.try_recv().is_err());
}

#[test]
fn a_letter_without_tls_goes_no_further_than_this_machine() {
    use amanat::config::{Config, Sources};
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("amanat.toml");
    let read = |mail: &str| {
        let text =
            format!("[server]\nlisten = \"127.0.0.1:0\"\nbase_url = \"http://localhost/fhir\"\n[alarms.notify.mail]\n{mail}\n");
        fs::write(&file, text).unwrap();
        Config::load(Sources { file: Some(file.clone()), ..Sources::default() }).map(drop).map_err(|error| error.to_string())
    };
    let people = "from = \"a@b.example\"\nto = [\"c@d.example\"]";
    read(&format!("server = \"localhost:25\"\ntls = \"none\"\n{people}")).unwrap();
    for (mail, told) in [
        (format!("server = \"mail.example:25\"\ntls = \"none\"\n{people}"), "only for a server on this machine"),
        (people.to_owned(), "is missing"),
        (format!("server = \"mail.example\"\n{people}"), "host:port"),
        ("server = \"mail.example:25\"".to_owned(), "are needed"),
        (format!("server = \"mail.example:25\"\nuser = \"x\"\n{people}"), "belong together"),
    ] {
        let error = read(&mail).unwrap_err();
        assert!(error.contains(told), "{mail}: {error}");
    }
}
