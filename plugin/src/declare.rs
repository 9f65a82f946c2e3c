//! The macros of a declaration. Both sides expand the same text: the host gets a struct with methods, the plugin a
//! trait to implement.

/// Declares an interface: the functions that a plugin offers. It stands once, in a file or crate that host and plugin
/// both use.
///
/// The macro makes two things. For the host, a struct of functions: `Host<Counter>` loads it, and its methods call
/// the live generation. For the plugin, a trait with the same functions: the plugin implements it and says
/// [`export!`](crate::export!). A plugin that was built from another declaration is kept out before anything of it
/// runs, with a message that shows the difference.
///
/// Functions have no `self`: a plugin is code. State that outlives a reload belongs to the host, which lends it to
/// each call ([`shared!`](crate::shared!)), or is carried over by [`Hooks`](crate::Hooks). The types that can cross
/// are listed at [`Argument`](crate::wire::Argument) and [`Shared`](crate::wire::Shared). Plain data crosses between any
/// compilers. An interface that names anything else is at the *rust* level: host and plugin are built by one compiler
/// then, a plugin allocates from its host, and generations are never unmapped.
///
/// The functions may be called from several threads at once.
///
/// Behind the interface, `host trait Engine { .. }` names what the host offers: functions with `&self` or `&mut self`. A
/// type of the host's implements the trait, and a function of the interface takes it as `engine: &mut dyn Engine` or
/// `&dyn Engine`, lent for the call. If a function of the host's panics, the plugin is left by that panic, and the host's
/// call ends with [`CallError::HostPanicked`](crate::CallError::HostPanicked).
///
/// # Examples
///
/// ```
/// replug_plugin::interface! {
///     /// Counts words.
///     pub interface Counter, plugin trait Count, version 1 {
///         /// How many words there are in `text`.
///         fn words(text: &str) -> u64;
///         /// Writes the longest word of `text`.
///         fn longest(text: &str, longest: replug_plugin::Sink<'_>);
///     }
/// }
///
/// // The plugin:
/// struct Plain;
///
/// impl Count for Plain {
///     fn words(text: &str) -> u64 {
///         text.split_whitespace().count() as u64
///     }
///
///     fn longest(text: &str, mut longest: replug_plugin::Sink<'_>) {
///         let word = text.split_whitespace().max_by_key(|word| word.len());
///         longest.write(word.unwrap_or_default().as_bytes());
///     }
/// }
/// ```
///
/// A plugin that calls its host:
///
/// ```
/// replug_plugin::interface! {
///     /// The rules of a game.
///     pub interface Rules, plugin trait Play, version 1 {
///         /// One frame.
///         fn step(engine: &mut dyn Engine, seconds: f32);
///     }
///     /// What the game offers to its rules.
///     host trait Engine {
///         /// Shows a line.
///         fn log(&mut self, line: &str);
///     }
/// }
///
/// // The plugin:
/// struct Mine;
///
/// impl Play for Mine {
///     fn step(engine: &mut dyn Engine, seconds: f32) {
///         engine.log(&format!("{seconds} seconds went by"));
///     }
/// }
/// ```
///
/// A type that cannot cross is a compile error:
///
/// ```compile_fail,E0277
/// replug_plugin::interface! {
///     /// Counts words.
///     pub interface Counter, plugin trait Count, version 1 {
///         /// How many words there are that a function of the host's finds.
///         fn words(find: fn(&str) -> u64) -> u64;
///     }
/// }
/// ```
#[macro_export]
macro_rules! interface {
    (
        $(#[$($about:tt)*])*
        $vis:vis interface $Table:ident, plugin trait $Plugin:ident, version $version:literal {
            $(
                $(#[$($doc:tt)*])*
                $(async $is_async:vis)? fn $name:ident($($arg:ident: $takes:ty),* $(,)?) $(-> $returns:ty)?;
            )+
        }
        $($offers:tt)*
    ) => {
        $crate::__offer!([$vis] $($offers)*);

        $(#[$($about)*])*
        ///
        /// The functions of the live generation, for its host.
        #[repr(C)]
        #[allow(improper_ctypes_definitions)]
        $vis struct $Table {
            $(
                $name: $crate::__private::Slot<
                    fn($($takes),*) -> $crate::__answer_type!($(async $is_async,)? $($returns)?),
                    unsafe extern "C" fn(
                        $(<$takes as $crate::wire::Carried>::Wire),*
                    ) -> $crate::__private::Answered<$crate::__answer_type!($(async $is_async,)? $($returns)?)>,
                >,
            )+
        }

        #[allow(dead_code, improper_ctypes_definitions)]
        impl $Table {
            $(
                $(#[$($doc)*])*
                ///
                /// # Errors
                ///
                /// If the plugin panics, or no generation is live yet.
                #[inline(always)]
                $vis fn $name(
                    &self, $($arg: $takes),*
                ) -> $crate::__result_type!($(async $is_async,)? $($returns)?) {
                    const REPLUG_LENDS: $crate::__core::primitive::bool = $crate::__private::offers(
                        &[$(<$takes as $crate::wire::Argument>::SHAPE),*],
                    ) > 0;
                    let _replug_visited = $crate::__private::Visited::begin(REPLUG_LENDS);
                    // SAFETY: the function is called while `self` is borrowed, and not kept.
                    let replug_function = unsafe { $crate::__private::Slot::get(&self.$name) };
                    // SAFETY: the table is that of an image which stays mapped while `self` is borrowed, and the
                    // image was built from an equal declaration.
                    let replug_answered = unsafe {
                        replug_function($(<$takes as $crate::wire::Carried>::send($arg)),*)
                    };
                    // SAFETY: the plugin's half of this macro made the answer.
                    let replug_result = unsafe { replug_answered.into_result() };
                    $crate::__result!($(async $is_async,)? replug_result)
                }
            )+
        }

        $(#[$($about)*])*
        ///
        /// The functions that a plugin implements.
        #[allow(dead_code)]
        $vis trait $Plugin {
            $(
                $(#[$($doc)*])*
                fn $name($($arg: $takes),*) -> $crate::__plugin_type!($(async $is_async,)? $($returns)?);
            )+
        }

        // The types of the declaration are read in here, so the names in here must be none that a type could have, or
        // the length of an array in one. The text of a long declaration takes the compiler some seconds.
        #[allow(long_running_const_eval)]
        const _: () = {
            $( $crate::__harmless!($($about)*); )*
            $( $( $crate::__harmless!($($doc)*); )* )+
            const _: () = $crate::__core::assert!(
                !$crate::__core::mem::needs_drop::<$Table>(),
                "the functions of an interface cannot have `Drop`: they are dropped after the plugin that they call",
            );
            $(
                const _: () = $crate::__core::assert!(
                    !$crate::__private::is_taken($crate::__core::stringify!($name)),
                    "a function of an interface has the name of a method of `Host`, `Plugin` or `Member`, which would \
                    be called in its place; these names are taken: apply, artifact, back, back_to, borrow, borrow_mut, call_failed, clone, \
                    deref, deref_mut, digest, drop, expecting, generation, handle, into, is_missing, live, name, \
                    poll, release, staged, stall, sweep, to_owned, try_into, type_id, unloading, updates, wait, \
                    wait_for_generation, watcher, watching",
                );
                $(
                    const _: () = $crate::__core::assert!(
                        !$crate::__private::says_static($crate::__core::stringify!($takes)),
                        "arguments are lent for the call: none can be 'static",
                    );
                    $crate::__one_type!($takes);
                )*
                $( $crate::__one_type!($returns); )?
                $crate::__few_lent!($($takes),*);
                $crate::__owned!($(async $is_async,)? $($takes),*);
            )+

            const REPLUG_FUNCTIONS: &[$crate::__private::Function] = &[$(
                $crate::__private::Function {
                    name: $crate::__core::stringify!($name),
                    takes: &[$(<$takes as $crate::wire::Argument>::SHAPE),*],
                    returns: <$crate::__answer_type!($(async $is_async,)? $($returns)?) as $crate::wire::Shared>::SHAPE,
                },
            )+];
            const REPLUG_NAME: &$crate::__core::primitive::str = $crate::__core::stringify!($Table);
            const REPLUG_LEN: $crate::__core::primitive::usize = $crate::__private::Text::<0>::declaration(
                REPLUG_NAME, $version, REPLUG_FUNCTIONS,
            ).len();
            const REPLUG_TEXT: $crate::__private::Text<REPLUG_LEN> =
                $crate::__private::Text::declaration(REPLUG_NAME, $version, REPLUG_FUNCTIONS);

            const REPLUG_IS_ORDINARY: $crate::__core::primitive::bool =
                $crate::__private::are_ordinary(REPLUG_FUNCTIONS);
            const _: () = $crate::__core::assert!(
                $crate::__private::CAN_BE_ORDINARY || !REPLUG_IS_ORDINARY,
                "ordinary Rust crosses if it is built with rustc 1.91 or later; plain data crosses with this one",
            );
            const _: () = $crate::__core::assert!(
                !($crate::__private::SHUFFLES && REPLUG_IS_ORDINARY),
                "ordinary Rust does not cross if the compiler shuffles fields (`-Z randomize-layout`): one definition lies \
                differently in two builds",
            );

            /// The interface's own line: what its functions take and return, behind the identity of the standard library.
            enum ReplugInterface {}

            impl ReplugInterface {
                $crate::__line!(
                    Interface,
                    [
                        $crate::__private::LineField::of::<$crate::__private::String>(
                            $crate::__private::NOWHERE,
                            <$crate::__private::String as $crate::wire::Shared>::replug_line,
                        ),
                        $(
                            $(<$takes as $crate::wire::Argument>::FIELD,)*
                            $crate::__private::LineField::of::<$crate::__answer_type!($(async $is_async,)? $($returns)?)>(
                                $crate::__private::NOWHERE,
                                <$crate::__answer_type!($(async $is_async,)? $($returns)?) as $crate::wire::Shared>::replug_line,
                            ),
                        )+
                    ],
                    [],
                    $crate::__core::concat!("interface ", $crate::__core::stringify!($Table), "\n")
                );
            }

            // SAFETY: the struct, the text and the line are made of the same lines.
            unsafe impl $crate::Interface for $Table {
                const DECLARATION: &'static $crate::__core::primitive::str =
                    $crate::__private::Text::as_str(&REPLUG_TEXT);
                const LINE: $crate::__core::option::Option<fn() -> $crate::__private::Line> = match REPLUG_IS_ORDINARY {
                    true => $crate::__core::option::Option::Some(ReplugInterface::replug_line),
                    false => $crate::__core::option::Option::None,
                };

                fn absent() -> Self {
                    $Table {
                        // SAFETY: the function has the declared types, and is this program's own.
                        $($name: unsafe { $crate::__private::Slot::new(ReplugAbsent::$name) }),+
                    }
                }

                unsafe fn copy(replug_table: *const $crate::__core::ffi::c_void) -> Self {
                    // SAFETY: the caller vouches for the table.
                    unsafe { replug_table.cast::<$Table>().read() }
                }
            }

            /// The functions while no generation is live. Associated ones, for a free function hides others of its name.
            struct ReplugAbsent;

            #[allow(improper_ctypes_definitions)]
            impl ReplugAbsent {
                $(
                    unsafe extern "C" fn $name(
                        $($arg: <$takes as $crate::wire::Carried>::Wire),*
                    ) -> $crate::__private::Answered<$crate::__answer_type!($(async $is_async,)? $($returns)?)> {
                        $( $crate::__private::drop_unused($arg); )*
                        $crate::__private::Answered::absent()
                    }
                )+
            }

            /// The plugin's functions, for arguments with a lifetime that no type of the declaration can name: a function
            /// that wants one for longer does not compile, whatever alias hides that.
            struct ReplugLent<ReplugPlugin>($crate::__core::marker::PhantomData<ReplugPlugin>);

            impl<ReplugPlugin: $Plugin> ReplugLent<ReplugPlugin> {
                $(
                    #[inline(always)]
                    fn $name<'lent_for_one_call>(
                        $($arg: <$takes as $crate::wire::Carried>::At<'lent_for_one_call>),*
                    ) -> $crate::__answer_type!($(async $is_async,)? $($returns)?) {
                        let replug_value = <ReplugPlugin as $Plugin>::$name($($arg),*);
                        $crate::__plugin_value!($(async $is_async,)? replug_value)
                    }
                )+
            }

            /// The plugin's functions, as C sees them.
            struct ReplugExported<ReplugPlugin>($crate::__core::marker::PhantomData<ReplugPlugin>);

            #[allow(improper_ctypes_definitions)]
            impl<ReplugPlugin: $Plugin> ReplugExported<ReplugPlugin> {
                $(
                    unsafe extern "C" fn $name(
                        $($arg: <$takes as $crate::wire::Carried>::Wire),*
                    ) -> $crate::__private::Answered<$crate::__answer_type!($(async $is_async,)? $($returns)?)> {
                        $crate::__private::answer(move || {
                            let replug_call = $crate::wire::Call::begin();
                            let _ = &replug_call;
                            $(
                                // SAFETY: the host sent the argument, by the same declaration, and lends it for the
                                // call.
                                let $arg = unsafe {
                                    <$takes as $crate::wire::Carried>::receive($arg, &replug_call)
                                };
                            )*
                            ReplugLent::<ReplugPlugin>::$name($($arg),*)
                        })
                    }
                )+
            }

            // SAFETY: the functions are those of the declaration, in order.
            unsafe impl<ReplugPlugin: $Plugin> $crate::__private::Implemented<ReplugPlugin> for $Table {
                const TABLE: $Table = $Table {
                    // SAFETY: the function has the declared types, and is this library's own.
                    $($name: unsafe { $crate::__private::Slot::new(ReplugExported::<ReplugPlugin>::$name) }),+
                };
            }
        };
    };
    ($($other:tt)*) => {
        $crate::__wrong_interface!($($other)*);
    };
}

/// The type that a function of a declaration returns: the one that is written, or `()` if none is.
#[doc(hidden)]
#[macro_export]
macro_rules! __answer_type {
    () => {
        ()
    };
    (async $vis:vis, $($returns:ty)?) => {
        $crate::Pending<$crate::__answer_type!($($returns)?)>
    };
    ($returns:ty) => {
        $returns
    };
}

/// The type that a host gets from such a function.
#[doc(hidden)]
#[macro_export]
macro_rules! __result_type {
    (async $vis:vis, $($returns:ty)?) => {
        $crate::Pending<$crate::__answer_type!($($returns)?)>
    };
    ($($returns:ty)?) => {
        $crate::__core::result::Result<$crate::__answer_type!($($returns)?), $crate::CallError>
    };
}

/// The value that a host gets from such a function.
#[doc(hidden)]
#[macro_export]
macro_rules! __result {
    (async $vis:vis, $result:ident) => {
        match $result {
            $crate::__core::result::Result::Ok(replug_pending) => replug_pending,
            $crate::__core::result::Result::Err(replug_error) => {
                $crate::Pending::failed(replug_error)
            }
        }
    };
    ($result:ident) => {
        $result
    };
}

/// The type that a plugin's function returns.
#[doc(hidden)]
#[macro_export]
macro_rules! __plugin_type {
    (async $vis:vis, $($returns:ty)?) => {
        impl $crate::__core::future::Future<Output = $crate::__answer_type!($($returns)?)>
        + $crate::__core::marker::Send + 'static
    };
    ($($returns:ty)?) => {
        $crate::__answer_type!($($returns)?)
    };
}

/// The value that crosses of what a plugin's function returned.
#[doc(hidden)]
#[macro_export]
macro_rules! __plugin_value {
    (async $vis:vis, $value:ident) => {
        $crate::Pending::new($value)
    };
    ($value:ident) => {
        $value
    };
}

/// Refuses an `async fn` that takes what is only lent for the call, for it goes on afterwards.
#[doc(hidden)]
#[macro_export]
macro_rules! __owned {
    (async $vis:vis, $($takes:ty),*) => {
        const _: () = $crate::__core::assert!(
            $crate::__core::stringify!($vis).is_empty(),
            "a function of an interface is as visible as the interface: leave out what stands between `async` and `fn`",
        );
        $(
        const _: () = $crate::__core::assert!(
            !$crate::__private::is_lent(&<$takes as $crate::wire::Argument>::SHAPE),
            "an `async fn` goes on after the call, and so cannot take what is lent for the call: `String` instead of `&str`, \
            `Vec` instead of a slice",
        );
        )*
    };
    ($($takes:ty),*) => {};
}

/// Refuses a type that is written with a macro's call. The call is expanded at each place where the type is used, and each
/// time the macro may answer another type.
#[doc(hidden)]
#[macro_export]
macro_rules! __one_type {
    ($declared:ty) => {
        const _: () = $crate::__core::assert!(
            !$crate::__private::says_macro($crate::__core::stringify!($declared)),
            "a type that crosses cannot be written with a macro's call, which may answer another type at each place where \
            the type is used; give the type a name: `type Name = a_macro!();`",
        );
    };
}

/// Refuses a function that takes more of what is offered than a call has room for.
#[doc(hidden)]
#[macro_export]
macro_rules! __few_lent {
    ($($takes:ty),*) => {
        const _: () = $crate::__core::assert!(
            !$crate::__private::lends_too_many(&[$(<$takes as $crate::wire::Argument>::SHAPE),*]),
            "a function takes 4 `dyn` arguments at most",
        );
    };
}

/// Refuses the attributes of an interface that could change its functions. A function is written down as it was declared,
/// and an attribute may make another of it.
#[doc(hidden)]
#[macro_export]
macro_rules! __harmless {
    // Not a path that only begins with such a word.
    (doc = $($text:tt)*) => {};
    (doc ($($rest:tt)*)) => {};
    (allow ($($rest:tt)*)) => {};
    (expect ($($rest:tt)*)) => {};
    (warn ($($rest:tt)*)) => {};
    (deny ($($rest:tt)*)) => {};
    (forbid ($($rest:tt)*)) => {};
    ($($other:tt)*) => {
        $crate::__core::compile_error!($crate::__core::concat!(
            "`#[", $crate::__core::stringify!($($other)*), "]` cannot stand in an interface: an attribute can change what the \
            handshake says of a function; docs and `allow`, `expect`, `warn`, `deny`, `forbid` can",
        ));
    };
}

/// Says what is wrong with an interface that nothing else could read.
#[doc(hidden)]
#[macro_export]
macro_rules! __wrong_interface {
    (
        $(#[$($about:tt)*])*
        $vis:vis interface $Table:ident, plugin trait $Plugin:ident, version $version:literal {
            $($functions:tt)*
        }
        $($offers:tt)*
    ) => {
        $crate::__wrong_function!($($functions)*);
    };
    ($($other:tt)*) => {
        $crate::__core::compile_error!(
            "an interface is declared like this: `pub interface Name, plugin trait Trait, version 1 { fn name(argument: Type) \
            -> Type; }`, and behind it stands what the host offers, if it offers anything: `host trait Name { fn name(&self, \
            argument: Type) -> Type; }`"
        );
    };
}

/// Says what is wrong with the first function of an interface that nothing else could read.
#[doc(hidden)]
#[macro_export]
macro_rules! __wrong_function {
    // A good one.
    (
        $(#[$($doc:tt)*])*
        $(async $is_async:vis)? fn $name:ident($($arg:ident: $takes:ty),* $(,)?) $(-> $returns:ty)?;
        $($rest:tt)*
    ) => {
        $crate::__wrong_function!($($rest)*);
    };
    ($(#[$($doc:tt)*])* $(async)? fn $name:ident(&$($rest:tt)*) $($more:tt)*) => {
        $crate::__wrong_function!(@self $name);
    };
    ($(#[$($doc:tt)*])* $(async)? fn $name:ident(self $($rest:tt)*) $($more:tt)*) => {
        $crate::__wrong_function!(@self $name);
    };
    ($(#[$($doc:tt)*])* $(async)? fn $name:ident(mut $($rest:tt)*) $($more:tt)*) => {
        $crate::__core::compile_error!($crate::__core::concat!(
            "`", $crate::__core::stringify!($name), "`: an argument of a declaration is a name and a type; `mut` is for the plugin \
            to say, where it implements the function"
        ));
    };
    ($(#[$($doc:tt)*])* $(async)? fn $name:ident<$($rest:tt)*) => {
        $crate::__core::compile_error!($crate::__core::concat!(
            "`", $crate::__core::stringify!($name), "`: a function that crosses has no parameters in `<>`: the plugin is compiled \
            before anybody knows by what types it is called; name the types, one function for each"
        ));
    };
    (
        $(#[$($doc:tt)*])*
        $(async)? fn $name:ident($($args:tt)*) $(-> $returns:ty)? { $($body:tt)* }
        $($rest:tt)*
    ) => {
        $crate::__wrong_function!(@body $name "the plugin writes it, where it implements the trait");
    };
    ($(#[$($doc:tt)*])* pub $($rest:tt)*) => {
        $crate::__core::compile_error!(
            "a function of an interface is as visible as the interface: leave out `pub`"
        );
    };
    () => {
        $crate::__core::compile_error!("an interface has one function at least");
    };
    (@self $name:ident) => {
        $crate::__core::compile_error!($crate::__core::concat!(
            "`", $crate::__core::stringify!($name), "`: a function of an interface has no `self`: a plugin is code. What it keeps \
            is lent to it by the host, as `state: &mut State`, or is its own, by `export!(.., state: State as ..)`"
        ));
    };
    (@body $name:ident $where:literal) => {
        $crate::__core::compile_error!($crate::__core::concat!(
            "`", $crate::__core::stringify!($name), "`: a declaration has no body: put `;` behind the function; ", $where
        ));
    };
    ($($other:tt)*) => {
        $crate::__core::compile_error!(
            "a function of an interface is declared like this: `fn name(argument: Type, other: Type) -> Type;`, or with `async` before \
            it"
        );
    };
}
