//! Reads `fhir-profiles/r4/structures.json` into shapes.

use super::structures::{Content, Member, Primitive, Shape, ShapeKey, Structures};
use crate::fhir::ResourceType;
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};

const TABLE: &str = include_str!("../../../fhir-profiles/r4/structures.json");

#[derive(Deserialize)]
struct Table<'t> {
    #[serde(borrow)]
    types: BTreeMap<&'t str, Row<'t>>,
}

#[derive(Deserialize)]
struct Row<'t> {
    kind: &'t str,
    base: Option<&'t str>,
    #[serde(borrow)]
    elements: Vec<&'t str>,
}

/// One element line: `component.value[x] 01s Quantity string`.
struct Line<'t> {
    /// The path of the owner below the type; empty for the type itself.
    owner: &'t str,
    name: &'t str,
    flags: &'t str,
    types: std::str::SplitAsciiWhitespace<'t>,
    path: &'t str,
}

impl<'t> Line<'t> {
    fn read(text: &'t str) -> Option<Self> {
        let mut words = text.split_ascii_whitespace();
        let path = words.next()?;
        let flags = words.next()?;
        let (owner, name) = path.rsplit_once('.').unwrap_or(("", path));
        Some(Self { owner, name, flags, types: words, path })
    }

    fn is_nested(&self) -> bool {
        let mut types = self.types.clone();
        matches!((types.next(), types.next()), (Some("BackboneElement" | "Element"), None))
    }
}

/// Reads the table that is compiled in.
#[expect(clippy::expect_used, reason = "the table is part of the binary and every test of this room reads it")]
pub(super) fn load() -> Structures {
    let table: Table<'_> = serde_json::from_str(TABLE).expect("the compiled-in structure table is well formed");
    Loading::new(&table).finish()
}

struct Loading<'t> {
    table: &'t Table<'t>,
    by_path: HashMap<String, u16>,
    shapes: Vec<Shape>,
}

impl<'t> Loading<'t> {
    fn new(table: &'t Table<'t>) -> Self {
        let mut loading = Self { table, by_path: HashMap::new(), shapes: Vec::new() };
        for (&name, row) in &table.types {
            if row.kind == "primitive-type" {
                continue;
            }
            loading.add(name.to_owned(), row.kind == "resource");
            for line in row.elements.iter().filter_map(|text| Line::read(text)).filter(Line::is_nested) {
                loading.add(format!("{name}.{}", line.path), false);
            }
        }
        loading
    }

    fn add(&mut self, path: String, resource: bool) {
        let key = u16::try_from(self.shapes.len()).unwrap_or(u16::MAX);
        self.by_path.insert(path.clone(), key);
        self.shapes.push(Shape { path, resource, members: Vec::new() });
    }

    fn finish(mut self) -> Structures {
        for (&name, row) in &self.table.types {
            self.own(name, name, "", row);
            self.inherit(name, row.base);
            for line in row.elements.iter().filter_map(|text| Line::read(text)).filter(Line::is_nested) {
                let path = format!("{name}.{}", line.path);
                self.own(&path, name, line.path, row);
                self.inherit(&path, line.types.clone().next());
            }
        }
        for shape in &mut self.shapes {
            shape.members.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        }
        let resources = ResourceType::ALL.iter().filter_map(|kind| self.by_path.get(kind.name()).copied()).collect();
        Structures { shapes: self.shapes, by_path: self.by_path, resources }
    }

    /// Gives the shape at `path` the elements of `row` whose owner is `owner`.
    fn own(&mut self, path: &str, type_name: &str, owner: &str, row: &Row<'t>) {
        let lines = row.elements.iter().filter_map(|text| Line::read(text)).filter(|line| line.owner == owner);
        let members: Vec<Member> = lines.flat_map(|line| self.members(type_name, &line)).collect();
        self.extend(path, members);
    }

    /// Gives the shape at `path` the elements of its base and of the bases of that.
    fn inherit(&mut self, path: &str, mut base: Option<&'t str>) {
        while let Some((name, row)) = base.and_then(|name| self.table.types.get_key_value(name)) {
            self.own(path, name, "", row);
            base = row.base;
        }
    }

    fn extend(&mut self, path: &str, members: Vec<Member>) {
        let shape = self.by_path.get(path).and_then(|&key| self.shapes.get_mut(usize::from(key)));
        if let Some(shape) = shape {
            shape.members.extend(members);
        }
    }

    fn members(&self, type_name: &str, line: &Line<'t>) -> Vec<Member> {
        let stem = line.name.strip_suffix("[x]");
        let content = |of: &str| self.content(type_name, line, of);
        line.types
            .clone()
            .filter_map(|of| {
                let name = stem.map_or_else(|| line.name.to_owned(), |stem| format!("{stem}{}", capitalised(of)));
                let stem = stem.unwrap_or(&name).len();
                Some(Member {
                    stem: u8::try_from(stem).ok()?,
                    repeats: line.flags.as_bytes().get(1) == Some(&b'*'),
                    required: line.flags.starts_with('1'),
                    summary: line.flags.contains('s'),
                    modifier: line.flags.contains('m'),
                    content: content(of)?,
                    name,
                })
            })
            .collect()
    }

    fn content(&self, type_name: &str, line: &Line<'t>, of: &str) -> Option<Content> {
        if let Some(primitive) = Primitive::parse(of) {
            return Some(Content::Primitive(primitive));
        }
        let key = match of.strip_prefix('@') {
            Some(target) => self.by_path.get(&format!("{type_name}.{target}")),
            None if of == "Resource" => return Some(Content::AnyResource),
            None if line.is_nested() => self.by_path.get(&format!("{type_name}.{}", line.path)),
            None => self.by_path.get(of),
        };
        key.map(|&key| Content::Complex(ShapeKey(key)))
    }
}

fn capitalised(name: &str) -> String {
    let mut rest = name.chars();
    rest.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(rest).collect()
}
