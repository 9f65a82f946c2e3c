//! Random definitions and random edits, built by the compiler: no edit passes, and what is equal does.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use vocabulary::{built, cargo_build, target_tmp, workspace};

use super::*;

/// The pairs of declarations that are built, and of these the ones that are equal.
const PAIRS: usize = 40;
const EQUAL: usize = 8;

/// The types of each declaration.
const TYPES: usize = 4;

/// A source of numbers that look like chance, the same in each run (xorshift64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % end
    }

    fn one_of<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    /// A type of a field of the type of this number. A type holds itself and those before it behind a pointer only.
    fn of_field(&mut self, owner: usize, depth: usize) -> String {
        let inner = |it: &mut Chance| it.of_field(owner, depth.saturating_sub(1));
        match self.below(if depth == 0 { 6 } else { 13 }) {
            0..4 => self
                .one_of(&["u8", "u32", "i64", "f32", "bool", "char"])
                .to_owned(),
            4 => "String".to_owned(),
            5 if owner + 1 < TYPES => format!("T{}", owner + 1 + self.below(TYPES - owner - 1)),
            5 => "u16".to_owned(),
            6 => format!("Vec<T{}>", self.below(TYPES)),
            7 => format!("Option<Box<T{}>>", self.below(TYPES)),
            8 => format!("Vec<{}>", inner(self)),
            9 => format!("[{}; {}]", inner(self), 1 + self.below(3)),
            10 => format!("({}, {})", inner(self), inner(self)),
            11 => format!("HashMap<u32, {}>", inner(self)),
            _ => format!("Option<{}>", inner(self)),
        }
    }
}

#[derive(Clone, PartialEq)]
struct Type {
    name: String,
    repr: &'static str,
    is_enum: bool,
    /// Of a struct there is one.
    variants: Vec<Cases>,
}

/// A variant: its name, its discriminant, and its fields.
#[derive(Clone, PartialEq)]
struct Cases {
    name: String,
    value: Option<usize>,
    fields: Vec<(String, String)>,
}

fn random(chance: &mut Chance) -> Vec<Type> {
    let one = |number| {
        let is_enum = chance.below(2) == 0;
        let has_values = is_enum && chance.below(2) == 0;
        let count = if is_enum { 1 + chance.below(4) } else { 1 };
        let variant = |at| Cases {
            name: format!("V{at}"),
            value: has_values.then_some(10 * at),
            fields: (0..chance.below(4) + usize::from(!is_enum))
                .map(|field| (format!("f{field}"), chance.of_field(number, 2)))
                .collect(),
        };
        Type {
            name: format!("T{number}"),
            repr: if has_values { "u8" } else { "" },
            is_enum,
            variants: (0..count).map(variant).collect(),
        }
    };
    (0..TYPES).map(one).collect()
}

/// Changes one thing.
fn edit(chance: &mut Chance, types: &mut [Type]) {
    let number = chance.below(TYPES);
    let other = chance.of_field(number, 1);
    let it = &mut types[number];
    let count = it.variants.len();
    let variant = &mut it.variants[chance.below(count)];
    let fields = variant.fields.len();
    match chance.below(9) {
        0 if fields > 0 => variant.fields[chance.below(fields)].0 += "_renamed",
        1 if fields > 0 => variant.fields[chance.below(fields)].1 = other,
        2 if fields > 1 => variant.fields.swap(0, fields - 1),
        3 => variant
            .fields
            .insert(chance.below(fields + 1), ("more".to_owned(), other)),
        4 if fields > 1 => drop(variant.fields.pop()),
        5 if it.is_enum => variant.name += "Renamed",
        6 if it.is_enum && count > 1 => it.variants.swap(0, count - 1),
        7 => {
            it.repr = if it.repr.is_empty() && !it.is_enum {
                "C"
            } else {
                "u16"
            }
        }
        8 if variant.value.is_some() => variant.value = Some(5),
        _ => {}
    }
    if !it.is_enum && it.repr == "u16" {
        it.repr = "";
    }
}

