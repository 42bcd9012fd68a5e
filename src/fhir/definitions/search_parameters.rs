//! The search parameters of R4, from `fhir-profiles/r4/search-parameters.json`.
//!
//! Only what can be searched is listed: a parameter without an expression, or of a special kind, is known by name alone.
//! The parameters of every resource (`_id`, `_tag`, ...) stand in the list of each type; their rows have the same number in all
//! types, so that one search can cover several types.

use super::DefinitionError;
use crate::fhir::ResourceType;
use crate::fhir::search::expression::{Branch, Elements, Program, compile};
use crate::fhir::search::{Component, ParameterId, ParameterType, SearchParameter};
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::LazyLock;

const SOURCE: &str = include_str!("../../../fhir-profiles/r4/search-parameters.json");

/// Row numbers that a parameter takes: see [`ParameterId`].
pub(super) const NUMBERS: i32 = 8;

/// A parameter, with the way to its values.
#[derive(Debug)]
pub(crate) struct Definition {
    pub(crate) parameter: SearchParameter,
    pub(crate) values: Values,
}

/// The way to the values of a parameter.
#[derive(Debug)]
pub(crate) enum Values {
    /// Elements of the resource.
    Of(Program),
    /// For composites: elements, and the programs of the components inside each.
    Composite(Vec<(Branch, Vec<Program>)>),
    /// The words of the narrative (`_text`).
    Narrative,
    /// The words of the whole record (`_content`).
    Content,
    /// A place on the globe (`near`).
    Position(Program),
}

impl Values {
    /// Whether case does not count in the values of a parameter of this type.
    pub(crate) fn ignores_case(&self, parameter_type: ParameterType) -> bool {
        parameter_type == ParameterType::Token && matches!(self, Self::Of(program) if program.reaches_texts())
    }
}

struct Table {
    /// By the code of the type; each list sorted by name.
    types: Vec<Vec<Definition>>,
    /// Names that R4 defines and this table has no way to search, by the code of the type.
    unsearchable: Vec<Vec<String>>,
    /// Type and position.
    by_id: HashMap<ParameterId, (usize, usize)>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    Table::read(SOURCE).unwrap_or_else(|error| {
        tracing::error!(%error, "the embedded table of search parameters cannot be read");
        Table { types: Vec::new(), unsearchable: Vec::new(), by_id: HashMap::new() }
    })
});

/// The parameter of this name for a type, common ones included.
pub fn search_parameter(resource_type: ResourceType, code: &str) -> Option<&'static SearchParameter> {
    let list = definitions(resource_type);
    let at = list.binary_search_by(|one| one.parameter.code.as_str().cmp(code)).ok()?;
    list.get(at).map(|one| &one.parameter)
}

/// Every parameter of a type that can be searched, common ones included, by name.
pub fn search_parameters(resource_type: ResourceType) -> impl Iterator<Item = &'static SearchParameter> {
    definitions(resource_type).iter().map(|one| &one.parameter)
}

/// The parameter with these rows (not those of its components, texts or identifiers). For a common parameter, the one of the first type.
pub fn search_parameter_by_id(id: ParameterId) -> Option<&'static SearchParameter> {
    let (list, at) = TABLE.by_id.get(&id)?;
    TABLE.types.get(*list)?.get(*at).map(|one| &one.parameter)
}

/// Whether R4 defines a parameter of this name for the type which this server cannot search.
pub fn is_unsearchable(resource_type: ResourceType, code: &str) -> bool {
    let list = usize::try_from(resource_type.code()).ok().and_then(|at| TABLE.unsearchable.get(at));
    list.is_some_and(|names| names.iter().any(|name| name == code))
}

/// The parameters of a type with the ways to their values, by name.
pub(crate) fn definitions(resource_type: ResourceType) -> &'static [Definition] {
    usize::try_from(resource_type.code()).ok().and_then(|at| TABLE.types.get(at)).map_or(&[], Vec::as_slice)
}

/// The definition of this name for a type.
pub(crate) fn definition(resource_type: ResourceType, code: &str) -> Option<&'static Definition> {
    let list = definitions(resource_type);
    list.binary_search_by(|one| one.parameter.code.as_str().cmp(code)).ok().and_then(|at| list.get(at))
}

