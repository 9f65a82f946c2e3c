//! The lines of types, as they stand in a library's file or in this program: what each type consists of. Pure; any
//! bytes may come, and those that are no line are passed over.

use std::any::TypeId;
use std::collections::HashMap;
use std::mem::{offset_of, size_of};

use replug_plugin::__private::{Head, Kind, Line, LineField, MAGIC, id_bytes};
use replug_plugin::shown::is_hidden;

/// The identity of a type within one library.
pub(crate) type Id = [u8; 16];

/// The most lines that are read of a library. A large one has some thousand.
const MOST_LINES: usize = 1 << 16;

/// The most bytes that all lines of a library take together, many times what a large one has, with those that turn out to
/// be none. Lines can overlap in a file that was made for it, so the file's own length is no bound.
const MOST_BYTES: usize = 64 << 20;

/// The longest fact of a line, in bytes. It holds a name, and goes into messages.
const LONGEST_FACT: usize = 1024;

/// The most facts of a line, fields and numbers of each kind: many times what a person writes down for one type.
const MOST_FACTS: usize = 4096;

/// The line of one type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TypeLine {
    pub(super) kind: u32,
    /// The size, the alignment, and the size of an `Option` of the type, in bytes.
    pub(super) layout: [u64; 3],
    /// The types and places of the fields.
    pub(super) fields: Vec<(Id, u64)>,
    pub(super) numbers: Vec<[u64; 2]>,
    pub(super) text: String,
}

/// The lines of a library, by the identities that types have in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Lines {
    lines: HashMap<Id, TypeLine>,
    /// The bytes of all lines that were read, or tried.
    bytes: usize,
    /// Whether one type had two lines that say different things, or there was too much of them.
    is_torn: bool,
}

impl Lines {
    /// The lines that can be reached from one, each made by the function that leads to it.
    pub(crate) fn of(root: fn() -> Line) -> (Id, Lines) {
        let mut lines = Lines::default();
        let line = root();
        let id = line.head.map(|head| id_bytes(head.id)).unwrap_or_default();
        let mut waiting = vec![line];
        while let Some(line) = waiting.pop() {
            let Some(head) = line.head else { continue };
            let is_new = !lines.lines.contains_key(&id_bytes(head.id));
            lines.add(id_bytes(head.id), TypeLine::of(head, line));
            if is_new && !lines.is_torn {
                waiting.extend(line.fields.iter().map(|field| (field.line)()));
            }
        }
        (id, lines)
    }

    pub(super) fn get(&self, id: &Id) -> Option<&TypeLine> {
        self.lines.get(id).filter(|_| !self.is_torn)
    }

    /// The lines of one kind. None if the lines cannot be believed.
    pub(super) fn of_kind(&self, kind: Kind) -> impl Iterator<Item = (&Id, &TypeLine)> {
        let is_of_kind = move |(_, line): &(&Id, &TypeLine)| line.kind == kind as u32;
        self.lines
            .iter()
            .filter(|_| !self.is_torn)
            .filter(is_of_kind)
    }

    /// The lines of interfaces with this text.
    pub(super) fn interfaces(&self, text: &str) -> Vec<Id> {
        let is_named = |line: &TypeLine| line.kind == Kind::Interface as u32 && line.text == text;
        let found = self.lines.iter().filter(|(_, line)| is_named(line));
        found.map(|(id, _)| *id).collect()
    }

    /// Adds the lines in a part of a file, which is mapped to `address`.
    pub(crate) fn scan(&mut self, part: &[u8], address: u64) {
        // A line begins where its head can lie in memory.
        let step = align_of::<Head>();
        let past = (address % step as u64) as usize;
        let mut at = (step - past) % step;
        while let Some(start) = part.get(at..).filter(|rest| rest.len() >= MAGIC.len()) {
            if start.starts_with(&MAGIC)
                && !self.is_torn
                && let Some(span) = Span::of(start)
                && span.end <= MOST_BYTES - self.bytes
            {
                self.bytes += span.end;
                if let Some((id, line)) = TypeLine::read(start, &span) {
                    self.add(id, line);
                }
            }
            at += step;
        }
    }

    /// Lines that a test has thought of.
    #[cfg(all(test, target_os = "linux"))]
    pub(super) fn made_of<const N: usize>(all: [(Id, TypeLine); N]) -> Lines {
        let mut lines = Lines::default();
        all.into_iter().for_each(|(id, line)| lines.add(id, line));
        lines
    }

    fn add(&mut self, id: Id, line: TypeLine) {
        if self.lines.len() >= MOST_LINES {
            self.is_torn = true;
            return;
        }
        let known = self.lines.entry(id).or_insert_with(|| line.clone());
        // A library that is put together of several parts has some lines several times.
        self.is_torn |= !known.says_the_same(&line);
    }
}

