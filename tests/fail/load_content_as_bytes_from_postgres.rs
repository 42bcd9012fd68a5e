//! E0277: FromSql
use amanat::disclosure::SealedContent;
use diesel::deserialize::FromSql;
fn loads<T: FromSql<SealedContent, diesel::pg::Pg>>() {}
pub fn leak() {
    loads::<Vec<u8>>();
}
