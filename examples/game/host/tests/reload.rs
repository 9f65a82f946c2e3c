//! The game's rules are changed while a game goes on: how a reload is tested, with `replug::testing`.

use std::error::Error;

use game_interface::{Engine, Rules, World};
use replug::Host;
use replug::testing::Source;

/// A game without a screen.
struct Silent;

impl Engine for Silent {
    fn log(&mut self, _line: &str) {}

    fn load(&self, _name: &str) -> Option<String> {
        Some("ball\n".to_owned())
    }
}

/// One frame of a tenth of a second.
fn update(host: &Host<Rules>, world: &mut World) -> Result<(), Box<dyn Error>> {
    host.update(world, &mut Silent, 0.1)??;
    Ok(())
}

#[test]
fn new_rules_go_on_with_the_world_of_the_old_ones() -> Result<(), Box<dyn Error>> {
    let mut rules = Source::of("game_rules")?;
    let mut host = Host::<Rules>::watch(rules.options())?;
    rules.go_live(&mut host)?;
    let mut world = World::default();
    update(&host, &mut world)?;
    let before = world.balls[0].speed;

    rules
        .replace("GRAVITY: f32 = -9.81", "GRAVITY: f32 = 100.0")?
        .go_live(&mut host)?;
    update(&host, &mut world)?;
    assert_eq!(world.frames, 2, "the world is the host's");
    assert!(
        world.balls[0].speed[1] > before[1],
        "it falls up: {world:?}"
    );
    Ok(())
}

#[test]
fn rules_of_another_declaration_are_kept_out_and_the_old_ones_go_on() -> Result<(), Box<dyn Error>>
{
    let mut rules = Source::of("game_rules")?.with("game_interface")?;
    let mut host = Host::<Rules>::watch(rules.options())?;
    rules.go_live(&mut host)?;
    let field = "/// All that moves.";
    rules.replace(
        field,
        &format!("/// What was found.\n    pub gold: u64,\n    {field}"),
    )?;
    let kept = rules.go_live(&mut host).unwrap_err();
    let told = "field `gold: u64` is in the plugin, not in this host";
    assert!(format!("{kept:?}").contains(told), "{kept:?}");
    update(&host, &mut World::default())
}
