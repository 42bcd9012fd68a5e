//! What is done about an alarm: what the rule has as its own, unless the site says otherwise. Nobody is slowed down or locked out by a rule
//! that cannot yet know what is usual.

use super::{Alarm, Measure, Network, Rule, Subject};
use crate::fhir::Instant;
use std::collections::HashMap;
use std::net::IpAddr;

const DAY: i64 = 24 * 3_600;

/// `[alarms]`: what rules may do.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Whether rules do anything beside telling.
    pub act: bool,
    /// What the site has chosen for a rule; it holds at once, for everybody.
    pub chosen: HashMap<Rule, Measure>,
    /// Days from the first entry of the trail in which the rules about habits only tell.
    pub learn_days: i64,
    /// Addresses that no rule slows down: behind a proxy, everybody has the same.
    pub spared: Vec<Network>,
}

impl Default for Policy {
    fn default() -> Self {
        let loopback = ["127.0.0.0/8", "::1/128"].iter().filter_map(|text| Network::parse(text)).collect();
        Self { act: true, chosen: HashMap::new(), learn_days: 7, spared: loopback }
    }
}

impl Policy {
    /// What is to be done about this alarm, of a trail that began then.
    pub fn measure(&self, alarm: &Alarm, began: Instant) -> Measure {
        // Somebody is woken by it, whatever else is done.
        let told = if alarm.measure == Measure::Page { Measure::Page } else { Measure::Alert };
        if !self.act {
            return told;
        }
        if let Some(chosen) = self.chosen.get(&alarm.rule) {
            return if *chosen == Measure::Alert { told } else { *chosen };
        }
        let learning = alarm.at < began.plus_seconds(self.learn_days.saturating_mul(DAY));
        if (alarm.rule.is_about_habits() && learning) || self.spares(&alarm.subject) { told } else { alarm.measure }
    }

    fn spares(&self, subject: &Subject) -> bool {
        let Subject::Address(address) = subject else { return false };
        let Ok(address) = address.parse::<IpAddr>() else { return false };
        self.spared.iter().any(|network| network.holds(address.to_canonical()))
    }
}

impl Rule {
    /// Whether it judges by what is usual, which a trail must first have seen for a while.
    pub const fn is_about_habits(self) -> bool {
        matches!(self, Self::R2 | Self::R3 | Self::R4 | Self::R15)
    }
}

impl Measure {
    /// What a site may choose, by its name in the configuration.
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "notify" => Self::Alert,
            "throttle" => Self::Throttle,
            "revoke" => Self::Revoke,
            "suspend" => Self::Suspend,
            "hold" => Self::Hold,
            "write-lock" => Self::WriteLock,
            "pause" => Self::Pause,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{DAY, Policy};
    use crate::audit::rules::{Alarm, Measure, Network, Rule, Subject};
    use crate::fhir::Instant;

    fn alarm(rule: Rule, subject: Subject, measure: Measure, day: i64) -> Alarm {
        let at = Instant(0).plus_seconds(day * DAY);
        Alarm { rule, seq: 1, at, subject, patient: None, text: String::new(), measure }
    }

    fn done(policy: &Policy, rule: Rule, subject: Subject, measure: Measure, day: i64) -> Measure {
        policy.measure(&alarm(rule, subject, measure, day), Instant(0))
    }

    #[test]
    fn rules_about_habits_tell_for_a_week_and_act_then() {
        let usual = Policy::default();
        let user = || Subject::User("Practitioner/d1".to_owned());
        assert_eq!(done(&usual, Rule::R3, user(), Measure::Throttle, 6), Measure::Alert);
        assert_eq!(done(&usual, Rule::R3, user(), Measure::Throttle, 7), Measure::Throttle);
        assert_eq!(done(&usual, Rule::R12, user(), Measure::WriteLock, 0), Measure::WriteLock, "destruction is not learnt");
        let at_once = Policy { learn_days: 0, ..Policy::default() };
        assert_eq!(done(&at_once, Rule::R2, Subject::Token("t".to_owned()), Measure::Revoke, 0), Measure::Revoke);
    }

    #[test]
    fn an_address_that_a_proxy_gives_everybody_is_spared() {
        let address = |text: &str| Subject::Address(text.to_owned());
        let usual = Policy::default();
        assert_eq!(done(&usual, Rule::R1, address("203.0.113.9"), Measure::Throttle, 0), Measure::Throttle);
        for spared in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(done(&usual, Rule::R1, address(spared), Measure::Throttle, 0), Measure::Alert, "{spared}");
        }
        let proxy = Policy { spared: vec![Network::parse("10.0.0.0/8").unwrap()], ..Policy::default() };
        assert_eq!(done(&proxy, Rule::R1, address("10.1.2.3"), Measure::Throttle, 0), Measure::Alert);
        assert_eq!(done(&proxy, Rule::R1, address("127.0.0.1"), Measure::Throttle, 0), Measure::Throttle);
    }

    #[test]
    fn what_a_site_chooses_holds_at_once_and_nothing_is_done_where_rules_may_not_act() {
        let chosen = |measure| Policy { chosen: [(Rule::R3, measure)].into(), ..Policy::default() };
        let user = || Subject::User("Practitioner/d1".to_owned());
        assert_eq!(done(&chosen(Measure::Suspend), Rule::R3, user(), Measure::Throttle, 0), Measure::Suspend);
        assert_eq!(done(&chosen(Measure::Alert), Rule::R3, user(), Measure::Throttle, 9), Measure::Alert);
        let silent = Policy { act: false, ..chosen(Measure::Suspend) };
        assert_eq!(done(&silent, Rule::R3, user(), Measure::Throttle, 9), Measure::Alert);
        assert_eq!(done(&silent, Rule::R13, user(), Measure::Page, 9), Measure::Page, "and a page stays one");
        for word in ["notify", "throttle", "revoke", "suspend", "hold", "write-lock", "pause"] {
            assert!(Measure::parse(word).is_some(), "{word}");
        }
        assert_eq!(Measure::parse("page"), None);
    }
}
