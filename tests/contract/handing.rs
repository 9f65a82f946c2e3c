//! What a host does itself between two generations, before the swap.

use fixtures::Fixture;
use fixtures::diary::Diary;
use replug::error::Step;
use replug::{CallError, Handover, Outcome};
use vocabulary::{DEADLINE, World, specimen};

/// What a test does in a handover.
type HandOver<'f> = &'f mut dyn FnMut(
    Handover<'_, Fixture>,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// Puts a build in place, takes part in its handover, and returns what became of it.
#[track_caller]
fn hand_over(world: &mut World, library: &[u8], hand_over: HandOver<'_>) -> Outcome {
    world.put(library);
    loop {
        let handing = world.host.handing_over(&mut *hand_over);
        match handing.wait(DEADLINE).expect("an outcome in time") {
            Outcome::Waiting(_) | Outcome::Missing | Outcome::Returned => {}
            outcome => return outcome,
        }
    }
}

#[test]
fn both_generations_can_be_called_before_the_swap_and_the_last_word_of_the_old_one_is_not_lost() {
    let mut world = World::new();
    let handle = world.host.handle();
    let mut answers = Vec::new();
    for number in 1..=3 {
        let outcome = hand_over(&mut world, &specimen("counter", number), &mut |it| {
            let old = it.old.map(|old| old.act(0)).transpose()?;
            let seen_by_others = handle.live().act(0).ok();
            answers.push((old, it.new.act(0)?, seen_by_others));
            Ok(())
        });
        assert!(matches!(outcome, Outcome::Loaded(_)), "{outcome:?}");
    }
    // A count is carried over before, so the new one does not know of calls of the old one in the handover.
    let expected = [
        (None, 1, None),
        (Some(2), 2, Some(3)),
        (Some(3), 3, Some(4)),
    ];
    assert_eq!(answers, expected);
    assert_eq!(world.host.act(0), Ok(4));
}

#[test]
fn a_host_that_refuses_keeps_the_live_generation_and_its_state() {
    let mut world = World::with("counter");
    assert_eq!(world.host.act(0), Ok(1));
    let outcome = hand_over(&mut world, &specimen("counter", 7), &mut |it| {
        it.new.act(0)?;
        Err("the room is full".into())
    });
    let why = "cannot hand over to `IT`: the room is full".to_owned();
    assert_eq!(world.why(outcome), (Step::Handover, why));
    assert_eq!(world.generation(), Some(1));
    assert_eq!(world.host.act(0), Ok(2));
    let outcome = hand_over(&mut world, &specimen("panics", 8), &mut |it| {
        it.new.act(0)?;
        Ok(())
    });
    let (step, why) = world.why(outcome);
    assert_eq!(step, Step::Restore, "{why}");
    world.load("counter");
    assert_eq!(world.host.act(0), Ok(3));
}

#[test]
fn a_generation_that_is_refused_is_stopped() {
    let diary = Diary::open();
    let mut world = World::with("diary_one");
    diary.read();
    let outcome = hand_over(&mut world, &specimen("diary_two", 7), &mut |_| {
        Err("not now".into())
    });
    assert_eq!(world.why(outcome).0, Step::Handover);
    assert_eq!(diary.read().last().unwrap(), "2: stop");
}

#[test]
fn an_error_of_a_call_in_a_handover_is_the_reason() {
    let mut world = World::with("pure");
    let outcome = hand_over(&mut world, &specimen("panics", 7), &mut |it| {
        it.new.act(0).map(drop).map_err(CallError::into)
    });
    let (step, why) = world.why(outcome);
    assert_eq!(step, Step::Handover);
    assert!(
        why.starts_with("cannot hand over to `IT`: the plugin panicked: "),
        "{why}"
    );
    assert_eq!(world.generation(), Some(1));
}
