//! `schema!`: from the declaration of a schema to its types.

/// Declares a schema: a type for each topic and each call, and one for the whole.
///
/// ```
/// use tidewire_protocol::{name::Pattern, schema::{Call, Schema, TypedTopic}};
///
/// tidewire_protocol::schema! {
///     /// What this application says.
///     pub schema Metrics {
///         /// The load of a machine.
///         topic Load { host: String, core: u16 } = "load:{host}:{core}" { event: f64 }
///         topic Log = "log" { event: String, publish: String }
///         /// Starts a machine again, and says how long that took in milliseconds.
///         call Restart = "machines.restart" (String) -> u32;
///         call Machines = "machines.list" () -> Vec<String>;
///         /// What a machine writes to its log, from now on.
///         stream Tail = "machines.tail" (String) -> String;
///     }
/// }
///
/// let load = Load { host: "db-1".into(), core: 3 };
/// let topic = load.topic()?;
/// assert_eq!(topic.as_str(), "load:db-1:3");
/// assert_eq!(Load::from_params(&Load::pattern().matches(&topic).unwrap()), Some(load));
/// assert_eq!(Restart::NAME, "machines.restart");
/// assert_eq!(Metrics::ENTRIES.len(), 5);
/// # Ok::<(), tidewire_protocol::name::FillError>(())
/// ```
///
/// - A topic's fields are the parameters of its pattern, by name. A field's type has `FromStr` and `Display`, and what
///   the topic's type derives: `Clone`, `Debug`, `PartialEq`, `Eq` and `Hash`. Without parameters there are no fields.
/// - `event` is what subscribers get, `publish` what clients send; without `publish` they may send nothing.
/// - `key` names the field of the event whose text is its key: the topic's state is then the last event of each key. The
///   field's type has `Display`. If serde gives the field another name in JSON, that stands behind: `key: id = "userId"`.
/// - `snapshot` is the topic's state, which whoever subscribes may have first. Without it that is the list of the events
///   that history holds, `Vec<Event>`, or of a topic with a key `BTreeMap<String, Event>`, and the server makes it by itself.
/// - `presence` is what subscribers see of each member who is there; without it nobody is shown. These parts of a topic
///   stand in this order.
/// - A call has the type of its one argument, or none, in parentheses, and the type of its reply behind the arrow.
/// - A `stream` is a call that is answered by any number of items, of the type behind the arrow.
/// - Doc comments go to the Rust types and to the TypeScript.
/// - `schema Metrics lock "schema.lock" { … }` names a file, as seen from the crate's folder, in which the
///   export keeps the earlier versions of every entry: pages that were built with one of them are not stopped by a server
///   that is newer, nor new ones by a server that is older. Without `lock` every change of an entry stops them. Where
///   there is no file yet, the build says how to begin it.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use tidewire_protocol::schema::TypedTopic;
/// use ts_rs::TS;
///
/// #[derive(Serialize, Deserialize, TS)]
/// pub struct Quote { pub symbol: String, pub price: f64 }
/// #[derive(Serialize, Deserialize, TS)]
/// pub struct Trader { pub name: String }
/// #[derive(Serialize, Deserialize, TS)]
/// pub struct Hall { pub name: String, pub calls: Vec<String> }
///
/// tidewire_protocol::schema! {
///     pub schema Market {
///         topic Prices = "prices" { event: Quote, key: symbol }
///         topic Floor { hall: u8 } = "floor:{hall}" { event: String, snapshot: Hall, presence: Trader }
///     }
/// }
///
/// let quote = Quote { symbol: "TIDE".into(), price: 7.5 };
/// assert_eq!(Prices::key_of(&quote).as_deref(), Some("TIDE"));
/// assert!(Prices::KEYED && !Floor::KEYED);
/// let module = Market::typescript()?;
/// for line in [
///     r#""prices": { event: Quote; publish: never; key: "symbol"; snapshot: { [key in string]: Quote } };"#,
///     r#""floor:{hall}": { event: string; publish: never; snapshot: Hall; presence: Trader };"#,
/// ] {
///     assert!(module.contains(line), "{module}");
/// }
/// # Ok::<(), tidewire_protocol::schema::ExportError>(())
/// ```
///
/// The compiler refuses a pattern that is none, and fields that are not its parameters:
///
/// ```compile_fail
/// tidewire_protocol::schema! {
///     pub schema Chat {
///         topic Room { name: String } = "chat:{room}" { event: String }
///     }
/// }
/// ```
///
/// It refuses a call whose name a topic could not have, and two entries of one name:
///
/// ```compile_fail
/// tidewire_protocol::schema! {
///     pub schema Rooms { call Create = "$create" (String) -> u32; }
/// }
/// ```
///
/// ```compile_fail
/// tidewire_protocol::schema! {
///     pub schema Rooms {
///         call Create = "rooms.create" (String) -> u32;
///         call CreateTwo = "rooms.create" (u32) -> u32;
///     }
/// }
/// ```
///
/// And a key that is no field of the event, or has no text:
///
/// ```compile_fail
/// tidewire_protocol::schema! {
///     pub schema Market { topic Prices = "prices" { event: String, key: symbol } }
/// }
/// ```
///
/// ```compile_fail
/// #[derive(serde::Serialize, serde::Deserialize, ts_rs::TS)]
/// pub struct Quote { pub symbol: Option<String> }
///
/// tidewire_protocol::schema! {
///     pub schema Market { topic Prices = "prices" { event: Quote, key: symbol } }
/// }
/// ```
///
/// The export refuses a key that the event's JSON does not have. Patterns of which one name could match two are refused
/// by the export, and by a server that is given them.
#[macro_export]
macro_rules! schema {
    (
        $(#[$($meta:tt)*])*
        $vis:vis schema $schema:ident $(lock $lock:literal)? {
            $(
                $(#[$($entry_meta:tt)*])*
                $kind:ident $entry:ident $({ $($fields:tt)* })? = $key:literal
                    $({ $($parts:tt)* })? $(($($args:tt)*) -> $reply:ty;)?
            )*
        }
    ) => {
        $(#[$($meta)*])*
        #[derive(::core::clone::Clone, ::core::marker::Copy, ::core::fmt::Debug)]
        $vis struct $schema;

        $($crate::__schema_entry! {
            $kind [$schema] [$vis] [$(#[$($entry_meta)*])*] $entry [$({ $($fields)* })?] $key [$({ $($parts)* })?]
            [$(($($args)*) -> $reply)?]
        })*

        const _: () = $crate::schema::expansion::distinct(&[$($key),*]);

        impl $crate::schema::Schema for $schema {
            const NAME: &'static str = ::core::stringify!($schema);
            const MODULE: &'static str = ::core::module_path!();
            const PACKAGE: &'static str = ::core::env!("CARGO_PKG_NAME");
            const FOLDER: &'static str = ::core::env!("CARGO_MANIFEST_DIR");
            const DOCS: &'static str = $crate::__schema_docs!($([$($meta)*])*);
            $(
                const LOCK: ::core::option::Option<$crate::schema::Lock> =
                    ::core::option::Option::Some($crate::schema::Lock {
                        path: $lock,
                        text: $crate::schema::expansion::lock_text!($lock),
                    });
            )?
            const ENTRIES: &'static [$crate::schema::Entry] = &[
                $($crate::schema::Entry::$kind::<$entry>($crate::__schema_docs!($([$($entry_meta)*])*))),*
            ];
        }

        #[allow(dead_code, reason = "an application uses those that it needs")]
        impl $schema {
            /// The TypeScript module of this schema.
            ///
            /// # Errors
            /// As `Schema::typescript`.
            $vis fn typescript() -> ::core::result::Result<::std::string::String, $crate::schema::ExportError> {
                <Self as $crate::schema::Schema>::typescript()
            }

            /// Writes the TypeScript module of this schema to a file, and `schema.lock`.
            ///
            /// # Errors
            /// As `Schema::export`.
            $vis fn export(
                path: impl ::core::convert::AsRef<::std::path::Path>,
            ) -> ::core::result::Result<(), $crate::schema::ExportError> {
                <Self as $crate::schema::Schema>::export(path)
            }

            /// Writes the same, though these entries no longer work with earlier versions of them.
            ///
            /// # Errors
            /// As `Schema::export_breaking`.
            $vis fn export_breaking(
                path: impl ::core::convert::AsRef<::std::path::Path>,
                entries: &[&str],
            ) -> ::core::result::Result<(), $crate::schema::ExportError> {
                <Self as $crate::schema::Schema>::export_breaking(path, entries)
            }

            /// Checks that the files say what `export` would write.
            ///
            /// # Errors
            /// As `Schema::check`.
            $vis fn check(
                path: impl ::core::convert::AsRef<::std::path::Path>,
            ) -> ::core::result::Result<(), $crate::schema::ExportError> {
                <Self as $crate::schema::Schema>::check(path)
            }
        }
    };
}

/// The type of one entry, by its kind. A new part of a topic is one more optional line here, a new kind one more rule.
#[doc(hidden)]
#[macro_export]
macro_rules! __schema_entry {
    (
        topic [$schema:ident] [$vis:vis] [$(#[$meta:meta])*] $topic:ident
        [$({ $($(#[$field_meta:meta])* $field:ident: $type:ty),* $(,)? })?]
        $pattern:literal
        [{
            event: $event:ty
            $(, publish: $publish:ty)?
            $(, key: $key:ident $(= $key_name:literal)?)?
            $(, snapshot: $snapshot:ty)?
            $(, presence: $presence:ty)?
            $(,)?
        }]
        []
    ) => {
        $crate::__schema_struct! {
            $(#[$meta])*
            #[doc = ""]
            #[doc = ::core::concat!("The topic `", $pattern, "`.")]
            #[derive(
                ::core::clone::Clone, ::core::fmt::Debug, ::core::cmp::PartialEq, ::core::cmp::Eq, ::core::hash::Hash,
            )]
            $vis struct $topic $({
                $(
                    $(#[$field_meta])*
                    #[doc = ""]
                    #[doc = ::core::concat!("The value of `{", ::core::stringify!($field), "}` in the topic's name.")]
                    $vis $field: $type,
                )*
            })?
        }

        impl $crate::schema::TypedTopic for $topic {
            type Event = $event;
            type Publish = $crate::__schema_or!([$($publish)?] $crate::schema::NoPublish);
            type Snapshot = $crate::__schema_snapshot!([$($snapshot)?] [$($key)?] $event);
            type Presence = $crate::__schema_or!([$($presence)?] $crate::schema::NoPresence);
            const LOCK: &'static str = $crate::schema::expansion::lock::<$schema>();
            const PATTERN: &'static str = $crate::schema::expansion::pattern(
                $pattern,
                &[$($($crate::schema::expansion::name(::core::stringify!($field))),*)?],
            );

            $(
                const KEY: ::core::option::Option<&'static str> = ::core::option::Option::Some(
                    $crate::schema::expansion::key_name(::core::stringify!($key), &[$($key_name)?]),
                );

                fn key_of(event: &$event) -> ::core::option::Option<::std::string::String> {
                    ::core::option::Option::Some(::std::string::ToString::to_string(&event.$key))
                }
            )?

            fn pattern() -> &'static $crate::name::Pattern {
                static PATTERN: $crate::schema::expansion::OnceLock<$crate::name::Pattern> =
                    $crate::schema::expansion::OnceLock::new();
                PATTERN.get_or_init($crate::schema::expansion::parsed::<Self>)
            }

            fn topic(&self) -> ::core::result::Result<$crate::name::Topic, $crate::name::FillError> {
                <Self as $crate::schema::TypedTopic>::pattern().fill(&[$($((
                    $crate::schema::expansion::name(::core::stringify!($field)),
                    ::std::string::ToString::to_string(&self.$field).as_str(),
                )),*)?])
            }

            fn from_params(params: &$crate::name::Params<'_>) -> ::core::option::Option<Self> {
                let _ = params;
                ::core::option::Option::Some(Self {
                    $($($field: $crate::schema::expansion::value(
                        params,
                        $crate::schema::expansion::name(::core::stringify!($field)),
                    )?),*)?
                })
            }

            fn hash() -> $crate::schema::SchemaHash {
                static HASH: $crate::schema::expansion::OnceLock<$crate::schema::SchemaHash> =
                    $crate::schema::expansion::OnceLock::new();
                *HASH.get_or_init($crate::schema::expansion::topic_hash::<Self>)
            }
        }
    };
    (
        call [$schema:ident] [$vis:vis] [$(#[$meta:meta])*] $call:ident [] $name:literal [] [($($args:ty)?) -> $reply:ty]
    ) => {
        $crate::__schema_call! {
            [$schema] [$vis] [$(#[$meta])*] $call $name [$($args)?] Call Reply $reply, call_hash "The call `"
        }
    };
    (
        stream [$schema:ident] [$vis:vis] [$(#[$meta:meta])*] $call:ident [] $name:literal [] [($($args:ty)?) -> $item:ty]
    ) => {
        $crate::__schema_call! {
            [$schema] [$vis] [$(#[$meta])*] $call $name [$($args)?] StreamingCall Item $item, stream_hash "The stream `"
        }
    };
    (topic [$schema:ident] [$vis:vis] [$($meta:tt)*] $topic:ident $($rest:tt)*) => {
        ::core::compile_error!(::core::concat!(
            "topic `", ::core::stringify!($topic), "`: expected `{ event: Type }` behind the pattern, in which",
            " `publish: Type`, `key: field` or `key: field = \"name\"`, `snapshot: Type` and `presence: Type` may follow in",
            " this order, and",
            " `{ name: Type, … }` or nothing before it",
        ));
    };
    (call [$schema:ident] [$vis:vis] [$($meta:tt)*] $call:ident $($rest:tt)*) => {
        $crate::__schema_call! { @ call $call }
    };
    (stream [$schema:ident] [$vis:vis] [$($meta:tt)*] $call:ident $($rest:tt)*) => {
        $crate::__schema_call! { @ stream $call }
    };
    ($kind:ident [$schema:ident] [$vis:vis] [$($meta:tt)*] $entry:ident $($rest:tt)*) => {
        ::core::compile_error!(::core::concat!(
            "expected `topic`, `call` or `stream`, found `", ::core::stringify!($kind), "`",
        ));
    };
}

/// The type of a call, by the trait that says how it is answered.
#[doc(hidden)]
#[macro_export]
macro_rules! __schema_call {
    (
        [$schema:ident] [$vis:vis] [$(#[$meta:meta])*] $call:ident $name:literal [$($args:ty)?] $trait:ident $answer:ident $type:ty,
        $hash:ident $docs:literal
    ) => {
        $(#[$meta])*
        #[doc = ""]
        #[doc = ::core::concat!($docs, $name, "`.")]
        #[derive(::core::clone::Clone, ::core::marker::Copy, ::core::fmt::Debug)]
        $vis struct $call;

        impl $crate::schema::$trait for $call {
            type Args = $crate::__schema_or!([$($args)?] ());
            type $answer = $type;
            const LOCK: &'static str = $crate::schema::expansion::lock::<$schema>();
            const NAME: &'static str = $crate::schema::expansion::call_name($name);

            fn hash() -> $crate::schema::SchemaHash {
                static HASH: $crate::schema::expansion::OnceLock<$crate::schema::SchemaHash> =
                    $crate::schema::expansion::OnceLock::new();
                *HASH.get_or_init($crate::schema::expansion::$hash::<Self>)
            }
        }
    };
    (@ $kind:ident $call:ident) => {
        ::core::compile_error!(::core::concat!(
            ::core::stringify!($kind), " `", ::core::stringify!($call), "`: expected `(Type) -> Type;` or `() -> Type;` behind the name, and",
            " nothing before it",
        ));
    };
}

/// Ends a struct without fields as it must be.
#[doc(hidden)]
#[macro_export]
macro_rules! __schema_struct {
    ($(#[$meta:meta])* $vis:vis struct $name:ident) => { $(#[$meta])* $vis struct $name; };
    ($($fields:tt)*) => { $($fields)* };
}

/// The type that is declared, else the one that stands for none.
#[doc(hidden)]
#[macro_export]
macro_rules! __schema_or {
    ([] $absent:ty) => {
        $absent
    };
    ([$declared:ty] $absent:ty) => {
        $declared
    };
}

/// The type of a topic's snapshot: what is declared, else what Tidewire makes of the topic.
#[doc(hidden)]
#[macro_export]
macro_rules! __schema_snapshot {
    ([$declared:ty] [$($key:ident)?] $event:ty) => {
        $declared
    };
    ([] [] $event:ty) => {
        ::std::vec::Vec<$event>
    };
    ([] [$key:ident] $event:ty) => {
        ::std::collections::BTreeMap<::std::string::String, $event>
    };
}

/// The text of a doc comment, a line for each attribute; other attributes give nothing.
#[doc(hidden)]
#[macro_export]
macro_rules! __schema_docs {
    ($([$($meta:tt)*])*) => { ::core::concat!($($crate::__schema_docs!(@ $($meta)*)),*) };
    (@ doc = $line:expr) => { ::core::concat!($line, "\n") };
    (@ $($meta:tt)*) => { "" };
}
