//! A small generator of pseudo-random numbers: the same seed gives the same people on every machine and in every release.

/// `SplitMix64` (Steele, Lea, Flood 2014). For made-up people only: nothing secret may come from it.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Random(u64);

impl Random {
    /// The sequence of this seed.
    pub(in crate::cli) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from `low` to `high`, both included; `low` when the range is empty.
    pub(in crate::cli) fn between(&mut self, low: u32, high: u32) -> u32 {
        let width = u64::from(high.saturating_sub(low)) + 1;
        low + u32::try_from(self.next() % width).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn the_sequence_is_the_published_one() {
        let mut random = Random::new(1_234_567);
        assert_eq!([random.next(), random.next()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
    }

    #[test]
    fn a_number_stays_in_its_range() {
        let mut random = Random::new(7);
        for _ in 0..1000 {
            assert!((3..=9).contains(&random.between(3, 9)));
        }
        assert_eq!(random.between(5, 5), 5);
    }
}
