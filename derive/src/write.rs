//! The implementation of `Shared`, as tokens. The tokens of the user's own types keep their places, so that an error about
//! a field points at that field.

use std::fmt::Write;

use proc_macro::{Delimiter, Group, Ident, Literal, TokenStream, TokenTree};

use crate::read::{Body, Fields, Item, Of};
use crate::tokens::spelled;

/// Names of `repr` that are the type of a discriminant.
const INTEGERS: &[&str] = &[
    "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize",
];

/// The implementations. Each `Q_NAME` stands for some tokens. `extern crate` finds the crate among the dependencies, whatever
/// the user's code calls by its name: what is in it says `unsafe`, or leads to what does, so it must be the real one.
const IMPLEMENTATION: &str = "
    #[allow(unused_extern_crates, unused_variables)]
    const _: () = {
        extern crate Q_FOUND as Q_ALIAS;

        #[automatically_derived]
        unsafe impl<Q_DECLARED> Q_CRATE::wire::Shared for Q_TYPE where Q_WHERE {
            const SHAPE: Q_CRATE::__private::Shape = Q_CRATE::__private::Shape::Ordinary(
                Q_NAME, &[Q_SHAPES],
            );
            Q_CRATE::__line!(Own, [Q_FIELDS], [Q_NUMBERS], Q_TEXT, { let _ = |replug_it: &Self| { Q_PROOF }; });
        }

        #[automatically_derived]
        unsafe impl<Q_DECLARED> Q_CRATE::wire::Argument for Q_TYPE where Q_WHERE {
            const SHAPE: Q_CRATE::__private::Shape = <Self as Q_CRATE::wire::Shared>::SHAPE;
            type Of = Self;
        }

        #[automatically_derived]
        unsafe impl<Q_DECLARED> Q_CRATE::wire::Carried for Q_TYPE where Q_WHERE {
            type Wire = Q_CRATE::wire::Moved<Self>;
            type At<'replug_call> = Self;

            #[inline(always)]
            fn send(self) -> Q_CRATE::wire::Moved<Self> { Q_CRATE::wire::Moved::new(self) }

            #[inline(always)]
            unsafe fn receive(replug_wire: Q_CRATE::wire::Moved<Self>, _: &Q_CRATE::wire::Call) -> Self { replug_wire.take() }
        }
    };
";

