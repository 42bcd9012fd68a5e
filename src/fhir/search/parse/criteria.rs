//! One parameter of a query: name, modifier, chain, reverse chain.

use super::escapes::split;
use super::{Fault, naming};
use crate::fhir::definitions::search_parameter;
use crate::fhir::search::parameter::{ParameterType, SearchParameter};
use crate::fhir::search::query::{Criterion, Modifier};
use crate::fhir::{Id, Instant, ResourceType};

/// How many references a chain may follow.
const MAX_HOPS: u32 = 5;

/// How many values and hops one query may consist of, untyped chains multiplied out.
const MAX_PARTS: u32 = 4000;

/// Reads criteria, with a bound on how much all of them come to.
pub(in crate::fhir::search) struct Reader<'o> {
    pub(super) base: &'o str,
    pub(super) now: Instant,
    parts: u32,
}

impl<'o> Reader<'o> {
    pub(in crate::fhir::search) fn new(base: &'o str, now: Instant) -> Self {
        Self { base, now, parts: 0 }
    }

    /// Reads one parameter as it applies to the types searched. When these are several, each must define it; when they are all, it
    /// must be one of the parameters of every resource.
    pub(in crate::fhir::search) fn criterion(
        &mut self,
        types: &[ResourceType],
        name: &str,
        value: &str,
    ) -> Result<Criterion, Fault> {
        if types.len() < 2 || name.starts_with('_') {
            return self.nested(types, name, value, 0);
        }
        if types.iter().any(|one| search_parameter(*one, naming::base(name)).is_none()) {
            return Err(naming::unknown(types, name));
        }
        let each = types.iter().map(|one| Ok((*one, self.nested(&[*one], name, value, 0)?)));
        Ok(Criterion::OfEach(each.collect::<Result<_, Fault>>()?))
    }

    fn nested(&mut self, types: &[ResourceType], name: &str, value: &str, hops: u32) -> Result<Criterion, Fault> {
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
            ("_id", None) => self.ids(value),
            ("_lastUpdated", None) => {
                let dates = self.list(value)?.into_iter().map(|text| self.date("_lastUpdated", text));
                Ok(Criterion::LastUpdated(dates.collect::<Result<_, Fault>>()?))
            }
            ("_id" | "_lastUpdated", Some(modifier)) => Err(Fault::wrong(format!("`{code}` takes no modifier `:{modifier}`"))),
            _ => {
                let parameter = lookup(types, code).ok_or_else(|| naming::unknown(types, name))?;
                self.matching(parameter, modifier, value)
            }
        }
    }

    /// Counts what a query comes to.
    fn spend(&mut self, parts: usize) -> Result<(), Fault> {
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
    fn list<'v>(&mut self, value: &'v str) -> Result<Vec<&'v str>, Fault> {
        let parts = split(value, ',');
        self.spend(parts.len())?;
        if parts.iter().any(|part| part.trim().is_empty()) {
            return Err(Fault::wrong(format!("`{value}` has an empty value between commas")));
        }
        Ok(parts)
    }

    fn ids(&mut self, value: &str) -> Result<Criterion, Fault> {
        let read =
            |text: &str| Id::parse(text).ok_or_else(|| Fault::wrong(format!("`_id`: `{text}` does not have the form of an id")));
        Ok(Criterion::Id(self.list(value)?.into_iter().map(read).collect::<Result<_, Fault>>()?))
    }

    /// A parameter of the record itself.
    fn matching(&mut self, parameter: &'static SearchParameter, modifier: Option<&str>, value: &str) -> Result<Criterion, Fault> {
        if modifier == Some("missing") {
            let missing = match value {
                "true" => true,
                "false" => false,
                _ => return Err(Fault::wrong(format!("`{}:missing` is `true` or `false`", parameter.code))),
            };
            return Ok(Criterion::Missing { parameter, missing });
        }
        let modifier = modifier.map_or(Ok(Modifier::Plain), |name| read_modifier(parameter, name))?;
        let texts = self.list(value)?;
        let values = texts.into_iter().map(|text| self.value(parameter, &modifier, text)).collect::<Result<_, Fault>>()?;
        Ok(Criterion::Match { parameter, modifier, values })
    }

    /// `Type:reference:rest`
    fn has(&mut self, types: &[ResourceType], rest: &str, value: &str, hops: u32) -> Result<Criterion, Fault> {
        let mut parts = rest.splitn(3, ':');
        let (Some(type_name), Some(code), Some(inner)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(Fault::wrong(format!("`_has:{rest}` is not of the form `_has:Type:reference:parameter`")));
        };
        let resource_type = ResourceType::parse(type_name)
            .ok_or_else(|| Fault::wrong(format!("`_has`: `{type_name}` is no resource type of R4")))?;
        let parameter = reference(&[resource_type], code)?;
        let reaches = types.is_empty() || types.iter().any(|one| points_at(parameter, *one));
        if !reaches {
            return Err(Fault::wrong(format!("`_has`: `{type_name}.{code}` does not refer to what is searched")));
        }
        let criterion = Box::new(self.nested(&[resource_type], inner, value, hops + 1)?);
        Ok(Criterion::Has { resource_type, parameter, criterion })
    }

    /// `head[:Type].rest`
    fn chain(&mut self, types: &[ResourceType], head: &str, rest: &str, value: &str, hops: u32) -> Result<Criterion, Fault> {
        let (code, named) = head.split_once(':').map_or((head, None), |(code, named)| (code, Some(named)));
        let parameter = reference(types, code)?;
        if let Some(name) = named {
            let target = ResourceType::parse(name)
                .filter(|target| points_at(parameter, *target))
                .ok_or_else(|| Fault::wrong(format!("`{code}` does not refer to `{name}`")))?;
            let criterion = self.nested(&[target], rest, value, hops + 1)?;
            return Ok(Criterion::Chain { parameter, targets: vec![(target, criterion)] });
        }
        let candidates = if parameter.targets.is_empty() { ResourceType::ALL } else { &parameter.targets };
        let (mut targets, mut fault) = (Vec::new(), None);
        for &target in candidates {
            if !may_begin(target, rest) {
                self.spend(1)?;
                continue;
            }
            match self.nested(&[target], rest, value, hops + 1) {
                Ok(criterion) => targets.push((target, criterion)),
                Err(wrong @ Fault::Wrong(_)) if !matches!(fault, Some(Fault::Wrong(_))) => fault = Some(wrong),
                Err(other) => fault = fault.or(Some(other)),
            }
            self.spend(0)?;
        }
        if targets.is_empty() {
            return Err(fault.unwrap_or_else(|| naming::unknown(candidates, rest)));
        }
        Ok(Criterion::Chain { parameter, targets })
    }
}

