//! A handle for other threads of a plain C function.

fn main() {
    let function = unsafe { replug::TextFunction::new(c"greet") };
    let host = replug::Host::<replug::Text>::new(function);
    let _handle = host.handle();
}
