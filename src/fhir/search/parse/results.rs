//! Parameters that shape the result: `_count`, `_sort`, `_include`, `_summary`, ...

use super::criteria::points_at;
use super::{Fault, Search, naming};
use crate::fhir::search::custom::CustomParameters;
use crate::fhir::search::parameter::{ParameterId, ParameterType, SearchParameter};
use crate::fhir::search::query::{Include, Sort, SortKey, Total};
use crate::fhir::{ResourceType, Summary};

impl Search<'_> {
    /// Reads a parameter of the result. False when the name is none of these.
    pub(super) fn result_parameter(&mut self, name: &str, value: &str) -> Result<bool, Fault> {
        match name {
            "_count" => self.once("_count").and_then(|()| self.count(value))?,
            // It may come again, for the order within (R4 search § 3.1.1.9).
            "_sort" => self.sort(value)?,
            "_total" => self.once("_total").and_then(|()| self.total(value))?,
            "_summary" => self.once("_summary").and_then(|()| self.summary(value))?,
            "_elements" => self.once("_elements").and_then(|()| self.elements(value))?,
            "_pretty" => self.once("_pretty").and_then(|()| self.pretty(value))?,
            "_format" => self.once("_format").and_then(|()| format(value))?,
            "_include" | "_include:iterate" => self.include(value, name.ends_with(":iterate"))?,
            "_revinclude" | "_revinclude:iterate" => self.reverse_include(value, name.ends_with(":iterate"))?,
            // Read before the others.
            "_type" | "_contained" | "_containedType" => {}
            "_query" => return Err(Fault::unsupported(format!("`_query`: this server has no named query `{value}`"))),
            _ if matches!(
                naming::base(name),
                "_count"
                    | "_sort"
                    | "_total"
                    | "_summary"
                    | "_elements"
                    | "_pretty"
                    | "_format"
                    | "_include"
                    | "_revinclude"
                    | "_type"
                    | "_contained"
                    | "_containedType"
                    | "_query"
            ) =>
            {
                return Err(Fault::wrong(format!("`{name}` is not a form of `{}` that this server knows", naming::base(name))));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn once(&mut self, name: &'static str) -> Result<(), Fault> {
        if self.seen.contains(&name) {
            return Err(Fault::wrong(format!("`{name}` may come once")));
        }
        self.seen.push(name);
        Ok(())
    }

    fn count(&mut self, value: &str) -> Result<(), Fault> {
        let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
        if !digits {
            return Err(Fault::wrong(format!("`_count`: `{value}` is not a whole number")));
        }
        let asked = value.parse::<u32>().unwrap_or(u32::MAX).min(self.max_count);
        if self.query.shape.count != Some(0) {
            self.query.shape.count = Some(asked);
        }
        Ok(())
    }

    fn total(&mut self, value: &str) -> Result<(), Fault> {
        self.query.shape.total = match value {
            "none" => Total::None,
            "estimate" | "accurate" => Total::Accurate,
            _ => return Err(Fault::wrong("`_total` is `none`, `estimate` or `accurate`")),
        };
        Ok(())
    }

    fn summary(&mut self, value: &str) -> Result<(), Fault> {
        self.query.rendering.summary = match value {
            "false" => None,
            "true" => Some(Summary::True),
            "text" => Some(Summary::Text),
            "data" => Some(Summary::Data),
            "count" => {
                self.query.shape.count = Some(0);
                Some(Summary::Count)
            }
            _ => return Err(Fault::wrong("`_summary` is `true`, `text`, `data`, `count` or `false`")),
        };
        Ok(())
    }

    fn elements(&mut self, value: &str) -> Result<(), Fault> {
        for name in value.split(',').map(str::trim) {
            if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric()) {
                return Err(Fault::wrong(format!("`_elements`: `{name}` is not the name of an element at the top of a record")));
            }
            self.query.rendering.elements.push(name.to_owned());
        }
        Ok(())
    }

    fn pretty(&mut self, value: &str) -> Result<(), Fault> {
        self.query.rendering.pretty = match value {
            "true" => true,
            "false" => false,
            _ => return Err(Fault::wrong("`_pretty` is `true` or `false`")),
        };
        Ok(())
    }

    fn sort(&mut self, value: &str) -> Result<(), Fault> {
        for key in value.split(',') {
            let (name, descending) = key.strip_prefix('-').map_or((key, false), |name| (name, true));
            let by = match name {
                "_id" => SortKey::Id,
                "_lastUpdated" => SortKey::LastUpdated,
                _ => {
                    let types = &self.query.types;
                    if types.len() > 1 && !name.starts_with('_') {
                        let text = format!(
                            "`_sort`: records of several types have no order by `{name}`; they have by `_lastUpdated` and `_id`"
                        );
                        return Err(Fault::wrong(text));
                    }
                    let unknown = || Fault::Wrong(self.reader.unknown(types, name).problem());
                    let parameter = self.reader.lookup(types, name).ok_or_else(unknown)?;
                    if matches!(parameter.parameter_type, ParameterType::Composite | ParameterType::Special) {
                        return Err(Fault::wrong(format!("`_sort`: `{name}` has no order")));
                    }
                    SortKey::Parameter(parameter)
                }
            };
            self.query.shape.sort.push(Sort { by, descending });
        }
        Ok(())
    }

    fn include(&mut self, value: &str, iterate: bool) -> Result<(), Fault> {
        if value == "*" {
            let sources = if self.query.types.is_empty() { ResourceType::ALL } else { &self.query.types };
            let all = sources.iter().map(|source| Include {
                source: *source,
                parameters: self.references(*source),
                target: None,
                iterate,
            });
            let all: Vec<Include> = all.filter(|include| !include.parameters.is_empty()).collect();
            self.query.shape.includes.extend(all);
            return Ok(());
        }
        let include = self.read_include("_include", value, iterate)?;
        if !iterate && !self.query.types.is_empty() && !self.query.types.contains(&include.source) {
            let text =
                format!("`_include`: no {} is searched; to follow from what is included, use `_include:iterate`", include.source);
            return Err(Fault::wrong(text));
        }
        self.query.shape.includes.push(include);
        Ok(())
    }

    fn reverse_include(&mut self, value: &str, iterate: bool) -> Result<(), Fault> {
        if value != "*" {
            let include = self.read_include("_revinclude", value, iterate)?;
            self.query.shape.reverse_includes.push(include);
            return Ok(());
        }
        let types = &self.query.types;
        for &source in ResourceType::ALL {
            let reaching = |one: &&SearchParameter| types.is_empty() || types.iter().any(|target| points_at(one, *target));
            let parameters: Vec<ParameterId> =
                reference_parameters(self.reader.known, source).filter(reaching).map(|one| one.id).collect();
            if !parameters.is_empty() {
                self.query.shape.reverse_includes.push(Include { source, parameters, target: None, iterate });
            }
        }
        Ok(())
    }
}

impl Search<'_> {
    /// Nothing is included beside texts: `_include` and `_revinclude` cannot be mixed with `_summary=text` (R4 search § 3.1.1.5.8).
    pub(super) fn settle_summary(&mut self, lenient: bool) {
        let shape = &mut self.query.shape;
        if self.query.rendering.summary != Some(Summary::Text) || (shape.includes.is_empty() && shape.reverse_includes.is_empty())
        {
            return;
        }
        if !lenient {
            let text = "`_include` and `_revinclude` cannot be mixed with `_summary=text`; use one of them";
            return self.problems.push(Fault::wrong(text).problem());
        }
        shape.includes.clear();
        shape.reverse_includes.clear();
        let included = |(name, _): &(String, String)| matches!(naming::base(name), "_include" | "_revinclude");
        let (ignored, applied) = std::mem::take(&mut self.query.applied).into_iter().partition(included);
        self.query.applied = applied;
        self.query.ignored.extend(Vec::into_iter(ignored).map(|(name, _)| name));
    }

    fn references(&self, source: ResourceType) -> Vec<ParameterId> {
        reference_parameters(self.reader.known, source).map(|one| one.id).collect()
    }

    /// `Source:parameter[:Target]`, `Source:*`
    fn read_include(&self, name: &str, value: &str, iterate: bool) -> Result<Include, Fault> {
        let wrong = |reason: String| Fault::wrong(format!("`{name}`: {reason}"));
        let type_of = |text: &str| ResourceType::parse(text).ok_or_else(|| wrong(format!("`{text}` is no resource type of R4")));
        let mut parts = value.split(':');
        let (Some(source), Some(code), target, None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Err(wrong(format!("`{value}` is not of the form `Source:parameter` or `Source:parameter:Target`")));
        };
        let source = type_of(source)?;
        let target = target.map(type_of).transpose()?;
        if code == "*" {
            return Ok(Include { source, parameters: self.references(source), target, iterate });
        }
        let known = self.reader.known;
        let parameter = reference_parameters(known, source).find(|one| one.code == code).ok_or_else(|| {
            let valid: Vec<&str> = reference_parameters(known, source).map(|one| one.code.as_str()).collect();
            wrong(format!("{source} has no reference parameter `{code}`. Valid ones: {}", valid.join(", ")))
        })?;
        if let Some(target) = target.filter(|target| !points_at(parameter, *target)) {
            return Err(wrong(format!("`{source}:{code}` does not refer to {target}")));
        }
        Ok(Include { source, parameters: vec![parameter.id], target, iterate })
    }
}

fn reference_parameters(known: &CustomParameters, source: ResourceType) -> impl Iterator<Item = &'static SearchParameter> {
    known.of(source).filter(|one| one.parameter_type == ParameterType::Reference)
}

fn format(value: &str) -> Result<(), Fault> {
    let kind = value.split(';').next().unwrap_or_default().trim().replace(' ', "+");
    if matches!(kind.as_str(), "json" | "application/json" | "application/fhir+json" | "text/json") {
        return Ok(());
    }
    Err(Fault::unsupported(format!("`_format`: this server writes JSON (`application/fhir+json`), not `{value}`")))
}
