//! Prints.

fixtures::fixture!(|number| {
    println!("{number}");
    number
});
