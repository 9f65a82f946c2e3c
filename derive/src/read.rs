//! What a type consists of, out of its tokens. No more of the grammar is read than where things begin and end: types,
//! bounds and values stay tokens.

use proc_macro::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};

/// A type that is derived for.
pub(crate) struct Item {
    pub(crate) name: Ident,
    /// The name by which the user knows `replug-plugin`.
    pub(crate) krate: TokenStream,
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
    pub(crate) is_const: bool,
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
pub(crate) struct Wrong(Span, &'static str);

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

/// Tokens, with a look ahead.
type Tokens = std::iter::Peekable<proc_macro::token_stream::IntoIter>;

pub(crate) fn item(input: TokenStream) -> Result<Item, Wrong> {
    let mut tokens = input.into_iter().peekable();
    let attributes = attributes(&mut tokens);
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
        _ => {
            return Err(Wrong(
                keyword.span(),
                "a union cannot cross: which of its fields holds a value is known to nobody; use an enum",
            ));
        }
    };
    // That of a tuple struct follows its fields.
    if bounds.is_empty() {
        bounds = self::bounds(&mut tokens);
    }
    Ok(Item {
        name,
        krate: krate(&attributes)?,
        repr: repr(&attributes),
        parameters,
        bounds,
        body,
    })
}

/// The contents of the attributes that come next: `repr(C)`.
fn attributes(tokens: &mut Tokens) -> Vec<TokenStream> {
    let mut found = Vec::new();
    while is_punct(tokens.peek(), '#') {
        tokens.next();
        if let Some(TokenTree::Group(group)) = tokens.next() {
            found.push(group.stream());
        }
    }
    found
}

fn visibility(tokens: &mut Tokens) {
    if matches!(tokens.peek(), Some(TokenTree::Ident(it)) if it.to_string() == "pub") {
        tokens.next();
        // `pub(crate)`. A field of a tuple can be `pub (u8, u8)`.
        let within = |group: &Group| {
            let first = group.stream().into_iter().next();
            let words = ["crate", "self", "super", "in"];
            group.delimiter() == Delimiter::Parenthesis
                && matches!(first, Some(TokenTree::Ident(it)) if words.contains(&it.to_string().as_str()))
        };
        if matches!(tokens.peek(), Some(TokenTree::Group(group)) if within(group)) {
            tokens.next();
        }
    }
}

fn name(tokens: &mut Tokens) -> Result<Ident, Wrong> {
    match tokens.next() {
        Some(TokenTree::Ident(name)) => Ok(name),
        // A fragment of a macro is in a group that nobody sees.
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::None => {
            self::name(&mut group.stream().into_iter().peekable())
        }
        Some(other) => Err(Wrong(other.span(), "a name is missing")),
        None => Err(Wrong(Span::call_site(), "a name is missing")),
    }
}

fn is_punct(token: Option<&TokenTree>, wanted: char) -> bool {
    matches!(token, Some(TokenTree::Punct(it)) if it.as_char() == wanted)
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
        attributes(tokens);
        if is_punct(tokens.peek(), '>') {
            tokens.next();
            return Ok(found);
        }
        if let Some(TokenTree::Punct(tick)) = tokens.peek() {
            return Err(Wrong(
                tick.span(),
                "a type with a lifetime cannot cross as a value: what it borrows may be gone; own it, as a `String`, a `Vec` \
                 or an `Arc`",
            ));
        }
        let declared = until(tokens, &[',', '>', '=']);
        let mut words = declared.clone().into_iter().peekable();
        let first = name(&mut words)?;
        let is_const = first.to_string() == "const";
        let name = match is_const {
            true => name(&mut words)?,
            false => first,
        };
        found.push(Parameter {
            name,
            declared,
            is_const,
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
    let mut tokens = group.stream().into_iter().peekable();
    let is_named = group.delimiter() == Delimiter::Brace;
    let (mut named, mut unnamed) = (Vec::new(), Vec::new());
    while tokens.peek().is_some() {
        let is_foreign = is_foreign(&attributes(&mut tokens))?;
        visibility(&mut tokens);
        let name = match is_named {
            true => Some(name(&mut tokens)?),
            false => None,
        };
        if is_named {
            // The colon.
            tokens.next();
        }
        let of = Of {
            tokens: field_type(&mut tokens)?,
            is_foreign,
        };
        match name {
            Some(name) => named.push((name, of)),
            None => unnamed.push(of),
        }
        tokens.next();
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
    let mut tokens = group.stream().into_iter().peekable();
    let mut found = Vec::new();
    while tokens.peek().is_some() {
        attributes(&mut tokens);
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
        let discriminant = is_punct(tokens.peek(), '=').then(|| {
            tokens.next();
            value(&mut tokens)
        });
        tokens.next();
        found.push(Variant {
            name,
            fields,
            discriminant,
        });
    }
    Ok(found)
}

/// An expression, up to a comma. A comma within is in a group, or in the brackets of `::<A, B>`.
fn value(tokens: &mut Tokens) -> TokenStream {
    let mut found = TokenStream::new();
    let mut depth = Depth::default();
    let mut was_colon = false;
    while let Some(token) = tokens.peek() {
        if depth.depth == 0 && is_punct(Some(token), ',') {
            break;
        }
        // Elsewhere a bracket is a comparison or a shift.
        if depth.depth > 0 || was_colon && is_punct(Some(token), '<') {
            depth.pass(token);
        }
        was_colon = is_punct(Some(token), ':');
        found.extend(tokens.next());
    }
    found
}

/// What is in an attribute of this name: `C` of `repr(C)`.
fn inside(attribute: &TokenStream, name: &str) -> Option<TokenStream> {
    let mut tokens = attribute.clone().into_iter();
    match (tokens.next(), tokens.next()) {
        (Some(TokenTree::Ident(it)), Some(TokenTree::Group(group))) if it.to_string() == name => {
            Some(group.stream())
        }
        _ => None,
    }
}

/// Whether a field has the attribute `#[shared(unsafe foreign)]`.
fn is_foreign(attributes: &[TokenStream]) -> Result<bool, Wrong> {
    let Some(said) = attributes.iter().find_map(|it| inside(it, "shared")) else {
        return Ok(false);
    };
    let words: Vec<_> = said.into_iter().collect();
    let is_word = |at: usize, word| words.get(at).is_some_and(|it| it.to_string() == word);
    if words.len() == 2 && is_word(0, "unsafe") && is_word(1, "foreign") {
        return Ok(true);
    }
    let span = words.first().map_or(Span::call_site(), TokenTree::span);
    Err(Wrong(
        span,
        "only this is known here: `#[shared(unsafe foreign)]`, for a type of a crate from a registry that nobody edits",
    ))
}

fn repr(attributes: &[TokenStream]) -> String {
    let found = attributes.iter().filter_map(|it| inside(it, "repr"));
    let found: Vec<_> = found.map(|it| it.to_string().replace(' ', "")).collect();
    found.join(",")
}

/// The name by which the user knows `replug-plugin`.
fn krate(attributes: &[TokenStream]) -> Result<TokenStream, Wrong> {
    let Some(said) = attributes.iter().find_map(|it| inside(it, "shared")) else {
        let path = "::replug_plugin".parse();
        return path.map_err(|_| Wrong(Span::call_site(), "the path is no path"));
    };
    let mut tokens = said.into_iter().peekable();
    let word = name(&mut tokens)?;
    let is_equal = is_punct(tokens.peek(), '=');
    tokens.next();
    let path = TokenStream::from_iter(tokens);
    match word.to_string() == "crate" && is_equal && !path.is_empty() {
        true => Ok(path),
        false => Err(Wrong(
            word.span(),
            "only this is known: `#[shared(crate = replug)]`",
        )),
    }
}
