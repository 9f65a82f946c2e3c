//! A declaration as text, written by the compiler. One fact a line, so that two texts can be compared by people.

use crate::facts::FACTS;
use crate::layouts::LAYOUTS;
use crate::offer::Offer;
use crate::shape::{Field, Function, Layout, Shape, are_ordinary};

/// The first line of every handshake. It says that the text is a handshake, and which rules the rest follows.
pub const FORMAT: &str = "replug handshake 2";

/// The version of this crate. A handshake names it, and a host compares it with that of its own.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Text of at most `N` bytes. Bytes that do not fit are counted and not kept, so that a first run finds out the
/// length. Written in its place: to move a long text at each word takes the compiler many seconds.
#[derive(Debug, Clone, Copy)]
pub struct Text<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Text<N> {
    pub(crate) const fn new() -> Text<N> {
        Text {
            bytes: [0; N],
            len: 0,
        }
    }

    /// The length of all that was written, in bytes, whether it fitted or not.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing was written.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The text that was written.
    ///
    /// # Panics
    ///
    /// If the text is not `N` bytes long.
    pub const fn as_str(&self) -> &str {
        assert!(self.len == N, "text of another length than was counted");
        match std::str::from_utf8(&self.bytes) {
            Ok(text) => text,
            Err(_) => panic!("text is put together of whole texts"),
        }
    }

    pub(crate) const fn put(&mut self, text: &str) -> &mut Text<N> {
        let mut at = 0;
        // The first run only counts.
        while N > 0 && at < text.len() && self.len + at < N {
            self.bytes[self.len + at] = text.as_bytes()[at];
            at += 1;
        }
        self.len += text.len();
        self
    }

    pub(crate) const fn number(&mut self, number: usize) -> &mut Text<N> {
        const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
        let text = match number / 10 {
            0 => self,
            more => self.number(more),
        };
        text.put(DIGITS[number % 10])
    }

    const fn shape(&mut self, shape: &Shape) -> &mut Text<N> {
        match shape {
            Shape::Scalar(name) => self.put(name),
            Shape::Array(of, count) => self.put("[").shape(of).put("; ").number(*count).put("]"),
            // A struct can have any name, that of a number too: without the word, two layouts could have one text.
            Shape::Struct(layout) => self.put("struct ").put(layout.name),
            Shape::Ref(of) => self.put("&").shape(of),
            Shape::RefMut(of) => self.put("&mut ").shape(of),
            Shape::Slice(of) => self.put("&[").shape(of).put("]"),
            Shape::SliceMut(of) => self.put("&mut [").shape(of).put("]"),
            Shape::Ordinary(name, []) => self.put(name),
            Shape::Ordinary(name, of) => self.put(name).put("<").shapes(of).put(">"),
            Shape::Tuple([one]) => self.put("(").shape(one).put(",)"),
            Shape::Tuple(of) => self.put("(").shapes(of).put(")"),
            Shape::Moved(of) => self.shape(of),
            Shape::Offer(offer) => self.put("dyn ").put(offer.name),
        }
    }

    const fn shapes(&mut self, shapes: &[Shape]) -> &mut Text<N> {
        let mut text = self;
        let mut at = 0;
        while at < shapes.len() {
            text = text.put(if at == 0 { "" } else { ", " }).shape(&shapes[at]);
            at += 1;
        }
        text
    }

    /// Writes the line of the struct that `shape` leads to, and the lines of the structs in it.
    const fn layouts(&mut self, shape: &Shape) -> &mut Text<N> {
        match shape {
            Shape::Scalar(_) => self,
            // What an ordinary type consists of, a line of its own says; these are what it is made for.
            Shape::Ordinary(_, of) | Shape::Tuple(of) => {
                let mut text = self;
                let mut at = 0;
                while at < of.len() {
                    text = text.layouts(&of[at]);
                    at += 1;
                }
                text
            }
            Shape::Moved(of)
            | Shape::Array(of, _)
            | Shape::Ref(of)
            | Shape::RefMut(of)
            | Shape::Slice(of)
            | Shape::SliceMut(of) => self.layouts(of),
            Shape::Struct(layout) => self.layout(layout),
            Shape::Offer(offer) => self.offer(offer),
        }
    }