/// A declaration, as a module with an interface that names all its types.
fn module(number: usize, types: &[Type]) -> String {
    let mut text = format!("mod m{number} {{\n    use super::*;\n");
    for it in types {
        if !it.repr.is_empty() {
            writeln!(text, "    #[repr({})]", it.repr).unwrap();
        }
        let word = if it.is_enum { "enum" } else { "struct" };
        writeln!(text, "    #[derive(Shared)]\n    pub {word} {} {{", it.name).unwrap();
        for variant in &it.variants {
            let fields = variant.fields.iter().map(|(name, of)| match it.is_enum {
                true => format!("{name}: {of}"),
                false => format!("pub {name}: {of}"),
            });
            let fields = fields.collect::<Vec<_>>().join(", ");
            let value = variant.value.map_or(String::new(), |it| format!(" = {it}"));
            match it.is_enum {
                true => writeln!(text, "        {} {{ {fields} }}{value},", variant.name).unwrap(),
                false => writeln!(text, "        {fields}").unwrap(),
            }
        }
        text += "    }\n";
    }
    write!(
        text,
        "    replug_plugin::interface! {{\n        pub interface I{number}, plugin trait P{number}, version 1 {{\n            \
        fn all(one: &mut T0, two: &T1, three: &[T2]) -> Option<Box<T3>>;\n        }}\n    }}\n}}\n"
    )
    .unwrap();
    text
}

fn crate_of(root: &Path, name: &str, declarations: &[Vec<Type>]) {
    let package = root.join(name);
    fs::create_dir_all(package.join("src")).unwrap();
    let path = |folder| workspace().join(folder);
    let manifest = format!(
        "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[lib]\ncrate-type = [\"cdylib\"]\n\n\
        [dependencies]\nreplug-plugin = {{ path = {:?} }}\nreplug-derive = {{ path = {:?} }}\n",
        path("plugin"),
        path("derive")
    );
    fs::write(package.join("Cargo.toml"), manifest).unwrap();
    let mut source =
        "#![allow(dead_code)]\nuse std::collections::HashMap;\nuse replug_derive::Shared;\n\n"
            .to_owned();
    for (number, types) in declarations.iter().enumerate() {
        source += &module(number, types);
    }
    let lines = (0..declarations.len())
        .map(|number| format!("    <m{number}::I{number} as replug_plugin::Interface>::LINE,\n"));
    let lines: String = lines.collect();
    write!(
        source,
        "#[used]\n#[unsafe(no_mangle)]\npub static LINES: [Option<fn() -> replug_plugin::__private::Line>; {}] = [\n{lines}];\n",
        declarations.len()
    )
    .unwrap();
    fs::write(package.join("src/lib.rs"), source).unwrap();
}

#[test]
fn no_edit_of_a_definition_passes_and_equal_definitions_do() {
    let mut chance = Chance(0x5eed_0020);
    let mut pairs = Vec::new();
    while pairs.len() < PAIRS {
        let host = random(&mut chance);
        let mut plugin = host.clone();
        if pairs.len() >= EQUAL {
            edit(&mut chance, &mut plugin);
            if plugin == host {
                continue;
            }
        }
        pairs.push((host, plugin));
    }
    let (hosts, plugins): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
    let root = target_tmp().join("definitions");
    crate_of(&root, "of_host", &hosts);
    crate_of(&root, "of_plugin", &plugins);
    let manifest = "[workspace]\nresolver = \"3\"\nmembers = [\"of_host\", \"of_plugin\"]\n";
    fs::write(root.join("Cargo.toml"), manifest).unwrap();
    let status = cargo_build()
        .args(["--quiet", "--offline"])
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .current_dir(&root)
        .arg("--target-dir")
        .arg(root.join("target"))
        .status();
    assert!(status.unwrap().success(), "the definitions do not compile");
    let lines = |name| {
        let library = fs::read(built(&root.join("target"), "debug").join(name)).unwrap();
        let mut lines = Lines::default();
        lines.scan(&library, 0);
        lines
    };
    let (host, plugin) = (lines("libof_host.so"), lines("libof_plugin.so"));
    for (number, (one, other)) in hosts.iter().zip(&plugins).enumerate() {
        let named = |lines: &Lines| lines.interfaces(&format!("interface I{number}\n"))[0];
        let found = compare(named(&host), &host, named(&plugin), &plugin, false);
        let told: Vec<_> = found.iter().map(ToString::to_string).collect();
        let texts = format!("{}\n{}", module(number, one), module(number, other));
        assert_eq!(found.is_empty(), one == other, "{told:?}\n{texts}");
        let is_named = |it: &TypeDifference| {
            !matches!(it, TypeDifference::Layout(_) | TypeDifference::Unsaid(_))
        };
        assert!(found.iter().all(is_named), "{told:?}\n{texts}");
    }
}

