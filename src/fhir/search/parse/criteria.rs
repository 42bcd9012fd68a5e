//! One parameter of a query: name, modifier, chain, reverse chain.

use super::escapes::split;
use super::{Fault, broad, modifiers, naming};
use crate::fhir::search::custom::CustomParameters;
use crate::fhir::search::parameter::{ParameterType, SearchParameter};
use crate::fhir::search::query::{Criterion, Modifier, Value};
use crate::fhir::search::words::Words;
use crate::fhir::{Id, Instant, ResourceType};

/// How many references a chain may follow.
pub(super) const MAX_HOPS: u32 = 12;

/// How many values and hops one query may consist of, untyped chains multiplied out.
const MAX_PARTS: u32 = 4000;

/// Reads criteria, with a bound on how much all of them come to.
pub(in crate::fhir::search) struct Reader<'o> {
    pub(super) base: &'o str,
    pub(super) now: Instant,
    pub(super) known: &'o CustomParameters,
    parts: u32,
}

impl<'o> Reader<'o> {
    pub(in crate::fhir::search) fn new(base: &'o str, now: Instant, known: &'o CustomParameters) -> Self {
        Self { base, now, known, parts: 0 }
    }

    /// Reads one parameter as it applies to the types searched. When these are several, each must define it; when they are all, it
    /// must be one of the parameters of every resource.
    pub(in crate::fhir::search) fn criterion(
        &mut self,
        types: &[ResourceType],
        name: &str,
        value: &str,
    ) -> Result<Criterion, Fault> {
        if types.len() < 2 || (name.starts_with('_') && name != "_filter") {
            return self.nested(types, name, value, 0);
        }
        if name != "_filter" && types.iter().any(|one| self.known.find(*one, naming::base(name)).is_none()) {
            return Err(self.unknown(types, name));
        }
        let each = types.iter().map(|one| Ok((*one, self.nested(&[*one], name, value, 0)?)));
        Ok(Criterion::OfEach(each.collect::<Result<_, Fault>>()?))
    }

    pub(super) fn nested(&mut self, types: &[ResourceType], name: &str, value: &str, hops: u32) -> Result<Criterion, Fault> {
        self.spend(1)?;
        if hops > MAX_HOPS {
            return Err(Fault::wrong(format!("`{name}`: a chain may follow {MAX_HOPS} references")));
        }
        if let Some(rest) = name.strip_prefix("_has:") {
            return self.has(types, rest, value, hops);
        }
        if let Some((head, rest)) = name.split_once('.') {
            return self.chain(types, head, rest, value, hops);
        }
        let (code, modifier) = name.split_once(':').map_or((name, None), |(code, modifier)| (code, Some(modifier)));
        match (code, modifier) {
            // In a chain, R4's own examples write both.
            ("_id", None) => self.ids(value),
            ("id", None) if hops > 0 => self.ids(value),
            ("_id", Some("not")) => Ok(Criterion::Not(Box::new(self.ids(value)?))),
            ("_lastUpdated", None) => {
                let dates = self.list(value)?.into_iter().map(|text| self.date("_lastUpdated", text));
                Ok(Criterion::LastUpdated(dates.collect::<Result<_, Fault>>()?))
            }
            ("_list", None) => self.listed(value),
            ("_filter", None) => self.filter(types, value, hops),
            // Every record has both.
            ("_id" | "_lastUpdated", Some("missing")) => modifiers::truth(code, value)
                .map(|missing| if missing { Criterion::Any(Vec::new()) } else { Criterion::All(Vec::new()) }),
            ("_id" | "_lastUpdated" | "_list" | "_filter", Some(modifier)) => {
                Err(Fault::wrong(format!("`{code}` takes no modifier `:{modifier}`")))
            }
            _ => {
                let parameter = self.lookup(types, code).ok_or_else(|| self.unknown(types, name))?;
                self.matching(parameter, modifier, value)
            }
        }
    }

    /// Counts what a query comes to.
    pub(super) fn spend(&mut self, parts: usize) -> Result<(), Fault> {
        self.parts = self.parts.saturating_add(u32::try_from(parts).unwrap_or(u32::MAX));
        if self.parts <= MAX_PARTS {
            return Ok(());
        }
        Err(Fault::Wrong(crate::fhir::Problem::of(
            "too-costly",
            "The query has too many values or hops; name the types in its chains",
        )))
    }

