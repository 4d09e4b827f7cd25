//! Loss detection.
