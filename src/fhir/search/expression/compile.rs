//! From the text of an expression to a [`Program`].

use super::{Branch, Program, Step, Yields};
use crate::fhir::ResourceType;
use crate::fhir::search::element_type::{ElementType, choice_member};
use std::collections::HashMap;

/// The types of the elements that expressions pass, by path.
pub(crate) type Elements<'t> = HashMap<&'t str, Types<'t>>;

/// The type of an element, or the types of a choice element.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(untagged)]
pub(crate) enum Types<'t> {
    /// One type: the member is called as the element.
    #[serde(borrow)]
    One(&'t str),
    /// `x[x]`: the member's name ends in the type.
    Choice(#[serde(borrow)] Vec<&'t str>),
}

/// Compiles an expression. `context` is the path of the element that it starts from: empty when the expression names its
/// resource type itself, the composite's path inside a composite.
///
/// # Errors
/// What was not understood. It cannot happen for the published table; a test compiles each.
pub(crate) fn compile(expression: &str, context: &str, elements: &Elements<'_>) -> Result<Program, String> {
    if let Some((path, rest)) = expression.split_once(".exists() and ") {
        if rest != format!("{path} != false") {
            return Err(format!("cannot read `{expression}`"));
        }
        return Ok(Program { yields: Yields::Presence, ..compile(path, context, elements)? });
    }
    let mut compiler = Compiler { rest: expression, context, elements };
    let branches = compiler.union()?;
    if compiler.rest.is_empty() {
        Ok(Program { branches: branches.into_iter().map(|open| open.branch).collect(), yields: Yields::Elements })
    } else {
        Err(format!("cannot read `{}` in `{expression}`", compiler.rest))
    }
}

/// A branch in the making, with the path reached so far.
#[derive(Clone)]
struct Open {
    branch: Branch,
    path: String,
}

struct Compiler<'e, 't> {
    rest: &'e str,
    context: &'e str,
    elements: &'e Elements<'t>,
}

type Made<T> = Result<T, String>;

impl<'e> Compiler<'e, '_> {
    /// Takes a piece of text if it comes next.
    fn take(&mut self, text: &str) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, text: &str) -> Made<()> {
        if self.take(text) { Ok(()) } else { Err(format!("`{text}` expected before `{}`", self.rest)) }
    }

    fn word(&mut self) -> Made<&'e str> {
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        if word.is_empty() { Err(format!("a name expected before `{rest}`")) } else { Ok(word) }
    }

    /// `'text'`
    fn literal(&mut self) -> Made<String> {
        self.expect("'")?;
        let (text, rest) = self.rest.split_once('\'').ok_or("a string does not end")?;
        self.rest = rest;
        Ok(text.to_owned())
    }

    fn union(&mut self) -> Made<Vec<Open>> {
        let mut all = self.term()?;
        while self.take(" | ") {
            all.append(&mut self.term()?);
        }
        Ok(all)
    }

    /// `(...)` or a path, each with what follows.
    fn term(&mut self) -> Made<Vec<Open>> {
        let mut open = if self.take("(") {
            let mut inner = self.union()?;
            if self.take(" as ") {
                let name = self.word()?;
                narrow(&mut inner, name)?;
            }
            self.expect(")")?;
            inner
        } else {
            vec![self.start()?]
        };
        loop {
            if self.take("[0]") {
                for o in &mut open {
                    o.branch.steps.push(Step::First);
                }
            } else if self.take(".") {
                self.postfix(&mut open)?;
            } else {
                return Ok(open);
            }
        }
    }

    /// The first name of a path: a resource type, `%resource`, or a member of the context.
    fn start(&mut self) -> Made<Open> {
        if self.take("%resource") {
            let path = self.context.split('.').next().unwrap_or_default().to_owned();
            return Ok(Open { branch: Branch { from_resource: true, steps: Vec::new() }, path });
        }
        let word = self.word()?;
        if self.context.is_empty() {
            return Ok(Open { branch: Branch::default(), path: word.to_owned() });
        }
        let mut open = Open { branch: Branch::default(), path: self.context.to_owned() };
        self.member(&mut open, word)?;
        Ok(open)
    }

    /// What follows a dot.
    fn postfix(&mut self, open: &mut [Open]) -> Made<()> {
        let word = self.word()?;
        if !self.take("(") {
            return open.iter_mut().try_for_each(|o| self.member(o, word));
        }
        let step = match word {
            "as" | "ofType" => {
                let name = self.word()?;
                narrow(open, name)?;
                return self.expect(")");
            }
            "extension" => Step::Extension(self.literal()?),
            "where" => self.condition()?,
            other => return Err(format!("the function `{other}` is not known")),
        };
        for o in open.iter_mut() {
            o.branch.steps.push(step.clone());
        }
        self.expect(")")
    }

    /// What stands inside `where(...)`.
    fn condition(&mut self) -> Made<Step> {
        if self.take("resolve() is ") {
            let name = self.word()?;
            return ResourceType::parse(name).map(Step::Refers).ok_or_else(|| format!("`{name}` is no resource type"));
        }
        if self.take("hasExtension(") {
            let url = self.literal()?;
            self.expect(")")?;
            return Ok(Step::HasExtension(url));
        }
        let name = self.word()?.to_owned();
        self.expect("=")?;
        Ok(Step::Where(name, self.literal()?))
    }

    /// Goes on to a member.
    fn member(&self, open: &mut Open, name: &str) -> Made<()> {
        open.path = format!("{}.{name}", open.path);
        let step = match self.elements.get(open.path.as_str()) {
            Some(Types::One(one)) => Step::Member(name.to_owned(), ElementType::of(one)),
            Some(Types::Choice(types)) => {
                Step::Choice(types.iter().map(|one| (choice_member(name, one), ElementType::of(one))).collect())
            }
            None => return Err(format!("the type of `{}` is not known", open.path)),
        };
        open.branch.steps.push(step);
        Ok(())
    }
}

/// `as T`: of a choice element the one member, of another element all or nothing.
fn narrow(open: &mut [Open], name: &str) -> Made<()> {
    for o in open {
        let element = o.path.rsplit('.').next().unwrap_or_default();
        let wanted = choice_member(element, name);
        match o.branch.steps.last_mut() {
            Some(Step::Choice(variants)) if variants.iter().any(|(member, _)| *member == wanted) => {
                variants.retain(|(member, _)| *member == wanted);
            }
            Some(Step::Member(_, element_type)) if *element_type == ElementType::of(name) => {}
            _ => return Err(format!("`{}` is never a {name}", o.path)),
        }
        name.clone_into(&mut o.path);
    }
    Ok(())
}
