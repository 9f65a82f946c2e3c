//! Computes, and does nothing else.

fixtures::fixture!(|number| number + 1);
