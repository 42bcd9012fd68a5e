//! Checkpoints (C2SP tlog-checkpoint) in signed notes (C2SP signed-note), and the cosignatures of witnesses (C2SP tlog-cosignature).

use super::merkle::Hash;
use aws_lc_rs::digest;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt;

/// What a key signs: the note itself, or that a witness saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The log signs its checkpoint.
    Log,
    /// A witness says that it saw a consistent one.
    Witness,
}

impl Purpose {
    const fn octet(self) -> u8 {
        match self {
            Self::Log => 0x01,
            Self::Witness => 0x04,
        }
    }
}

/// Why a note or key is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It has not the form of a note.
    #[error("it is not a signed note")]
    Form,
    /// It is no checkpoint.
    #[error("it is not a checkpoint: origin, size and root hash, each on a line")]
    Checkpoint,
    /// No signature of this key is on it.
    #[error("it is not signed by this key")]
    Unsigned,
    /// A signature of this key is on it and is wrong.
    #[error("the signature of this key is wrong: it was forged or the text changed")]
    Forged,
    /// The key cannot be read, made or used.
    #[error("the key cannot be read or used")]
    Key,
    /// A name or origin is empty or holds a newline, a blank or a plus sign where there must be none.
    #[error("the name of a log or key is empty, or holds a newline, blank or plus sign")]
    Name,
}

/// The state of a log: so many entries, and what they hash to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: String,
    /// How many entries.
    pub size: u64,
    /// The root of their tree.
    pub root: Hash,
}

impl Checkpoint {
    /// The text that is signed. There are no extension lines.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root))
    }

    /// Reads the text of a note.
    ///
    /// # Errors
    /// [`NoteError::Checkpoint`]
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let lines: Vec<&str> = text.strip_suffix('\n').ok_or(NoteError::Checkpoint)?.split('\n').collect();
        let [origin, size, root] = lines.as_slice() else { return Err(NoteError::Checkpoint) };
        let number = size.parse::<u64>().ok().filter(|number| number.to_string() == *size);
        let root = STANDARD.decode(root).ok().and_then(|root| Hash::try_from(root).ok());
        match (number, root) {
            (Some(size), Some(root)) if !origin.is_empty() => Ok(Self { origin: (*origin).to_owned(), size, root }),
            _ => Err(NoteError::Checkpoint),
        }
    }
}

/// A key that signs notes under a name.
pub struct NoteSigner {
    name: String,
    purpose: Purpose,
    pair: Ed25519KeyPair,
}

/// Never shows the private half.
impl fmt::Debug for NoteSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NoteSigner").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Names stand between blanks in a note and before a plus sign in a key.
fn named(name: &str) -> Result<String, NoteError> {
    let bad = name.is_empty() || name.contains('+') || name.chars().any(char::is_whitespace);
    if bad { Err(NoteError::Name) } else { Ok(name.to_owned()) }
}

impl NoteSigner {
    /// A new key, and its private half as PKCS#8 DER, to be kept.
    ///
    /// # Errors
    /// [`NoteError::Key`] without random numbers, [`NoteError::Name`].
    pub fn generate(name: &str, purpose: Purpose) -> Result<(Self, Vec<u8>), NoteError> {
        let pair = Ed25519KeyPair::generate().map_err(|_| NoteError::Key)?;
        let document = pair.to_pkcs8().map_err(|_| NoteError::Key)?.as_ref().to_vec();
        Ok((Self { name: named(name)?, purpose, pair }, document))
    }

    /// The key with this private half.
    ///
    /// # Errors
    /// [`NoteError::Key`], [`NoteError::Name`]
    pub fn from_pkcs8(name: &str, purpose: Purpose, pkcs8: &[u8]) -> Result<Self, NoteError> {
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8).map_err(|_| NoteError::Key)?;
        Ok(Self { name: named(name)?, purpose, pair })
    }

    /// The public half.
    pub fn verifier(&self) -> NoteVerifier {
        let public = self.pair.public_key().as_ref().to_vec();
        NoteVerifier { name: self.name.clone(), purpose: self.purpose, public }
    }

    /// A note of this text with one signature.
    pub fn sign(&self, text: &str) -> String {
        format!("{text}\n{}", self.line(self.pair.sign(text.as_bytes()).as_ref()))
    }

    /// The note with a cosignature more: this witness saw it at this second since the epoch.
    ///
    /// # Errors
    /// [`NoteError::Form`]
    pub fn cosign(&self, note: &str, second: u64) -> Result<String, NoteError> {
        let (text, _) = parts(note)?;
        let signature = self.pair.sign(seen(text, second).as_bytes());
        let stamped: Vec<u8> = second.to_be_bytes().into_iter().chain(signature.as_ref().iter().copied()).collect();
        Ok(format!("{note}{}", self.line(&stamped)))
    }

    fn line(&self, signature: &[u8]) -> String {
        let bytes: Vec<u8> = self.verifier().id().into_iter().chain(signature.iter().copied()).collect();
        format!("\u{2014} {} {}\n", self.name, STANDARD.encode(bytes))
    }
}

