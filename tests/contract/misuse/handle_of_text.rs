//! A handle for other threads of a plain C function.

fn main() {
    let host = replug::Host::<replug::Text>::new(c"greet");
    let _handle = host.handle();
}
