//! The database on a PostgreSQL server.

mod link;

pub use link::{Here, PgLink};
