//! Published records through the whole gateway, black box: what went in by HTTP comes out by HTTP.
//!
//! `AMANAT_CORPORA` tells where the records lie; without them each test says so and passes. `AMANAT_FULL=1` adds what takes minutes.

mod examples;
mod hospital;
mod hostile_json;
mod known_answers;
mod patches;
mod source;
mod tree;
mod us_core;
mod whole;
