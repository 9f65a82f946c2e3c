//! Failures of a filesystem, by the numbers that this system has for them. What replug makes of each is the same
//! everywhere, as far as a system has it.

/// The numbers of failures: on Unix by their names there, and on Windows as they are.
macro_rules! failures {
    ($($(#[$doc:meta])* $name:ident = $unix:ident, $windows:literal;)*) => {
        $(
            $(#[$doc])*
            #[cfg(unix)]
            pub const $name: i32 = rustix::io::Errno::$unix.raw_os_error();
            $(#[$doc])*
            #[cfg(windows)]
            pub const $name: i32 = $windows;
        )*
    };
}

failures! {
    /// Nothing is there (`ERROR_FILE_NOT_FOUND`).
    ABSENT = NOENT, 2;
    /// The disk, or a part of the file on it, cannot be read (`ERROR_CRC`).
    BROKEN = IO, 23;
    /// This user may not (`ERROR_ACCESS_DENIED`).
    DENIED = ACCESS, 5;
    /// The server does not know the file any more. Windows has no such failure: the share is gone
    /// (`ERROR_NETNAME_DELETED`).
    STALE = STALE, 64;
    /// The server does not answer (`WSAETIMEDOUT`).
    TIMED_OUT = TIMEDOUT, 10060;
    /// The daemon behind a mount is gone (`WSAENOTCONN`).
    NOT_CONNECTED = NOTCONN, 10057;
    /// No way leads to the server (`WSAEHOSTUNREACH`).
    UNREACHABLE = HOSTUNREACH, 10065;
    /// The server is down (`WSAEHOSTDOWN`).
    DOWN = HOSTDOWN, 10064;
    /// The whole system has too many files open (`ERROR_NO_SYSTEM_RESOURCES`).
    TOO_MANY = NFILE, 1450;
    /// The disk is full (`ERROR_DISK_FULL`).
    FULL = NOSPC, 112;
    /// Links lead in a circle (`ERROR_CANT_RESOLVE_FILENAME`).
    CIRCLE = LOOP, 1921;
    /// The name is longer than names may be (`ERROR_FILENAME_EXCED_RANGE`).
    TOO_LONG = NAMETOOLONG, 206;
}
