//! A plugin that counts its calls, and hands the count on to the next generation.

use std::sync::atomic::{AtomicU64, Ordering};

use replug_plugin::{HookError, Hooks};

static CALLS: AtomicU64 = AtomicU64::new(0);

fixtures::fixture!(|_| CALLS.fetch_add(1, Ordering::Relaxed) + 1, Hooks);

impl Hooks for This {
    const STATE: Option<u32> = Some(1);

    fn save(state: &mut Vec<u8>) -> Result<(), HookError> {
        state.extend(CALLS.load(Ordering::Relaxed).to_le_bytes());
        Ok(())
    }

    fn restore(version: u32, state: &[u8]) -> Result<(), HookError> {
        if version != 1 {
            return Err(format!("state of version {version} is not for this build").into());
        }
        CALLS.store(u64::from_le_bytes(state.try_into()?), Ordering::Relaxed);
        Ok(())
    }
}
