//! The text of a declaration. A function names the structs and host traits that it uses; each of these is written out once,
//! behind the first function that leads to it.

use crate::offer::Offer;
use crate::shape::{Field, Function, Layout, Shape, are_ordinary, is_same};
use crate::text::{LEVEL, Text};

/// The most structs and host traits of one declaration.
const MOST: usize = 1024;

/// A struct or a host trait, to which a text refers by its name.
#[derive(Clone, Copy)]
enum Definition {
    /// A place for one.
    None,
    Struct(&'static Layout),
    Offer(&'static Offer),
}

impl Definition {
    const fn name(&self) -> &'static str {
        match self {
            Definition::None => "",
            Definition::Struct(layout) => layout.name,
            Definition::Offer(offer) => offer.name,
        }
    }

    /// Whether the two are of one kind and one name, as two structs in different modules can be.
    const fn is_namesake(&self, other: &Definition) -> bool {
        let is_one_kind = matches!(
            (self, other),
            (Definition::Struct(_), Definition::Struct(_))
                | (Definition::Offer(_), Definition::Offer(_))
        );
        is_one_kind && is_same(self.name(), other.name())
    }

    const fn text(&self) -> &'static str {
        match self {
            Definition::None => "",
            Definition::Struct(layout) => layout.text,
            Definition::Offer(offer) => offer.text,
        }
    }
}

/// A text in progress, with the definitions that it refers to. Their references are written before they are, so those that are
/// to be written wait in a row.
struct Writer<const N: usize> {
    text: Text<N>,
    /// Each with its number among those of its name, from 1.
    definitions: [(Definition, usize); MOST],
    count: usize,
    /// How many of them are written out.
    written: usize,
}

impl<const N: usize> Writer<N> {
    const fn new() -> Writer<N> {
        Writer {
            text: Text::new(),
            definitions: [(Definition::None, 0); MOST],
            count: 0,
            written: 0,
        }
    }

    const fn put(&mut self, text: &str) -> &mut Writer<N> {
        self.text.put(text);
        self
    }

    const fn number(&mut self, number: usize) -> &mut Writer<N> {
        self.text.number(number);
        self
    }

    const fn shape(&mut self, shape: &Shape) -> &mut Writer<N> {
        match shape {
            Shape::Scalar(name) => self.put(name),
            Shape::Array(of, count) => self.put("[").shape(of).put("; ").number(*count).put("]"),
            // A struct can have any name, that of a number too: without the word, two layouts could have one text.
            Shape::Struct(layout) => self.put("struct ").refer(Definition::Struct(layout)),
            Shape::Ref(of) => self.put("&").shape(of),
            Shape::RefMut(of) => self.put("&mut ").shape(of),
            Shape::Slice(of) => self.put("&[").shape(of).put("]"),
            Shape::SliceMut(of) => self.put("&mut [").shape(of).put("]"),
            // What an ordinary type consists of, a line of its own says; these are what it is made for.
            Shape::Ordinary(name, []) => self.put(name),
            Shape::Ordinary(name, of) => self.put(name).put("<").shapes(of).put(">"),
            Shape::Tuple([one]) => self.put("(").shape(one).put(",)"),
            Shape::Tuple(of) => self.put("(").shapes(of).put(")"),
            Shape::Moved(of) => self.shape(of),
            Shape::Offer(offer) => self.put("dyn ").refer(Definition::Offer(offer)),
        }
    }

    const fn shapes(&mut self, shapes: &[Shape]) -> &mut Writer<N> {
        let mut at = 0;
        while at < shapes.len() {
            self.put(if at == 0 { "" } else { ", " }).shape(&shapes[at]);
            at += 1;
        }
        self
    }

    /// Writes the name of a definition, and takes note of the definition if it is new.
    const fn refer(&mut self, to: Definition) -> &mut Writer<N> {
        let (mut at, mut number) = (0, 0);
        while at < self.count {
            let (known, known_number) = self.definitions[at];
            if known.is_namesake(&to) {
                number = known_number;
                if is_same(known.text(), to.text()) {
                    return self.name(&to, number);
                }
            }
            at += 1;
        }
        assert!(
            self.count < MOST,
            "a declaration has 1024 different structs and host traits at most"
        );
        self.definitions[self.count] = (to, number + 1);
        self.count += 1;
        self.name(&to, number + 1)
    }

