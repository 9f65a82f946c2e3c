//! The attributes of a type, its variants and its fields.

use proc_macro::{Delimiter, Ident, Span, TokenTree};

use crate::read::Wrong;
use crate::tokens::{Tokens, flat, is_punct, is_word, plain};

/// Attributes of the compiler's that change nothing but what is read here. A macro of such a name is ambiguous, and does not
/// compile; that cannot be said of `serde`, nor of `derive`.
const INERT: &[&str] = &[
    "doc",
    "allow",
    "expect",
    "warn",
    "deny",
    "forbid",
    "repr",
    "must_use",
    "non_exhaustive",
    "automatically_derived",
    "deprecated",
    "shared",
    "cfg",
    "cfg_attr",
];

/// How `replug-plugin` may be called.
const CRATES: &[&str] = &["replug_plugin", "replug"];

/// An attribute: `repr(C)`.
pub(crate) struct Attribute {
    /// Its path, whose names are without `r#`.
    path: String,
    /// What follows the path.
    rest: Vec<TokenTree>,
    span: Span,
}

/// What the attributes of a type say.
pub(crate) struct Said {
    /// The name by which the user knows `replug-plugin`.
    pub(crate) krate: Ident,
    /// What is in `repr(..)`, without spaces.
    pub(crate) repr: String,
}

/// The attributes that come next.
pub(crate) fn attributes(tokens: &mut Tokens) -> Result<Vec<Attribute>, Wrong> {
    let mut found = Vec::new();
    loop {
        tokens.open(|first| is_punct(first, '#'));
        if !tokens.is_punct('#') {
            return Ok(found);
        }
        tokens.next();
        match tokens.next() {
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Bracket => {
                found.push(Attribute::of(flat(group.stream()), group.span())?);
            }
            _ => return Err(Wrong(tokens.span(), "this attribute cannot be read")),
        }
    }
}

impl Attribute {
    fn of(tokens: Vec<TokenTree>, span: Span) -> Result<Attribute, Wrong> {
        let mut path = String::new();
        let mut tokens = tokens.into_iter().peekable();
        while let Some(TokenTree::Ident(_) | TokenTree::Punct(_)) = tokens.peek() {
            if is_punct(tokens.peek(), '=') {
                break;
            }
            let token = tokens.next().map(|it| it.to_string());
            path += plain(&token.unwrap_or_default());
        }
        match path.is_empty() {
            true => Err(Wrong(span, "this attribute cannot be read")),
            false => Ok(Attribute {
                path,
                rest: tokens.collect(),
                span,
            }),
        }
    }

    /// What is in the parentheses: `C` of `repr(C)`.
    fn inside(&self) -> Result<Tokens, Wrong> {
        match &self.rest[..] {
            [TokenTree::Group(group)] if group.delimiter() == Delimiter::Parenthesis => {
                Ok(Tokens::of(group.stream()))
            }
            _ => Err(Wrong(self.span, "this attribute cannot be read")),
        }
    }
}

/// Reads the attributes of a type.
pub(crate) fn of_type(attributes: &[Attribute], is_enum: bool) -> Result<Said, Wrong> {
    let mut said = Said {
        krate: Ident::new(CRATES[0], Span::call_site()),
        repr: String::new(),
    };
    let mut inert = Vec::new();
    for attribute in named(attributes, "repr") {
        let words = attribute.inside()?.rest();
        let words = words.iter().map(|it| it.to_string().replace("r#", ""));
        let comma = if said.repr.is_empty() { "" } else { "," };
        said.repr += comma;
        said.repr += &words.collect::<String>().replace(' ', "");
    }
    for attribute in named(attributes, "shared") {
        about_type(attribute, &mut said, &mut inert)?;
    }
    if is_enum {
        all_inert(attributes, &inert)?;
    }
    Ok(said)
}

/// Reads `#[shared(crate = replug, unsafe inert(name))]`.
fn about_type(
    attribute: &Attribute,
    said: &mut Said,
    inert: &mut Vec<String>,
) -> Result<(), Wrong> {
    let unknown = || {
        Wrong(
            attribute.span,
            "only these are known here: `#[shared(crate = replug)]`, for a crate that depends on that one and not on `replug-plugin`, and \
            `#[shared(unsafe inert(name))]`, for an attribute of an enum that belongs to another derive",
        )
    };
    let mut tokens = attribute.inside()?;
    while tokens.peek().is_some() {
        let first = tokens.next();
        let second = tokens.next();
        let third = tokens.next();
        match third {
            Some(TokenTree::Ident(name))
                if is_word(first.as_ref(), "crate") && is_punct(second.as_ref(), '=') =>
            {
                if !CRATES.contains(&name.to_string().as_str()) {
                    return Err(unknown());
                }
                said.krate = name;
            }
            Some(TokenTree::Group(group))
                if is_word(first.as_ref(), "unsafe") && is_word(second.as_ref(), "inert") =>
            {
                let names = group.stream().into_iter().map(|it| it.to_string());
                inert.extend(names.map(|it| plain(&it).to_owned()));
            }
            _ => return Err(unknown()),
        }
        match tokens.next() {
            Some(token) if !is_punct(Some(&token), ',') => return Err(unknown()),
            _ => {}
        }
    }
    Ok(())
}

/// Sees that nothing changes an enum after it was read. The order of variants and what lies in them is nowhere in what
/// the compiler tells of an enum, so it cannot be compared with what was read. Attributes of variants and fields need
/// no look: the compiler lets no macro stand there.
fn all_inert(attributes: &[Attribute], more: &[String]) -> Result<(), Wrong> {
    for attribute in attributes {
        let first = attribute.path.split("::").next().unwrap_or_default();
        let is_known = INERT.contains(&attribute.path.as_str());
        if !is_known && !more.iter().any(|it| it == first) {
            return Err(Wrong(
                attribute.span,
                "an attribute could change this enum after it was written down; put it before `#[derive(Shared)]` if it is \
                a macro or another `derive`; if it belongs to a derive, say `#[shared(unsafe inert(its_name))]`",
            ));
        }
    }
    Ok(())
}

/// Whether a field has the attribute `#[shared(unsafe foreign)]`.
pub(crate) fn is_foreign(attributes: &[Attribute]) -> Result<bool, Wrong> {
    let mut is_foreign = false;
    for attribute in named(attributes, "shared") {
        let words = attribute.inside()?.rest();
        let is_known = words.len() == 2
            && is_word(words.first(), "unsafe")
            && is_word(words.get(1), "foreign");
        if !is_known {
            let span = words.first().map_or(attribute.span, TokenTree::span);
            return Err(Wrong(
                span,
                "only this is known here: `#[shared(unsafe foreign)]`, for a type of a crate from a registry that nobody edits",
            ));
        }
        is_foreign = true;
    }
    Ok(is_foreign)
}

/// Sees that a variant has no attribute of this derive, which would say nothing.
pub(crate) fn of_variant(attributes: &[Attribute]) -> Result<(), Wrong> {
    match named(attributes, "shared").next() {
        Some(attribute) => Err(Wrong(
            attribute.span,
            "`#[shared(..)]` stands at a type or at a field",
        )),
        None => Ok(()),
    }
}

fn named<'a>(attributes: &'a [Attribute], name: &'a str) -> impl Iterator<Item = &'a Attribute> {
    attributes.iter().filter(move |it| it.path == name)
}
