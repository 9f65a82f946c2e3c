//! Swap a running program's native plugin for a newly built one.