    /// The values between commas, none empty.
    pub(super) fn list<'v>(&mut self, value: &'v str) -> Result<Vec<&'v str>, Fault> {
        let parts = split(value, ',');
        self.spend(parts.len())?;
        if parts.iter().any(|part| part.trim().is_empty()) {
            return Err(Fault::wrong(format!("`{value}` has an empty value between commas")));
        }
        Ok(parts)
    }

    pub(super) fn ids(&mut self, value: &str) -> Result<Criterion, Fault> {
        let read =
            |text: &str| Id::parse(text).ok_or_else(|| Fault::wrong(format!("`_id`: `{text}` does not have the form of an id")));
        Ok(Criterion::Id(self.list(value)?.into_iter().map(read).collect::<Result<_, Fault>>()?))
    }

    /// `_list`: what is an item of a List of this id (R4 search § 3.1.1.5.5).
    fn listed(&mut self, value: &str) -> Result<Criterion, Fault> {
        if let Some(functional) = value.split(',').find(|one| one.starts_with('$')) {
            let text = format!("`_list`: this server has no functional list `{functional}`; name the id of a stored List");
            return Err(Fault::unsupported(text));
        }
        let parameter = self.reference_of(&[ResourceType::List], "item")?;
        let criterion = Box::new(self.ids(value)?);
        Ok(Criterion::Has { resource_type: ResourceType::List, parameter, criterion })
    }

    /// A parameter of the record itself.
    fn matching(&mut self, parameter: &'static SearchParameter, modifier: Option<&str>, value: &str) -> Result<Criterion, Fault> {
        if parameter.parameter_type == ParameterType::Special && parameter.code != "near" {
            return words(parameter, modifier, value);
        }
        if modifier == Some("missing") {
            return Ok(Criterion::Missing { parameter, missing: modifiers::truth(&parameter.code, value)? });
        }
        if parameter.parameter_type == ParameterType::Special {
            return self.near(parameter, modifier, value);
        }
        let modifier = modifier.map_or(Ok(Modifier::Plain), |name| modifiers::read(parameter, name))?;
        let texts = self.list(value)?;
        if let Some(found) = broad::read(self.known, parameter, &modifier, &texts) {
            return Ok(found);
        }
        let values = texts.into_iter().map(|text| self.value(parameter, &modifier, text)).collect::<Result<_, Fault>>()?;
        Ok(Criterion::Match { parameter, modifier, values: broad::in_any_case(parameter, values) })
    }

    fn near(&mut self, parameter: &'static SearchParameter, modifier: Option<&str>, value: &str) -> Result<Criterion, Fault> {
        if let Some(name) = modifier {
            return Err(Fault::wrong(format!("`{}` takes no modifier `:{name}`. Valid ones: :missing", parameter.code)));
        }
        let texts = self.list(value)?;
        let circles = texts.into_iter().map(|text| super::values::circle(&parameter.code, text)).collect::<Result<_, Fault>>()?;
        Ok(Criterion::Near { parameter, circles })
    }

    /// `Type:reference:rest`
    pub(super) fn has(&mut self, types: &[ResourceType], rest: &str, value: &str, hops: u32) -> Result<Criterion, Fault> {
        let (resource_type, parameter, inner) = self.has_head(types, rest)?;
        let criterion = Box::new(self.nested(&[resource_type], inner, value, hops + 1)?);
        Ok(Criterion::Has { resource_type, parameter, criterion })
    }

    /// The type and the reference of a `_has`, and what must hold for it.
    pub(super) fn has_head<'r>(
        &self,
        types: &[ResourceType],
        rest: &'r str,
    ) -> Result<(ResourceType, &'static SearchParameter, &'r str), Fault> {
        let mut parts = rest.splitn(3, ':');
        let (Some(type_name), Some(code), Some(inner)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(Fault::wrong(format!("`_has:{rest}` is not of the form `_has:Type:reference:parameter`")));
        };
        let resource_type = ResourceType::parse(type_name)
            .ok_or_else(|| Fault::wrong(format!("`_has`: `{type_name}` is no resource type of R4")))?;
        let parameter = self.reference_of(&[resource_type], code)?;
        let reaches = types.is_empty() || types.iter().any(|one| points_at(parameter, *one));
        if !reaches {
            return Err(Fault::wrong(format!("`_has`: `{type_name}.{code}` does not refer to what is searched")));
        }
        Ok((resource_type, parameter, inner))
    }

    /// `head[:Type].rest`
    fn chain(&mut self, types: &[ResourceType], head: &str, rest: &str, value: &str, hops: u32) -> Result<Criterion, Fault> {
        let begins = |reader: &Self, target| reader.may_begin(target, rest);
        self.chained(types, head, &begins, &mut |reader, target| reader.nested(&[target], rest, value, hops + 1))
    }

    /// A reference followed: for each type that it may lead to, and that `begins` says can have it, the criterion that `inner` makes.
    pub(super) fn chained(
        &mut self,
        types: &[ResourceType],
        head: &str,
        begins: &dyn Fn(&Self, ResourceType) -> bool,
        inner: &mut dyn FnMut(&mut Self, ResourceType) -> Result<Criterion, Fault>,
    ) -> Result<Criterion, Fault> {
        let (code, named) = head.split_once(':').map_or((head, None), |(code, named)| (code, Some(named)));
        let parameter = self.reference_of(types, code)?;
        if let Some(name) = named {
            let target = ResourceType::parse(name)
                .filter(|target| points_at(parameter, *target))
                .ok_or_else(|| Fault::wrong(format!("`{code}` does not refer to `{name}`")))?;
            let criterion = inner(self, target)?;
            return Ok(Criterion::Chain { parameter, targets: vec![(target, criterion)] });
        }
        let candidates = if parameter.targets.is_empty() { ResourceType::ALL } else { &parameter.targets };
        let (mut targets, mut fault) = (Vec::new(), None);
        for &target in candidates {
            if !begins(self, target) {
                self.spend(1)?;
                continue;
            }
            match inner(self, target) {
                Ok(criterion) => targets.push((target, criterion)),
                Err(wrong @ Fault::Wrong(_)) if !matches!(fault, Some(Fault::Wrong(_))) => fault = Some(wrong),
                Err(other) => fault = fault.or(Some(other)),
            }
            self.spend(0)?;
        }
        if targets.is_empty() {
            let text = format!("`{code}` refers to nothing that has what follows it");
            return Err(fault.unwrap_or_else(|| Fault::Unknown(crate::fhir::Problem::of("invalid", text))));
        }
        Ok(Criterion::Chain { parameter, targets })
    }

    /// Whether a type has the parameter that the rest of a chain begins with.
    pub(super) fn may_begin(&self, target: ResourceType, rest: &str) -> bool {
        rest.starts_with("_has:") || rest == "id" || self.known.find(target, naming::base(rest)).is_some()
    }

    /// The parameter of this name: of the one type, or the same in all.
    pub(super) fn lookup(&self, types: &[ResourceType], code: &str) -> Option<&'static SearchParameter> {
        match types {
            [one] => self.known.find(*one, code),
            _ => self.known.find(types.first().copied().unwrap_or(ResourceType::Patient), code).filter(|_| code.starts_with('_')),
        }
    }

    /// The reference parameter of this name.
    pub(super) fn reference_of(&self, types: &[ResourceType], code: &str) -> Result<&'static SearchParameter, Fault> {
        let parameter = self.lookup(types, code).ok_or_else(|| self.unknown(types, code))?;
        if parameter.parameter_type == ParameterType::Reference {
            return Ok(parameter);
        }
        Err(Fault::wrong(format!("`{code}` is no reference, so nothing can follow it")))
    }

    pub(super) fn unknown(&self, types: &[ResourceType], name: &str) -> Fault {
        naming::unknown(self.known, types, name)
    }
}

/// `_text`, `_content`
fn words(parameter: &SearchParameter, modifier: Option<&str>, value: &str) -> Result<Criterion, Fault> {
    let code = &parameter.code;
    if let Some(name) = modifier {
        return Err(Fault::wrong(format!("`{code}` takes no modifier `:{name}`")));
    }
    let wanted: Words = Words::parse(value).map_err(|reason| Fault::wrong(format!("`{code}`: `{value}`: {reason}")))?;
    Ok(Criterion::Words(parameter.id, wanted))
}

/// Whether a reference parameter may refer to a type.
pub(super) fn points_at(parameter: &SearchParameter, target: ResourceType) -> bool {
    parameter.targets.is_empty() || parameter.targets.contains(&target)
}

/// A plain criterion with one value.
pub(super) fn one(parameter: &'static SearchParameter, modifier: Modifier, value: Value) -> Criterion {
    Criterion::Match { parameter, modifier, values: vec![value] }
}
