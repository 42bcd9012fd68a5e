//! Frames found in a stream, whatever pieces it comes in.

/// Start of a frame.
const START: u8 = 0x0B;
/// End of its data.
const END: u8 = 0x1C;
/// End of the frame.
const RETURN: u8 = 0x0D;

/// How much of a frame that is too large is kept, so that it can be answered.
const HEAD: usize = 4096;

/// Bytes outside of any frame that are passed over before the other side is taken for something else.
const NOISE: usize = 64 << 10;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Framed {
    /// The data of a frame.
    Message(Vec<u8>),
    /// A frame that was larger than the bound; its beginning.
    TooLarge(Vec<u8>),
    /// The other side does not speak MLLP, or never ends.
    Hopeless,
}

/// Finds frames. Holds one frame at most, and that up to the bound.
#[derive(Debug)]
pub struct Frames {
    most: usize,
    data: Vec<u8>,
    inside: bool,
    /// Bytes of the frame that were not kept.
    dropped: usize,
    noise: usize,
}

impl Frames {
    /// With a bound in bytes for the data of a frame.
    pub fn new(most: usize) -> Self {
        Self { most, data: Vec::new(), inside: false, dropped: 0, noise: 0 }
    }

    /// Takes bytes up to the end of a frame. Gives how many were taken, and what that completed.
    pub fn take(&mut self, bytes: &[u8]) -> (usize, Option<Framed>) {
        for (at, byte) in bytes.iter().copied().enumerate() {
            if let Some(found) = self.byte(byte) {
                return (at + 1, Some(found));
            }
        }
        (bytes.len(), None)
    }

    /// Bytes that are held of the frame that has begun.
    pub fn held(&self) -> usize {
        self.data.capacity()
    }

    /// A frame has begun and not ended.
    pub fn is_open(&self) -> bool {
        self.inside
    }

    fn byte(&mut self, byte: u8) -> Option<Framed> {
        match byte {
            // A frame that begins inside another: the first was broken off, and its sender will send it again.
            START => {
                (self.inside, self.dropped) = (true, 0);
                self.data.clear();
                None
            }
            END if self.inside => {
                self.inside = false;
                self.noise = 0;
                let mut data = std::mem::take(&mut self.data);
                if std::mem::take(&mut self.dropped) > 0 {
                    data.truncate(HEAD);
                    return Some(Framed::TooLarge(data));
                }
                Some(Framed::Message(data))
            }
            _ if !self.inside => {
                self.noise += usize::from(byte != RETURN && byte != b'\n');
                (self.noise > NOISE).then_some(Framed::Hopeless)
            }
            _ if self.dropped == 0 && self.data.len() < self.most => {
                self.data.push(byte);
                None
            }
            _ => {
                self.data.truncate(HEAD.min(self.most));
                // The rest is read past, so that it can be answered; but not for ever.
                self.most_passed()
            }
        }
    }

    fn most_passed(&mut self) -> Option<Framed> {
        self.dropped += 1;
        if self.data.capacity() > 2 * HEAD {
            self.data.shrink_to(HEAD);
        }
        (self.dropped > self.most.saturating_mul(8).max(1 << 20)).then_some(Framed::Hopeless)
    }
}

/// Data as a frame.
pub fn framed(data: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(data.len() + 3);
    frame.push(START);
    frame.extend_from_slice(data);
    frame.extend([END, RETURN]);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(frames: &mut Frames, pieces: &[&[u8]]) -> Vec<Framed> {
        let mut found = Vec::new();
        for piece in pieces {
            let mut rest = *piece;
            while !rest.is_empty() {
                let (taken, one) = frames.take(rest);
                found.extend(one);
                rest = &rest[taken..];
            }
        }
        found
    }

    fn message(text: &str) -> Framed {
        Framed::Message(text.as_bytes().to_vec())
    }

    #[test]
    fn several_frames_in_one_read_and_noise_between() {
        let mut frames = Frames::new(100);
        let found = all(&mut frames, &[b"noise\x0Ba\x1C\x0D\n\x0Bb\x1C\x0D\x0Bc\x1C", b"\x0D"]);
        assert_eq!(found, [message("a"), message("b"), message("c")]);
    }

    #[test]
    fn a_frame_that_begins_inside_another_takes_its_place() {
        assert_eq!(all(&mut Frames::new(100), &[b"\x0Bbroken o", b"\x0Bwhole\x1C\x0D"]), [message("whole")]);
    }

    #[test]
    fn a_frame_beyond_the_bound_is_told_with_its_beginning_and_the_next_is_read() {
        let mut frames = Frames::new(10);
        let found = all(&mut frames, &[b"\x0B0123456789ABC\x1C\x0D", b"\x0Bnext\x1C\x0D"]);
        assert_eq!(found, [Framed::TooLarge(b"0123456789".to_vec()), message("next")]);
        let found = all(&mut frames, &[b"\x0B0123456789\x1C\x0D"]);
        assert_eq!(found, [message("0123456789")], "just as much as the bound");
    }

    #[test]
    fn what_never_ends_is_hopeless_and_memory_stays_bounded() {
        let mut frames = Frames::new(1 << 20);
        let chunk = vec![b'x'; 1 << 16];
        let mut found = all(&mut frames, &[b"\x0B"]);
        for _ in 0..200 {
            found.extend(all(&mut frames, &[&chunk]));
            assert!(frames.data.len() <= 1 << 20);
        }
        assert!(found.contains(&Framed::Hopeless));
        assert!(all(&mut Frames::new(10), &[&vec![b'G'; NOISE + 1]]).contains(&Framed::Hopeless));
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(messages in prop::collection::vec("[ -~\r]{0,40}", 0..6), cuts in prop::collection::vec(1_usize..9, 1..60)) {
            let stream: Vec<u8> = messages.iter().flat_map(|one| framed(one.as_bytes())).collect();
            let (mut frames, mut found, mut rest, mut cuts) = (Frames::new(100), Vec::new(), stream.as_slice(), cuts.iter().cycle());
            while !rest.is_empty() {
                let (piece, behind) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
                found.extend(all(&mut frames, &[piece]));
                rest = behind;
            }
            let sent: Vec<Framed> = messages.iter().map(|one| message(one)).collect();
            prop_assert_eq!(found, sent);
        }

        #[test]
        fn no_bytes_break_it(bytes in prop::collection::vec(any::<u8>(), 0..600), most in 0_usize..50) {
            for found in all(&mut Frames::new(most), &[&bytes]) {
                if let Framed::Message(data) = found {
                    prop_assert!(data.len() <= most && !data.contains(&START) && !data.contains(&END));
                }
            }
        }
    }
}
