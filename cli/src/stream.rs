//! The program's two streams, stdout and stderr, which wait for a slow reader.
//!
//! A pipe can be in non-blocking mode, because another program that has it open chose so: when the pipe is full, a write
//! then fails. std takes that for an error like any other, and may have written a part of a line by then.

use std::io::{self, ErrorKind, IsTerminal as _, Write};

/// One of the two streams. Each write is written as a whole, however long nobody reads, unless the reader has gone.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stream {
    /// What the program has to say.
    Out,
    /// Its logs.
    Err,
}

impl Stream {
    /// Whether people see the stream on a terminal that understands escape codes.
    pub(crate) fn is_terminal(self) -> bool {
        let is_terminal = match self {
            Stream::Out => io::stdout().is_terminal(),
            Stream::Err => io::stderr().is_terminal(),
        };
        is_terminal && system::understands_escapes()
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Out => write_whole(&mut io::stdout().lock(), bytes)?,
            Stream::Err => write_whole(&mut io::stderr().lock(), bytes)?,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes all bytes to a stream that is locked, so that no other thread writes in between.
fn write_whole(stream: &mut impl system::Locked, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match system::write(stream, bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => system::wait_for_room(stream)?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(unix)]
mod system {
    use std::fs::File;
    use std::io::{self, ErrorKind};
    use std::os::fd::AsFd;
    use std::os::unix::fs::FileTypeExt as _;

    use rustix::event::{PollFd, PollFlags, poll};
    use rustix::io::Errno;

    /// A locked stream. It is written to past std, which keeps what it could not write.
    pub(super) trait Locked: AsFd {}

    impl<S: AsFd> Locked for S {}

    pub(super) fn write(stream: &mut impl Locked, bytes: &[u8]) -> io::Result<usize> {
        match rustix::io::write(&*stream, bytes) {
            // A terminal that was closed is a reader that has gone.
            Err(Errno::IO) if is_device(stream) => Err(ErrorKind::BrokenPipe.into()),
            written => Ok(written?),
        }
    }

    /// Whether the stream is a terminal, or was one: a closed one says that it is none.
    fn is_device(stream: &impl Locked) -> bool {
        let stream = stream.as_fd().try_clone_to_owned().map(File::from);
        let metadata = stream.and_then(|stream| stream.metadata());
        metadata.is_ok_and(|it| it.file_type().is_char_device())
    }

    /// Always: that is what terminals do here.
    pub(super) fn understands_escapes() -> bool {
        true
    }

    /// Waits until the stream takes more, or its reader has gone. Ctrl-C ends the program all the same.
    pub(super) fn wait_for_room(stream: &impl Locked) -> io::Result<()> {
        match poll(&mut [PollFd::new(stream, PollFlags::OUT)], None) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(not(unix))]
mod system {
    use std::io::{self, ErrorKind, Write};

    /// A locked stream.
    pub(super) trait Locked: Write {}

    impl<S: Write> Locked for S {}

    pub(super) fn write(stream: &mut impl Locked, bytes: &[u8]) -> io::Result<usize> {
        let written = stream.write(bytes)?;
        stream.flush()?;
        Ok(written)
    }

    /// Whether the console does, once it was told to: before Windows 10 there is none that does.
    pub(super) fn understands_escapes() -> bool {
        anstyle_query::windows::enable_ansi_colors() == Some(true)
    }

    /// Fails: no stream is in non-blocking mode here.
    pub(super) fn wait_for_room(_stream: &impl Locked) -> io::Result<()> {
        Err(ErrorKind::WouldBlock.into())
    }
}