    /// Writes the line of what a host offers, and the lines of the structs in it.
    const fn offer(&mut self, offer: &Offer) -> &mut Text<N> {
        let mut text = self.put("host ").put(offer.name).put(" {");
        let mut at = 0;
        while at < offer.functions.len() {
            let (is_mut, function) = &offer.functions[at];
            text = text
                .put(if at == 0 { " " } else { "; " })
                .put(function.name);
            text = text.put(if *is_mut { "(&mut self" } else { "(&self" });
            text = match function.takes {
                [] => text,
                takes => text.put(", ").shapes(takes),
            };
            text = text.put(") -> ").shape(&function.returns);
            at += 1;
        }
        text = text.put(" }\n");
        at = 0;
        while at < offer.functions.len() {
            let function = &offer.functions[at].1;
            let mut taken = 0;
            while taken < function.takes.len() {
                text = text.layouts(&function.takes[taken]);
                taken += 1;
            }
            text = text.layouts(&function.returns);
            at += 1;
        }
        text
    }

    const fn layout(&mut self, layout: &Layout) -> &mut Text<N> {
        let text = self.put("type ").put(layout.name).put(" size ");
        let text = text.number(layout.size).put(" align ").number(layout.align);
        let mut text = text.put(" {");
        let mut at = 0;
        while at < layout.fields.len() {
            let Field {
                name,
                offset,
                shape,
            } = &layout.fields[at];
            text = text.put(if at == 0 { " " } else { ", " }).put(name);
            text = text.put(": ").shape(shape).put(" at ").number(*offset);
            at += 1;
        }
        text = text.put(" }\n");
        at = 0;
        while at < layout.fields.len() {
            text = text.layouts(&layout.fields[at].shape);
            at += 1;
        }
        text
    }

    const fn function(&mut self, function: &Function) -> &mut Text<N> {
        let text = self.put("fn ").put(function.name).put("(");
        let text = text.shapes(function.takes).put(") -> ");
        let mut text = text.shape(&function.returns).put("\n");
        let mut at = 0;
        while at < function.takes.len() {
            text = text.layouts(&function.takes[at]);
            at += 1;
        }
        text.layouts(&function.returns)
    }

    /// Writes a declaration.
    pub const fn declaration(name: &str, version: u32, functions: &[Function]) -> Text<N> {
        let mut text = Text::new();
        text.put("interface ").put(name).put(" version ");
        text.number(version as usize).put("\n");
        if are_ordinary(functions) {
            text.put(LEVEL);
        }
        let mut at = 0;
        while at < functions.len() {
            text.function(&functions[at]);
            at += 1;
        }
        text
    }

    const fn handshake(declaration: &str, panics: &str) -> Text<N> {
        let mut text = Text::new();
        text.put(FORMAT)
            .put("\nreplug-plugin ")
            .put(VERSION)
            .put("\nrustc ")
            .put(env!("REPLUG_RUSTC"))
            .put("\ntarget ")
            .put(env!("REPLUG_TARGET"))
            .put("\npanic ")
            .put(panics)
            .put("\n")
            .put(LAYOUTS);
        if is_ordinary(declaration) {
            text.put(FACTS);
        }
        text.put(declaration).put("\0");
        text
    }
}

/// The line of a declaration at the rust level. The plain level has none.
pub const LEVEL: &str = "level rust\n";

/// Whether a declaration is at the rust level.
pub const fn is_ordinary(declaration: &str) -> bool {
    let (text, line) = (declaration.as_bytes(), LEVEL.as_bytes());
    // It is the second line.
    let mut at = 0;
    while at < text.len() && text[at] != b'\n' {
        at += 1;
    }
    let mut same = 0;
    while same < line.len() && at + 1 + same < text.len() && text[at + 1 + same] == line[same] {
        same += 1;
    }
    same == line.len()
}

