//! Fields for which somebody vouches, of types that are compared by their definitions.

use replug_derive::Shared;

#[derive(Shared)]
pub struct Place {
    pub x: f32,
}

#[derive(Shared)]
pub struct World {
    #[shared(unsafe foreign)]
    pub home: Place,
    #[shared(unsafe foreign)]
    pub way: Vec<Place>,
}

fn main() {}
