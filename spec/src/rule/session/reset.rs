//! When a reset policy is due, as the rules about sessions need it.

pub(in crate::rule) use crate::facts::turn::{Anchors, Due, Limit, Turn};
