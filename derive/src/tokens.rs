//! Tokens, with a look ahead. A fragment of `macro_rules!` arrives in a group that nobody sees; it is opened where the
//! grammar is read, and stays one token where it is a type or a value.

use std::collections::VecDeque;

use proc_macro::{Delimiter, Group, Span, TokenStream, TokenTree};

pub(crate) struct Tokens(VecDeque<TokenTree>);

impl Tokens {
    pub(crate) fn of(stream: TokenStream) -> Tokens {
        Tokens(stream.into_iter().collect())
    }

    pub(crate) fn peek(&self) -> Option<&TokenTree> {
        self.0.front()
    }

    pub(crate) fn next(&mut self) -> Option<TokenTree> {
        self.0.pop_front()
    }

    /// Where an error about what comes next points at.
    pub(crate) fn span(&self) -> Span {
        self.peek().map_or(Span::call_site(), TokenTree::span)
    }

    /// Opens the groups nobody sees that come next, if what is first in them is wanted here.
    pub(crate) fn open(&mut self, is_wanted: impl Fn(Option<&TokenTree>) -> bool) {
        while let Some(group) = self.peek().and_then(unseen) {
            let inside = group.stream();
            if !is_wanted(flat(inside.clone()).first()) {
                return;
            }
            self.next();
            for token in inside.into_iter().collect::<Vec<_>>().into_iter().rev() {
                self.0.push_front(token);
            }
        }
    }

    /// Whether this word comes next.
    pub(crate) fn is_word(&self, wanted: &str) -> bool {
        is_word(self.peek(), wanted)
    }

    pub(crate) fn is_punct(&self, wanted: char) -> bool {
        is_punct(self.peek(), wanted)
    }

    /// The tokens that are left.
    pub(crate) fn rest(self) -> Vec<TokenTree> {
        self.0.into()
    }
}

pub(crate) fn is_punct(token: Option<&TokenTree>, wanted: char) -> bool {
    matches!(token, Some(TokenTree::Punct(it)) if it.as_char() == wanted)
}

pub(crate) fn is_word(token: Option<&TokenTree>, wanted: &str) -> bool {
    matches!(token, Some(TokenTree::Ident(it)) if it.to_string() == wanted)
}

/// A name without the mark of a raw one, which changes nothing.
pub(crate) fn plain(name: &str) -> &str {
    name.strip_prefix("r#").unwrap_or(name)
}

fn unseen(token: &TokenTree) -> Option<&Group> {
    match token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::None => Some(group),
        _ => None,
    }
}

/// The tokens, with all groups that nobody sees opened.
pub(crate) fn flat(stream: TokenStream) -> Vec<TokenTree> {
    let mut found = Vec::new();
    for token in stream {
        match token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::None => {
                found.extend(flat(group.stream()));
            }
            TokenTree::Group(group) => {
                let inside = flat(group.stream()).into_iter().collect();
                let mut opened = Group::new(group.delimiter(), inside);
                opened.set_span(group.span());
                found.push(opened.into());
            }
            other => found.push(other),
        }
    }
    found
}

/// Whether a name is anywhere in the tokens.
pub(crate) fn mentions(stream: &TokenStream, name: &str) -> bool {
    stream.clone().into_iter().any(|token| match token {
        TokenTree::Ident(it) => plain(&it.to_string()) == name,
        TokenTree::Group(group) => mentions(&group.stream(), name),
        _ => false,
    })
}

/// A type as a person writes it. The compiler prints a space around each sign of it.
pub(crate) fn spelled(printed: &str) -> String {
    fn is_word(it: char) -> bool {
        it.is_alphanumeric() || it == '_'
    }
    let mut spelled = String::new();
    for token in printed.split_whitespace() {
        let is_apart = spelled.ends_with(is_word) && token.starts_with(is_word)
            || spelled.ends_with([',', ';', '=', '+'])
            || spelled.ends_with("->")
            || token.starts_with(['=', '+'])
            || token.starts_with("->");
        if is_apart {
            spelled.push(' ');
        }
        spelled.push_str(token);
    }
    spelled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_spelled_as_a_person_writes_it() {
        for (printed, spelt) in [
            ("Vec3", "Vec3"),
            ("DateTime < Utc >", "DateTime<Utc>"),
            ("IndexMap < String, u32 >", "IndexMap<String, u32>"),
            ("SmallVec < [u8 ; 4] >", "SmallVec<[u8; 4]>"),
            (":: glam :: Vec3", "::glam::Vec3"),
            ("Cow < 'static , str >", "Cow<'static, str>"),
            ("Box < dyn Value + Send >", "Box<dyn Value + Send>"),
            ("fn (u8) -> (u8 , u8)", "fn(u8) -> (u8, u8)"),
        ] {
            assert_eq!(spelled(printed), spelt);
        }
    }
}
