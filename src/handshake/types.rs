//! The comparison of types by their lines, the host's and the plugin's: types of one's own by their definitions, those
//! of the standard library by what they are made for, those of other crates by their identity. Pure.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use replug_plugin::__private::Kind;

use super::lines::{Id, Lines, TypeLine};

/// How deep a type is written out in a message: `Vec<Option<Entity>>` is three deep.
const DEPTH: usize = 8;

/// How long a type is written out in a message, in bytes, but for what was begun.
const SPELLED: usize = 256;

/// How many fields and variants of one type are written out for people.
const NAMED_FIELDS: usize = 64;

/// The most differences that are kept, many more than are told. A file can be made to have millions.
pub(super) const MOST_FOUND: usize = 16;

/// One difference between a type of a plugin and the same type of its host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TypeDifference {
    /// Only one of the two has this field.
    #[error("`{of}`: field `{field}` is in {}", Only(*is_in_plugin))]
    Field {
        /// The type, or the variant of a type.
        of: String,
        /// The field and its type.
        field: String,
        /// Whether the plugin has the field; otherwise the host has it.
        is_in_plugin: bool,
    },
    /// A field has different types.
    #[error("`{of}`: field `{field}` is `{plugin}` in the plugin, `{host}` in this host")]
    FieldType {
        /// The type, or the variant of a type.
        of: String,
        /// The field.
        field: String,
        /// The field's type in the plugin.
        plugin: String,
        /// The field's type in the host.
        host: String,
    },
    /// A type is made for different types, or a constant of it has another type.
    #[error(
        "`{of}`: its parameter `{parameter}` is `{plugin}` in the plugin, `{host}` in this host"
    )]
    Parameter {
        /// The type.
        of: String,
        /// The parameter.
        parameter: String,
        /// What the plugin has in its place; of a constant, its type.
        plugin: String,
        /// What the host has in its place; of a constant, its type.
        host: String,
    },
    /// What a function takes or returns has different types, though they have one name.
    #[error("`{of}`: an argument or a result is `{plugin}` in the plugin, `{host}` in this host")]
    Argument {
        /// The interface, or what the host offers.
        of: String,
        /// The type in the plugin.
        plugin: String,
        /// The type in the host.
        host: String,
    },
    /// The fields or variants stand in another order.
    #[error(
        "`{of}`: its {what} stand in another order: {plugin} in the plugin, {host} in this host"
    )]
    Order {
        /// The type, or the variant of a type.
        of: String,
        /// Fields or variants.
        what: &'static str,
        /// Their names in the plugin.
        plugin: String,
        /// Their names in the host.
        host: String,
    },
    /// Only one of the two has this variant.
    #[error("`{of}`: variant `{variant}` is in {}", Only(*is_in_plugin))]
    Variant {
        /// The enum.
        of: String,
        /// The variant.
        variant: String,
        /// Whether the plugin has the variant; otherwise the host has it.
        is_in_plugin: bool,
    },
    /// A variant has different discriminants.
    #[error("`{of}`: variant `{variant}` is {plugin} in the plugin, {host} in this host")]
    Discriminant {
        /// The enum.
        of: String,
        /// The variant.
        variant: String,
        /// The value in the plugin.
        plugin: String,
        /// The value in the host.
        host: String,
    },
    /// The type is declared with another word or attribute.
    #[error("`{of}`: it is {plugin} in the plugin, {host} in this host")]
    Form {
        /// The type.
        of: String,
        /// How the plugin has it.
        plugin: String,
        /// How the host has it.
        host: String,
    },
    /// The definitions are equal, and the type lies in memory in different ways.
    #[error(
        "`{0}`: it lies differently in memory, though it is defined alike; build both with the same compiler and flags"
    )]
    Layout(String),
    /// A type of another crate is not the same on both sides.
    #[error(
        "`{name}`: it comes from another build of its crate: another version, other features or another profile{}",
        Sizes(*plugin, *host)
    )]
    Foreign {
        /// The type.
        name: String,
        /// The type's size in the plugin, in bytes.
        plugin: u64,
        /// The type's size in the host, in bytes.
        host: u64,
    },
    /// The plugin has another standard library than its host.
    #[error("`{0}`: it is a type of another standard library; build both with one toolchain")]
    Std(String),
    /// The plugin does not say what this type consists of.
    #[error("`{0}`: the plugin does not say what it consists of; build it again")]
    Unsaid(String),
}

