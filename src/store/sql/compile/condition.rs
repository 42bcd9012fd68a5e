//! A condition on the marks of a record as SQL.
//!
//! Everything here is true, false or NULL, and means by NULL what [`Condition::holds`] means by `None`: not known. NULL goes through
//! NOT, AND and OR as it should; whoever uses a condition must let nothing pass that is not true (`IS NOT TRUE` denies).

use super::{On, Sql, array};
use crate::access::{Condition, OneOf, Test};
use crate::fhir::{Fact, Interval, Key, ResourceType, is_hub};

impl Sql {
    /// The condition, of the record at hand: a row of its own is looked up once for the whole of it.
    pub(super) fn condition(&mut self, condition: &Condition, on: On<'_>) -> &mut Self {
        match condition {
            Condition::All => self.say("TRUE"),
            Condition::None => self.say("FALSE"),
            condition => {
                let row = self.alias();
                self.say("(SELECT ");
                self.marked(condition, &row);
                self.say(&format!(" FROM record {row} WHERE {row}.rid = {})", on.rid))
            }
        }
    }

    /// The condition, of the row with this alias.
    fn marked(&mut self, condition: &Condition, row: &str) {
        match condition {
            Condition::All => self.say("TRUE").end(),
            Condition::None => self.say("FALSE").end(),
            Condition::Not(inner) => {
                self.say("NOT (");
                self.marked(inner, row);
                self.say(")").end();
            }
            Condition::And(all) if all.is_empty() => self.say("TRUE").end(),
            Condition::Or(any) if any.is_empty() => self.say("FALSE").end(),
            Condition::And(all) => self.joined(" AND ", all, |sql, one| sql.marked(one, row)).end(),
            Condition::Or(any) => self.joined(" OR ", any, |sql, one| sql.marked(one, row)).end(),
            Condition::Test(test) => {
                self.say("(");
                self.test(test, row);
                self.say(")").end();
            }
        }
    }

    fn test(&mut self, test: &Test, row: &str) {
        match test {
            Test::ConfidentialityAtMost(most) => self.say(&format!("{row}.conf <= ")).value(most.rank()).end(),
            Test::ConfidentialityAtLeast(least) => self.say(&format!("{row}.conf >= ")).value(least.rank()).end(),
            Test::SensitiveToAny(bits) => self.say(&format!("({row}.sens & ")).value(bits.cast_signed()).say(") <> 0").end(),
            Test::SensitiveOnlyTo(bits) => {
                self.say(&format!("{row}.sens <> 0 AND ({row}.sens & ")).value((!bits).cast_signed()).say(") = 0").end();
            }
            Test::Handled(bits) => self.say(&format!("({row}.handling & ")).value(bits.cast_signed()).say(") <> 0").end(),
            Test::Type(types) => {
                self.say(&format!("{row}.type IN (")).list(types.iter().map(|of| i64::from(of.code()))).say(")").end();
            }
            Test::Record(keys) => self.joined(" OR ", keys, |sql, key| sql.is_record(key, row)).end(),
            Test::Has(facts) => self.some_fact(facts, row),
            Test::RefersTo(names) => {
                self.say(&format!("{row}.type NOT IN (")).list(hubs()).say(") AND ");
                self.some_fact(names, row);
            }
            Test::ReferredToBy(keys) => self.joined(" OR ", keys, |sql, key| sql.referred_to_by(key, row)).end(),
            Test::DatesInside(spans) => self.joined(" OR ", spans, |sql, span| sql.dates_inside(*span, row)).end(),
            Test::DatesMeet(spans) => self.joined(" OR ", spans, |sql, span| sql.dates_meet(*span, row)).end(),
        }
    }

    /// The facts lie one behind the other, and eight bytes are sought at any place: those of two neighbours could be those of
    /// a third. Facts are parts of a cryptographic hash, so that happens as rarely as two of them are equal, which is never.
    fn some_fact(&mut self, facts: &OneOf<Fact>, row: &str) {
        let within = format!("{row}.facts");
        if let [fact] = facts.as_slice() {
            return self.position(|sql| sql.value(fact.bytes().to_vec()).end(), &within).say(" > 0").end();
        }
        let each: Vec<String> = facts.iter().map(|fact| hex(fact.bytes())).collect();
        let one = self.alias();
        self.say(&format!("CASE WHEN {within} IS NULL THEN NULL ELSE EXISTS (SELECT 1 FROM "));
        self.texts(array(each.iter().map(String::as_str))).say(&format!(" {one} WHERE "));
        let sought = self.dialect().of_hex(&format!("{one}.value"));
        self.position(|sql| sql.say(&sought).end(), &within).say(" > 0) END").end();
    }

    fn is_record(&mut self, key: &Key, row: &str) {
        self.say(&format!("({row}.type = ")).value(i64::from(key.resource_type.code()));
        self.say(&format!(" AND {row}.id = ")).value(key.id.as_str()).say(")").end();
    }

    /// It is the named record, or it is no hub and its own name stands among the facts of the named record, which must be live.
    fn referred_to_by(&mut self, key: &Key, row: &str) {
        let named = self.alias();
        self.say("CASE WHEN ");
        self.is_record(key, row);
        self.say(&format!(" THEN TRUE WHEN {row}.type IN ("));
        self.list(hubs());
        // Without this an unread row would be found named by nobody, which is a no. The same for the named one, where 2 becomes NULL.
        self.say(&format!(
            ") THEN FALSE WHEN {row}.facts IS NULL THEN NULL ELSE nullif(coalesce((SELECT CASE WHEN {named}.facts IS NULL THEN 2 WHEN "
        ));
        self.position(|sql| sql.say(&format!("substr({row}.facts, 1, 8)")).end(), &format!("{named}.facts"));
        self.say(&format!(" > 0 THEN 1 ELSE 0 END FROM record {named} WHERE {named}.type = "));
        self.value(i64::from(key.resource_type.code())).say(&format!(" AND {named}.id = ")).value(key.id.as_str());
        self.say(&format!(" AND {named}.deleted = 0), 0), 2) = 1 END")).end();
    }

    fn dates_inside(&mut self, span: Interval, row: &str) {
        self.say(&format!("{row}.dates = -1 OR ({row}.dates > 0 AND {row}.date_lo >= ")).value(span.low.0);
        self.say(&format!(" AND {row}.date_hi <= ")).value(span.high.0).say(")").end();
    }

    /// The outer ends rule out most; only a row with several dates is looked into.
    fn dates_meet(&mut self, span: Interval, row: &str) {
        self.say(&format!("{row}.dates = 0 OR ({row}.dates > 0 AND {row}.date_lo < ")).value(span.high.0);
        self.say(&format!(" AND {row}.date_hi > ")).value(span.low.0);
        self.say(&format!(" AND ({row}.dates = 1 OR EXISTS (SELECT 1 FROM ")).elements(&format!("{row}.spans"));
        self.say(" e WHERE CAST(e.value ->> 0 AS BIGINT) < ").value(span.high.0);
        self.say(" AND CAST(e.value ->> 1 AS BIGINT) > ").value(span.low.0).say(")))").end();
    }
}

fn hubs() -> impl Iterator<Item = i64> {
    ResourceType::ALL.iter().filter(|of| is_hub(**of)).map(|of| i64::from(of.code()))
}

fn hex(bytes: [u8; 8]) -> String {
    format!("{:016x}", u64::from_be_bytes(bytes))
}
