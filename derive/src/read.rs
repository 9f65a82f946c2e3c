//! What a type consists of, out of its tokens. No more of the grammar is read than where things begin and end: types,
//! bounds and values stay tokens.

use proc_macro::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};

use crate::attributes::{attributes, is_foreign, of_type, of_variant};
use crate::tokens::{Tokens, is_punct, is_word, mentions};

/// A type that is derived for.
pub(crate) struct Item {
    pub(crate) name: Ident,
    /// The name by which the user knows `replug-plugin`.
    pub(crate) krate: Ident,
    /// What that crate is called beside the user's tokens, none of which is this name.
    pub(crate) alias: Ident,
    /// What is in `repr(..)`, without spaces.
    pub(crate) repr: String,
    pub(crate) parameters: Vec<Parameter>,
    /// What follows `where`.
    pub(crate) bounds: TokenStream,
    pub(crate) body: Body,
}

pub(crate) struct Parameter {
    pub(crate) name: Ident,
    /// The parameter as it is declared, without its default.
    pub(crate) declared: TokenStream,
    /// The type of a constant.
    pub(crate) of_const: Option<TokenStream>,
}

pub(crate) enum Body {
    Struct(Fields),
    Enum(Vec<Variant>),
}

pub(crate) struct Variant {
    pub(crate) name: Ident,
    pub(crate) fields: Fields,
    pub(crate) discriminant: Option<TokenStream>,
}

pub(crate) enum Fields {
    Unit,
    Tuple(Vec<Of>),
    Named(Vec<(Ident, Of)>),
}

/// The type of a field.
#[derive(Clone)]
pub(crate) struct Of {
    pub(crate) tokens: TokenStream,
    /// Whether somebody vouches for the type, which another crate has defined.
    pub(crate) is_foreign: bool,
}

