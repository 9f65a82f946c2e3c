//! The screen of a terminal: what is shown after a text with escape sequences was written. Pure.

/// The way a character looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) is_bold: bool,
    /// One of the sixteen colours of terminals.
    pub(crate) colour: Option<u8>,
}

/// A line of characters, each with its look.
pub(crate) type Line = Vec<(char, Look)>;

/// The rows that are shown, from the top.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Screen {
    pub(crate) rows: Vec<Line>,
}

/// A terminal that is written to.
struct Writer {
    lines: Vec<Line>,
    columns: usize,
    column: usize,
    look: Look,
}

impl Screen {
    /// The last rows of a terminal of this size.
    pub(crate) fn of(text: &str, rows: usize, columns: usize) -> Screen {
        let mut writer = Writer {
            lines: vec![Line::new()],
            columns,
            column: 0,
            look: Look::default(),
        };
        let mut ahead = text.chars();
        while let Some(character) = ahead.next() {
            match character {
                '\x1b' => writer.obey(&mut ahead),
                '\r' => writer.column = 0,
                '\n' => writer.begin_line(),
                character => writer.put(character),
            }
        }
        let above = writer.lines.len().saturating_sub(rows);
        Screen {
            rows: writer.lines.split_off(above),
        }
    }
}

impl Writer {
    fn line(&mut self) -> &mut Line {
        self.lines.last_mut().expect("there is a line always")
    }

    fn begin_line(&mut self) {
        self.lines.push(Line::new());
        self.column = 0;
    }

    fn put(&mut self, character: char) {
        if self.column == self.columns {
            self.begin_line();
        }
        let (column, look) = (self.column, self.look);
        let line = self.line();
        line.resize(line.len().max(column + 1), (' ', Look::default()));
        line[column] = (character, look);
        self.column += 1;
    }

    /// Does what a sequence says that begins with `[`, and ends with a letter. The others are not known.
    fn obey(&mut self, ahead: &mut std::str::Chars<'_>) {
        if ahead.next() != Some('[') {
            return;
        }
        let mut words = String::new();
        for character in ahead {
            match character {
                'm' => return self.take_look(&words),
                'K' if words == "2" => return self.line().clear(),
                // The place where the cursor goes is the top here: it goes there after the screen is cleared.
                'H' if words.is_empty() => return self.column = 0,
                'J' if words == "2" => return self.lines = vec![Line::new()],
                character if character.is_ascii_alphabetic() => return,
                character => words.push(character),
            }
        }
    }

    fn take_look(&mut self, words: &str) {
        let mut numbers = words.split(';').map(|word| word.parse().unwrap_or(0));
        while let Some(number) = numbers.next() {
            match number {
                0 => self.look = Look::default(),
                1 => self.look.is_bold = true,
                22 => self.look.is_bold = false,
                30..=37 => self.look.colour = Some(number - 30),
                90..=97 => self.look.colour = Some(number - 90 + 8),
                39 => self.look.colour = None,
                // A colour by its number, of which the first sixteen are those above.
                38 if numbers.next() == Some(5) => {
                    self.look.colour = numbers.next().filter(|it| *it < 16)
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Vec<String> {
        let screen = Screen::of(text, 3, 5);
        let text = |line: &Line| line.iter().map(|(character, _)| *character).collect();
        screen.rows.iter().map(text).collect()
    }

    #[test]
    fn a_line_is_written_over_cleared_broken_and_scrolls_away() {
        for (text, shown) in [
            ("abc\rx", &["xbc"][..]),
            ("abc\r\x1b[2Kx", &["x"]),
            ("abcdefg", &["abcde", "fg"]),
            ("1\r\n2\r\n3\r\n4", &["2", "3", "4"]),
            ("1\r\n2\x1b[2J\x1b[H3", &["3"]),
            ("a\x1b[?25lb\x1b", &["ab"]),
        ] {
            assert_eq!(rows(text), shown, "{text:?}");
        }
    }

    #[test]
    fn a_character_has_the_look_that_was_chosen_before_it() {
        let screen = Screen::of(
            "\x1b[1m\x1b[38;5;9ma\x1b[0mb\x1b[32mc\x1b[39md\x1b[94me\x1b[mf",
            1,
            80,
        );
        let looks: Vec<_> = screen.rows[0]
            .iter()
            .map(|(_, look)| (look.is_bold, look.colour))
            .collect();
        let wanted = [
            (true, Some(9)),
            (false, None),
            (false, Some(2)),
            (false, None),
            (false, Some(12)),
            (false, None),
        ];
        assert_eq!(looks, wanted);
    }
}