struct Only(bool);

impl fmt::Display for Only {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            true => "the plugin, not in this host",
            false => "this host, not in the plugin",
        })
    }
}

struct Sizes(u64, u64);

impl fmt::Display for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 == self.1 {
            true => f.write_str("; build both with one command: `cargo build -p host -p plugin`"),
            false => write!(
                f,
                "; {} bytes in the plugin, {} in this host",
                self.0, self.1
            ),
        }
    }
}

/// Compares all types that can be reached from an interface: the host's, and the plugin's by its lines in a file. If
/// `additions` are welcome, the plugin's interface may have more functions behind the host's.
pub(super) fn compare_found(
    root: Id,
    host: &Lines,
    plugin: &Lines,
    additions: bool,
) -> Vec<TypeDifference> {
    let Some(interface) = host.get(&root) else {
        return vec![TypeDifference::Unsaid("the interface".to_owned())];
    };
    // A library can have several interfaces of one name, and its handshake is that of one of them.
    let candidates = plugin.interfaces(&interface.text);
    if candidates.is_empty() {
        return vec![TypeDifference::Unsaid(interface_name(interface).to_owned())];
    }
    let found = candidates
        .into_iter()
        .map(|other| compare(root, host, other, plugin, additions));
    found
        .into_iter()
        .find(|found| !found.is_empty())
        .unwrap_or_default()
}

/// Compares all types that can be reached from one interface of the host and one of the plugin.
pub(super) fn compare(
    root: Id,
    host: &Lines,
    other: Id,
    plugin: &Lines,
    additions: bool,
) -> Vec<TypeDifference> {
    let mut comparison = Comparison {
        host,
        plugin,
        seen: HashSet::new(),
        waiting: Vec::new(),
        found: Vec::new(),
        moved: Vec::new(),
    };
    match (host.get(&root), plugin.get(&other)) {
        (Some(one), Some(other)) => comparison.interface(one, other, additions),
        _ => comparison.tell(TypeDifference::Unsaid("the interface".to_owned())),
    }
    comparison.finish()
}

fn interface_name(line: &TypeLine) -> &str {
    let name = line.text.split_once(' ').map_or("", |(_, name)| name);
    name.trim_end()
}

/// A comparison that is going on.
struct Comparison<'a> {
    host: &'a Lines,
    plugin: &'a Lines,
    /// The pairs that were compared, or will be: a type of the host and one of the plugin.
    seen: HashSet<(Id, Id)>,
    waiting: Vec<(Id, Id)>,
    found: Vec<TypeDifference>,
    /// Types that lie differently, for which there may be a better reason elsewhere.
    moved: Vec<TypeDifference>,
}

impl<'a> Comparison<'a> {
    fn interface(&mut self, host: &TypeLine, plugin: &TypeLine, additions: bool) {
        let of = interface_name(host);
        if host.kind != plugin.kind || host.text != plugin.text {
            self.tell(TypeDifference::Unsaid(of.to_owned()));
            return;
        }
        let counts = (host.fields.len(), plugin.fields.len());
        if counts.0 > counts.1 || counts.0 < counts.1 && !additions {
            self.tell(TypeDifference::Unsaid(of.to_owned()));
            return;
        }
        for ((host, _), (plugin, _)) in host.fields.iter().zip(&plugin.fields) {
            self.member(of, None, *host, *plugin);
        }
    }

