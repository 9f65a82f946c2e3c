//! A host that keeps the live generation over a reload.

fn main() {
    let mut host = replug::Host::<replug::Text>::new(c"greet");
    let live = host.live();
    host.poll();
    drop(live);
}