/// What a witness signs (C2SP tlog-cosignature, `cosignature/v1`).
fn seen(text: &str, second: u64) -> String {
    format!("cosignature/v1\ntime {second}\n{text}")
}

/// The public half of a key, written `name+id+key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteVerifier {
    name: String,
    purpose: Purpose,
    public: Vec<u8>,
}

impl fmt::Display for NoteVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = u32::from_be_bytes(self.id());
        let key: Vec<u8> = std::iter::once(self.purpose.octet()).chain(self.public.iter().copied()).collect();
        write!(f, "{}+{id:08x}+{}", self.name, STANDARD.encode(key))
    }
}

impl NoteVerifier {
    /// Reads the written form.
    ///
    /// # Errors
    /// [`NoteError::Key`]
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let mut parts = text.trim().splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else { return Err(NoteError::Key) };
        let key = STANDARD.decode(key).map_err(|_| NoteError::Key)?;
        let (octet, public) = key.split_first().ok_or(NoteError::Key)?;
        let purpose = [Purpose::Log, Purpose::Witness].into_iter().find(|one| one.octet() == *octet).ok_or(NoteError::Key)?;
        let read = Self { name: named(name).map_err(|_| NoteError::Key)?, purpose, public: public.to_vec() };
        if read.public.len() != 32 || u32::from_str_radix(id, 16) != Ok(u32::from_be_bytes(read.id())) {
            return Err(NoteError::Key);
        }
        Ok(read)
    }

    /// The name of the key.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The first four bytes of SHA-256 of name, newline, algorithm and key.
    fn id(&self) -> [u8; 4] {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(self.name.as_bytes());
        context.update(&[b'\n', self.purpose.octet()]);
        context.update(&self.public);
        context.finish().as_ref().first_chunk::<4>().copied().unwrap_or_default()
    }

    /// The text of a note that this key signed.
    ///
    /// # Errors
    /// [`NoteError`]
    pub fn open<'n>(&self, note: &'n str) -> Result<&'n str, NoteError> {
        let (text, signatures) = parts(note)?;
        let id = self.id();
        let mut found = signatures.iter().filter(|(name, bytes)| *name == self.name && bytes.starts_with(&id)).peekable();
        found.peek().ok_or(NoteError::Unsigned)?;
        let good = found.all(|(_, bytes)| bytes.get(4..).is_some_and(|signature| self.verifies(text, signature)));
        if good { Ok(text) } else { Err(NoteError::Forged) }
    }

    fn verifies(&self, text: &str, signature: &[u8]) -> bool {
        let key = UnparsedPublicKey::new(&ED25519, &self.public);
        match self.purpose {
            Purpose::Log => key.verify(text.as_bytes(), signature).is_ok(),
            Purpose::Witness => signature
                .split_first_chunk::<8>()
                .is_some_and(|(second, rest)| key.verify(seen(text, u64::from_be_bytes(*second)).as_bytes(), rest).is_ok()),
        }
    }

    /// The checkpoint in a note that this key signed.
    ///
    /// # Errors
    /// [`NoteError`]
    pub fn checkpoint(&self, note: &str) -> Result<Checkpoint, NoteError> {
        Checkpoint::parse(self.open(note)?)
    }
}

type Signature<'n> = (&'n str, Vec<u8>);

/// The text of a note, with its last newline, and its signatures.
fn parts(note: &str) -> Result<(&str, Vec<Signature<'_>>), NoteError> {
    let at = note.rfind("\n\n").ok_or(NoteError::Form)?;
    let (text, rest) = note.split_at_checked(at + 1).ok_or(NoteError::Form)?;
    let lines = rest.strip_prefix('\n').and_then(|rest| rest.strip_suffix('\n')).ok_or(NoteError::Form)?;
    let signature = |line: &'_ str| -> Option<(usize, usize)> {
        let (name, _) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
        Some((4, name.len()))
    };
    let mut signatures = Vec::new();
    for line in lines.split('\n') {
        let (skip, length) = signature(line).ok_or(NoteError::Form)?;
        let name = line.get(skip..skip + length).filter(|name| !name.is_empty()).ok_or(NoteError::Form)?;
        let bytes = line.get(skip + length + 1..).and_then(|text| STANDARD.decode(text).ok()).ok_or(NoteError::Form)?;
        if bytes.len() < 5 {
            return Err(NoteError::Form);
        }
        signatures.push((name, bytes));
    }
    if text.chars().any(|c| c < ' ' && c != '\n') {
        return Err(NoteError::Form);
    }
    Ok((text, signatures))
}

