//! A plain C function in the hands of two threads, which nobody promised that it can bear.

fn share(_: &impl Sync) {}

fn main() {
    let function = unsafe { replug::TextFunction::new(c"greet") };
    let host = replug::Host::<replug::Text>::new(function);
    let functions: &replug::Text = &host;
    share(functions);
}
