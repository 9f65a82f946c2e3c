//! A host that keeps the live generation over a reload.

fn main() {
    let function = unsafe { replug::TextFunction::new(c"greet") };
    let mut host = replug::Host::<replug::Text>::new(function);
    let live = host.live();
    host.poll();
    drop(live);
}
