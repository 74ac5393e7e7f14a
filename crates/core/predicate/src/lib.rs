//! One expression language for filters, cohorts and charts, with its row evaluator.
