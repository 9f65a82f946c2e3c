//! A plugin that keeps a diary, and is number 1.

fixtures::diarist!(1);
