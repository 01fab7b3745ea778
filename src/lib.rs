//! What did happen.