/// The lines of an interface that names one type of another crate, with this identity and size.
fn foreign(id: u8, size: u64) -> Lines {
    let interface = TypeLine {
        kind: Kind::Interface as u32,
        layout: [0, 1, 1],
        fields: vec![([id; 16], 0)],
        numbers: Vec::new(),
        text: "interface I\n".to_owned(),
    };
    let vector = TypeLine {
        kind: Kind::Foreign as u32,
        layout: [size, 4, size + 4],
        fields: Vec::new(),
        numbers: Vec::new(),
        text: "foreign glam::Vec3\n".to_owned(),
    };
    Lines::made_of([([0; 16], interface), ([id; 16], vector)])
}

#[test]
fn a_type_of_another_crate_is_one_by_its_identity_and_the_remedy_is_told() {
    let told = |plugin: &Lines| {
        let found = compare([0; 16], &foreign(1, 12), [0; 16], plugin, false);
        let told: Vec<_> = found.iter().map(ToString::to_string).collect();
        told.join("; ")
    };
    assert_eq!(told(&foreign(1, 12)), "");
    let another = "`glam::Vec3`: it comes from another build of its crate: another version, other features or another profile";
    let one_command = "; build both with one command: `cargo build -p host -p plugin`";
    assert_eq!(told(&foreign(2, 12)), format!("{another}{one_command}"));
    let sizes = "; 16 bytes in the plugin, 12 in this host";
    assert_eq!(told(&foreign(2, 16)), format!("{another}{sizes}"));
    assert_eq!(told(&foreign(1, 16)), format!("{another}{sizes}"));
}

#[test]
fn a_type_of_another_crate_is_one_type_however_it_is_spelled() {
    let spelled = |as_what: &str| {
        let foreign = foreign(1, 12);
        let line = foreign.get(&[1; 16]).unwrap().clone();
        let text = format!("foreign {as_what}\n");
        TypeLine { text, ..line }
    };
    let interface = foreign(1, 12).get(&[0; 16]).unwrap().clone();
    let mixed = [
        ([0; 16], interface),
        ([1; 16], spelled("glam::Vec3")),
        ([1; 16], spelled("Vec3")),
    ];
    let mixed = Lines::made_of(mixed);
    for other in [&mixed, &foreign(1, 12)] {
        assert!(compare([0; 16], &mixed, [0; 16], other, false).is_empty());
        assert!(compare([0; 16], other, [0; 16], &mixed, false).is_empty());
    }
}

/// The lines of an interface that names one struct with this many fields.
fn wide(fields: usize) -> Lines {
    let line = |kind, fields, text| TypeLine {
        kind: kind as u32,
        layout: [0, 1, 1],
        fields,
        numbers: Vec::new(),
        text,
    };
    let facts = (0..fields).map(|it| format!("field f{it}\n"));
    let facts = "struct World\n".to_owned() + &facts.collect::<String>();
    let world = line(Kind::Own, vec![([2; 16], 0); fields], facts);
    let text = "interface I\n".to_owned();
    let interface = line(Kind::Interface, vec![([1; 16], 0)], text);
    Lines::made_of([([0; 16], interface), ([1; 16], world)])
}

#[test]
fn of_thousands_of_differences_the_first_are_kept() {
    let found = compare([0; 16], &wide(0), [0; 16], &wide(4000), false);
    assert_eq!(found.len(), MOST_FOUND);
}

/// A declaration of types with parameters, in a module of its own.
macro_rules! lengths {
    ($module:ident, $unit:ident, $of_const:ty, $constant:literal) => {
        mod $module {
            use replug_derive::Shared;

            pub(crate) trait Unit {
                type Raw: replug_plugin::Shared;
            }

            #[derive(Shared)]
            pub(crate) struct $unit;

            impl Unit for $unit {
                type Raw = f64;
            }

            #[derive(Shared)]
            pub(crate) struct Length<U: Unit> {
                pub(crate) raw: U::Raw,
            }

            #[derive(Shared)]
            pub(crate) struct Switch<const ON: $of_const>(pub(crate) u32);

            #[derive(Shared)]
            pub(crate) struct Held {
                pub(crate) length: Length<$unit>,
                pub(crate) switch: Switch<$constant>,
            }

            replug_plugin::interface! {
                pub(crate) interface Table, plugin trait Lay, version 1 {
                    fn lay(held: &Held);
                }
            }
        }
    };
}

