//! E0277: FromSql
use amanat::disclosure::SealedContent;
use diesel::deserialize::FromSql;
fn loads<T: FromSql<SealedContent, diesel::sqlite::Sqlite>>() {}
pub fn leak() {
    loads::<Vec<u8>>();
}
