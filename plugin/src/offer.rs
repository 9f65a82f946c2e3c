//! What a host offers to its plugin: a trait of the declaration, lent for a call as `&mut dyn Engine` or `&dyn Engine`.
//!
//! It crosses as the host's reference, which only the host looks into, and a table of C functions of the host's. In the
//! plugin, a proxy implements the trait by calling these. A panic of a function of the host's ends in the host's half,
//! and is raised again by the proxy, so that it unwinds through the plugin and ends as an error of the host's call.

use std::ffi::c_void;
use std::panic::resume_unwind;

use crate::answer::CallError;
use crate::shape::{Function, Shape};
use crate::wire::Shared;

/// What a host offers, as a declaration writes it.
#[derive(Debug)]
pub struct Offer {
    /// The trait's name.
    pub name: &'static str,
    /// The functions, each with whether it takes `&mut self`.
    pub functions: &'static [(bool, Function)],
    /// All of this, written out, as [`Text::definition`](crate::text::Text::definition) does it.
    pub text: &'static str,
}

/// A reference to a trait object of the host's. Only the host knows what its halves are.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct RawObject(pub [*mut c_void; 2]);

/// What a host lends of what it offers, as C sees it: the object, and the functions for it.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct RawOffer {
    /// What the host lends.
    pub object: RawObject,
    /// The functions for it.
    pub table: *const c_void,
}

/// What a plugin takes for the `Object` that its host lends, and what is known of that object. The arms of `__offer!` that
/// lend ask for it by this trait, because safe code can have a proxy of its own under the name that they use.
///
/// # Safety
///
/// The proxy is a [`RawOffer`] and nothing else, and implements the trait of `Object` by calling `TABLE`. That is a table of
/// functions for any `Object`, as `SHAPE` and the line of `Types` say.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not what `interface!` makes for a plugin in the place of `{Object}`",
    label = "not made by `interface!`",
    note = "what a host offers is declared behind an interface: `host trait Engine {{ .. }}`"
)]
pub unsafe trait Proxy<Object: ?Sized> {
    /// What is offered, as a declaration writes it.
    const SHAPE: Shape;

    /// The functions, for any object.
    const TABLE: *const c_void;

    /// The type whose line says what the functions take and return.
    type Types: Shared;
}

/// Whether this is all that can stand before the `self` of a function: nothing, or `mut`. Everybody can call the macro's arms,
/// with other tokens, such as a lifetime.
pub const fn is_self(before: &str) -> bool {
    before.is_empty() || is_mut(before)
}

/// Whether a function takes `&mut self`, by what stands before its `self`.
pub const fn is_mut(before: &str) -> bool {
    matches!(before.as_bytes(), b"mut")
}

/// The payload of a panic that began on the other side: in a plugin, one of a function of the host's.
pub(crate) struct HostPanic(pub(crate) String);

/// Goes on with a panic of the host's, in the plugin that called the host. The host's own hook has told of it.
#[cold]
pub fn raise(error: CallError) -> ! {
    match error {
        CallError::Panicked(message) => resume_unwind(Box::new(HostPanic(message))),
        // The other side was left by a panic that began here, in something that this side had lent to it.
        CallError::HostPanicked(message) => resume_unwind(Box::new(message)),
        other => resume_unwind(Box::new(HostPanic(other.to_string()))),
    }
}