    /// Writes a name. Of several definitions with one name, all but the first have a number too; no name of Rust has this sign
    /// before a number.
    const fn name(&mut self, of: &Definition, number: usize) -> &mut Writer<N> {
        self.put(of.name());
        if number > 1 {
            self.put("#").number(number);
        }
        self
    }

    /// Writes out the definitions that nothing was written of yet, and those that they lead to.
    const fn define(&mut self) {
        while self.written < self.count {
            let (definition, number) = self.definitions[self.written];
            self.written += 1;
            match definition {
                Definition::None => {}
                Definition::Struct(layout) => {
                    self.put("type ").name(&definition, number).layout(layout);
                }
                Definition::Offer(offer) => {
                    self.put("host ").name(&definition, number).offer(offer);
                }
            }
        }
    }

    const fn layout(&mut self, layout: &Layout) {
        self.put(" size ").number(layout.size);
        self.put(" align ").number(layout.align).put(" {");
        let mut at = 0;
        while at < layout.fields.len() {
            let Field {
                name,
                offset,
                shape,
            } = &layout.fields[at];
            self.put(if at == 0 { " " } else { ", " }).put(name);
            self.put(": ").shape(shape).put(" at ").number(*offset);
            at += 1;
        }
        self.put(" }\n");
    }

    const fn offer(&mut self, offer: &Offer) {
        self.put(" {");
        let mut at = 0;
        while at < offer.functions.len() {
            let (is_mut, function) = &offer.functions[at];
            self.put(if at == 0 { " " } else { "; " })
                .put(function.name);
            self.put(if *is_mut { "(&mut self" } else { "(&self" });
            if !function.takes.is_empty() {
                self.put(", ").shapes(function.takes);
            }
            self.put(") -> ").shape(&function.returns);
            at += 1;
        }
        self.put(" }\n");
    }
}

impl<const N: usize> Text<N> {
    /// Writes out one struct or host trait, and the definitions that it leads to. Two with equal texts are one.
    pub const fn definition(of: &Shape) -> Text<N> {
        let mut writer = Writer::new();
        writer.shape(of).put("\n");
        writer.define();
        writer.text
    }

    /// Writes a declaration.
    pub const fn declaration(name: &str, version: u32, functions: &[Function]) -> Text<N> {
        let mut writer = Writer::new();
        writer.put("interface ").put(name).put(" version ");
        writer.number(version as usize).put("\n");
        if are_ordinary(functions) {
            writer.put(LEVEL);
        }
        let mut at = 0;
        while at < functions.len() {
            let function = &functions[at];
            writer.put("fn ").put(function.name).put("(");
            writer.shapes(function.takes).put(") -> ");
            writer.shape(&function.returns).put("\n");
            // Functions that are added later leave all before them as it is.
            writer.define();
            at += 1;
        }
        writer.text
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// The longest text that is compared, in bytes; a longer one is passed over.
    const LONGEST: usize = 600;

    /// A source of numbers that look like chance, the same in each run (xorshift64).
    struct Chance(u64);

    /// What a macro writes down beside a definition.
    fn definition(of: Shape) -> &'static str {
        let text = Text::<20_000>::definition(&of);
        let written = text.written().expect("it is not that long");
        Box::leak(Box::from(written))
    }

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
            match self.below(if depth == 0 { 2 } else { 11 }) {
                0 => Shape::Scalar(self.one_of(&["u32", "Sink"])),
                1..4 => Shape::Struct(self.layout(depth)),
                4 => Shape::Array(Box::leak(Box::new(self.shape(depth - 1))), self.below(2)),
                5 => Shape::Ref(Box::leak(Box::new(self.shape(depth - 1)))),
                6 => Shape::RefMut(Box::leak(Box::new(self.shape(depth - 1)))),
                7 => Shape::Ordinary("Vec", vec![self.shape(depth - 1)].leak()),
                8 => Shape::Tuple(vec![self.shape(depth - 1), self.shape(0)].leak()),
                9 => Shape::Offer(self.offer(depth)),
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
            let mut made = Layout {
                name: self.one_of(&["u32", "A", "Sink"]),
                size: self.one_of(&[4, 8]),
                align: 4,
                fields: fields.leak(),
                text: "",
            };
            let unwritten = Box::leak(Box::new(Layout { ..made }));
            made.text = definition(Shape::Struct(unwritten));
            Box::leak(Box::new(made))
        }