lengths!(metres, Metres, u8, 1);
lengths!(also_metres, Metres, u8, 1);
lengths!(feet, Feet, u8, 1);
lengths!(switched, Metres, bool, true);

/// The differences between a host and a plugin, each by the line of its interface.
fn differences<Host, Plugin>() -> Vec<String>
where
    Host: replug_plugin::Interface,
    Plugin: replug_plugin::Interface,
{
    let (root, host) = Lines::of(Host::LINE.unwrap());
    let (other, plugin) = Lines::of(Plugin::LINE.unwrap());
    let found = compare(root, &host, other, &plugin, false);
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn types_that_consist_of_the_same_are_two_if_they_are_made_for_two() {
    use metres::Table;
    assert_eq!(differences::<Table, also_metres::Table>(), [""; 0]);
    assert_eq!(
        differences::<Table, feet::Table>(),
        ["`Held`: field `length` is `Length<Feet>` in the plugin, `Length<Metres>` in this host"]
    );
    assert_eq!(
        differences::<Table, switched::Table>(),
        ["`Held`: field `switch` is `Switch<true>` in the plugin, `Switch<1>` in this host"]
    );
}

/// The lines of an interface that takes one type of one's own.
fn own(text: &str, fields: &[u8], numbers: usize) -> Lines {
    let line = |kind: Kind, fields: &[u8], numbers, text: &str| TypeLine {
        kind: kind as u32,
        layout: [16, 8, 16],
        fields: fields.iter().map(|it| ([*it; 16], 0)).collect(),
        numbers: vec![[1, 0]; numbers],
        text: text.to_owned(),
    };
    Lines::made_of([
        ([0; 16], line(Kind::Interface, &[1], 0, "interface I\n")),
        ([1; 16], line(Kind::Own, fields, numbers, text)),
        ([2; 16], line(Kind::Std, &[], 0, "u8")),
        ([3; 16], line(Kind::Std, &[], 0, "i8")),
    ])
}

fn told(host: &Lines, plugin: &Lines) -> String {
    let found = compare([0; 16], host, [0; 16], plugin, false);
    let told: Vec<_> = found.iter().map(ToString::to_string).collect();
    told.join("; ")
}

#[test]
fn of_two_fields_of_one_spelling_each_is_compared() {
    let twins = "struct Twins\nfield x\nfield x\n";
    let of = |fields: &[u8]| own(twins, fields, 0);
    assert_eq!(told(&of(&[2, 3]), &of(&[2, 3])), "");
    let differs = "`Twins`: field `x` is `u8` in the plugin, `i8` in this host";
    assert_eq!(told(&of(&[2, 3]), &of(&[2, 2])), differs);
    let enumeration = |second| {
        let text = "enum Twins\nvariant X\nfield 0\nvariant X\nfield 0\n";
        own(text, &[2, second], 0)
    };
    let differs = "`Twins::X`: field `0` is `u8` in the plugin, `i8` in this host";
    assert_eq!(told(&enumeration(3), &enumeration(3)), "");
    assert_eq!(told(&enumeration(3), &enumeration(2)), differs);
}

#[test]
fn a_parameter_has_its_own_words_where_no_name_of_the_type_shows_it() {
    let of = |name: &str, of: u8| own(&format!("struct Switch\nconst {name}\n"), &[of], 1);
    let another_type = "`Switch`: its parameter `ON` is `i8` in the plugin, `u8` in this host";
    assert_eq!(told(&of("ON", 2), &of("ON", 2)), "");
    assert_eq!(told(&of("ON", 2), &of("ON", 3)), another_type);
    let another_name = "`Switch`: it is made for <OFF> in the plugin, made for <ON> in this host";
    assert_eq!(told(&of("ON", 2), &of("OFF", 2)), another_name);
    // A text that says more than there is says nothing.
    let cut = own("struct Switch\nconst ON\n", &[], 0);
    assert_ne!(told(&of("ON", 2), &cut), "");
}
