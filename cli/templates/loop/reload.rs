//! A changed copy of the rules goes live while a world goes on.

use std::error::Error;

use interface::{Rules, World};
use replug::Host;
use replug::testing::Source;

#[test]
fn new_rules_go_on_with_the_world_of_the_old_ones() -> Result<(), Box<dyn Error>> {
    let mut rules = Source::of("{{name}}-rules")?;
    let mut host = Host::<Rules>::watch(rules.options())?;
    rules.go_live(&mut host)?;
    let mut world = World::default();
    host.step(&mut world)?;
    let before = world.way;

    rules
        .replace("world.way += STRIDE", "world.way += 1000")?
        .go_live(&mut host)?;
    host.step(&mut world)?;
    assert_eq!((world.steps, world.way), (2, before + 1000));
    Ok(())
}
