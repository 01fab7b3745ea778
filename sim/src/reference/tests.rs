//! Rows of decisions.
