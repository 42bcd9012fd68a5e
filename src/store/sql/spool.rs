//! The spool: a file beside the store in which entries of the trail wait, durable, while the database cannot take them (decision 57).
//!
//! ```text
//! "AMSPOOL1"  16 random bytes: which spool this is
//! frames:     length (4)  number of the first entry (8)  nonce (12)  sealed (AES-256-GCM)
//! ```
//!
//! A frame is what shared one sync. Sealed are the leaves, each behind its length: they are a chain of their own, numbered from 1 for as long
//! as the file lives, and each frame is sealed to the hash before it. So a frame that was changed, moved, left out or brought back from
//! earlier does not open. What was taken over is not erased: its numbers are past, and the next frames are written over it.

mod frames;

use crate::audit::{Chain, Entry};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 8] = b"AMSPOOL1";
const ID: usize = 16;
const HEADER: u64 = 24;
/// What stands before the sealed part of a frame.
const LEAD: usize = 4 + 8 + NONCE_LEN;
/// Bytes that are kept on the disk beforehand, so that a full one does not fill the spool.
const RESERVED: u64 = 1 << 20;

/// Somebody has been at it.
pub(super) const CHANGED: &str = "changed";
/// A crash came in the middle of a write; nobody had been answered yet. Or somebody has been at the last frame.
pub(super) const TORN: &str = "torn";

/// Bytes of the key, which is kept in the store.
pub(super) const KEY: usize = 32;

/// An open spool, which no other process has.
pub(super) struct Spool {
    path: PathBuf,
    file: File,
    id: [u8; ID],
    key: LessSafeKey,
    room: u64,
    /// How far it was taken over.
    from: Taken,
    /// Where the next frame begins.
    end: u64,
    /// The end of its own chain.
    chain: Chain,
    /// Entries that wait.
    waiting: usize,
}

/// What a spool holds.
pub(super) struct Held {
    /// The entries that wait, in order.
    pub(super) entries: Vec<Entry>,
    /// The end of its chain.
    pub(super) mark: Taken,
    /// Why there are no more, when there should be or could have been.
    pub(super) fault: Option<&'static str>,
    /// Where the next frame begins.
    end: u64,
}

/// How far a spool was taken over: its last entry there, and that one's hash.
pub(super) type Taken = (i64, [u8; 32]);

impl Spool {
    /// Opens the file, or makes it. It is not read before [`Spool::begin`].
    ///
    /// # Errors
    /// When another process has it, it is something else, or there is no room.
    pub(super) fn open(path: &Path, room: u64, key: &[u8]) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        file.try_lock().map_err(|error| io::Error::new(ErrorKind::WouldBlock, error.to_string()))?;
        let length = file.metadata()?.len();
        let id = if length == 0 { begun(&file)? } else { known(&file)? };
        reserve(&file, length.max(HEADER), room.min(RESERVED))?;
        let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| io::Error::other("the key of the spool is damaged"))?;
        let (from, key) = ((0, [0; 32]), LessSafeKey::new(key));
        let chain = Chain::resume(from.0, from.1);
        Ok(Self { path: path.to_owned(), file, id, key, room, from, end: HEADER, chain, waiting: 0 })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The setting of the store under which it is noted how far this spool was taken over.
    pub(super) fn setting(&self) -> String {
        self.id.iter().fold("spool-".to_owned(), |name, byte| format!("{name}{byte:02x}"))
    }

    /// Goes on from what was taken over: reads what was not.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn begin(&mut self, taken: Taken) -> io::Result<Held> {
        self.from = taken;
        let held = self.read()?;
        self.chain = Chain::resume(held.mark.0, held.mark.1);
        (self.end, self.waiting) = (held.end, held.entries.len());
        Ok(held)
    }

    /// How many entries wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Makes entries durable, all or none.
    ///
    /// # Errors
    /// [`ErrorKind::StorageFull`] when it is full; whatever the disk says.
    pub(super) fn append(&mut self, entries: &[&Entry]) -> io::Result<()> {
        let before = self.chain.mark();
        let written = self.write(entries, (before.seq(), before.head()));
        match written {
            Ok(length) => {
                self.end += length;
                self.waiting += entries.len();
            }
            // What of it may stand in the file will be written over, or is never opened: its number is given again.
            Err(_) => self.chain.restore(before),
        }
        written.map(drop)
    }

    fn write(&mut self, entries: &[&Entry], before: Taken) -> io::Result<u64> {
        let mut sealed = Vec::with_capacity(entries.len() * 700);
        for entry in entries {
            let leaf = self.chain.link(entry).leaf;
            sealed.extend(length_of(leaf.len())?.to_be_bytes());
            sealed.extend(leaf);
        }
        let mut nonce = [0; NONCE_LEN];
        aws_lc_rs::rand::fill(&mut nonce).map_err(|_| io::Error::other("the system has no random numbers"))?;
        let aad = Aad::from(self.bound_to(before));
        let sealing = self.key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut sealed);
        sealing.map_err(|_| io::Error::other("an entry cannot be sealed"))?;
        let mut frame = Vec::with_capacity(LEAD + sealed.len());
        frame.extend(length_of(sealed.len())?.to_be_bytes());
        frame.extend((before.0 + 1).to_be_bytes());
        frame.extend(nonce);
        frame.extend(sealed);
        let length = frame.len() as u64;
        if self.end + length > self.room {
            return Err(io::Error::new(ErrorKind::StorageFull, "the spool is full"));
        }
        self.file.write_all_at(&frame, self.end)?;
        self.file.sync_data()?;
        Ok(length)
    }

    /// What waits, as the file has it.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn held(&self) -> io::Result<Held> {
        let mut held = self.read()?;
        if held.entries.len() < self.waiting {
            held.fault = Some(CHANGED);
        }
        Ok(held)
    }

    /// The database has everything up to here.
    pub(super) fn taken(&mut self, mark: Taken) {
        self.from = mark;
        self.chain = Chain::resume(mark.0, mark.1);
        (self.end, self.waiting) = (HEADER, 0);
    }

    /// Puts a copy of the file aside, for whoever is to find out what happened to it.
    pub(super) fn keep_a_copy(&self) -> io::Result<PathBuf> {
        let copy = self.path.with_extension(format!("changed-{}", self.from.0));
        std::fs::copy(&self.path, &copy)?;
        Ok(copy)
    }

    /// Which frame a seal is for: this spool, and the place in its chain.
    fn bound_to(&self, (seq, head): Taken) -> Vec<u8> {
        [&self.id[..], &seq.to_be_bytes(), &head].concat()
    }
}

