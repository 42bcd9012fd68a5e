//! What an operator does to a gateway under load: stops it, kills it, renews its certificate, asks for certificates of partners.

mod crash;
mod shutdown;
mod transport;