/// Makes what a host offers of the lines behind an interface.
#[doc(hidden)]
#[macro_export]
macro_rules! __offer {
    // The functions are taken one by one, because `&self` and `&mut self` have nothing in common by which they could be
    // taken together.
    (@functions $vis:vis $Host:ident [$($about:tt)*] [$($done:tt)*]) => {
        $crate::__offer!(@make $vis $Host [$($about)*] $($done)*);
    };
    (
        @functions $vis:vis $Host:ident $about:tt [$($done:tt)*]
        $(#[$($doc:tt)*])*
        async $($rest:tt)*
    ) => {
        $crate::__core::compile_error!(
            "a function of the host's returns a `Pending<T>` instead of being `async`: `fn sleep(&self) -> Pending<()>;`"
        );
    };
    (
        @functions $vis:vis $Host:ident $about:tt [$($done:tt)*]
        $(#[$($doc:tt)*])*
        fn $name:ident(&mut self $(, $arg:ident: $takes:ty)* $(,)?) $(-> $returns:ty)?;
        $($rest:tt)*
    ) => {
        $crate::__offer!(
            @functions $vis $Host $about
            [$($done)* { [$([$($doc)*])*] [mut] $name ($($arg: $takes),*) ($($returns)?) }]
            $($rest)*
        );
    };
    (
        @functions $vis:vis $Host:ident $about:tt [$($done:tt)*]
        $(#[$($doc:tt)*])*
        fn $name:ident(&self $(, $arg:ident: $takes:ty)* $(,)?) $(-> $returns:ty)?;
        $($rest:tt)*
    ) => {
        $crate::__offer!(
            @functions $vis $Host $about
            [$($done)* { [$([$($doc)*])*] [] $name ($($arg: $takes),*) ($($returns)?) }]
            $($rest)*
        );
    };
    // What is none of these, in words.
    (
        @functions $vis:vis $Host:ident $about:tt $done:tt
        $(#[$($doc:tt)*])*
        fn $name:ident(& $(mut)? self $($args:tt)*) $(-> $returns:ty)? { $($body:tt)* }
        $($rest:tt)*
    ) => {
        $crate::__wrong_function!(@body $name "the host writes it, where a type of the host's implements the trait");
    };
    (
        @functions $vis:vis $Host:ident $about:tt $done:tt
        $(#[$($doc:tt)*])*
        fn $name:ident < $($rest:tt)*
    ) => {
        $crate::__wrong_function!(fn $name < $($rest)*);
    };
    (@functions $vis:vis $Host:ident $($rest:tt)*) => {
        $crate::__core::compile_error!($crate::__core::concat!(
            "a function of `", $crate::__core::stringify!($Host), "` is declared like this: `fn name(&self, argument: Type) -> Type;`, \
            or with `&mut self`: it is called on what the host lends"
        ));
    };
    (
        @make $vis:vis $Host:ident [$([$($about:tt)*])*]
        $({
            [$([$($doc:tt)*])*] [$($mutable:tt)?] $name:ident
            ($($arg:ident: $takes:ty),*) ($($returns:ty)?)
        })+
    ) => {
        $(#[$($about)*])*
        $vis trait $Host {
            $(
                $(#[$($doc)*])*
                fn $name(&$($mutable)? self, $($arg: $takes),*) $(-> $returns)?;
            )+
        }

        const _: () = {
            $( $crate::__harmless!($($about)*); )*
            $( $( $crate::__harmless!($($doc)*); )* )+
            $(
                $(
                    const _: () = $crate::__core::assert!(
                        !$crate::__private::says_static($crate::__core::stringify!($takes)),
                        "arguments are lent for the call: none can be 'static",
                    );
                    $crate::__one_type!($takes);
                    const _: () = $crate::__core::assert!(
                        !$crate::__private::says_dyn(
                            $crate::__core::stringify!($takes), $crate::__core::stringify!($Host),
                        ),
                        $crate::__core::concat!(
                            "`", $crate::__core::stringify!($name), "`: what a host offers cannot take itself, as `dyn ",
                            $crate::__core::stringify!($Host), "`: give what it would be asked for a `host trait` of its own, or \
                            lend a number or a name by which the host finds the other one",
                        ),
                    );
                )*
                $( $crate::__one_type!($returns); )?
                $crate::__few_lent!($($takes),*);
                const _: () = $crate::__core::assert!(
                    $crate::__private::is_self($crate::__core::stringify!($($mutable)?)),
                    "a function of the host's takes `&self` or `&mut self`",
                );
            )+

            /// The functions of the host, as C sees them.
            #[repr(C)]
            #[allow(improper_ctypes_definitions)]
            struct ReplugOffered {
                $(
                    $name: unsafe extern "C" fn(
                        *const $crate::__private::RawOffer, $(<$takes as $crate::wire::Carried>::Wire),*
                    ) -> $crate::__private::Offered<$crate::__answer_type!($($returns)?)>,
                )+
            }

            /// The host's half: calls what the host lends, and catches its panics.
            struct ReplugHost;

            #[allow(improper_ctypes_definitions)]
            impl ReplugHost {
                const TABLE: &'static ReplugOffered = &ReplugOffered { $($name: ReplugHost::$name),+ };

                $(
                    unsafe extern "C" fn $name(
                        replug_offer: *const $crate::__private::RawOffer,
                        $($arg: <$takes as $crate::wire::Carried>::Wire),*
                    ) -> $crate::__private::Offered<$crate::__answer_type!($($returns)?)> {
                        // A function of its own, for arguments with a lifetime that no type of the declaration can name.
                        #[inline(always)]
                        fn replug_lent<'lent_for_one_call>(
                            replug_object: &$($mutable)? (dyn $Host + '_),
                            $($arg: <$takes as $crate::wire::Carried>::At<'lent_for_one_call>),*
                        ) -> $crate::__answer_type!($($returns)?) {
                            $Host::$name(replug_object, $($arg),*)
                        }
                        let replug_answered = $crate::__private::answer(move || {
                            let replug_call = $crate::wire::Call::begin();
                            let _ = &replug_call;
                            // SAFETY: the proxy is there for as long as the plugin calls it.
                            let replug_object = unsafe { (*replug_offer).object };
                            // SAFETY: this program made the object of such a reference, and lends it for the call that
                            // this one is in; the proxy calls a function for `&mut` only through a reference of that kind.
                            let replug_object = unsafe {
                                $crate::__core::mem::transmute::<
                                    $crate::__private::RawObject, &$($mutable)? (dyn $Host + '_),
                                >(replug_object)
                            };
                            $(
                                // SAFETY: the plugin sent the argument, by the same declaration, and lends it for the
                                // call.
                                let $arg = unsafe {
                                    <$takes as $crate::wire::Carried>::receive($arg, &replug_call)
                                };
                            )*
                            replug_lent(replug_object, $($arg),*)
                        });
                        replug_answered.offered()
                    }
                )+
            }

            /// The plugin's half: what the plugin takes for the host.
            #[repr(transparent)]
            #[allow(unreachable_pub)]
            pub struct ReplugProxy($crate::__private::RawOffer);

            impl $Host for ReplugProxy {
                $(
                    fn $name(&$($mutable)? self, $($arg: $takes),*) $(-> $returns)? {
                        // SAFETY: the host's half of this macro made the table, by an equal declaration.
                        let replug_table = unsafe { &*self.0.table.cast::<ReplugOffered>() };
                        // SAFETY: the host lends the object for as long as this proxy can be reached.
                        let replug_answered = unsafe {
                            (replug_table.$name)(
                                &raw const self.0, $(<$takes as $crate::wire::Carried>::send($arg)),*
                            )
                        };
                        // SAFETY: the host's half made the answer.
                        match unsafe { replug_answered.into_result() } {
                            $crate::__core::result::Result::Ok(replug_value) => replug_value,
                            $crate::__core::result::Result::Err(replug_error) => $crate::__private::raise(replug_error),
                        }
                    }
                )+
            }

            const REPLUG_FUNCTIONS: &[($crate::__core::primitive::bool, $crate::__private::Function)] = &[$(
                (
                    $crate::__private::is_mut($crate::__core::stringify!($($mutable)?)),
                    $crate::__private::Function {
                        name: $crate::__core::stringify!($name),
                        // Nothing but the error below is said of a trait that lends itself, not that its shape is in itself.
                        takes: &[$(
                            if $crate::__private::says_dyn(
                                $crate::__core::stringify!($takes), $crate::__core::stringify!($Host),
                            ) {
                                $crate::__private::Shape::Tuple(&[])
                            } else {
                                $crate::__private::shape_of::<$takes>()
                            }
                        ),*],
                        returns: <$crate::__answer_type!($($returns)?) as $crate::wire::Shared>::SHAPE,
                    },
                ),
            )+];

            const REPLUG_OFFER: $crate::__private::Offer = $crate::__private::Offer {
                name: $crate::__core::stringify!($Host),
                functions: REPLUG_FUNCTIONS,
                text: "",
            };
            const REPLUG_SHAPE: $crate::__private::Shape = {
                // In here no type of the user's is named that could mean one of these.
                const REPLUG_LEN: $crate::__core::primitive::usize = $crate::__private::Text::<0>::definition(
                    &$crate::__private::Shape::Offer(&REPLUG_OFFER),
                ).len();
                const REPLUG_TEXT: $crate::__private::Text<REPLUG_LEN> =
                    $crate::__private::Text::definition(&$crate::__private::Shape::Offer(&REPLUG_OFFER));
                $crate::__private::Shape::Offer(&$crate::__private::Offer {
                    text: $crate::__private::Text::as_str(&REPLUG_TEXT),
                    ..REPLUG_OFFER
                })
            };

            /// What the functions of the host take and return.
            #[allow(unreachable_pub)]
            pub enum ReplugTypes {}

            // SAFETY: nothing is of this type; its line names what crosses.
            unsafe impl $crate::wire::Shared for ReplugTypes {
                const SHAPE: $crate::__private::Shape = REPLUG_SHAPE;
                $crate::__line!(
                    Interface,
                    [$(
                        $(<$takes as $crate::wire::Argument>::FIELD,)*
                        $crate::__private::LineField::of::<$crate::__answer_type!($($returns)?)>(
                            $crate::__private::NOWHERE,
                            <$crate::__answer_type!($($returns)?) as $crate::wire::Shared>::replug_line,
                        ),
                    )+],
                    [],
                    $crate::__core::concat!("host ", $crate::__core::stringify!($Host), "\n")
                );
            }

            // SAFETY: the proxy is transparent; proxy, table, shape and line are made of the same lines.
            unsafe impl $crate::__private::Proxy<dyn $Host> for ReplugProxy {
                const SHAPE: $crate::__private::Shape = REPLUG_SHAPE;
                const TABLE: *const $crate::__core::ffi::c_void = (&raw const *ReplugHost::TABLE).cast();
                type Types = ReplugTypes;
            }

            $crate::__offer!(@lent $Host RefMut mut);
            $crate::__offer!(@lent $Host Ref);
        };
    };
    (@lent $Host:ident $Shape:ident $($mutable:tt)?) => {
        // SAFETY: shape and line are those of the proxy, which are made of the lines of the trait.
        unsafe impl<'lent> $crate::wire::Argument for &'lent $($mutable)? (dyn $Host + 'lent) {
            const SHAPE: $crate::__private::Shape = $crate::__private::Shape::$Shape(
                &<ReplugProxy as $crate::__private::Proxy<dyn $Host>>::SHAPE,
            );
            type Of = <ReplugProxy as $crate::__private::Proxy<dyn $Host>>::Types;
        }

        // SAFETY: the proxy calls the object that was sent, by the functions that came with it.
        unsafe impl<'lent> $crate::wire::Carried for &'lent $($mutable)? (dyn $Host + 'lent) {
            type Wire = $crate::__private::RawOffer;
            type At<'call> = &'call $($mutable)? (dyn $Host + 'call);

            #[inline(always)]
            fn send(self) -> $crate::__private::RawOffer {
                $crate::__private::RawOffer {
                    // SAFETY: a reference to a trait object is two pointers; they are made that reference again in
                    // `ReplugHost`, and read nowhere else.
                    object: unsafe {
                        $crate::__core::mem::transmute::<Self, $crate::__private::RawObject>(self)
                    },
                    table: <ReplugProxy as $crate::__private::Proxy<dyn $Host>>::TABLE,
                }
            }

            #[inline(always)]
            unsafe fn receive<'call>(
                replug_wire: $crate::__private::RawOffer,
                replug_call: &'call $crate::wire::Call,
            ) -> &'call $($mutable)? (dyn $Host + 'call) {
                let replug_held = $crate::__core::ptr::from_mut(replug_call.hold(replug_wire));
                // SAFETY: a proxy is just what is held, for as long as the call, and for this one reference.
                unsafe { &$($mutable)? *replug_held.cast::<ReplugProxy>() }
            }
        }
    };
    // What follows an interface, piece by piece.
    ([$vis:vis]) => {};
    (
        [$vis:vis]
        $(#[$($about:tt)*])*
        host trait $Host:ident { $($functions:tt)+ }
        $($more:tt)*
    ) => {
        $crate::__offer!(@functions $vis $Host [$([$($about)*])*] [] $($functions)+);
        $crate::__offer!([$vis] $($more)*);
    };
    ([$vis:vis] $($other:tt)+) => {
        $crate::__core::compile_error!(
            "behind an interface stands only what the host offers, each with one function at least: `host trait Name { fn \
            name(&self, argument: Type) -> Type; }`"
        );
    };
}
