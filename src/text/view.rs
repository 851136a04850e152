//! A segment's text as scanners see it, with a map back to its source bytes.
