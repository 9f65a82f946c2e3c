//! Functions that take what is only good on one side: code of it, or a way to code.

/// A function that takes any type which a function of an interface can take.
fn take(_: impl replug::wire::Argument) {}

fn code() {}

fn main() {
    take(code as fn());
    take(Box::new(|| ()) as Box<dyn Fn()>);
    take(vec![Box::<dyn std::error::Error>::from("text")]);
}
