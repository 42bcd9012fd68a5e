//! A page of a search: matches, total, and what is included.

use super::compile::{Driver, Searched, choose};
use super::connection::{Connection, snapshot};
use super::cursor::{self, SearchPlace};
use super::include::{self, Included};
use super::select::{self, Bound, Selected};
use super::{point, terms};
use crate::access::Permit;
use crate::fhir::search::{SearchQuery, Total};
use crate::fhir::{Need, Summary};
use crate::store::{Cursor, PageBounds, SearchPage, StoreError};

/// Reads a page on one state of the database.
pub(super) fn page(
    connection: &mut Connection,
    permit: &Permit,
    query: &SearchQuery,
    from: Option<&Cursor>,
    bounds: PageBounds,
) -> Result<SearchPage, StoreError> {
    let from = from.map(cursor::read::<SearchPlace>).transpose()?;
    if Searched::new(connection.dialect(), permit, Need::Search, query).nothing() {
        return Ok(SearchPage { total: (query.shape.total != Total::None).then_some(0), ..SearchPage::default() });
    }
    snapshot(connection, |connection| {
        let query = terms::settled(connection, permit, query)?;
        let mut searched = Searched::new(connection.dialect(), permit, Need::Search, &query);
        searched.settle(connection)?;
        page_at(connection, &searched, from.as_ref(), bounds)
    })
}

fn page_at(
    connection: &mut Connection,
    searched: &Searched<'_>,
    from: Option<&SearchPlace>,
    bounds: PageBounds,
) -> Result<SearchPage, StoreError> {
    let query = searched.query;
    let driver = choose(connection, searched)?;
    let since = from.map(|place| place.snapshot);
    let count = query.shape.count.map_or(bounds.count, |asked| asked.min(bounds.count));
    if count == 0 || query.rendering.summary == Some(Summary::Count) {
        let total = select::count(connection, searched, &driver, since)?;
        return Ok(SearchPage { total: Some(total), ..SearchPage::default() });
    }
    let (selected, included) = rows(connection, (searched, &driver), from, count, bounds)?;
    let total = match query.shape.total {
        Total::None => None,
        _ if from.is_none() && !selected.more => u64::try_from(selected.rows.len()).ok(),
        Total::Accurate => Some(select::count(connection, searched, &driver, since)?),
        Total::Unasked => None,
    };
    let next = next(connection, &selected, from)?;
    let matches = selected.rows.into_iter().map(|whole| whole.row).collect();
    Ok(SearchPage { matches, included: included.rows, cut: included.cut, total, next })
}

/// The matches of a page and what goes with them. Where that is more than fits, the page has fewer matches and the next one goes on; only
/// what goes with a single match can be too much.
fn rows(
    connection: &mut Connection,
    (searched, driver): (&Searched<'_>, &Driver),
    from: Option<&SearchPlace>,
    mut count: u32,
    bounds: PageBounds,
) -> Result<(Selected, Included), StoreError> {
    loop {
        let selected = select::page(connection, searched, driver, from, Bound { count, bytes: bounds.bytes })?;
        let included = include::all(connection, searched, &selected.rows, bounds)?;
        let matches = u32::try_from(selected.rows.len()).unwrap_or(u32::MAX);
        if !included.cut || matches < 2 {
            return Ok((selected, included));
        }
        count = matches / 2;
    }
}

fn next(connection: &mut Connection, selected: &Selected, from: Option<&SearchPlace>) -> Result<Option<Cursor>, StoreError> {
    let Some(last) = selected.rows.last().filter(|_| selected.more) else { return Ok(None) };
    let snapshot = match from {
        Some(place) => place.snapshot,
        None => point::last_change(connection)?,
    };
    let keys = serde_json::from_str(&selected.keys).map_err(|error| StoreError::Unavailable(error.to_string()))?;
    cursor::write(&SearchPlace { snapshot, rid: last.rid, keys }).map(Some)
}