/// Whether a type has the parameter that the rest of a chain begins with.
fn may_begin(target: ResourceType, rest: &str) -> bool {
    rest.starts_with("_has:") || search_parameter(target, naming::base(rest)).is_some()
}

/// The parameter of this name: of the one type, or the same in all.
pub(super) fn lookup(types: &[ResourceType], code: &str) -> Option<&'static SearchParameter> {
    match types {
        [one] => search_parameter(*one, code),
        _ => search_parameter(types.first().copied().unwrap_or(ResourceType::Patient), code).filter(|_| code.starts_with('_')),
    }
}

/// The reference parameter of this name.
fn reference(types: &[ResourceType], code: &str) -> Result<&'static SearchParameter, Fault> {
    let parameter = lookup(types, code).ok_or_else(|| naming::unknown(types, code))?;
    if parameter.parameter_type == ParameterType::Reference {
        return Ok(parameter);
    }
    Err(Fault::wrong(format!("`{code}` is no reference, so nothing can follow it")))
}

/// Whether a reference parameter may refer to a type.
pub(super) fn points_at(parameter: &SearchParameter, target: ResourceType) -> bool {
    parameter.targets.is_empty() || parameter.targets.contains(&target)
}

fn read_modifier(parameter: &SearchParameter, name: &str) -> Result<Modifier, Fault> {
    use ParameterType::{Reference, String, Token, Uri};
    let code = &parameter.code;
    Ok(match (parameter.parameter_type, name) {
        (String, "exact") => Modifier::Exact,
        (String, "contains") => Modifier::Contains,
        (Token, "not") => Modifier::Not,
        (Token | Reference, "text") => Modifier::Text,
        (Reference, "identifier") => Modifier::Identifier,
        (Uri, "above") => Modifier::Above,
        (Uri, "below") => Modifier::Below,
        (Token, "in" | "not-in" | "of-type" | "above" | "below") | (Reference, "above" | "below") => {
            return Err(Fault::unsupported(format!("`{code}:{name}`: this server does not support the modifier `:{name}`")));
        }
        (Reference, name) if ResourceType::parse(name).is_some_and(|target| points_at(parameter, target)) => {
            ResourceType::parse(name).map_or(Modifier::Plain, Modifier::Type)
        }
        (parameter_type, _) => {
            let valid = match parameter_type {
                String => ":exact, :contains, :missing",
                Token => ":not, :text, :missing",
                Reference => ":identifier, :text, :missing, and the types that it may refer to",
                Uri => ":above, :below, :missing",
                _ => ":missing",
            };
            return Err(Fault::wrong(format!("`{code}` takes no modifier `:{name}`. Valid ones: {valid}")));
        }
    })
}
