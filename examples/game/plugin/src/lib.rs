//! The rules of the game. Change something here while the game runs, and then `cargo build -p game_rules`.

use game_interface::{Ball, Engine, Event, Play, Rules, World};

/// Width and height of the room, in metres.
const ROOM: [f32; 2] = [16.0, 9.0];

/// The walls of the room, across and upright.
const WALLS: [[&str; 2]; 2] = [["left", "right"], ["floor", "ceiling"]];

/// The pull on a ball, in metres per second, every second. Edit me.
const GRAVITY: f32 = -9.81;

/// How fast a ball is thrown when it has come to rest, in metres per second. Edit me.
const THROW: [f32; 2] = [7.0, 12.0];

/// The part of a ball's speed that is left after a wall. Edit me.
const BOUNCE: f32 = 0.8;

struct Mine;

impl Play for Mine {
    fn update(
        world: &mut World,
        engine: &mut dyn Engine,
        seconds: f32,
    ) -> Result<Vec<Event>, String> {
        if world.balls.is_empty() {
            let names = engine.load("balls.txt").ok_or("the balls have no names")?;
            world.balls = names.lines().map(resting).collect();
        }
        let mut events = Vec::new();
        for ball in &mut world.balls {
            ball.speed[1] += GRAVITY * seconds;
            for (axis, walls) in WALLS.iter().enumerate() {
                ball.at[axis] += ball.speed[axis] * seconds;
                let inside = ball.at[axis].clamp(0.0, ROOM[axis]);
                if inside != ball.at[axis] {
                    let wall = walls[usize::from(inside > 0.0)].to_owned();
                    *world.bounces.entry(wall.clone()).or_default() += 1;
                    let ball_name = ball.name.clone();
                    events.push(Event::Bounced(ball_name, wall));
                    ball.at[axis] = inside;
                    ball.speed[axis] *= -BOUNCE;
                }
            }
            if ball.at[1] == 0.0 && ball.speed[1] < 0.5 {
                ball.speed = THROW;
                events.push(Event::Thrown(ball.name.clone()));
            }
        }
        world.frames += 1;
        if world.frames.is_multiple_of(60) {
            let ([x, y], bounces) = (world.balls[0].at, &world.bounces);
            let frame = world.frames;
            engine.log(&format!(
                "frame {frame}: ball at {x:.1}, {y:.1}; bounces {bounces:?}"
            ));
        }
        Ok(events)
    }
}

fn resting(name: &str) -> Ball {
    Ball {
        name: name.to_owned(),
        at: [0.0; 2],
        speed: [0.0; 2],
    }
}

replug_plugin::export!(Mine: Rules);
