//! A plugin that keeps a tokio runtime from `init` to `stop`.

use std::sync::Mutex;

use replug_plugin::{HookError, Hooks};
use tokio::runtime::{Builder, Runtime};

static RUNTIME: Mutex<Option<Runtime>> = Mutex::new(None);

fixtures::fixture!(
    |number| {
        let runtime = RUNTIME.lock().unwrap();
        let runtime = runtime.as_ref().expect("it runs from init to stop");
        runtime.block_on(async { runtime.spawn(async move { number + 1 }).await.unwrap() })
    },
    Hooks
);

impl Hooks for This {
    fn init() -> Result<(), HookError> {
        let runtime = Builder::new_multi_thread().worker_threads(2).build()?;
        *RUNTIME.lock().unwrap() = Some(runtime);
        Ok(())
    }

    fn stop() -> Result<(), HookError> {
        // Dropping the runtime waits for its threads.
        drop(RUNTIME.lock().unwrap().take());
        Ok(())
    }
}
