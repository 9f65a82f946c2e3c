//! A plugin that panics when it is given 0.

fixtures::fixture!(|number| {
    assert!(number != 0, "{number} is too little");
    number
});
