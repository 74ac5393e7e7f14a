//! HTTP in, admission, append, receipts.