    fn finish(mut self) -> Vec<TypeDifference> {
        while self.found.len() < MOST_FOUND
            && let Some((host, plugin)) = self.waiting.pop()
        {
            match (self.host.get(&host), self.plugin.get(&plugin)) {
                (Some(one), Some(other)) => self.pair((host, one), (plugin, other)),
                (_, None) => {
                    let name = spelled(self.host, &host, DEPTH);
                    self.tell(TypeDifference::Unsaid(name));
                }
                (None, _) => {
                    let name = spelled(self.plugin, &plugin, DEPTH);
                    self.tell(TypeDifference::Unsaid(name));
                }
            }
        }
        // A type that changes moves all that it is in: only the cause is told.
        match self.found.is_empty() {
            true => self.moved,
            false => self.found,
        }
    }

    fn tell(&mut self, difference: TypeDifference) {
        keep(&mut self.found, difference);
    }

    /// Compares one part of both: what is spelled differently is told here, and the rest is compared later.
    fn member(&mut self, of: &str, field: Option<&str>, host: Id, plugin: Id) {
        let told = spelled(self.host, &host, DEPTH);
        let found = spelled(self.plugin, &plugin, DEPTH);
        if told != found {
            let (of, plugin, host) = (of.to_owned(), found, told);
            self.tell(match field.map(str::to_owned) {
                Some(field) => TypeDifference::FieldType {
                    of,
                    field,
                    plugin,
                    host,
                },
                None => TypeDifference::Argument { of, plugin, host },
            });
        } else if self.seen.insert((host, plugin)) {
            self.waiting.push((host, plugin));
        }
    }

