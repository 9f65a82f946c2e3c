//! Carries a bag. A feature names the crate of which this side has another version.

#[cfg(feature = "chrono_version")]
extern crate other_chrono as chrono;
#[cfg(feature = "glam_version")]
extern crate other_glam as glam;
#[cfg(feature = "indexmap_version")]
extern crate other_indexmap as indexmap;
#[cfg(feature = "serde_json_version")]
extern crate other_serde_json as serde_json;
#[cfg(feature = "smallvec_version")]
extern crate other_smallvec as smallvec;
#[cfg(feature = "uuid_version")]
extern crate other_uuid as uuid;

#[path = "../../bag.rs"]
mod bag;

use bag::{Bag, Carry, Porter};
#[cfg(feature = "chrono_version")]
use chrono::UTC as Utc;
#[cfg(not(feature = "chrono_version"))]
use chrono::Utc;

struct Mine;

impl Carry for Mine {
    fn carry(mut bag: Bag) -> Bag {
        bag.place.x += 1.0;
        bag.name = uuid::Uuid::from_u128(bag.name.as_u128() + 1);
        bag.note = serde_json::Value::Array(vec![bag.note]);
        // More than there is room for in the bag itself.
        bag.coins.extend([7; 10]);
        bag.things.insert("a shell".to_owned(), 2);
        bag
    }
}

replug_plugin::export!(Mine: Porter);
