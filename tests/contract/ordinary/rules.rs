#![allow(dead_code)]

mod town;
use town::*;

struct Mine;

impl Rule for Mine {
    fn day(town: &mut Town, guests: &[Person], hours: f32) -> Result<Vec<Mood>, String> {
        if hours < 0.0 {
            return Err(format!("a day has {hours} hours"));
        }
        let mut moods = Vec::new();
        town.founded.get_or_init(|| "today".to_owned());
        for guest in guests {
            town.people.push(guest.clone());
            moods.push(guest.mood.clone());
        }
        let count = town.people.len() as u32;
        town.names.insert(count, format!("guest {count}"));
        *town.told.lock().unwrap().entry("days".to_owned()).or_default() += 1;
        assert!(count < 100, "the town is full");
        Ok(moods)
    }

    fn turn(mut person: Person, colour: Colour) -> (Person, Option<Colour>) {
        person.friends.push(Person::default());
        person.mood = Mood::Says("turned".to_owned());
        (person, (colour == Colour::Red).then_some(Colour::Green))
    }

    fn spread(grid: Grid<u16, 3>) -> Vec<u16> {
        grid.0.into_iter().flatten().collect()
    }

    fn consult(council: &mut dyn Council, elders: &dyn Council, question: &str) -> Vec<String> {
        let mut said = council.decide(question, Person::default()).unwrap_or_default();
        said.push(format!("{} and {}", council.count(), elders.count()));
        said
    }
}

replug_plugin::export!(Mine: Rules);
