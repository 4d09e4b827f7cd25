//! Sorted sets of ranges.
