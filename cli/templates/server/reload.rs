//! A changed copy of the handler goes live, and a thread that calls by a handle meets it.

use std::error::Error;

use interface::{Handler, Request, Response};
use replug::Host;
use replug::testing::Source;

#[test]
fn a_new_handler_answers_the_next_request() -> Result<(), Box<dyn Error>> {
    let mut handler = Source::of("{{name}}-handler")?;
    let mut host = Host::<Handler>::watch(handler.options())?;
    handler.go_live(&mut host)?;
    let handle = host.handle();
    let ask = || {
        let path = "/greet/you".to_owned();
        handle.live().respond(Request { path })
    };
    assert!(matches!(ask()?, Response::Found(_)));

    handler
        .replace("GREETING}, {name}", "GREETING}, dear {name}")?
        .go_live(&mut host)?;
    let Response::Found(greeting) = ask()? else {
        panic!("no greeting");
    };
    assert!(greeting.contains("dear you"), "{greeting}");
    Ok(())
}
