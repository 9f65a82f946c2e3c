//! The counter with another form of state: the newer one understands the old form, but not the other way round.

use std::sync::atomic::{AtomicU64, Ordering};

use replug_plugin::{HookError, Hooks};

static CALLS: AtomicU64 = AtomicU64::new(0);

fixtures::fixture!(|_| CALLS.fetch_add(1, Ordering::Relaxed) + 1, Hooks);

impl Hooks for This {
    const STATE: Option<u32> = Some(2);

    fn save(state: &mut Vec<u8>) -> Result<(), HookError> {
        state.extend(CALLS.load(Ordering::Relaxed).to_string().bytes());
        Ok(())
    }

    fn restore(version: u32, state: &[u8]) -> Result<(), HookError> {
        let calls = match version {
            1 => u64::from_le_bytes(state.try_into()?),
            _ => str::from_utf8(state)?.parse()?,
        };
        CALLS.store(calls, Ordering::Relaxed);
        Ok(())
    }
}