impl TypeLine {
    fn of(head: &Head, line: Line) -> TypeLine {
        let field = |field: &LineField| (id_bytes(field.id), field.offset);
        TypeLine {
            kind: head.kind,
            layout: [head.size, head.align, head.optional],
            fields: line.fields.iter().map(field).collect(),
            numbers: line.numbers.to_vec(),
            text: str::from_utf8(line.text).unwrap_or_default().to_owned(),
        }
    }

    /// Whether two lines about one type agree. A type of another crate is what it is, whatever way it is spelled where somebody
    /// vouches for it.
    fn says_the_same(&self, other: &TypeLine) -> bool {
        let are_foreign = [self, other]
            .iter()
            .all(|it| it.kind == Kind::Foreign as u32);
        match are_foreign {
            true => self.layout == other.layout,
            false => self == other,
        }
    }

    /// Reads a line at the beginning of some bytes.
    fn read(bytes: &[u8], span: &Span) -> Option<(Id, TypeLine)> {
        let number = |at| number(bytes, at);
        let text = str::from_utf8(&bytes[span.text..span.end]).ok()?;
        // Names go to a terminal.
        let is_long = text.lines().any(|fact| fact.len() > LONGEST_FACT);
        let is_many = text.lines().nth(MOST_FACTS).is_some();
        if is_long || is_many || text.contains(|it| is_hidden(it) && it != '\n') {
            return None;
        }
        let field = |at: usize| {
            let at = Span::BEGIN + at * size_of::<LineField>();
            let id = array(bytes, at + offset_of!(LineField, id))?;
            Some((id, number(at + offset_of!(LineField, offset))?))
        };
        let pair = |at: usize| {
            let at = span.numbers + at * 16;
            Some([number(at)?, number(at + 8)?])
        };
        const { assert!(size_of::<TypeId>() == size_of::<Id>()) };
        let line = TypeLine {
            kind: count(bytes, offset_of!(Head, kind))? as u32,
            layout: [
                number(offset_of!(Head, size))?,
                number(offset_of!(Head, align))?,
                number(offset_of!(Head, optional))?,
            ],
            fields: (0..span.fields_count).map(field).collect::<Option<_>>()?,
            numbers: (0..span.numbers_count).map(pair).collect::<Option<_>>()?,
            text: text.to_owned(),
        };
        Some((array(bytes, offset_of!(Head, id))?, line))
    }
}

/// Where the parts of a line are, behind the beginning of its head. The parts follow each other, each where it can lie in
/// memory.
struct Span {
    fields_count: usize,
    numbers: usize,
    numbers_count: usize,
    text: usize,
    end: usize,
}

impl Span {
    /// Where the fields begin.
    const BEGIN: usize = size_of::<Head>().next_multiple_of(align_of::<LineField>());

    /// The span of a line at the beginning of some bytes, if they are as many and the line is not too long for one.
    fn of(bytes: &[u8]) -> Option<Span> {
        let fields_count = count(bytes, offset_of!(Head, fields))?;
        let numbers_count = count(bytes, offset_of!(Head, numbers))?;
        let len = count(bytes, offset_of!(Head, text))?;
        let most_text = MOST_FACTS * (LONGEST_FACT + 1);
        if fields_count > MOST_FACTS || numbers_count > MOST_FACTS || len > most_text {
            return None;
        }
        let fields_end = Span::BEGIN + fields_count * size_of::<LineField>();
        let numbers = fields_end.next_multiple_of(align_of::<u64>());
        let text = numbers + numbers_count * 16;
        let end = text + len;
        (end <= bytes.len()).then_some(Span {
            fields_count,
            numbers,
            numbers_count,
            text,
            end,
        })
    }
}

fn count(bytes: &[u8], at: usize) -> Option<usize> {
    Some(u32::from_ne_bytes(array(bytes, at)?) as usize)
}

