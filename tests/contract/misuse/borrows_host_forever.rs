//! Takes the host's object for good, by a function that a plugin calls while the object is lent.

replug_plugin::__offer!(@make pub Engine [] { [] ['static] keep () () });

fn main() {}
