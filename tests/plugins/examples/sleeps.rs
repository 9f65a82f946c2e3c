//! A plugin that waits: by its host, by nobody's timer, and by a tokio runtime that it keeps from `init` to `stop`.

use std::sync::Mutex;
use std::time::Duration;

use fixtures::{Sleep, Sleeper};
use replug_plugin::{HookError, Hooks, Pending};
use tokio::runtime::{Builder, Runtime};
use tokio::time::sleep;

static RUNTIME: Mutex<Option<Runtime>> = Mutex::new(None);

const MOMENT: Duration = Duration::from_millis(1);

struct This;

impl Sleep for This {
    async fn by_the_host(pause: Pending<u32>) -> u32 {
        let number = pause.await.unwrap();
        assert!(number != 13, "an unlucky number");
        number + 1
    }

    async fn by_who_polls() -> u32 {
        sleep(MOMENT).await;
        2
    }

    async fn by_itself() -> u32 {
        let slept = {
            let runtime = RUNTIME.lock().unwrap();
            let runtime = runtime.as_ref().expect("it runs from init to stop");
            runtime.spawn(async {
                sleep(MOMENT).await;
                3
            })
        };
        slept.await.unwrap()
    }
}

impl Hooks for This {
    fn init() -> Result<(), HookError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_time()
            .build()?;
        *RUNTIME.lock().unwrap() = Some(runtime);
        Ok(())
    }

    fn stop() -> Result<(), HookError> {
        // Dropping the runtime waits for its thread.
        drop(RUNTIME.lock().unwrap().take());
        Ok(())
    }
}

replug_plugin::export!(This: Sleeper + Hooks);