fn length_of(bytes: usize) -> io::Result<u32> {
    u32::try_from(bytes).map_err(|_| io::Error::other("too long for the spool"))
}

/// A new file gets its name.
fn begun(file: &File) -> io::Result<[u8; ID]> {
    let mut id = [0; ID];
    aws_lc_rs::rand::fill(&mut id).map_err(|_| io::Error::other("the system has no random numbers"))?;
    file.write_all_at(MAGIC, 0)?;
    file.write_all_at(&id, MAGIC.len() as u64)?;
    file.sync_all()?;
    Ok(id)
}

/// The name of a file that is a spool already.
fn known(file: &File) -> io::Result<[u8; ID]> {
    let (mut magic, mut id) = ([0; 8], [0; ID]);
    let read = file.read_exact_at(&mut magic, 0).and_then(|()| file.read_exact_at(&mut id, MAGIC.len() as u64));
    if read.is_err() || magic != *MAGIC {
        return Err(io::Error::new(ErrorKind::InvalidData, "the file is no spool"));
    }
    Ok(id)
}

/// Puts zeros where there is nothing yet, up to a length.
fn reserve(file: &File, from: u64, to: u64) -> io::Result<()> {
    let zeros = vec![0; usize::try_from(to.saturating_sub(from)).unwrap_or(0)];
    if zeros.is_empty() { Ok(()) } else { file.write_all_at(&zeros, from) }
}

#[cfg(test)]
mod tests {
    use super::{CHANGED, HEADER, KEY, LEAD, Spool, TORN};
    use crate::audit::{Agent, Entry, Event};
    use crate::fhir::Instant;
    use std::io::ErrorKind;
    use std::os::unix::fs::FileExt as _;
    use std::path::Path;

    fn entry(name: &str) -> Entry {
        Entry::concluded(Event::Rest("read"), Agent::unknown("192.0.2.7"), Instant(0), name)
    }

    fn opened(path: &Path) -> Spool {
        Spool::open(path, 1 << 20, &[7; KEY]).unwrap()
    }

    fn begun(path: &Path) -> Spool {
        let mut spool = opened(path);
        assert!(spool.begin((0, [0; 32])).unwrap().entries.is_empty());
        spool
    }

    fn names(entries: &[Entry]) -> Vec<&str> {
        entries.iter().map(|entry| entry.request_id.as_str()).collect()
    }

    /// A spool with three frames, of two entries, one and one; closed.
    fn filled(path: &Path) {
        let mut spool = begun(path);
        spool.append(&[&entry("a"), &entry("b")]).unwrap();
        spool.append(&[&entry("c")]).unwrap();
        spool.append(&[&entry("d")]).unwrap();
        assert_eq!(spool.waiting(), 4);
    }

