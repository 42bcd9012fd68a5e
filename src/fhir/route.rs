//! From a request to an [`Interaction`]: the table of R4's RESTful API (<https://hl7.org/fhir/R4/http.html#3.1.0>).

use super::definitions::compartment_members;
use super::prefer::accepts_json;
use super::search::{CustomParameters, ParseOptions, SearchQuery, parse_search};
use super::{
    Called, CompartmentOwner, Defined, HistoryQuery, HistoryScope, Id, Instant, Interaction, Key, Method, Operation, Problem,
    ReadConditions, Refusal, Rendering, Request, ResourceType, Span, Version, WriteCondition, decode, has_value, pairs, prefer,
};

/// What the reading of a request depends on beside the request.
#[derive(Debug, Clone, Copy)]
pub struct RouteOptions<'a> {
    /// Our own FHIR base, without trailing slash.
    pub base: &'a str,
    /// The present moment.
    pub now: Instant,
    /// The largest page.
    pub max_count: u32,
    /// What can be searched by beside the parameters of R4.
    pub known: &'a CustomParameters,
}

/// Parameters that any interaction accepts.
const GENERAL: [&str; 4] = ["_format", "_pretty", "_summary", "_elements"];

type Pairs = Vec<(String, String)>;

/// Reads what a request asks for.
///
/// # Errors
/// [`Refusal::Invalid`] for a malformed path, header or parameter, [`Refusal::NotSupported`] for what this server does not do,
/// [`Refusal::MethodNotAllowed`].
pub fn interaction(request: &Request, options: &RouteOptions<'_>) -> Result<Interaction, Refusal> {
    let path = decode(&request.path.replace('+', "%2B"))
        .ok_or_else(|| invalid("the path is not valid percent-encoded UTF-8"))?
        .into_owned();
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let operation = operation(&segments)?;
    let parameters = parameters(request)?;
    readable(request)?;
    let route = Route { request, options, parameters };
    if let Some((row, id)) = operation {
        return route.operation(row, id);
    }
    match segments.as_slice() {
        [] => route.base(),
        ["metadata"] => route.capabilities(),
        ["_history"] => route.history(HistoryScope::System),
        ["_search"] => route.form_search(&[], None),
        [name] => route.of_type(resource_type(name)?),
        [name, "_search"] => route.form_search(&[resource_type(name)?], None),
        [name, "_history"] => route.history(HistoryScope::Type(resource_type(name)?)),
        [name, id] => route.instance(key(name, id)?),
        [name, id, "_history"] => route.history(HistoryScope::Instance(key(name, id)?)),
        [name, id, "_history", version] => {
            let version = Version::parse(version).ok_or(Refusal::NotFound)?;
            route.only_get(Interaction::Vread(key(name, id)?, version))
        }
        [owner, id, member] => route.compartment(key(owner, id)?, member, false),
        [owner, id, member, "_search"] => route.compartment(key(owner, id)?, member, true),
        _ => Err(Refusal::NotSupported(path)),
    }
}

/// The operation that a path calls, and the record that it calls it on.
pub(super) fn operation(segments: &[&str]) -> Result<Option<(&'static Defined, Option<Id>)>, Refusal> {
    let Some(named) = segments.iter().find(|segment| segment.starts_with('$')) else { return Ok(None) };
    let unknown = || Refusal::NotSupported((*named).to_owned());
    let name = named.strip_prefix('$').unwrap_or_default();
    let (called, id) = match segments {
        [_] => (Called::OnSystem, None),
        [of, last] if last == named => (Called::OnType(ResourceType::parse(of).ok_or_else(unknown)?), None),
        [of, id, last] if last == named => (Called::OnInstance(ResourceType::parse(of).ok_or_else(unknown)?), Some(*id)),
        _ => return Err(unknown()),
    };
    let row = Defined::find(name, called).ok_or_else(unknown)?;
    // An id that no record can have names no record.
    let id = id.map(|id| Id::parse(id).ok_or(Refusal::NotFound)).transpose()?;
    Ok(Some((row, id)))
}

