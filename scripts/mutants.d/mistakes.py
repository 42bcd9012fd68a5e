"""The mistakes that scripts/mutants makes, and the test that must catch each."""

from typing import NamedTuple


class Mistake(NamedTuple):
    name: str
    file: str
    old: str
    new: str
    test: str


PROGRAM, DECIDE, COMPILE = "consent/program.rs", "consent/decide.rs", "consent/compile.rs"

MISTAKES = [
    Mistake("nested ignored", PROGRAM, "for exception in &rule.exceptions {", "for exception in rule.exceptions.iter().take(0) {", "nested_provisions_ignored"),
    Mistake(
        "permit overrides",
        DECIDE,
        "deny.negated().and(permit.or(shut.negated().and(base.or(implicit))))",
        "permit.or(deny.negated().and(shut.negated().and(base.or(implicit))))",
        "permit_overrides_deny",
    ),
    Mistake(
        "flat deny overrides",
        PROGRAM,
        "(denied.clone().or(permitted.clone().negated().and(own)), denied.negated().and(permitted))",
        "(denied.clone().or(own), denied.negated().and(permitted))",
        "every_deny_overrides_its_own_exceptions",
    ),
    Mistake(
        "child only if parent",
        PROGRAM,
        "permitted = permitted.or(permit);",
        "permitted = permitted.or(permit.and(rule.own.read_as(Effect::Permit).clone()));",
        "an_exception_counts_only_when_its_parent_matches",
    ),
    Mistake(
        "flip on match",
        PROGRAM,
        "let (deny, permit) = fold(exception, asked, untyped);",
        "let (deny, permit) = fold(exception, asked, untyped);\n        let any = deny.or(permit);\n"
        "        let (deny, permit) = if rule.effect == Some(Effect::Permit) { (any, Condition::None) } else { (Condition::None, any) };",
        "a_matching_exception_flips_whatever_its_type",
    ),
    Mistake("exception starts from nothing", COMPILE, "self.rule(one, &criteria, &format!", "self.rule(one, &Criteria::default(), &format!", "an_exception_starts_from_nothing_instead_of_inheriting"),
    Mistake("newest across policies", DECIDE, "combine != Combine::Default || one.family == other.family", "true", "the_newest_consent_wins_across_policies"),
    Mistake("no supersession", DECIDE, "combine == Combine::DenyOverrides || dated.is_none() || dated >= against", "true", "an_older_consent_of_the_same_policy_still_speaks"),
    Mistake(
        "revoking brings back",
        DECIDE,
        "let certain = group.iter().filter(|(_, may_permit)| *may_permit)",
        "let certain = group.iter().filter(|(one, _)| one.status == Status::Active)",
        "a_revoked_consent_brings_back_the_older_one",
    ),
    Mistake("one hierarchy", "consent/sensitivity.rs", '("ETHUD", 7, &["SUD", "ETH"], true)', '("ETHUD", 7, &["ETH"], true)', "one_release_of_the_sensitivity_hierarchy_is_enough"),
    Mistake("no alias", "consent/codes.rs", "others.contains(&system)).map_or(system,", "others.contains(&system) && false).map_or(system,", "a_system_under_another_name_matches_nothing"),
    Mistake(
        "or lower for denies",
        PROGRAM,
        "low.map_or(Condition::None, |low| Condition::Test(Test::ConfidentialityAtLeast(*low)))",
        "high.map_or(Condition::None, |high| Condition::Test(Test::ConfidentialityAtMost(*high)))",
        "a_denied_confidentiality_reads_as_this_or_lower",
    ),
    Mistake(
        "equality of labels",
        PROGRAM,
        "high.map_or(Condition::All, |high| Condition::Test(Test::ConfidentialityAtMost(*high)))",
        "high.map_or(Condition::All, |high| Condition::Test(Test::ConfidentialityAtMost(*high)).and(Condition::Test(Test::ConfidentialityAtLeast(*high))))",
        "a_permitted_confidentiality_reads_as_exactly_this",
    ),
    Mistake("one sensitivity opens others", PROGRAM, "Condition::Test(Test::SensitiveOnlyTo(bits))", "Condition::Test(Test::SensitiveToAny(bits))", "one_permitted_sensitivity_opens_a_record_with_another"),
    Mistake("labels joined alike", PROGRAM, "confidentiality.and(sensitivity)", "confidentiality.or(sensitivity)", "both_label_categories_are_joined_alike_in_permits_and_denies"),
    Mistake("unknown label passed over", PROGRAM, "Effect::Deny if labels.any_unknown => Condition::All,", "Effect::Deny if labels.any_unknown => Condition::None,", "a_label_that_nobody_knows_is_passed_over"),
    Mistake(
        "any purpose suffices",
        DECIDE,
        "fold(Condition::All, |all, asked| all.and(decided(asked)))",
        "fold(Condition::None, |all, asked| all.or(decided(asked)))",
        "any_one_of_the_purposes_suffices",
    ),
    Mistake("narrow covers wide", PROGRAM, "codes::subsumes(one, purpose)", "codes::subsumes(purpose, one)", "a_narrow_purpose_covers_a_wide_one"),
    Mistake("fail open", PROGRAM, "if !consent.faults.is_empty() {\n        return only(Effect::Deny);", "if !consent.faults.is_empty() {\n        return nothing;", "what_cannot_be_evaluated_counts_as_no_consent"),
    Mistake("no closed world", PROGRAM, "None if closed(rule, asked) =>", "None if false && closed(rule, asked) =>", "a_consent_for_some_leaves_the_rest_to_the_policy"),
    Mistake(
        "closed world too strong",
        PROGRAM,
        "root.effect == Some(Effect::Permit) && purpose_matches(&root.criteria, reading, asked)",
        "root.effect == Some(Effect::Permit)",
        "a_consent_about_another_purpose_shuts_this_one_out",
    ),
    Mistake("authorizations cancel", DECIDE, "deny = deny.or(denies);\n            shut = shut.or(shuts);", "deny = deny.or(denies).or(shuts.clone());\n            shut = shut.or(shuts);", "two_authorizations_cancel_each_other"),
    Mistake("primary code only", PROGRAM, "if deny { Fact::coding(system, code) } else", "if false { Fact::coding(system, code) } else", "a_deny_looks_at_the_primary_code_only"),
    Mistake("code from anywhere", PROGRAM, "} else { Fact::primary(system, code) }", "} else { Fact::coding(system, code) }", "a_permit_takes_a_code_from_anywhere"),
    Mistake("untyped permits", PROGRAM, "let effect = rule.effect.unwrap_or(untyped);", "let effect = rule.effect.unwrap_or(Effect::Permit);", "an_untyped_provision_permits"),
    Mistake("midnight end date", "consent/span.rs", "|one| one.map(|one| one.high))?;", "|one| one.map(|one| one.low))?;", "a_date_ends_at_its_own_midnight"),
    Mistake("days in UTC", "consent/site.rs", "self.settings.time_zone.rules()\n", "{ static UTC: TimeZone = TimeZone::UTC; &UTC }\n", "days_are_days_in_utc"),
    Mistake("scope unchecked", COMPILE, "_ if !privacy => Status::Void,", "_ if false && !privacy => Status::Void,", "status_and_scope_unchecked"),
    Mistake(
        "status unchecked",
        COMPILE,
        'Some("draft" | "proposed" | "rejected" | "entered-in-error") => Status::Void,',
        'Some("draft" | "proposed" | "rejected" | "entered-in-error") => Status::Active,',
        "status_and_scope_unchecked",
    ),
    Mistake("custodian unchecked", DECIDE, "let about = found.is_empty() || found", "let about = true || found", "custodian_unchecked"),
    Mistake("any patient suffices", "consent/reference/mod.rs", "permitted: patients.iter().all(|one| one.permitted),", "permitted: patients.iter().any(|one| one.permitted),", "any_one_of_the_patients_suffices"),
    Mistake("unknown group is nobody's", PROGRAM, "Recognition::Unknown => effect == Effect::Deny,", "Recognition::Unknown => false,", "an_unknown_group_is_nobodys"),
    Mistake("a patient has a date", "access/condition.rs", "Dates::Timeless => true,", "Dates::Timeless => false,", "a_patient_has_a_date"),
    Mistake("overlap is inside", PROGRAM, "if effect == Effect::Permit { Test::DatesInside(interval) }", "if effect == Effect::Permit { Test::DatesMeet(interval) }", "a_record_that_only_overlaps_is_inside"),
    Mistake("related runs one way", PROGRAM, "Meaning::Related => itself.or(refers()).or(", "Meaning::Related => itself.or(refers()).and(", "related_runs_one_way_or_draws_in_hubs_or_goes_two_hops"),
    Mistake("hubs are drawn in", "access/condition.rs", "Self::RefersTo(_) if is_hub(facts.key.resource_type) => false,", "", "related_runs_one_way_or_draws_in_hubs_or_goes_two_hops"),
    Mistake("no cap", DECIDE, "let normal = || Condition::Test(Test::ConfidentialityAtMost(settings.implicit_max_conf));", "let normal = || Condition::All;", "the_implicit_policy_knows_no_cap"),
    Mistake("refusal binds the patient", DECIDE, 'self.requester.own_patient() == Some(patient) && asked.purpose == Some("PATRQT")', 'false', "a_refusal_hides_a_record_from_its_own_patient"),
    Mistake("minors keep nothing", DECIDE, 'self.site.words.closure_of("ADOL")', "0", "a_proxy_is_opened_to_by_policy_or_to_what_a_minor_keeps"),
    Mistake("glass opens absolute refusals", DECIDE, "(glass.override_absolute || !absolute)", "true", "breaking_the_glass_opens_everything_or_nothing"),
    Mistake("law is waived", DECIDE, 'if asked.purpose == Some("HLEGAL")', "if false", "consent_opens_what_the_law_closes"),
    Mistake("unverified permits", DECIDE, "(consent.verified || !self.site.settings.require_verified)", "true", "an_unverified_consent_gives_or_its_denial_is_lost"),
]
