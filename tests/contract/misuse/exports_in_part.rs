//! Exports a plugin at the rust level without the host's allocator, so that each side would free what the other has made.

replug_plugin::interface! {
    pub interface Words, plugin trait Split, version 1 {
        fn split(text: &str) -> Vec<String>;
    }
}

struct Mine;

impl Split for Mine {
    fn split(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }
}

replug_plugin::export!(@ Mine, Words, [], []);

fn main() {}