/// The notes of a file that holds several, one behind the other.
pub fn notes_of(file: &str) -> Vec<String> {
    let mut notes: Vec<String> = Vec::new();
    let mut open = String::new();
    let mut signed = false;
    for line in file.lines() {
        let signature = line.starts_with('\u{2014}');
        if signed && !signature && !line.is_empty() {
            notes.push(std::mem::take(&mut open));
            signed = false;
        }
        if signed && line.is_empty() || open.is_empty() && line.is_empty() {
            continue;
        }
        signed |= signature;
        open.push_str(line);
        open.push('\n');
    }
    if !open.is_empty() {
        notes.push(open);
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::{Checkpoint, NoteError, NoteSigner, NoteVerifier, Purpose, notes_of};
    use proptest::prelude::*;

    fn checkpoint(size: u64) -> Checkpoint {
        Checkpoint { origin: "gateway.example/trail".into(), size, root: [7; 32] }
    }

    fn signer() -> NoteSigner {
        NoteSigner::generate("gateway.example/trail", Purpose::Log).unwrap().0
    }

    #[test]
    fn a_checkpoint_is_written_as_c2sp_has_it() {
        let text = checkpoint(17).text();
        assert_eq!(text, "gateway.example/trail\n17\nBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n");
        assert_eq!(Checkpoint::parse(&text), Ok(checkpoint(17)));
        let note = signer().sign(&text);
        assert!(note.starts_with(&format!("{text}\n\u{2014} gateway.example/trail ")) && note.ends_with('\n'), "{note}");
        for bad in
            ["", "o\n1\n", "o\n01\nBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n", "\n1\nBwcH\n", "o\n1\nBwcH\n", "o\nx\n1\nB\n"]
        {
            assert_eq!(Checkpoint::parse(bad), Err(NoteError::Checkpoint), "{bad:?}");
        }
        assert_eq!(Checkpoint::parse(&format!("{text}extension\n")), Err(NoteError::Checkpoint));
    }

    #[test]
    fn the_key_of_the_specification_is_read_and_verifies_its_note() {
        // The example of C2SP signed-note.
        let key = NoteVerifier::parse("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW").unwrap();
        let note = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n\
                    \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
        assert_eq!(key.open(note).map(|text| text.lines().count()), Ok(2));
        assert_eq!(key.open(&note.replace("answer", "ANSWER")), Err(NoteError::Forged));
        assert_eq!(key.to_string(), "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW");
    }

    #[test]
    fn only_the_right_key_opens_and_a_kept_key_is_the_same() {
        let (one, kept) = NoteSigner::generate("a", Purpose::Log).unwrap();
        let again = NoteSigner::from_pkcs8("a", Purpose::Log, &kept).unwrap();
        let note = one.sign(&checkpoint(1).text());
        assert_eq!(again.verifier().checkpoint(&note), Ok(checkpoint(1)));
        assert_eq!(NoteVerifier::parse(&one.verifier().to_string()), Ok(one.verifier()));
        let other = NoteSigner::generate("a", Purpose::Log).unwrap().0;
        assert_eq!(other.verifier().checkpoint(&note), Err(NoteError::Unsigned));
        assert_eq!(again.verifier().checkpoint(&note.replace("\n1\n", "\n2\n")), Err(NoteError::Forged));
        assert!(!format!("{one:?}").contains("pair"));
        for name in ["", "a b", "a+b", "a\nb"] {
            assert_eq!(NoteSigner::generate(name, Purpose::Log).map(drop), Err(NoteError::Name));
        }
    }

    #[test]
    fn a_witness_adds_its_word_and_takes_none_away() {
        let log = signer();
        let witness = NoteSigner::generate("partner.example", Purpose::Witness).unwrap().0;
        let note = witness.cosign(&log.sign(&checkpoint(5).text()), 1_767_323_045).unwrap();
        assert_eq!(log.verifier().checkpoint(&note), Ok(checkpoint(5)));
        assert_eq!(witness.verifier().checkpoint(&note), Ok(checkpoint(5)));
        assert_eq!(witness.verifier().checkpoint(&note.replace("\n5\n", "\n6\n")), Err(NoteError::Forged));
        assert_eq!(witness.cosign("no note", 0), Err(NoteError::Form));
    }

    #[test]
    fn a_file_of_notes_comes_apart_again() {
        let log = signer();
        let notes: Vec<String> = (1..4).map(|size| log.sign(&checkpoint(size).text())).collect();
        assert_eq!(notes_of(&notes.concat()), notes);
        assert_eq!(notes_of(&notes.join("\n")), notes);
        assert!(notes_of("").is_empty());
    }

    proptest! {
        #[test]
        fn whatever_is_read_as_a_note_ends_in_a_word_and_never_in_a_panic(text in any::<String>(), tail in "[\n\u{2014} a-zA-Z0-9+/=]{0,80}") {
            let key = signer().verifier();
            let _ = key.checkpoint(&text);
            let _ = key.checkpoint(&format!("{text}\n\n{tail}\n"));
            let _ = NoteVerifier::parse(&text);
            let _ = notes_of(&text);
        }
    }
}