/// Why nothing can be derived, and where.
pub(crate) struct Wrong(pub(crate) Span, pub(crate) &'static str);

impl From<Wrong> for TokenStream {
    fn from(Wrong(span, why): Wrong) -> TokenStream {
        let mut message = TokenTree::from(Literal::string(why));
        message.set_span(span);
        let mut group = TokenTree::from(Group::new(Delimiter::Brace, message.into()));
        group.set_span(span);
        let mut bang = TokenTree::from(Punct::new('!', Spacing::Alone));
        bang.set_span(span);
        let name = TokenTree::from(Ident::new("compile_error", span));
        TokenStream::from_iter([name, bang, group])
    }
}

pub(crate) fn item(input: TokenStream) -> Result<Item, Wrong> {
    let alias = unmentioned(&input);
    let mut tokens = Tokens::of(input);
    let attributes = attributes(&mut tokens)?;
    visibility(&mut tokens);
    let keyword = name(&mut tokens)?;
    let name = name(&mut tokens)?;
    let parameters = parameters(&mut tokens)?;
    let mut bounds = bounds(&mut tokens);
    let body = match keyword.to_string().as_str() {
        "struct" => Body::Struct(match tokens.next() {
            Some(TokenTree::Group(group)) => fields(&group)?,
            _ => Fields::Unit,
        }),
        "enum" => match tokens.next() {
            Some(TokenTree::Group(group)) => Body::Enum(variants(&group)?),
            _ => return Err(Wrong(name.span(), "an enum has variants")),
        },
        "union" => {
            return Err(Wrong(
                keyword.span(),
                "a union cannot cross: which of its fields holds a value is known to nobody; use an enum",
            ));
        }
        _ => return Err(Wrong(keyword.span(), "this cannot be read")),
    };
    // That of a tuple struct follows its fields.
    if bounds.is_empty() {
        bounds = self::bounds(&mut tokens);
    }
    let said = of_type(&attributes, matches!(body, Body::Enum(_)))?;
    Ok(Item {
        name,
        krate: said.krate,
        alias,
        repr: said.repr,
        parameters,
        bounds,
        body,
    })
}

/// A name that is nowhere in the tokens.
fn unmentioned(input: &TokenStream) -> Ident {
    let mut name = "replug_crate".to_owned();
    while mentions(input, &name) {
        name.push('_');
    }
    Ident::new(&name, Span::call_site())
}

fn visibility(tokens: &mut Tokens) {
    tokens.open(|first| first.is_none() || is_word(first, "pub"));
    if !tokens.is_word("pub") {
        return;
    }
    tokens.next();
    // `pub(crate)`. A field of a tuple can be `pub (u8, u8)`.
    let within = |group: &Group| {
        let words: Vec<_> = group.stream().into_iter().collect();
        let is_one = |word: &&str| words.len() == 1 && is_word(words.first(), word);
        group.delimiter() == Delimiter::Parenthesis
            && (is_word(words.first(), "in") || ["crate", "self", "super"].iter().any(is_one))
    };
    if matches!(tokens.peek(), Some(TokenTree::Group(group)) if within(group)) {
        tokens.next();
    }
}

fn name(tokens: &mut Tokens) -> Result<Ident, Wrong> {
    tokens.open(|_| true);
    let span = tokens.span();
    match tokens.next() {
        Some(TokenTree::Ident(name)) => Ok(name),
        _ => Err(Wrong(span, "a name is missing")),
    }
}

/// Passes a token that must come next.
fn expect(tokens: &mut Tokens, wanted: char) -> Result<(), Wrong> {
    let span = tokens.span();
    match tokens.next() {
        Some(token) if is_punct(Some(&token), wanted) => Ok(()),
        _ => Err(Wrong(span, "this cannot be read")),
    }
}

/// Passes the comma behind one of many, which the last one may lack.
fn comma(tokens: &mut Tokens) -> Result<(), Wrong> {
    match tokens.peek() {
        Some(_) => expect(tokens, ','),
        None => Ok(()),
    }
}

/// The depth of angle brackets. The arrow of a function's type has one that opens nothing.
#[derive(Default)]
struct Depth {
    depth: usize,
    is_arrow: bool,
}

impl Depth {
    fn pass(&mut self, token: &TokenTree) {
        let TokenTree::Punct(punct) = token else {
            self.is_arrow = false;
            return;
        };
        match punct.as_char() {
            '<' => self.depth += 1,
            '>' if !self.is_arrow => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        self.is_arrow = matches!(punct.as_char(), '-' | '=') && punct.spacing() == Spacing::Joint;
    }
}

/// All tokens up to one of these that is in no bracket. That one is still to come.
fn until(tokens: &mut Tokens, ends: &[char]) -> TokenStream {
    let mut depth = Depth::default();
    let mut found = TokenStream::new();
    while let Some(token) = tokens.peek() {
        let is_end = |&end: &char| is_punct(Some(token), end) && !depth.is_arrow;
        if depth.depth == 0 && ends.iter().any(is_end) {
            break;
        }
        depth.pass(token);
        found.extend(tokens.next());
    }
    found
}

fn parameters(tokens: &mut Tokens) -> Result<Vec<Parameter>, Wrong> {
    let mut found = Vec::new();
    if !is_punct(tokens.peek(), '<') {
        return Ok(found);
    }
    tokens.next();
    loop {
        attributes(tokens)?;
        if is_punct(tokens.peek(), '>') {
            tokens.next();
            return Ok(found);
        }
        tokens.open(|first| is_punct(first, '\''));
        if let Some(TokenTree::Punct(tick)) = tokens.peek() {
            return Err(Wrong(
                tick.span(),
                "a type with a lifetime cannot cross as a value: what it borrows may be gone; own it, as a `String`, a `Vec` \
                 or an `Arc`",
            ));
        }
        let declared = until(tokens, &[',', '>', '=']);
        let mut words = Tokens::of(declared.clone());
        let first = name(&mut words)?;
        let is_const = first.to_string() == "const";
        let name = match is_const {
            true => name(&mut words)?,
            false => first,
        };
        let mut of_const = None;
        if is_const {
            expect(&mut words, ':')?;
            of_const = Some(words.rest().into_iter().collect());
        }
        found.push(Parameter {
            name,
            declared,
            of_const,
        });
        // The default.
        until(tokens, &[',', '>']);
        if is_punct(tokens.peek(), ',') {
            tokens.next();
        }
    }
}

/// What follows `where`, if that comes next.
fn bounds(tokens: &mut Tokens) -> TokenStream {
    let mut found = TokenStream::new();
    if !matches!(tokens.peek(), Some(TokenTree::Ident(it)) if it.to_string() == "where") {
        return found;
    }
    tokens.next();
    while let Some(token) = tokens.peek() {
        let is_body = matches!(token, TokenTree::Group(it) if it.delimiter() == Delimiter::Brace);
        if is_body || is_punct(Some(token), ';') {
            break;
        }
        found.extend(tokens.next());
    }
    found
}

fn fields(group: &Group) -> Result<Fields, Wrong> {
    let mut tokens = Tokens::of(group.stream());
    let is_named = group.delimiter() == Delimiter::Brace;
    let (mut named, mut unnamed) = (Vec::new(), Vec::new());
    while tokens.peek().is_some() {
        let is_foreign = is_foreign(&attributes(&mut tokens)?)?;
        visibility(&mut tokens);
        let name = match is_named {
            true => Some(name(&mut tokens)?),
            false => None,
        };
        if is_named {
            expect(&mut tokens, ':')?;
        }
        let of = Of {
            tokens: field_type(&mut tokens)?,
            is_foreign,
        };
        match name {
            Some(name) => named.push((name, of)),
            None => unnamed.push(of),
        }
        comma(&mut tokens)?;
    }
    Ok(match is_named {
        true => Fields::Named(named),
        false => Fields::Tuple(unnamed),
    })
}

/// The type of a field. It is written down more than once, and a macro may answer another type each time.
fn field_type(tokens: &mut Tokens) -> Result<TokenStream, Wrong> {
    let found = until(tokens, &[',']);
    match bang(&found) {
        Some(span) => Err(Wrong(
            span,
            "a type that crosses cannot be written with a macro's call, which may answer another type at each place where \
             the type is used; give the type a name: `type Name = a_macro!();`",
        )),
        None => Ok(found),
    }
}

/// The place of an exclamation mark, at any depth.
fn bang(tokens: &TokenStream) -> Option<Span> {
    tokens.clone().into_iter().find_map(|token| match token {
        TokenTree::Punct(punct) if punct.as_char() == '!' => Some(punct.span()),
        TokenTree::Group(group) => bang(&group.stream()),
        _ => None,
    })
}

fn variants(group: &Group) -> Result<Vec<Variant>, Wrong> {
    let mut tokens = Tokens::of(group.stream());
    let mut found = Vec::new();
    while tokens.peek().is_some() {
        of_variant(&attributes(&mut tokens)?)?;
        visibility(&mut tokens);
        let name = name(&mut tokens)?;
        let fields = match tokens.peek() {
            Some(TokenTree::Group(group)) => {
                let fields = fields(group)?;
                tokens.next();
                fields
            }
            _ => Fields::Unit,
        };
        let mut discriminant = None;
        if tokens.is_punct('=') {
            tokens.next();
            discriminant = Some(value(&mut tokens)?);
        }
        comma(&mut tokens)?;
        found.push(Variant {
            name,
            fields,
            discriminant,
        });
    }
    Ok(found)
}

/// The value of a discriminant, up to a comma. A comma within is in a group, or in angle brackets, which open where a
/// value or a type begins, and compare or shift elsewhere.
fn value(tokens: &mut Tokens) -> Result<TokenStream, Wrong> {
    let mut found = TokenStream::new();
    let mut depth = Depth::default();
    // Whether a value or a type comes next: nothing stands before it that `<` could compare.
    let mut is_begin = true;
    let mut is_type = false;
    while let Some(token) = tokens.peek() {
        if depth.depth == 0 && is_punct(Some(token), ',') {
            break;
        }
        let is_open = is_punct(Some(token), '<') && (is_begin || is_type);
        let is_shift = is_joint(token, '<') && !is_open && depth.depth == 0;
        if depth.depth > 0 || is_open {
            depth.pass(token);
        }
        is_type = match token {
            TokenTree::Ident(it) => is_type || it.to_string() == "as",
            _ => is_type && is_punct(Some(token), ':'),
        };
        // A bracket that closes ends a value. One that compares does not.
        is_begin = matches!(token, TokenTree::Punct(_));
        found.extend(tokens.next());
        // `<<` and `<=` are one.
        if is_shift {
            found.extend(tokens.next());
        }
    }
    match call(&found) {
        Some(span) => Err(Wrong(
            span,
            "a discriminant cannot be written with a macro's call, which may answer another value at each place where the value \
             is used; give the value a name: `const NAME: u8 = a_macro!();`",
        )),
        None => Ok(found),
    }
}

fn is_joint(token: &TokenTree, wanted: char) -> bool {
    matches!(token, TokenTree::Punct(it) if it.as_char() == wanted && it.spacing() == Spacing::Joint)
}

/// Where a macro is called, if one is: a name and `!`, but not of `!=`.
fn call(tokens: &TokenStream) -> Option<Span> {
    let mut is_after_name = false;
    for token in tokens.clone() {
        match &token {
            TokenTree::Punct(it)
                if it.as_char() == '!' && is_after_name && !is_joint(&token, '!') =>
            {
                return Some(it.span());
            }
            TokenTree::Group(group) => {
                if let Some(span) = call(&group.stream()) {
                    return Some(span);
                }
            }
            _ => {}
        }
        is_after_name = matches!(token, TokenTree::Ident(_));
    }
    None
}