fn number(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(array(bytes, at)?))
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use replug_plugin::Shared;

    #[derive(replug_derive::Shared)]
    #[allow(dead_code)]
    struct World {
        names: Vec<String>,
        within: Option<Box<World>>,
    }

    /// The lines of the types of `World`, as they stand in this program's own file.
    fn of_file() -> Lines {
        let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let mut lines = Lines::default();
        lines.scan(&program, 0);
        lines
    }

    #[test]
    fn a_line_in_the_file_says_what_the_program_says() {
        let (root, known) = Lines::of(World::replug_line);
        let found = of_file();
        assert!(!found.is_torn);
        assert!(known.lines.len() >= 5, "{known:?}");
        assert_eq!(
            known.get(&root).unwrap().text,
            "struct World\nfield names\nfield within\n"
        );
        for (id, line) in &known.lines {
            assert_eq!(found.get(id), Some(line));
        }
    }

    /// A line as it stands in a file, with this many fields, and this text.
    fn written(fields: u32, text: &str) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.resize(offset_of!(Head, kind), 1);
        for number in [Kind::Own as u32, fields, 0, text.len() as u32] {
            bytes.extend(number.to_ne_bytes());
        }
        bytes.resize(bytes.len() + fields as usize * size_of::<LineField>(), 2);
        bytes.extend(text.as_bytes());
        bytes
    }

    fn scanned(bytes: &[u8]) -> Lines {
        let mut lines = Lines::default();
        lines.scan(bytes, 0);
        lines
    }

    #[test]
    fn a_line_is_whole_or_none() {
        let whole = written(2, "struct World\nfield one\nfield other\n");
        assert_eq!(scanned(&whole).lines.len(), 1);
        for len in 0..whole.len() {
            assert_eq!(scanned(&whole[..len]), Lines::default(), "{len}");
        }
        for claimed in [3, 1 << 20, u32::MAX] {
            let mut more = whole.clone();
            let at = offset_of!(Head, fields);
            more[at..at + 4].copy_from_slice(&u32::to_ne_bytes(claimed));
            assert_eq!(scanned(&more), Lines::default(), "{claimed}");
        }
    }

    #[test]
    fn a_name_that_would_move_a_terminal_or_fill_it_is_no_name() {
        for name in ["\u{1b}[2J", "\u{202e}", &"x".repeat(LONGEST_FACT)] {
            let line = written(0, &format!("struct {name}\n"));
            assert!(scanned(&line).lines.is_empty(), "{name}");
        }
    }

    #[test]
    fn what_is_tried_and_is_no_line_takes_room_too() {
        // The last character is hidden, so each has to be read to its end.
        let fact = format!("field {}\n", "x".repeat(LONGEST_FACT - 10));
        let hidden = written(0, &(fact.repeat(MOST_FACTS - 1) + "\u{202e}"));
        let tries = MOST_BYTES / hidden.len();
        let mut lines = Lines::default();
        for _ in 0..tries + 2 {
            lines.scan(&hidden, 0);
        }
        assert_eq!(lines.bytes, tries * hidden.len());
        assert!(lines.lines.is_empty());
    }

    #[test]
    fn a_line_has_no_more_facts_than_there_is_room_for() {
        let most = MOST_FACTS as u32;
        assert_eq!(scanned(&written(most, "")).lines.len(), 1);
        assert_eq!(scanned(&written(most + 1, "")), Lines::default());
        let text = |facts| written(0, &"f\n".repeat(facts));
        assert_eq!(scanned(&text(MOST_FACTS)).lines.len(), 1);
        assert!(scanned(&text(MOST_FACTS + 1)).lines.is_empty());
        let mut numbers = written(0, "");
        let at = offset_of!(Head, numbers);
        numbers[at..at + 4].copy_from_slice(&(most + 1).to_ne_bytes());
        numbers.resize(numbers.len() + 16 * (MOST_FACTS + 1), 0);
        assert_eq!(scanned(&numbers), Lines::default());
    }

    #[test]
    fn lines_that_overlap_take_no_more_than_there_is_room_for() {
        let mut bytes = Vec::new();
        // Each line claims all that follows for its fields.
        let count = 2000_u32;
        let size = offset_of!(Head, kind) + 16;
        for number in 0..count {
            let mut line = written(0, "");
            let at = offset_of!(Head, id);
            line[at..at + 4].copy_from_slice(&number.to_ne_bytes());
            let left = (count - number - 1) as usize * size / size_of::<LineField>();
            let left = left.min(MOST_FACTS);
            let at = offset_of!(Head, fields);
            line[at..at + 4].copy_from_slice(&(left as u32).to_ne_bytes());
            bytes.extend(line);
        }
        let lines = scanned(&bytes);
        assert!(
            lines.bytes <= MOST_BYTES && lines.lines.len() > 100,
            "{}",
            lines.bytes
        );
        assert!(lines.lines.len() < count as usize, "nothing was left out");
    }

    #[test]
    fn a_type_with_two_lines_that_differ_has_none() {
        let [one, other] =
            ["struct World\nfield one\n", "struct World\nfield other\n"].map(|it| written(1, it));
        let id = [1; 16];
        assert!(scanned(&one).get(&id).is_some());
        let mut twice = one.clone();
        twice.resize(one.len().next_multiple_of(8), 0);
        let both = [&twice, &other[..]].concat();
        assert!(scanned(&both).get(&id).is_none());
        assert!(scanned(&[&twice, &one[..]].concat()).get(&id).is_some());
    }
}
