//! Places on the globe as points of the unit sphere, so that nearness is a sum of three squares and any database can tell it.

/// The mean radius of the earth in metres (IUGG), as the haversine formula takes it.
const EARTH: f64 = 6_371_008.8;

/// A point of the unit sphere.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Globe {
    /// Towards latitude 0, longitude 0.
    pub x: f64,
    /// Towards latitude 0, longitude 90 east.
    pub y: f64,
    /// Towards the north pole.
    pub z: f64,
}

impl Globe {
    /// The place of a latitude and a longitude in degrees; `None` when there is no such place.
    pub fn new(latitude: f64, longitude: f64) -> Option<Self> {
        if !(-90.0..=90.0).contains(&latitude) || !(-180.0..=180.0).contains(&longitude) {
            return None;
        }
        let (north, east) = (latitude.to_radians(), longitude.to_radians());
        Some(Self { x: north.cos() * east.cos(), y: north.cos() * east.sin(), z: north.sin() })
    }

    /// The square of the straight line to another point.
    pub fn square(self, other: Self) -> f64 {
        (self.x - other.x).powi(2) + (self.y - other.y).powi(2) + (self.z - other.z).powi(2)
    }
}

/// The square of the straight line between two points so many metres apart along the ground: `square <= chord_square` says the same as
/// haversine distance `<= metres`.
pub fn chord_square(metres: f64) -> f64 {
    let angle = (metres / EARTH).clamp(0.0, std::f64::consts::PI);
    (2.0 * (angle / 2.0).sin()).powi(2)
}

/// Metres of a unit of length by its UCUM code (or the word that people write).
pub(super) fn metres(unit: &str) -> Option<f64> {
    Some(match unit {
        "km" => 1000.0,
        "m" => 1.0,
        "cm" => 0.01,
        "[mi_i]" | "[mi_us]" | "mi" => 1609.344,
        "[nmi_i]" => 1852.0,
        "[ft_i]" | "ft" => 0.3048,
        "[yd_i]" | "yd" => 0.9144,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::{EARTH, Globe, chord_square};
    use proptest::prelude::*;

    fn haversine(a: (f64, f64), b: (f64, f64)) -> f64 {
        let (north, east) = ((b.0 - a.0).to_radians(), (b.1 - a.1).to_radians());
        let h = (north / 2.0).sin().powi(2) + a.0.to_radians().cos() * b.0.to_radians().cos() * (east / 2.0).sin().powi(2);
        2.0 * EARTH * h.sqrt().clamp(0.0, 1.0).asin()
    }

    #[test]
    fn karachi_and_lahore_are_a_thousand_kilometres_apart() {
        let (karachi, lahore) = (Globe::new(24.8607, 67.0011).unwrap(), Globe::new(31.5204, 74.3587).unwrap());
        assert!(karachi.square(lahore) < chord_square(1_060_000.0) && karachi.square(lahore) > chord_square(1_000_000.0));
        assert!(Globe::new(91.0, 0.0).is_none() && Globe::new(0.0, -181.0).is_none() && Globe::new(f64::NAN, 0.0).is_none());
    }

    proptest! {
        #[test]
        fn chords_say_what_haversine_says(
            a in (-89.0..89.0_f64, -179.0..179.0_f64),
            b in (-89.0..89.0_f64, -179.0..179.0_f64),
            metres in 1.0e3..2.0e7_f64,
        ) {
            let distance = haversine(a, b);
            prop_assume!((distance - metres).abs() > 1.0);
            let square = Globe::new(a.0, a.1).unwrap().square(Globe::new(b.0, b.1).unwrap());
            prop_assert_eq!(square <= chord_square(metres), distance <= metres);
        }
    }
}
