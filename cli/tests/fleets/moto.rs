//! A server that is not ours: moto's, which `.ci/fleet` installs, and names in `MOTO_SERVER`.

use std::env;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use vocabulary::pause;

use crate::ground::Ground;
use crate::server::BUCKET;

struct Moto(Child);

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The server, with a bucket in it.
fn moto() -> (Moto, String) {
    let server =
        env::var("MOTO_SERVER").expect("`.ci/fleet` installs a server and says where it is");
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let child = Command::new(server)
        .args(["-H", "127.0.0.1", "-p", &address.port().to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let moto = Moto(child);
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Ok(mut stream) = TcpStream::connect(address) {
            let request = format!("PUT /{BUCKET} HTTP/1.0\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
            stream.write_all(request.as_bytes()).unwrap();
            let mut answer = String::new();
            let _ = stream.read_to_string(&mut answer);
            assert!(answer.contains(" 200 "), "{answer}");
            return (moto, format!("http://{address}"));
        }
        assert!(Instant::now() < deadline, "the server does not start");
        pause(Duration::from_millis(50));
    }
}

#[test]
fn another_ones_server_does_what_a_fleet_asks_for() {
    let (_moto, endpoint) = moto();
    let mut ground = Ground::new();
    ground.endpoint = endpoint;
    let (one, two) = (ground.add(1), ground.add(2));
    let again = ground.add(1);
    assert_eq!(again, one);
    let mut mirror = ground.mirror("h1", &[]);
    mirror.wait_for_event("reported");
    ground.decide(&[
        "start",
        &one.to_string(),
        "--fleet",
        "rules",
        "--waves",
        "1",
    ]);
    mirror.wait_for_event("mirrored");
    assert_eq!(ground.published("h1"), Some(one));
    ground.decide(&["promote"]);
    ground.decide(&["promote"]);
    ground.decide(&["start", &two.to_string(), "--bake", "0s"]);
    mirror.wait_for("the next one", |it| {
        it.event() == "mirrored" && it.text("sha256") == two.to_string()
    });
    // Of many at once no two have one number.
    let many: Vec<_> = (0..8)
        .map(|it| ground.steers(&format!("s{it}"), &["hold"]))
        .collect();
    let ended: Vec<_> = many.into_iter().map(vocabulary::Program::end).collect();
    let won = ended.iter().filter(|it| it.status.success());
    assert_eq!(won.count(), 1);
    for lost in ended.iter().filter(|it| !it.status.success()) {
        lost.assert_failed(1, &["cannot"]);
    }
    ground.host_says("h1", "kept", two);
    let driven = ground.steers("ada", &["drive"]).end();
    assert_eq!(driven.said("decided")[0].text("what"), "back");
    mirror.wait_for("the one before", |it| {
        it.event() == "mirrored" && it.text("sha256") == one.to_string() && it.number("had") > 0
    });
    ground.decide(&["forget", "h1"]);
    let ended = mirror.stop();
    ended.assert_quiet_success();
    let closed = ended.said("closed")[0];
    println!("{closed:?}");
    assert!(
        closed.number("requests") <= closed.number("polls") + 15,
        "{closed:?}"
    );
}