    fn place() -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trail.spool");
        (folder, path)
    }

    #[test]
    fn what_was_put_in_comes_out_in_order_after_a_crash_too() {
        let (_folder, path) = place();
        filled(&path);
        let mut spool = opened(&path);
        let held = spool.begin((0, [0; 32])).unwrap();
        assert_eq!((names(&held.entries), held.fault, held.mark.0), (vec!["a", "b", "c", "d"], None, 4));
        assert_eq!(names(&spool.held().unwrap().entries), ["a", "b", "c", "d"]);
        spool.append(&[&entry("e")]).unwrap();
        assert_eq!(spool.held().unwrap().entries.len(), 5);
        let bytes = std::fs::read(&path).unwrap();
        assert!(!bytes.windows(9).any(|part| part == b"192.0.2.7"), "sealed");
    }

    #[test]
    fn what_was_taken_over_does_not_come_twice_and_its_place_is_used_again() {
        let (_folder, path) = place();
        filled(&path);
        let mut spool = opened(&path);
        let first = spool.begin((0, [0; 32])).unwrap();
        spool.taken(first.mark);
        assert!(spool.held().unwrap().entries.is_empty());
        spool.append(&[&entry("e")]).unwrap();
        drop(spool);
        let held = opened(&path).begin(first.mark).unwrap();
        assert_eq!((names(&held.entries), held.fault), (vec!["e"], None), "the frames of before lie behind it");
        let held = opened(&path).begin(held.mark).unwrap();
        assert_eq!((held.entries.len(), held.fault), (0, None));
    }

    #[test]
    fn a_changed_frame_ends_what_can_be_believed() {
        let (_folder, path) = place();
        filled(&path);
        let text = std::fs::read(&path).unwrap();
        let flipped = |at: usize| {
            let mut text = text.clone();
            text[at] ^= 1;
            std::fs::write(&path, text).unwrap();
            opened(&path).begin((0, [0; 32])).unwrap()
        };
        let first = usize::try_from(HEADER).unwrap();
        let held = flipped(first + LEAD + 3);
        assert_eq!((held.entries.len(), held.fault), (0, Some(CHANGED)));
        let size = u32::from_be_bytes(text[first..first + 4].try_into().unwrap()) as usize;
        let second = first + LEAD + size;
        assert_eq!((names(&flipped(second + LEAD).entries), flipped(second + LEAD).fault), (vec!["a", "b"], Some(CHANGED)));
        let size = u32::from_be_bytes(text[second..second + 4].try_into().unwrap()) as usize;
        let third = second + LEAD + size;
        assert_eq!((names(&flipped(third + LEAD).entries), flipped(third + LEAD).fault), (vec!["a", "b", "c"], Some(TORN)));
        assert_eq!(flipped(8).entries.len(), 0, "another spool's frames do not open");
    }

    #[test]
    fn a_spool_that_is_changed_while_it_is_open_is_found_by_its_count() {
        let (_folder, path) = place();
        let mut spool = begun(&path);
        spool.append(&[&entry("a")]).unwrap();
        let other = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        other.write_all_at(&[0; 64], HEADER).unwrap();
        let held = spool.held().unwrap();
        assert_eq!((held.entries.len(), held.fault), (0, Some(CHANGED)));
    }

    #[test]
    fn a_full_spool_takes_nothing_and_says_so() {
        let (_folder, path) = place();
        let mut spool = Spool::open(&path, 2_000, &[7; KEY]).unwrap();
        spool.begin((0, [0; 32])).unwrap();
        let mut count = 0;
        let error = loop {
            match spool.append(&[&entry("one")]) {
                Ok(()) => count += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::StorageFull);
        let held = spool.held().unwrap();
        assert!(count > 1 && held.entries.len() == count && held.fault.is_none());
        assert!(std::fs::metadata(&path).unwrap().len() <= 2_000);
        spool.taken(held.mark);
        spool.append(&[&entry("again")]).unwrap();
        assert_eq!(names(&spool.held().unwrap().entries), ["again"]);
    }

    #[test]
    fn a_spool_has_one_process_and_a_file_that_is_none_is_left_alone() {
        let (folder, path) = place();
        let _spool = begun(&path);
        assert!(Spool::open(&path, 1 << 20, &[7; KEY]).is_err());
        let other = folder.path().join("notes");
        std::fs::write(&other, "my notes, which are no spool at all").unwrap();
        assert!(Spool::open(&other, 1 << 20, &[7; KEY]).is_err());
        assert_eq!(std::fs::read_to_string(&other).unwrap(), "my notes, which are no spool at all");
    }
}