#[derive(Deserialize)]
struct File<'t> {
    #[serde(borrow)]
    elements: Elements<'t>,
    #[serde(borrow)]
    parameters: Vec<Row<'t>>,
}

#[derive(Deserialize)]
struct Row<'t> {
    n: i32,
    resource: &'t str,
    code: &'t str,
    #[serde(rename = "type")]
    parameter_type: ParameterType,
    url: &'t str,
    expression: Option<&'t str>,
    #[serde(borrow, default)]
    targets: Vec<&'t str>,
    #[serde(borrow, default)]
    components: Vec<Part<'t>>,
    system: Option<&'t str>,
}

#[derive(Deserialize)]
struct Part<'t> {
    #[serde(rename = "type")]
    parameter_type: ParameterType,
    expression: &'t str,
    #[serde(borrow, default)]
    targets: Vec<&'t str>,
}

impl Table {
    fn read(source: &str) -> Result<Self, DefinitionError> {
        let file: File<'_> = serde_json::from_str(source).map_err(|error| DefinitionError(error.to_string()))?;
        let mut types: Vec<Vec<Definition>> = ResourceType::ALL.iter().map(|_| Vec::new()).collect();
        let mut unsearchable: Vec<Vec<String>> = ResourceType::ALL.iter().map(|_| Vec::new()).collect();
        for row in &file.parameters {
            for &resource_type in row.resource_types()? {
                let at = usize::from(resource_type as u8);
                let (Some(known), Some(unknown)) = (types.get_mut(at), unsearchable.get_mut(at)) else { continue };
                match row.definition(resource_type, &file.elements)? {
                    Some(definition) => known.push(definition),
                    None => unknown.push(row.code.to_owned()),
                }
            }
        }
        for list in &mut types {
            list.sort_by(|a, b| a.parameter.code.cmp(&b.parameter.code));
        }
        let mut by_id = HashMap::new();
        for (list_at, list) in types.iter().enumerate() {
            for (at, one) in list.iter().enumerate() {
                by_id.entry(one.parameter.id).or_insert((list_at, at));
            }
        }
        Ok(Self { types, unsearchable, by_id })
    }
}

impl Row<'_> {
    fn is_common(&self) -> bool {
        matches!(self.resource, "Resource" | "DomainResource")
    }

    fn resource_types(&self) -> Result<&'static [ResourceType], DefinitionError> {
        if self.is_common() {
            return Ok(ResourceType::ALL);
        }
        let at = ResourceType::ALL.iter().position(|one| one.name() == self.resource);
        let found = at.and_then(|at| ResourceType::ALL.get(at..=at));
        found.ok_or_else(|| DefinitionError(format!("`{}` is no resource type", self.resource)))
    }

    /// The definition for a type; `None` when the parameter cannot be searched.
    fn definition(&self, resource_type: ResourceType, elements: &Elements<'_>) -> Result<Option<Definition>, DefinitionError> {
        let Some((values, parameter_type)) = self.values(elements)? else { return Ok(None) };
        let id = ParameterId(self.n * NUMBERS);
        let components = (0..).zip(&self.components).map(|(n, part)| Component {
            parameter_type: part.parameter_type,
            id: id.component(n),
            targets: targets(&part.targets),
        });
        let parameter = SearchParameter {
            id,
            resource_type,
            code: self.code.to_owned(),
            parameter_type,
            targets: targets(&self.targets),
            components: components.collect(),
            url: self.url.to_owned(),
            implied_system: self.system.map(str::to_owned),
            ignores_case: values.ignores_case(parameter_type),
        };
        Ok(Some(Definition { parameter, values }))
    }

    /// The way to the values. Words and places are searched in a way of their own, so their parameters are special here.
    fn values(&self, elements: &Elements<'_>) -> Result<Option<(Values, ParameterType)>, DefinitionError> {
        let failed = |reason: String| DefinitionError(format!("{}.{}: {reason}", self.resource, self.code));
        Ok(Some(match (self.code, self.expression) {
            ("_text", None) => (Values::Narrative, ParameterType::Special),
            ("_content", None) => (Values::Content, ParameterType::Special),
            ("near", Some(expression)) => {
                (Values::Position(compile(expression, "", elements).map_err(failed)?), ParameterType::Special)
            }
            (_, Some(expression)) if self.parameter_type != ParameterType::Special => {
                let values = if self.components.is_empty() {
                    Values::Of(compile(expression, "", elements).map_err(failed)?)
                } else {
                    Values::Composite(self.component_programs(expression, elements).map_err(failed)?)
                };
                (values, self.parameter_type)
            }
            _ => return Ok(None),
        }))
    }

    fn component_programs(&self, expression: &str, elements: &Elements<'_>) -> Result<Vec<(Branch, Vec<Program>)>, String> {
        let one = |base: &str| {
            let branch = compile(base, "", elements)?.branches.pop().ok_or("a composite without a base")?;
            let programs = self.components.iter().map(|part| compile(part.expression, base, elements));
            Ok((branch, programs.collect::<Result<_, String>>()?))
        };
        expression.split(" | ").map(one).collect()
    }
}

