//! Frames of MLLP in whatever comes over a connection: the pieces in which it comes do not matter, and no more is held than the bound.
#![no_main]

use amanat::lab::mllp::{Framed, Frames, framed};
use libfuzzer_sys::fuzz_target;

/// What is found when the bytes come in pieces of this many bytes.
fn found(bytes: &[u8], step: usize, most: usize) -> Vec<Framed> {
    let (mut frames, mut all) = (Frames::new(most), Vec::new());
    for piece in bytes.chunks(step) {
        let mut rest = piece;
        while !rest.is_empty() {
            let (taken, one) = frames.take(rest);
            assert!(taken > 0, "no progress");
            assert!(frames.held() <= 2 * most.max(4096) + 64, "{} bytes held of at most {most}", frames.held());
            rest = &rest[taken..];
            let hopeless = one == Some(Framed::Hopeless);
            all.extend(one);
            if hopeless {
                return all;
            }
        }
    }
    all
}

fuzz_target!(|input: (u8, u16, &[u8])| {
    let (step, most, bytes) = input;
    let (step, most) = (usize::from(step).max(1), usize::from(most));
    let whole = found(bytes, usize::MAX, most);
    assert_eq!(whole, found(bytes, step, most), "pieces of {step} bytes matter");
    for one in whole {
        if let Framed::Message(data) = one {
            assert!(data.len() <= most);
            // What was found is found again where it is sent on.
            assert_eq!(found(&framed(&data), step, most), [Framed::Message(data.clone())]);
        }
    }
});