/// The length of the handshake of a plugin that implements `declaration`.
pub const fn handshake_len(declaration: &str, panics: &str) -> usize {
    Text::<0>::handshake(declaration, panics).len()
}

/// The handshake itself, with a NUL at its end.
pub const fn handshake_text<const N: usize>(declaration: &str, panics: &str) -> [u8; N] {
    Text::<N>::handshake(declaration, panics).bytes
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// The longest text that is compared, in bytes; a longer one is passed over.
    const LONGEST: usize = 600;

    /// A source of numbers that look like chance, the same in each run (xorshift64).
    struct Chance(u64);

    impl Chance {
        fn below(&mut self, end: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 >> 33) as usize % end
        }

        fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
            of[self.below(of.len())]
        }

        /// A shape out of so few that many declarations have equal texts. Structs have the names of numbers too, and
        /// two of one name lie differently.
        fn shape(&mut self, depth: usize) -> Shape {
            match self.below(if depth == 0 { 2 } else { 10 }) {
                0 => Shape::Scalar(self.one_of(&["u32", "Sink"])),
                1..4 => Shape::Struct(self.layout(depth)),
                4 => Shape::Array(Box::leak(Box::new(self.shape(depth - 1))), self.below(2)),
                5 => Shape::Ref(Box::leak(Box::new(self.shape(depth - 1)))),
                6 => Shape::RefMut(Box::leak(Box::new(self.shape(depth - 1)))),
                7 => Shape::Ordinary("Vec", vec![self.shape(depth - 1)].leak()),
                8 => Shape::Tuple(vec![self.shape(depth - 1), self.shape(0)].leak()),
                _ => Shape::Slice(Box::leak(Box::new(self.shape(depth - 1)))),
            }
        }

        fn layout(&mut self, depth: usize) -> &'static Layout {
            let count = if depth == 0 { 0 } else { 1 + self.below(2) };
            let fields = (0..count).map(|number| Field {
                name: ["a", "b"][number],
                offset: 4 * number,
                shape: self.shape(depth - 1),
            });
            let fields: Vec<_> = fields.collect();
            Box::leak(Box::new(Layout {
                name: self.one_of(&["u32", "A", "Sink"]),
                size: self.one_of(&[4, 8]),
                align: 4,
                fields: fields.leak(),
            }))
        }

        fn functions(&mut self) -> &'static [Function] {
            let names = &["f", "g"][..1 + self.below(2)];
            let functions = names.iter().map(|name| {
                let takes: Vec<_> = (0..self.below(3)).map(|_| self.shape(2)).collect();
                Function {
                    name,
                    takes: takes.leak(),
                    returns: Shape::Scalar("()"),
                }
            });
            functions.collect::<Vec<_>>().leak()
        }
    }

    #[test]
    fn declarations_with_equal_texts_have_equal_layouts() {
        let mut chance = Chance(0x5eed);
        let mut layouts: HashMap<Vec<u8>, String> = HashMap::new();
        let mut equal = 0;
        for _ in 0..20_000 {
            let functions = chance.functions();
            let text = Text::<LONGEST>::declaration("I", 1, functions);
            let Some(written) = text.bytes.get(..text.len) else {
                continue;
            };
            // All that there is to a declaration: names, sizes, places, and what is a struct and what is a number.
            let layout = format!("{functions:?}");
            match layouts.get(written) {
                Some(other) => {
                    let told = String::from_utf8_lossy(written);
                    assert_eq!(*other, layout, "two declarations, one text: {told}");
                    equal += 1;
                }
                None => drop(layouts.insert(written.to_vec(), layout)),
            }
        }
        assert!(equal > 1000, "only {equal} of the texts were equal");
        assert!(layouts.len() > 1000, "only {} texts", layouts.len());
    }
}
