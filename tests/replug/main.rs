//! Tests of the real program and library on this machine's filesystem.

mod vocabulary;
mod writers;
