//! The durable log: LogWriter, LogReader, memory and file backends.
