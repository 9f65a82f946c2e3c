//! The macro `shared!`, which declares structs of plain data.

/// Declares a struct whose values cross between host and plugin, by value or lent as `&mut`.
///
/// The struct's layout is part of the declaration of every interface that uses the struct: a plugin that was built
/// with another layout is kept out, and the message names the struct and its fields. State that the host owns and
/// lends to each call survives every reload by itself.
///
/// The struct is `Clone` and `Copy` by itself; other traits can be derived.
///
/// # Examples
///
/// ```
/// replug_plugin::shared! {
///     /// What a game remembers.
///     #[derive(Debug, Default)]
///     pub struct World {
///         /// Frames so far.
///         pub frames: u64,
///         /// Where things are.
///         pub positions: [f32; 4],
///     }
/// }
///
/// replug_plugin::interface! {
///     /// Moves things.
///     pub interface Rules, plugin trait Play, version 1 {
///         /// One frame.
///         fn step(world: &mut World, seconds: f32);
///     }
/// }
/// ```
#[macro_export]
macro_rules! shared {
    (
        $(#[$about:meta])*
        $vis:vis struct $Shared:ident {
            $( $(#[$doc:meta])* $field_vis:vis $field:ident: $Field:ty ),+ $(,)?
        }
    ) => {
        $(#[$about])*
        #[repr(C)]
        #[derive(Clone, Copy)]
        $vis struct $Shared {
            $( $(#[$doc])* $field_vis $field: $Field, )+
        }

        const _: () = {
            $( $crate::__one_type!($Field); )+
            // The attributes above may have made another struct of it: the fields are compared with what is written.
            const _: fn(&$Shared) = |replug_shared| {
                let $Shared { $($field: _),+ } = replug_shared;
                $( $crate::__private::field_is::<$Field, _>(&raw const replug_shared.$field); )+
                // A union in the struct's place would have to be read with `unsafe`.
                $( let _ = { replug_shared.$field }; )+
            };

            const REPLUG_LAYOUT: $crate::__private::Layout = $crate::__private::Layout {
                name: $crate::__core::stringify!($Shared),
                size: $crate::__core::mem::size_of::<$Shared>(),
                align: $crate::__core::mem::align_of::<$Shared>(),
                fields: &[$(
                    $crate::__private::Field {
                        name: $crate::__core::stringify!($field),
                        offset: $crate::__core::mem::offset_of!($Shared, $field),
                        shape: <$Field as $crate::wire::Plain>::PLAIN,
                    },
                )+],
                text: "",
            };
            // SAFETY: the struct is `repr(C)`, and shape and line are taken from the compiler.
            unsafe impl $crate::wire::Shared for $Shared {
                const SHAPE: $crate::__private::Shape = {
                    // In here no type of the user's is named that could mean one of these.
                    const REPLUG_LEN: $crate::__core::primitive::usize = $crate::__private::Text::<0>::definition(
                        &$crate::__private::Shape::Struct(&REPLUG_LAYOUT),
                    ).len();
                    const REPLUG_TEXT: $crate::__private::Text<REPLUG_LEN> =
                        $crate::__private::Text::definition(&$crate::__private::Shape::Struct(&REPLUG_LAYOUT));
                    $crate::__private::Shape::Struct(&$crate::__private::Layout {
                        text: $crate::__private::Text::as_str(&REPLUG_TEXT),
                        ..REPLUG_LAYOUT
                    })
                };
                $crate::__line!(
                    Own,
                    [$($crate::__private::LineField::of::<$Field>(
                        $crate::__core::mem::offset_of!($Shared, $field),
                        <$Field as $crate::wire::Plain>::replug_plain_line,
                    )),+],
                    [],
                    $crate::__core::concat!(
                        "struct ", $crate::__core::stringify!($Shared), "\nrepr C\n",
                        $("field ", $crate::__core::stringify!($field), "\n"),+
                    )
                );
            }

            // SAFETY: as above, and each field is plain.
            unsafe impl $crate::wire::Plain for $Shared {}

            $crate::__by_value!($Shared);
        };
    };
}
