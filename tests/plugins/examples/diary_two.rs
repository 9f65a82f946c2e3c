//! A plugin that keeps a diary, and is number 2.

fixtures::diarist!(2);
