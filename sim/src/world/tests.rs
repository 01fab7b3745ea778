//! Plays against a tiny gateway.