/// How the answer to a request is to be written.
///
/// # Errors
/// [`Refusal::NotAcceptable`] for a format other than JSON, [`Refusal::Invalid`] for a value that R4 does not know.
pub fn rendering(request: &Request) -> Result<Rendering, Refusal> {
    if !request.headers.accept.as_deref().is_none_or(accepts_json) && !request.query.contains("_format=") {
        return Err(Refusal::NotAcceptable);
    }
    let mut rendering = prefer::rendering(&parameters(request)?)?;
    rendering.prefer = request.headers.prefer_return;
    Ok(rendering)
}

/// A body that says to be something else than it must be is not guessed at (`threats` T102).
fn readable(request: &Request) -> Result<(), Refusal> {
    let Some(kind) = request.headers.content_type.as_deref().filter(|_| request.form.is_none()) else { return Ok(()) };
    let known = match request.method {
        Method::Post | Method::Put => matches!(kind, "application/fhir+json" | "application/json" | "application/json+fhir"),
        Method::Patch => kind == "application/json-patch+json",
        Method::Get | Method::Head | Method::Delete => true,
    };
    if known { Ok(()) } else { Err(Refusal::MediaType) }
}

fn parameters(request: &Request) -> Result<Pairs, Refusal> {
    let mut all = pairs(&request.query).map_err(|pair| invalid(&format!("`{pair}` is not valid percent-encoded UTF-8")))?;
    if let Some(form) = &request.form {
        all.extend(pairs(form).map_err(|pair| invalid(&format!("`{pair}` is not valid percent-encoded UTF-8")))?);
    }
    Ok(all)
}

fn resource_type(name: &str) -> Result<ResourceType, Refusal> {
    ResourceType::parse(name).ok_or_else(|| Refusal::NotSupported(name.to_owned()))
}

/// An id that no record can have names no record.
fn key(name: &str, id: &str) -> Result<Key, Refusal> {
    Ok(Key::new(resource_type(name)?, Id::parse(id).ok_or(Refusal::NotFound)?))
}

fn invalid(text: &str) -> Refusal {
    Refusal::Invalid(vec![Problem::of("invalid", text)])
}

struct Route<'r> {
    request: &'r Request,
    options: &'r RouteOptions<'r>,
    parameters: Pairs,
}

