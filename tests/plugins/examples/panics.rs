//! Panics when it is given nothing.

fixtures::fixture!(|number| {
    assert!(number != 0, "{number} is too little");
    number
});