fn targets(names: &[&str]) -> Vec<ResourceType> {
    names.iter().filter_map(|name| ResourceType::parse(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_expression_of_the_table_compiles() {
        let begin = std::time::Instant::now();
        let table = Table::read(SOURCE).unwrap();
        println!("read and compiled in {:?}", begin.elapsed());
        let own: usize = table.types.iter().flatten().filter(|one| !one.parameter.code.starts_with('_')).count();
        assert_eq!(own, 1718 - 10 - 2, "1718 rows, 10 of Resource and DomainResource, 2 that cannot be searched");
        assert!(table.types.iter().all(|list| list.iter().filter(|one| one.parameter.code.starts_with('_')).count() == 8));
    }

    #[test]
    fn row_numbers_are_never_shared_by_two_parameters() {
        let mut seen: HashMap<ParameterId, &str> = HashMap::new();
        for one in TABLE.types.iter().flatten() {
            let url_code = one.parameter.code.as_str();
            let earlier = seen.insert(one.parameter.id, url_code);
            assert!(earlier.is_none() || (url_code.starts_with('_') && earlier == Some(url_code)), "{url_code}");
            assert_eq!(one.parameter.id.0 % NUMBERS, 0);
            assert!(one.parameter.components.len() <= 5);
        }
    }

    #[test]
    fn numbers_that_stores_hold_today_stay_as_they_are() {
        let number = |resource_type, code| search_parameter(resource_type, code).map(|p| p.id.0 / NUMBERS);
        assert_eq!(number(ResourceType::Account, "identifier"), Some(1));
        assert_eq!(number(ResourceType::Observation, "patient"), Some(1143));
        assert_eq!(number(ResourceType::VisionPrescription, "status"), Some(1718));
        assert_eq!(number(ResourceType::Patient, "_tag"), number(ResourceType::Observation, "_tag"));
    }

    #[test]
    fn parameters_are_found_by_their_rows() {
        let patient = search_parameter(ResourceType::Observation, "patient").unwrap();
        assert_eq!(search_parameter_by_id(patient.id).unwrap().url, patient.url);
        assert!(search_parameter_by_id(patient.id.text()).is_none());
    }

    #[test]
    fn what_has_no_expression_is_known_as_unsearchable() {
        assert!(is_unsearchable(ResourceType::Patient, "age") && !is_unsearchable(ResourceType::Location, "near"));
        assert!(!is_unsearchable(ResourceType::Observation, "_text") && !is_unsearchable(ResourceType::Observation, "code"));
        assert!(search_parameter(ResourceType::Patient, "age").is_none());
    }

    #[test]
    fn components_follow_their_elements_where_the_definition_errs() {
        let types = |resource_type, code: &str| -> Vec<_> {
            search_parameter(resource_type, code).unwrap().components.iter().map(|c| c.parameter_type).collect()
        };
        let quantity = types(ResourceType::Observation, "code-value-quantity");
        assert_eq!(quantity, [ParameterType::Token, ParameterType::Quantity]);
        assert_eq!(types(ResourceType::DocumentReference, "relationship"), [ParameterType::Token, ParameterType::Reference]);
    }
}
