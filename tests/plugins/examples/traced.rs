//! A plugin that logs through tracing, to a subscriber of its own.

use std::io;

use tracing_subscriber::fmt;

fixtures::fixture!(|number| {
    let subscriber = fmt().with_writer(io::sink).finish();
    tracing::subscriber::with_default(subscriber, || {
        let _span = tracing::info_span!("act", number).entered();
        tracing::info!("acting");
    });
    number
});