/// Tokens for the names in a template.
struct Parts(Vec<(&'static str, TokenStream)>);

impl Parts {
    /// The tokens of a template, with the parts in it.
    fn fill(&self, template: &str) -> TokenStream {
        let tokens: TokenStream = template.parse().expect("the template is Rust");
        self.replaced(tokens)
    }

    fn replaced(&self, tokens: TokenStream) -> TokenStream {
        let mut filled = TokenStream::new();
        for token in tokens {
            match token {
                TokenTree::Ident(name) => match self.part(&name.to_string()) {
                    Some(part) => filled.extend(part),
                    None => filled.extend([TokenTree::Ident(name)]),
                },
                TokenTree::Group(group) => {
                    let inside = self.replaced(group.stream());
                    let mut replaced = Group::new(group.delimiter(), inside);
                    replaced.set_span(group.span());
                    filled.extend([TokenTree::Group(replaced)]);
                }
                other => filled.extend([other]),
            }
        }
        filled
    }

    /// These parts and some more.
    fn and(&self, more: impl IntoIterator<Item = (&'static str, TokenStream)>) -> Parts {
        Parts(self.0.iter().cloned().chain(more).collect())
    }

    /// What leads to the line of a field's type that another crate has defined.
    fn foreign_line(&self) -> TokenStream {
        let of = self.part("Q_OF").unwrap_or_default().to_string();
        let of = spelled(&of);
        let foreign = text(&format!("foreign {of}\n"));
        let wrong = text(&format!(
            "`{of}` crosses by itself, by its definition: leave out `#[shared(unsafe foreign)]`"
        ));
        self.and([("Q_FOREIGN", foreign), ("Q_WRONG", wrong)])
            .fill("{ Q_CRATE::__foreign_line!(Q_OF, Q_FOREIGN, Q_WRONG); replug_foreign_line }")
    }

    fn part(&self, name: &str) -> Option<TokenStream> {
        let found = self.0.iter().find(|(it, _)| *it == name);
        found.map(|(_, tokens)| tokens.clone())
    }
}

/// What is written of the fields and variants of a type.
#[derive(Default)]
struct Written {
    /// A fact a line.
    text: String,
    /// The types and places of the fields.
    fields: TokenStream,
    /// The values of constants and discriminants.
    numbers: TokenStream,
    /// Statements that do not compile if the type is not what was read.
    proof: TokenStream,
}

pub(crate) fn implementation(item: &Item) -> TokenStream {
    let mut written = Written::default();
    written.name(item);
    match &item.body {
        Body::Struct(fields) => written.structure(item, fields),
        Body::Enum(_) => written.enumeration(item),
    }
    let types = || item.parameters.iter().filter(|it| it.of_const.is_none());
    let shared = |parameters: &mut dyn Iterator<Item = &Ident>, template| {
        let mut found = TokenStream::new();
        for name in parameters {
            let parts = Parts(vec![("Q_CRATE", krate(item)), ("Q_T", one(name))]);
            found.extend(parts.fill(template));
        }
        found
    };
    let shapes = shared(
        &mut types().map(|it| &it.name),
        "<Q_T as Q_CRATE::wire::Shared>::SHAPE,",
    );
    let mut bounds = shared(
        &mut types().map(|it| &it.name),
        "Q_T: Q_CRATE::wire::Shared,",
    );
    bounds.extend(item.bounds.clone());
    Parts(vec![
        ("Q_FOUND", one(&item.krate)),
        ("Q_ALIAS", one(&item.alias)),
        ("Q_CRATE", krate(item)),
        (
            "Q_DECLARED",
            listed(item.parameters.iter().map(|it| it.declared.clone())),
        ),
        ("Q_TYPE", named(item)),
        ("Q_WHERE", bounds),
        ("Q_NAME", text(&item.name.to_string())),
        ("Q_SHAPES", shapes),
        ("Q_FIELDS", written.fields),
        ("Q_NUMBERS", written.numbers),
        ("Q_TEXT", text(&written.text)),
        ("Q_PROOF", written.proof),
    ])
    .fill(IMPLEMENTATION)
}

impl Written {
    fn name(&mut self, item: &Item) {
        let kind = match item.body {
            Body::Struct(_) => "struct",
            Body::Enum(_) => "enum",
        };
        self.line(&format!("{kind} {}", item.name));
        if !item.repr.is_empty() {
            self.line(&format!("repr {}", item.repr));
        }
        for parameter in &item.parameters {
            let (word, of) = match &parameter.of_const {
                Some(of) => ("const", of.clone()),
                None => ("parameter", one(&parameter.name)),
            };
            self.line(&format!("{word} {}", parameter.name));
            let parts = Parts(vec![("Q_CRATE", krate(item)), ("Q_OF", of)]);
            let place = parts.fill("Q_CRATE::__private::NOWHERE");
            self.field(&parts, place, false);
            if parameter.of_const.is_some() {
                self.numbers.extend(one(&parameter.name));
                self.numbers.extend(tokens(","));
            }
        }
    }

    fn line(&mut self, line: &str) {
        writeln!(self.text, "{line}").expect("there is room in a text");
    }

    /// Writes the type and the place of a field.
    fn field(&mut self, parts: &Parts, place: TokenStream, is_foreign: bool) {
        let line = match is_foreign {
            true => parts.foreign_line(),
            false => parts.fill("<Q_OF as Q_CRATE::wire::Shared>::replug_line"),
        };
        let parts = parts.and([("Q_PLACE", place), ("Q_LINE", line)]);
        self.fields
            .extend(parts.fill("Q_CRATE::__private::LineField::of::<Q_OF>(Q_PLACE, Q_LINE),"));
    }

    fn structure(&mut self, item: &Item, fields: &Fields) {
        let mut pattern = TokenStream::new();
        let mut proofs = TokenStream::new();
        for (at, (name, of)) in members(fields).into_iter().enumerate() {
            self.line(&format!("field {name}"));
            let parts = Parts(vec![
                ("Q_CRATE", krate(item)),
                ("Q_FIELD", name.into()),
                ("Q_OF", of.tokens),
                ("Q_HELD", tokens(&format!("replug_field_{at}"))),
            ]);
            // The place is asked of `Self`, so that parameters are those of the type.
            let place = parts.fill("Q_CRATE::__core::mem::offset_of!(Self, Q_FIELD)");
            self.field(&parts, place, of.is_foreign);
            pattern.extend(parts.fill("Q_FIELD: Q_HELD,"));
            proofs
                .extend(parts.fill(
                    "Q_CRATE::__private::field_is::<Q_OF, _>(&raw const replug_it.Q_FIELD);",
                ));
        }
        let parts = Parts(vec![("Q_PATTERN", pattern), ("Q_PROOFS", proofs)]);
        // Of a union the fields could not be taken without `unsafe`. Those of a packed struct cannot be borrowed.
        self.proof = match item.repr.contains("packed") {
            true => parts.fill(
                "Q_PROOFS let _ = |replug_it: Self| { let Self { Q_PATTERN } = replug_it; };",
            ),
            false => parts.fill("Q_PROOFS let Self { Q_PATTERN } = replug_it;"),
        };
    }

    fn enumeration(&mut self, item: &Item) {
        let Body::Enum(variants) = &item.body else {
            return;
        };
        let integer = item.repr.split(',').find(|it| INTEGERS.contains(it));
        let mut arms = TokenStream::new();
        for variant in variants {
            match &variant.discriminant {
                Some(value) => {
                    self.line(&format!("variant {} =", variant.name));
                    let parts = Parts(vec![
                        ("Q_CRATE", krate(item)),
                        ("Q_INTEGER", tokens(integer.unwrap_or("isize"))),
                        ("Q_VALUE", value.clone()),
                    ]);
                    self.numbers.extend(
                        parts.fill("{ let replug_value: Q_CRATE::__core::primitive::Q_INTEGER = Q_VALUE; replug_value },"),
                    );
                }
                None => self.line(&format!("variant {}", variant.name)),
            }
            let mut pattern = TokenStream::new();
            let mut proofs = TokenStream::new();
            for (at, (name, of)) in members(&variant.fields).into_iter().enumerate() {
                self.line(&format!("field {name}"));
                let parts = Parts(vec![
                    ("Q_CRATE", krate(item)),
                    ("Q_FIELD", name.into()),
                    ("Q_OF", of.tokens),
                    ("Q_HELD", tokens(&format!("replug_field_{at}"))),
                ]);
                let place = parts.fill("Q_CRATE::__private::NOWHERE");
                self.field(&parts, place, of.is_foreign);
                pattern.extend(parts.fill("Q_FIELD: Q_HELD,"));
                proofs.extend(
                    parts.fill("Q_CRATE::__private::field_is::<Q_OF, _>(&raw const *Q_HELD);"),
                );
            }
            let parts = Parts(vec![
                ("Q_VARIANT", one(&variant.name)),
                ("Q_PATTERN", pattern),
                ("Q_PROOFS", proofs),
            ]);
            arms.extend(parts.fill("Self::Q_VARIANT { Q_PATTERN } => { Q_PROOFS }"));
        }
        let parts = Parts(vec![("Q_ARMS", arms)]);
        self.proof = parts.fill("match *replug_it { Q_ARMS }");
        if !variants.is_empty() {
            self.proof = parts.fill("match replug_it { Q_ARMS }");
        }
    }
}

/// The fields: each with its name, which is a number in a tuple, and its type.
fn members(fields: &Fields) -> Vec<(TokenTree, Of)> {
    match fields {
        Fields::Unit => Vec::new(),
        Fields::Tuple(types) => {
            let numbered = types.iter().enumerate();
            let member =
                |(at, of): (usize, &Of)| (Literal::usize_unsuffixed(at).into(), of.clone());
            numbered.map(member).collect()
        }
        Fields::Named(named) => {
            let member = |(name, of): &(Ident, Of)| (name.clone().into(), of.clone());
            named.iter().map(member).collect()
        }
    }
}

/// The type with its parameters: `Grid<T, N>`.
fn named(item: &Item) -> TokenStream {
    let parameters = listed(item.parameters.iter().map(|it| one(&it.name)));
    let parts = Parts(vec![
        ("Q_NAME", one(&item.name)),
        ("Q_PARAMETERS", parameters),
    ]);
    match item.parameters.is_empty() {
        true => one(&item.name),
        false => parts.fill("Q_NAME<Q_PARAMETERS>"),
    }
}

/// Some tokens, each followed by a comma.
fn listed(all: impl Iterator<Item = TokenStream>) -> TokenStream {
    let mut list = TokenStream::new();
    for tokens in all {
        list.extend(tokens);
        list.extend(self::tokens(","));
    }
    list
}

fn tokens(written: &str) -> TokenStream {
    written.parse().expect("what is written here is Rust")
}

/// What leads to `replug-plugin`, through the crate that was found.
fn krate(item: &Item) -> TokenStream {
    Parts(vec![("Q_ALIAS", one(&item.alias))]).fill("Q_ALIAS::__plugin")
}

fn one(name: &Ident) -> TokenStream {
    TokenTree::Ident(name.clone()).into()
}

fn text(text: &str) -> TokenStream {
    let literal = TokenTree::from(Literal::string(text));
    // In a group that nobody sees, so that it stays one expression.
    TokenTree::from(Group::new(Delimiter::None, literal.into())).into()
}
