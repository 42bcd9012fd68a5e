//! Room on the disk, and what is still written when it runs out: first no more bulk, then nothing but the trail. A disk that is full to the
//! last byte could not even record who was refused.

use std::path::{Path, PathBuf};

/// When what stops. A step is reached when more than its percentage of the disk is in use *and* less than `free_bytes` is left, so that a large
/// disk is not given up with much room on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpaceBounds {
    /// In use when bundles with many changes are no longer taken. 100: never.
    pub bulk_percent: u8,
    /// In use when nothing is taken any more but the trail. 100: never.
    pub writes_percent: u8,
    /// As long as so many bytes are left, everything is taken.
    pub free_bytes: u64,
}

impl Default for SpaceBounds {
    fn default() -> Self {
        Self { bulk_percent: 90, writes_percent: 95, free_bytes: 10 << 30 }
    }
}

/// What there is room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Room {
    /// Everything.
    Enough,
    /// Single changes, and the trail.
    NoBulk,
    /// The trail alone: records are read and not written.
    TrailOnly,
}

impl Room {
    /// In words for an operator; `None` when there is enough.
    pub fn told(self) -> Option<&'static str> {
        match self {
            Self::Enough => None,
            Self::NoBulk => Some("the disk is nearly full: bundles with many changes are refused"),
            Self::TrailOnly => Some("the disk is nearly full: nothing is written but the trail"),
        }
    }
}

/// The disk that the store is on; with a database on a server, the one of the gateway's own files.
#[derive(Debug, Clone)]
pub struct Space {
    folder: PathBuf,
    bounds: SpaceBounds,
}

impl Space {
    /// Watches the disk that this folder is on.
    pub fn new(folder: &Path, bounds: SpaceBounds) -> Self {
        Self { folder: folder.to_owned(), bounds }
    }

    /// As it is at this moment: one system call. A disk that cannot be asked is taken to have room: the write itself will tell.
    pub fn room(&self) -> Room {
        match rustix::fs::statvfs(&self.folder) {
            Ok(disk) => {
                let used = disk.f_blocks.saturating_sub(disk.f_bfree);
                room(used, disk.f_bavail, disk.f_frsize, self.bounds)
            }
            Err(_) => Room::Enough,
        }
    }
}

/// Of blocks in use and blocks that are left to those without privileges, as `df` counts.
fn room(used: u64, left: u64, block: u64, bounds: SpaceBounds) -> Room {
    if left.saturating_mul(block) >= bounds.free_bytes {
        return Room::Enough;
    }
    let above = |percent: u8| u128::from(used) * 100 > (u128::from(used) + u128::from(left)) * u128::from(percent);
    if above(bounds.writes_percent) {
        Room::TrailOnly
    } else if above(bounds.bulk_percent) {
        Room::NoBulk
    } else {
        Room::Enough
    }
}

#[cfg(test)]
mod tests {
    use super::{Room, Space, SpaceBounds, room};

    const BLOCK: u64 = 4096;
    /// A disk of 100 blocks is far below the bound in bytes.
    const BOUNDS: SpaceBounds = SpaceBounds { bulk_percent: 90, writes_percent: 95, free_bytes: 1 << 30 };

    #[test]
    fn each_step_begins_above_its_percentage() {
        for (used, expected) in [
            (0, Room::Enough),
            (90, Room::Enough),
            (91, Room::NoBulk),
            (95, Room::NoBulk),
            (96, Room::TrailOnly),
            (100, Room::TrailOnly),
        ] {
            assert_eq!(room(used, 100 - used, BLOCK, BOUNDS), expected, "{used} of 100");
        }
    }

    #[test]
    fn a_large_disk_is_not_given_up_with_much_room_on_it() {
        let left = BOUNDS.free_bytes / BLOCK;
        assert_eq!(room(1 << 40, left, BLOCK, BOUNDS), Room::Enough);
        assert_eq!(room(1 << 40, left - 1, BLOCK, BOUNDS), Room::TrailOnly);
    }

    #[test]
    fn a_hundred_percent_is_never() {
        let never = SpaceBounds { bulk_percent: 100, writes_percent: 100, ..BOUNDS };
        assert_eq!(room(100, 0, BLOCK, never), Room::Enough);
    }

    #[test]
    fn this_disk_can_be_asked() {
        let here = std::env::temp_dir();
        let always = SpaceBounds { bulk_percent: 0, writes_percent: 0, free_bytes: u64::MAX };
        assert_eq!(Space::new(&here, always).room(), Room::TrailOnly);
        assert_eq!(Space::new(&here.join("is not there"), always).room(), Room::Enough);
    }
}