        fn offer(&mut self, depth: usize) -> &'static Offer {
            let functions = (0..1 + self.below(2)).map(|number| {
                let takes = vec![self.shape(depth - 1)].leak();
                let function = Function {
                    name: ["f", "g"][number],
                    takes,
                    returns: Shape::Scalar("()"),
                };
                (self.below(2) == 0, function)
            });
            let functions: Vec<_> = functions.collect();
            let mut made = Offer {
                name: self.one_of(&["A", "Sink"]),
                functions: functions.leak(),
                text: "",
            };
            let unwritten = Box::leak(Box::new(Offer { ..made }));
            made.text = definition(Shape::Offer(unwritten));
            Box::leak(Box::new(made))
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
        let mut layouts: HashMap<String, String> = HashMap::new();
        let mut equal = 0;
        for _ in 0..20_000 {
            let functions = chance.functions();
            let text = Text::<LONGEST>::declaration("I", 1, functions);
            let Some(written) = text.written() else {
                continue;
            };
            // All that there is to a declaration: names, sizes, places, and what is a struct and what is a number.
            let layout = format!("{functions:?}");
            match layouts.get(written) {
                Some(other) => {
                    assert_eq!(*other, layout, "two declarations, one text: {written}");
                    equal += 1;
                }
                None => drop(layouts.insert(written.to_owned(), layout)),
            }
        }
        assert!(equal > 1000, "only {equal} of the texts were equal");
        assert!(layouts.len() > 1000, "only {} texts", layouts.len());
    }

    mod other {
        crate::shared! {
            /// Not the other one.
            pub(super) struct World {
                seed: u64,
            }
        }

        crate::interface! {
            pub(super) interface Unused, plugin trait Use, version 1 {
                fn touch(world: &mut World);
            }
            /// Not the other one.
            host trait Engine {
                fn log(&self, world: &World);
            }
        }
    }

    crate::shared! {
        struct World {
            frames: u32,
        }
    }

    crate::shared! {
        struct Both {
            one: World,
            other: other::World,
        }
    }

    crate::interface! {
        interface Rules, plugin trait Play, version 1 {
            fn first(both: &Both, engine: &mut dyn Engine);
            fn second(engine: &mut dyn Engine, other: &mut dyn other::Engine);
            fn third(one: World, other: &[other::World], other_engine: &dyn other::Engine);
        }
        host trait Engine {
            fn log(&mut self, world: &World) -> u8;
            fn other(&self, engine: &dyn other::Engine);
        }
    }

    #[test]
    fn each_struct_and_host_trait_is_written_once_and_of_one_name_each_has_its_number() {
        let said = <Rules as crate::Interface>::DECLARATION;
        let expected = "interface Rules version 1\n\
            fn first(&struct Both, &mut dyn Engine) -> ()\n\
            type Both size 16 align 8 { one: struct World at 0, other: struct World#2 at 8 }\n\
            host Engine { log(&mut self, &struct World) -> u8; other(&self, &dyn Engine#2) -> () }\n\
            type World size 4 align 4 { frames: u32 at 0 }\n\
            type World#2 size 8 align 8 { seed: u64 at 0 }\n\
            host Engine#2 { log(&self, &struct World#2) -> () }\n\
            fn second(&mut dyn Engine, &mut dyn Engine#2) -> ()\n\
            fn third(struct World, &[struct World#2], &dyn Engine#2) -> ()\n";
        assert_eq!(said, expected);
    }
}
