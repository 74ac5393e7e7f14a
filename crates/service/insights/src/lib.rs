//! Segmentation, funnels, retention, timelines: query model and physical operators.