impl Route<'_> {
    fn reads(&self) -> bool {
        matches!(self.request.method, Method::Get | Method::Head)
    }

    fn no_such_method(&self) -> Refusal {
        Refusal::MethodNotAllowed(super::methods(&self.request.path))
    }

    fn only_get(&self, interaction: Interaction) -> Result<Interaction, Refusal> {
        if !self.reads() {
            return Err(self.no_such_method());
        }
        self.no_others(&[])?;
        Ok(interaction)
    }

    /// Which part of the statement is asked for makes no difference (R4 http § capabilities: `mode` may be ignored).
    fn capabilities(&self) -> Result<Interaction, Refusal> {
        if !self.reads() {
            return Err(self.no_such_method());
        }
        self.no_others(&["mode"])?;
        Ok(Interaction::Capabilities)
    }

    /// Refuses parameters that the interaction does not have, but for `handling=lenient`.
    fn no_others(&self, allowed: &[&str]) -> Result<(), Refusal> {
        let unknown = |name: &str| !GENERAL.contains(&name) && !allowed.contains(&name);
        match self.parameters.iter().find(|(name, _)| unknown(name)) {
            Some((name, _)) if !self.request.headers.lenient => {
                let known = GENERAL.iter().chain(allowed).copied().collect::<Vec<_>>().join(", ");
                Err(invalid(&format!("the parameter `{name}` does not exist for this interaction; those that do: {known}")))
            }
            _ => Ok(()),
        }
    }

    /// GET is for what changes nothing (R4 operations § 3.2.0.1).
    fn operation(&self, row: &Defined, id: Option<Id>) -> Result<Interaction, Refusal> {
        let asked: Pairs = match self.request.method {
            Method::Post => Vec::new(),
            Method::Get | Method::Head if row.reads => self.parameters.clone(),
            _ => return Err(self.no_such_method()),
        };
        let query: Pairs = asked.into_iter().filter(|(name, _)| !GENERAL.contains(&name.as_str())).collect();
        if query.is_empty() {
            self.no_others(&[])?;
        }
        Operation::of(row, id, query).map(Interaction::Operate).ok_or(Refusal::Internal)
    }

    fn base(&self) -> Result<Interaction, Refusal> {
        match self.request.method {
            Method::Get | Method::Head => match self.parameters.iter().find(|(name, _)| name == "_page") {
                Some((_, token)) => Ok(Interaction::Page(token.clone())),
                None => self.search(&[], None, &self.parameters),
            },
            Method::Post => {
                self.no_others(&[])?;
                Ok(Interaction::Bundle)
            }
            _ => Err(self.no_such_method()),
        }
    }

    fn of_type(&self, resource_type: ResourceType) -> Result<Interaction, Refusal> {
        match self.request.method {
            Method::Get | Method::Head => self.search(&[resource_type], None, &self.parameters),
            Method::Post => self.create(resource_type),
            Method::Put => Ok(Interaction::ConditionalUpdate(self.condition(resource_type)?, self.write_condition()?)),
            Method::Patch => Ok(Interaction::ConditionalPatch(self.condition(resource_type)?, self.write_condition()?)),
            Method::Delete => Ok(Interaction::ConditionalDelete(self.condition(resource_type)?)),
        }
    }

    fn create(&self, resource_type: ResourceType) -> Result<Interaction, Refusal> {
        self.no_others(&[])?;
        let Some(condition) = &self.request.headers.if_none_exist else { return Ok(Interaction::Create(resource_type, None)) };
        let condition = condition.trim_start_matches('?');
        let condition =
            pairs(condition).map_err(|pair| invalid(&format!("`If-None-Exist`: `{pair}` is not valid percent-encoded UTF-8")))?;
        self.selection(resource_type, &condition).map(|query| Interaction::Create(resource_type, Some(query)))
    }

    fn instance(&self, key: Key) -> Result<Interaction, Refusal> {
        match self.request.method {
            Method::Get | Method::Head => {
                self.read_conditions().and_then(|conditions| self.only_get(Interaction::Read(key, conditions)))
            }
            Method::Post => Err(self.no_such_method()),
            Method::Put => self.write(|condition| Interaction::Update(key, condition)),
            Method::Patch => self.write(|condition| Interaction::Patch(key, condition)),
            Method::Delete => self.write(|condition| Interaction::Delete(key, condition)),
        }
    }

    fn write(&self, interaction: impl FnOnce(WriteCondition) -> Interaction) -> Result<Interaction, Refusal> {
        self.no_others(&[])?;
        self.write_condition().map(interaction)
    }

    fn read_conditions(&self) -> Result<ReadConditions, Refusal> {
        let headers = &self.request.headers;
        let none_match = headers
            .if_none_match
            .as_deref()
            .map(|tag| Version::parse(tag).ok_or_else(|| invalid("`If-None-Match` must be one entity tag, such as W/\"3\"")));
        Ok(ReadConditions { none_match: none_match.transpose()?, modified_since: headers.if_modified_since })
    }

    fn write_condition(&self) -> Result<WriteCondition, Refusal> {
        let headers = &self.request.headers;
        match (headers.if_match.as_deref(), headers.if_none_match.as_deref()) {
            (None, None) => Ok(WriteCondition::None),
            (Some(tag), None) => Version::parse(tag)
                .map(WriteCondition::Match)
                .ok_or_else(|| invalid("`If-Match` must be one entity tag, such as W/\"3\"")),
            (None, Some("*")) => Ok(WriteCondition::Absent),
            _ => Err(invalid("a change takes `If-Match: W/\"n\"` or `If-None-Match: *`, not both and no other form")),
        }
    }

    fn condition(&self, resource_type: ResourceType) -> Result<Box<SearchQuery>, Refusal> {
        self.selection(resource_type, &self.parameters)
    }

    /// What decides which record is changed: all of it is understood, and none of it is left out.
    fn selection(&self, resource_type: ResourceType, parameters: &[(String, String)]) -> Result<Box<SearchQuery>, Refusal> {
        if let Some((name, _)) = parameters.iter().find(|pair| !has_value(pair)) {
            return Err(invalid(&format!("`{name}` has no value: a conditional interaction leaves out no parameter")));
        }
        let query = self.query(&[resource_type], None, parameters)?;
        if let Some(name) = query.ignored.first() {
            return Err(invalid(&format!("`{name}` is not understood: a conditional interaction leaves out no parameter")));
        }
        // A condition that selects everything is a mistake, not a condition.
        if query.criteria.is_empty() {
            return Err(invalid("a conditional interaction needs at least one search parameter"));
        }
        Ok(query)
    }

    fn compartment(&self, owner: Key, member: &str, form: bool) -> Result<Interaction, Refusal> {
        let members: Vec<ResourceType> = compartment_members(owner.resource_type).iter().map(|(member, _)| *member).collect();
        let types = match member {
            "*" => members.clone(),
            name => vec![resource_type(name)?],
        };
        if types.is_empty() || !types.iter().all(|member| members.contains(member)) {
            return Err(Refusal::NotSupported(format!("{}/[id]/{member}", owner.resource_type)));
        }
        let owner = CompartmentOwner { resource_type: owner.resource_type, id: owner.id };
        if form {
            return self.form_search(&types, Some(owner));
        }
        if !self.reads() {
            return Err(self.no_such_method());
        }
        self.search(&types, Some(owner), &self.parameters)
    }

    fn form_search(&self, types: &[ResourceType], owner: Option<CompartmentOwner>) -> Result<Interaction, Refusal> {
        if self.request.method != Method::Post {
            return Err(self.no_such_method());
        }
        self.search(types, owner, &self.parameters)
    }

    fn search(
        &self,
        types: &[ResourceType],
        owner: Option<CompartmentOwner>,
        parameters: &[(String, String)],
    ) -> Result<Interaction, Refusal> {
        self.query(types, owner, parameters).map(Interaction::Search)
    }

    fn query(
        &self,
        types: &[ResourceType],
        owner: Option<CompartmentOwner>,
        parameters: &[(String, String)],
    ) -> Result<Box<SearchQuery>, Refusal> {
        let options = ParseOptions {
            base: self.options.base,
            now: self.options.now,
            lenient: self.request.headers.lenient,
            max_count: self.options.max_count,
            known: self.options.known,
        };
        if let Err(Refusal::NotAcceptable) = prefer::rendering(parameters) {
            return Err(Refusal::NotAcceptable);
        }
        let mut query = parse_search(types, owner, parameters, &options).map_err(Refusal::Invalid)?;
        query.rendering.prefer = self.request.headers.prefer_return;
        Ok(Box::new(query))
    }

    fn history(&self, scope: HistoryScope) -> Result<Interaction, Refusal> {
        if !self.reads() {
            return Err(self.no_such_method());
        }
        self.no_others(&["_count", "_since", "_at"])?;
        let times = |name: &str| self.parameters.iter().filter(|(key, _)| key == name).count();
        if let Some(name) = ["_count", "_since", "_at"].into_iter().find(|name| times(name) > 1) {
            return Err(invalid(&format!("`{name}` may come once")));
        }
        let span = |name: &str| {
            let value = self.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.replace(' ', "+"));
            let wrong = || invalid(&format!("`{name}` must be a date or an instant, such as 2026-01-31 or 2026-01-31T12:00:00Z"));
            value.map(|text| Span::parse(&text).ok_or_else(wrong)).transpose()
        };
        let count = self.parameters.iter().find(|(key, _)| key == "_count").map(|(_, value)| value.parse::<u32>());
        let count = count
            .transpose()
            .map_err(|_| invalid("`_count` must be a whole number"))?
            .map(|count| count.min(self.options.max_count));
        let rendering = prefer::rendering(&self.parameters)?;
        Ok(Interaction::History(HistoryQuery {
            scope,
            count,
            since: span("_since")?.map(|since| since.first),
            at: span("_at")?,
            rendering,
        }))
    }
}
