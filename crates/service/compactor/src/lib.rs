//! Merge, sort and replace segments; collect garbage.
