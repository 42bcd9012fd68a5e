//! The text of a statement, and where in it the values go.

use super::statement::Bind;
use diesel::backend::Backend;
use diesel::prelude::*;
use diesel::query_builder::AstPass;
use std::borrow::Cow;

/// SQL text.
#[derive(Debug, Clone)]
pub(super) enum Wording {
    /// Each `?` stands for the next value. A `?` has no other use in it.
    Marked(Cow<'static, str>),
    /// What stands before and behind the rows, and how many values a row has. It need not be put together and taken apart again.
    Rows { head: &'static str, columns: usize, tail: &'static str },
}

impl Wording {
    /// Hands text and values to diesel, in their order.
    pub(super) fn walk<'b, DB: Backend>(
        &'b self,
        binds: &'b [Bind],
        pass: AstPass<'_, 'b, DB>,
        push: impl Fn(&'b Bind, &mut AstPass<'_, 'b, DB>) -> QueryResult<()>,
    ) -> QueryResult<()> {
        match self {
            Self::Marked(text) => marked(text, binds, pass, push),
            Self::Rows { head, columns, tail } => rows([head, tail], *columns, binds, pass, push),
        }
    }
}

fn marked<'b, DB: Backend>(
    text: &'b str,
    binds: &'b [Bind],
    mut pass: AstPass<'_, 'b, DB>,
    push: impl Fn(&'b Bind, &mut AstPass<'_, 'b, DB>) -> QueryResult<()>,
) -> QueryResult<()> {
    let mut binds = binds.iter();
    for (at, piece) in text.split('?').enumerate() {
        if at > 0
            && let Some(bind) = binds.next()
        {
            push(bind, &mut pass)?;
        }
        pass.push_sql(piece);
    }
    Ok(())
}

fn rows<'b, DB: Backend>(
    [head, tail]: [&'b str; 2],
    columns: usize,
    binds: &'b [Bind],
    mut pass: AstPass<'_, 'b, DB>,
    push: impl Fn(&'b Bind, &mut AstPass<'_, 'b, DB>) -> QueryResult<()>,
) -> QueryResult<()> {
    pass.push_sql(head);
    for (row, values) in binds.chunks(columns).enumerate() {
        pass.push_sql(if row == 0 { " (" } else { "), (" });
        for (at, bind) in values.iter().enumerate() {
            if at > 0 {
                pass.push_sql(", ");
            }
            push(bind, &mut pass)?;
        }
    }
    pass.push_sql(")");
    pass.push_sql(tail);
    Ok(())
}
