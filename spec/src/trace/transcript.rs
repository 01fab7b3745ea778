//! The form of a trace that people read.
