//! Asks on which thread it is, which makes its copy of std take one of the process's thread-local keys.

fixtures::fixture!(|number| {
    let _this = std::thread::current();
    number
});
