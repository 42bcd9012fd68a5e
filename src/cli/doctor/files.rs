//! Checks of the data folder and the database.

use super::{Finding, Patient, Row};
use crate::fhir::Instant;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// In order of number.
pub(super) const CHECKS: &[Row] = &[
    Row { number: 9, title: "the data folder can be written", look: folder_writable },
    Row { number: 10, title: "the data folder is private", look: folder_private },
    Row { number: 11, title: "the data folder is on a disk of this computer", look: local_disk },
    Row { number: 12, title: "the database is one, and in WAL mode", look: database },
    Row { number: 13, title: "the clock is not behind the data", look: clock },
];

/// File systems on which the locks of SQLite do not hold.
const NETWORK: [&str; 8] = ["nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "ceph"];

fn database_file(patient: &Patient<'_>) -> Option<PathBuf> {
    patient.config.store.sqlite_path()
}

fn folder(patient: &Patient<'_>) -> Option<PathBuf> {
    database_file(patient)?.parent().map(Path::to_owned)
}

fn folder_writable(patient: &Patient<'_>) -> Finding {
    let Some(folder) = folder(patient) else { return Finding::skipped("no embedded store") };
    let probe = folder.join(format!(".amanat-doctor-{}", uuid::Uuid::now_v7()));
    match std::fs::write(&probe, b"probe").and_then(|()| std::fs::remove_file(&probe)) {
        Ok(()) => Finding::fine(folder.display().to_string()),
        Err(error) => {
            Finding::error(format!("`{}`: {error}", folder.display()), "make the folder, and give it to the gateway's own user")
        }
    }
}

fn folder_private(patient: &Patient<'_>) -> Finding {
    use std::os::unix::fs::PermissionsExt as _;
    let Some(folder) = folder(patient) else { return Finding::skipped("no embedded store") };
    match std::fs::metadata(&folder) {
        Ok(found) if found.permissions().mode() & 0o007 != 0 => {
            let fix = format!("chmod o-rwx {}", super::super::places::quoted(&folder.display().to_string()));
            Finding::warning(format!("every user of this computer can enter `{}`", folder.display()), fix)
        }
        Ok(found) => Finding::fine(format!("mode {:o}", found.permissions().mode() & 0o777)),
        Err(error) => Finding::error(error.to_string(), "make the folder"),
    }
}

fn local_disk(patient: &Patient<'_>) -> Finding {
    let Some(folder) = folder(patient).and_then(|folder| folder.canonicalize().ok()) else {
        return Finding::skipped("no embedded store, or no folder yet");
    };
    let Ok(mounts) = std::fs::read_to_string("/proc/self/mounts") else { return Finding::skipped("this system does not say") };
    let mounts = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let (place, kind) = (words.nth(1)?, words.next()?);
        folder.starts_with(place.replace("\\040", " ")).then_some((place.len(), kind))
    });
    match mounts.max_by_key(|(length, _)| *length) {
        Some((_, kind)) if NETWORK.contains(&kind) => {
            Finding::error(format!("it is on `{kind}`"), "move the database to a local disk: locks do not hold over a network")
        }
        Some((_, kind)) => Finding::fine(kind),
        None => Finding::skipped("this system does not say"),
    }
}

/// The header says what it is: a magic text, and at 18 and 19 the journal (2 is WAL; SQLite file format § 1.3).
fn database(patient: &Patient<'_>) -> Finding {
    let Some(file) = database_file(patient) else { return Finding::skipped("no embedded store") };
    if !file.exists() {
        return Finding::skipped("there is none yet: the first start makes it");
    }
    let mut header = [0_u8; 20];
    if let Err(error) = std::fs::File::open(&file).and_then(|mut file| file.read_exact(&mut header)) {
        return Finding::error(format!("`{}`: {error}", file.display()), "restore it from the newest backup");
    }
    match header {
        [magic @ .., 2, 2] if magic.starts_with(b"SQLite format 3\0") => Finding::fine(file.display().to_string()),
        [magic @ .., _, _] if magic.starts_with(b"SQLite format 3\0") => {
            Finding::warning("another journal mode is set", "start the gateway once: it sets WAL")
        }
        _ => Finding::error(format!("`{}` is not an SQLite database", file.display()), "restore it from the newest backup"),
    }
}

/// A clock that lost its battery stands before the last write; tokens and the trail would carry wrong times.
fn clock(patient: &Patient<'_>) -> Finding {
    let newest = database_file(patient)
        .and_then(|file| std::fs::metadata(file).ok()?.modified().ok()?.duration_since(UNIX_EPOCH).ok())
        .and_then(|age| i64::try_from(age.as_millis()).ok());
    match newest {
        None => Finding::skipped("there are no data yet"),
        Some(newest) if newest > patient.now.plus_seconds(60).0 => Finding::error(
            format!("it says {}, and the data were written at {}", patient.now, Instant(newest)),
            "set the clock, and let NTP keep it",
        ),
        Some(_) => Finding::fine(patient.now.to_string()),
    }
}