    fn pair(
        &mut self,
        (host_id, host): (Id, &'a TypeLine),
        (plugin_id, plugin): (Id, &'a TypeLine),
    ) {
        let name = || spelled(self.host, &host_id, DEPTH);
        if host.kind != plugin.kind {
            self.tell(TypeDifference::Form {
                of: name(),
                plugin: kind_of(plugin).to_owned(),
                host: kind_of(host).to_owned(),
            });
            return;
        }
        // What a host offers.
        if host.kind == Kind::Interface as u32 {
            self.interface(host, plugin, false);
            return;
        }
        if host.kind == Kind::Foreign as u32 {
            // By its identity, whatever way it is spelled.
            if host_id != plugin_id || host.layout != plugin.layout {
                self.tell(TypeDifference::Foreign {
                    name: name(),
                    plugin: plugin.layout[0],
                    host: host.layout[0],
                });
            }
            return;
        }
        if host.kind == Kind::Std as u32 {
            // What is made for nothing is one type on both sides, if both have one standard library.
            let is_single = host.fields.is_empty() && host_id != plugin_id;
            let is_other = host.text != plugin.text
                || host.numbers != plugin.numbers
                || host.fields.len() != plugin.fields.len();
            if is_single || is_other {
                self.tell(TypeDifference::Std(name()));
                return;
            }
            for ((host, _), (plugin, _)) in host.fields.iter().zip(&plugin.fields) {
                // Equal spellings: nothing is told, and all of it is compared.
                self.member("", None, *host, *plugin);
            }
        } else {
            let definitions = Definition::of(host).zip(Definition::of(plugin));
            let Some((one, other)) = definitions else {
                self.tell(TypeDifference::Unsaid(name()));
                return;
            };
            let before = self.found.len();
            self.definition(&one, &other);
            let is_told = self.found.len() > before;
            if !is_told && (host.text != plugin.text || host.numbers != plugin.numbers) {
                self.tell(TypeDifference::Unsaid(one.name.to_owned()));
            }
        }
        let places = |line: &TypeLine| line.fields.iter().map(|it| it.1).collect::<Vec<_>>();
        if host.layout != plugin.layout || places(host) != places(plugin) {
            let name = spelled(self.host, &host_id, DEPTH);
            keep(&mut self.moved, TypeDifference::Layout(name));
        }
    }

    fn definition(&mut self, host: &Definition<'a>, plugin: &Definition<'a>) {
        let of = host.name;
        for (one, other) in [(host.word, plugin.word), (host.repr, plugin.repr)] {
            if one != other {
                self.tell(TypeDifference::Form {
                    of: of.to_owned(),
                    plugin: form(other),
                    host: form(one),
                });
                return;
            }
        }
        self.parameters(host, plugin);
        let names = |it: &Definition<'a>| it.variants.iter().map(|it| it.name).collect::<Vec<_>>();
        let (hosts, plugins) = (names(host), names(plugin));
        for (is_in_plugin, those, others) in [(true, &plugins, &hosts), (false, &hosts, &plugins)] {
            for name in those.iter().filter(|it| !others.contains(it)) {
                self.tell(TypeDifference::Variant {
                    of: of.to_owned(),
                    variant: (*name).to_owned(),
                    is_in_plugin,
                });
            }
        }
        self.order(of, "variants", &hosts, &plugins);
        let is_alike = hosts == plugins;
        for (at, variant) in host.variants.iter().enumerate() {
            let other = match is_alike {
                true => plugin.variants.get(at),
                false => plugin.variants.iter().find(|it| it.name == variant.name),
            };
            if let Some(other) = other {
                self.variant(host, variant, other);
            }
        }
    }

    fn variant(&mut self, of: &Definition<'a>, host: &Variant<'a>, plugin: &Variant<'a>) {
        if host.discriminant != plugin.discriminant {
            self.tell(TypeDifference::Discriminant {
                of: of.name.to_owned(),
                variant: host.name.to_owned(),
                plugin: value(plugin.discriminant),
                host: value(host.discriminant),
            });
        }
        let of = match of.word {
            "enum" => format!("{}::{}", of.name, host.name),
            _ => of.name.to_owned(),
        };
        self.fields(&of, &host.fields, &plugin.fields);
    }

    /// Compares what a type is made for: the types in the place of its parameters, and the types of its constants.
    fn parameters(&mut self, host: &Definition<'a>, plugin: &Definition<'a>) {
        let names = |it: &Definition<'a>| {
            let names = it.parameters.iter().map(|(name, _)| *name);
            names.collect::<Vec<_>>().join(", ")
        };
        let (one, other) = (names(host), names(plugin));
        if one != other {
            self.tell(TypeDifference::Form {
                of: host.name.to_owned(),
                plugin: format!("made for <{other}>"),
                host: format!("made for <{one}>"),
            });
            return;
        }
        for ((name, id), (_, other)) in host.parameters.iter().zip(&plugin.parameters) {
            let told = spelled(self.host, id, DEPTH);
            let found = spelled(self.plugin, other, DEPTH);
            if told != found {
                self.tell(TypeDifference::Parameter {
                    of: host.name.to_owned(),
                    parameter: (*name).to_owned(),
                    plugin: found,
                    host: told,
                });
            } else if self.seen.insert((*id, *other)) {
                self.waiting.push((*id, *other));
            }
        }
    }

    fn fields(&mut self, of: &str, host: &[(&'a str, Id)], plugin: &[(&'a str, Id)]) {
        let names = |it: &[(&'a str, Id)]| it.iter().map(|it| it.0).collect::<Vec<_>>();
        let (hosts, plugins) = (names(host), names(plugin));
        for (is_in_plugin, lines, those, others) in [
            (true, self.plugin, plugin, &hosts),
            (false, self.host, host, &plugins),
        ] {
            for (name, id) in those.iter().filter(|(name, _)| !others.contains(name)) {
                self.tell(TypeDifference::Field {
                    of: of.to_owned(),
                    field: format!("{name}: {}", spelled(lines, id, DEPTH)),
                    is_in_plugin,
                });
            }
        }
        self.order(of, "fields", &hosts, &plugins);
        // Equal names stand in one order, and there can be two of one spelling, which macros made.
        if hosts == plugins {
            for ((name, id), (_, other)) in host.iter().zip(plugin) {
                self.member(of, Some(name), *id, *other);
            }
            return;
        }
        for (name, id) in host {
            if let Some((_, other)) = plugin.iter().find(|(it, _)| it == name) {
                self.member(of, Some(name), *id, *other);
            }
        }
    }

    /// Tells of another order of the same names.
    fn order(&mut self, of: &str, what: &'static str, host: &[&str], plugin: &[&str]) {
        let is_same_set = host.len() == plugin.len() && host.iter().all(|it| plugin.contains(it));
        if is_same_set && host != plugin {
            self.tell(TypeDifference::Order {
                of: of.to_owned(),
                what,
                plugin: plugin.join(", "),
                host: host.join(", "),
            });
        }
    }
}

/// Keeps one more difference, if there is room for it.
fn keep(kept: &mut Vec<TypeDifference>, difference: TypeDifference) {
    if kept.len() < MOST_FOUND {
        kept.push(difference);
    }
}

fn kind_of(line: &TypeLine) -> &'static str {
    match line.kind {
        it if it == Kind::Std as u32 => "a type of the standard library",
        it if it == Kind::Foreign as u32 => "a type of another crate",
        _ => "a type of one's own",
    }
}

fn form(word: &str) -> String {
    match word {
        "" => "without `repr`".to_owned(),
        "struct" => "a struct".to_owned(),
        "enum" => "an enum".to_owned(),
        repr => format!("`repr({repr})`"),
    }
}

fn value(discriminant: Option<[u64; 2]>) -> String {
    match discriminant {
        None => "without a value".to_owned(),
        Some([low, high]) => {
            let value = u128::from(high) << 64 | u128::from(low);
            value.cast_signed().to_string()
        }
    }
}

/// The types of somebody's own among some lines, each by its name with its definition as a person writes it: of each field
/// or variant its name and what it holds. Not more than `most`.
pub(super) fn described(lines: &Lines, most: usize) -> BTreeMap<String, String> {
    let own = lines.of_kind(Kind::Own).take(most);
    let found = own.filter_map(|(id, line)| {
        let definition = Definition::of(line)?;
        let [size, align, _] = line.layout;
        let variants = definition.variants.iter().take(NAMED_FIELDS);
        let told: Vec<_> = variants.map(|it| it.described(lines)).collect();
        let word = definition.word;
        let told = format!("{word} size {size} align {align} {{ {} }}", told.join(", "));
        Some((spelled(lines, id, DEPTH), told))
    });
    found.collect()
}

/// The name of a type, and what it is made for, as a person writes it.
fn spelled(lines: &Lines, id: &Id, depth: usize) -> String {
    let mut told = String::new();
    spell(&mut told, lines, id, depth);
    told
}

fn spell(told: &mut String, lines: &Lines, id: &Id, depth: usize) {
    let Some(line) = lines.get(id) else {
        told.push_str("a type that nobody describes");
        return;
    };
    if line.kind != Kind::Std as u32 {
        let name = line.text.lines().next().unwrap_or_default();
        told.push_str(name.split_once(' ').map_or(name, |(_, name)| name));
        spell_parameters(told, lines, line, depth);
        return;
    }
    let name = line.text.as_str();
    let (begin, end) = match name {
        "tuple" => ("(".to_owned(), ")".to_owned()),
        "array" => {
            let len = line.numbers.first().map_or(0, |it| it[0]);
            ("[".to_owned(), format!("; {len}]"))
        }
        _ if line.fields.is_empty() => (name.to_owned(), String::new()),
        _ => (format!("{name}<"), ">".to_owned()),
    };
    told.push_str(&begin);
    for (number, (field, _)) in line.fields.iter().enumerate() {
        if number > 0 {
            told.push_str(", ");
        }
        // Nobody reads more, and a file can be made to say a type that would never end.
        if depth == 0 || told.len() > SPELLED {
            told.push_str("..");
            break;
        }
        spell(told, lines, field, depth - 1);
    }
    told.push_str(&end);
}

/// What a type of one's own is made for: `<u16, 3>`.
fn spell_parameters(told: &mut String, lines: &Lines, line: &TypeLine, depth: usize) {
    let (mut fields, mut numbers) = (line.fields.iter(), line.numbers.iter());
    let mut separator = "<";
    for fact in line.text.lines().skip(1) {
        let is_const = match fact.split_once(' ') {
            Some(("repr", _)) => continue,
            Some(("parameter", _)) => false,
            Some(("const", _)) => true,
            _ => break,
        };
        let Some((id, _)) = fields.next() else { break };
        told.push_str(separator);
        separator = ", ";
        if depth == 0 || told.len() > SPELLED {
            told.push_str("..");
            break;
        }
        match is_const {
            true => *told += &constant(lines, id, numbers.next().copied()),
            false => spell(told, lines, id, depth - 1),
        }
    }
    if separator == ", " {
        told.push('>');
    }
}

/// A constant, as a person writes one of its type.
fn constant(lines: &Lines, of: &Id, number: Option<[u64; 2]>) -> String {
    let of = lines.get(of).map_or("", |it| it.text.as_str());
    let low = number.map_or(0, |it| it[0]);
    match of {
        "bool" => (low != 0).to_string(),
        "char" => {
            let found = u32::try_from(low).ok().and_then(char::from_u32);
            found.map_or_else(|| value(number), |it| format!("{it:?}"))
        }
        _ => value(number),
    }
}

/// The definition of a type of one's own.
struct Definition<'a> {
    word: &'a str,
    name: &'a str,
    repr: &'a str,
    /// The parameters: each with the type in its place, or, of a constant, the constant's type.
    parameters: Vec<(&'a str, Id)>,
    /// The variants; of a struct one, without a name.
    variants: Vec<Variant<'a>>,
}

#[derive(Default)]
struct Variant<'a> {
    name: &'a str,
    discriminant: Option<[u64; 2]>,
    fields: Vec<(&'a str, Id)>,
}

impl Variant<'_> {
    /// The variant, as a person writes it.
    fn described(&self, lines: &Lines) -> String {
        let is_tuple = self.fields.first().is_some_and(|(name, _)| *name == "0");
        let fields = self.fields.iter().take(NAMED_FIELDS);
        let fields = fields.map(|(name, id)| match is_tuple {
            true => spelled(lines, id, DEPTH),
            false => format!("{name}: {}", spelled(lines, id, DEPTH)),
        });
        let fields: Vec<_> = fields.collect();
        let fields = fields.join(", ");
        match (self.name, is_tuple) {
            (name, _) if fields.is_empty() => name.to_owned(),
            (name, true) => format!("{name}({fields})"),
            ("", false) => fields,
            (name, false) => format!("{name} {{ {fields} }}"),
        }
    }
}

impl<'a> Definition<'a> {
    /// Reads the text of a line; `None` if the text is not what the derive writes.
    fn of(line: &'a TypeLine) -> Option<Definition<'a>> {
        let mut text = line.text.lines();
        let (word, name) = text.next()?.split_once(' ')?;
        let mut fields = line.fields.iter();
        let mut numbers = line.numbers.iter();
        let mut definition = Definition {
            word,
            name,
            repr: "",
            parameters: Vec::new(),
            variants: Vec::new(),
        };
        if word == "struct" {
            definition.variants.push(Variant::default());
        }
        for line in text {
            let (fact, rest) = line.split_once(' ')?;
            match fact {
                "repr" => definition.repr = rest,
                "parameter" | "const" => {
                    let (id, _) = fields.next()?;
                    definition.parameters.push((rest, *id));
                    if fact == "const" {
                        numbers.next()?;
                    }
                }
                "variant" => {
                    let valued = rest.strip_suffix(" =");
                    definition.variants.push(Variant {
                        name: valued.unwrap_or(rest),
                        discriminant: valued.and_then(|_| numbers.next().copied()),
                        fields: Vec::new(),
                    });
                }
                "field" => {
                    let (id, _) = fields.next()?;
                    definition.variants.last_mut()?.fields.push((rest, *id));
                }
                _ => return None,
            }
        }
        (fields.next().is_none() && numbers.next().is_none()).then_some(definition)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests;
