//! A plugin that asks which thread it is on, which makes its copy of std take one of the process's thread-local keys.

fixtures::fixture!(|number| {
    let _this = std::thread::current();
    number
});
