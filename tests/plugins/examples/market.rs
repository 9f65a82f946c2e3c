//! A market that checks, renews, keeps for a while and drops what its host gives it, and that panics now and then.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Mutex;
use std::task::{Poll, Waker};

use fixtures::market::{Basket, Clerk, Good, Market, Trade};
use replug_plugin::{HookError, Hooks, Pending};
use serde::{Deserialize, Serialize};

/// Wakers of the last futures. One that is dropped here may be the last of a host's.
static WAKERS: Mutex<VecDeque<Waker>> = Mutex::new(VecDeque::new());

const MOST: usize = 16;

#[derive(Default, Serialize, Deserialize)]
struct Book {
    texts: VecDeque<String>,
    told: Vec<String>,
}

struct This;

impl Trade for This {
    fn make(number: u64) -> Basket {
        Basket::of(number)
    }

    fn look(basket: &Basket) -> Result<u64, String> {
        match basket.is_whole() {
            true => Ok(basket.number),
            false => Err(format!("{basket:?}")),
        }
    }

    fn renew(basket: &mut Basket) -> Option<Good> {
        let top = basket.goods.pop();
        basket.renew();
        top
    }

    fn sort(baskets: &mut [Basket], numbers: &mut Vec<u64>) {
        baskets.sort_by_key(|it| it.number);
        numbers.clear();
        numbers.extend(baskets.iter().map(|it| it.number));
        numbers.shrink_to_fit();
    }

    fn take(baskets: Vec<Basket>) -> (usize, String) {
        assert!(baskets.iter().all(Basket::is_whole));
        let labels = baskets.iter().map(|it| it.label.as_str());
        (baskets.len(), labels.collect())
    }

    fn fail(basket: Basket, done: &mut Vec<String>) -> Basket {
        done.push(basket.label.clone());
        let _copies = vec![basket.clone(); 3];
        panic!("no room for {}", basket.number);
    }

    fn ask(clerk: &mut dyn Clerk, other: &dyn Clerk, basket: Basket) -> Result<Basket, String> {
        let _copy = basket.clone();
        let before = clerk.count();
        let stamped = clerk.stamp(basket)?;
        assert!(clerk.count() > before && stamped.is_whole());
        // Dropped, or waited for, as comes.
        let ordered = other.order(stamped.number + 1);
        if stamped.number.is_multiple_of(2) {
            let ordered = ordered.wait().map_err(|error| error.to_string())?;
            assert!(ordered.is_whole());
        }
        Ok(stamped)
    }

    async fn later(pause: Pending<Basket>, basket: Basket) -> Vec<Basket> {
        let mut polls = 0;
        poll_fn(|context| {
            polls += 1;
            let mut wakers = WAKERS.lock().unwrap();
            wakers.push_back(context.waker().clone());
            let old = (wakers.len() > MOST).then(|| wakers.pop_front());
            drop(wakers);
            if let Some(waker) = old.flatten() {
                waker.wake();
            }
            if polls == 2 {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        let waited = pause.await.expect("the host has a basket");
        assert!(!waited.number.is_multiple_of(8), "an unlucky number");
        vec![waited, basket]
    }

    fn remember(text: String) -> usize {
        let mut book = This::state();
        book.texts.push_back(text);
        if book.texts.len() > MOST {
            book.texts.pop_front();
        }
        book.texts.len()
    }

    fn told(text: &str) -> Vec<String> {
        let mut book = This::state();
        book.told.push(text.to_owned());
        book.told.clone()
    }

    fn knot(rope: &Rc<String>) -> Vec<Rc<String>> {
        vec![Rc::clone(rope); 5]
    }
}

impl Hooks for This {
    fn init() -> Result<(), HookError> {
        // It panics some thousand times.
        std::panic::set_hook(Box::new(|_| {}));
        Ok(())
    }
}

replug_plugin::export!(This: Market + Hooks, state: Book as serde_json);
