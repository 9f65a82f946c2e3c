//! The examples do what `examples/README.md` says, over a reload.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use vocabulary::{
    Artifact, DEADLINE, Scratch, Speaker, c_example, c_library, cargo_build, library_name,
    target_tmp, wait_until, workspace,
};

/// Where cargo leaves hosts and plugins.
static BUILT: LazyLock<PathBuf> = LazyLock::new(|| {
    let target = target_tmp().join("examples");
    let packages = [
        "game",
        "game_rules",
        "line_server",
        "line_handler",
        "server",
        "server_handler",
    ];
    let built = cargo_build()
        .args(["--quiet", "--locked"])
        .args(packages.map(|name| ["-p", name]).concat())
        .arg("--target-dir")
        .arg(&target)
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .current_dir(workspace())
        .status()
        .expect("cargo can be started");
    assert!(built.success(), "the examples do not compile");
    vocabulary::built(&target, "debug")
});

#[test]
fn a_game_goes_on_where_it_was_with_new_rules() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    let rules = fs::read(BUILT.join(library_name("game_rules"))).unwrap();
    artifact.link(&rules);
    let mut game = start("game", &artifact, &scratch, &[]);
    game.wait_for("generation 1 (");
    let before = Picture::of(&game.wait_for("frame "));
    artifact.link(&edited(&rules, ": ball at", ": BALL at"));
    game.wait_for("generation 2 (");
    let after = Picture::of(&game.wait_for(": BALL at"));
    assert_eq!(after.frame % 60, 0);
    assert!(after.frame > before.frame, "the state is the host's");
    assert!(before.floor > 0 && after.floor >= before.floor, "all of it");
    game.end(&scratch);
}

#[test]
fn a_game_goes_on_with_its_old_rules_if_new_ones_know_a_field_more() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.link(&fs::read(BUILT.join(library_name("game_rules"))).unwrap());
    let mut game = start("game", &artifact, &scratch, &[]);
    game.wait_for("generation 1 (");
    game.wait_for("frame ");
    artifact.link(&richer_rules());
    let kept = game.wait_for("kept generation 1, not ");
    let told = "`World`: field `gold: u64` is in the plugin, not in this host; build the host again, or move it into the \
        plugin's own state";
    assert!(kept.ends_with(told), "{kept}");
    let before = Picture::of(&game.wait_for("frame "));
    assert!(Picture::of(&game.wait_for("frame ")).frame > before.frame);
    game.end(&scratch);
}

/// The rules of the game, built from a copy of their declaration in which the world has a field more.
fn richer_rules() -> Vec<u8> {
    let root = target_tmp().join("richer");
    let plugin = format!(
        "replug-plugin = {{ path = {:?} }}\n",
        workspace().join("plugin")
    );
    let derive = format!(
        "replug-derive = {{ path = {:?} }}\n",
        workspace().join("derive")
    );
    let interface = "game_interface = { path = \"../interface\" }\n";
    for (folder, name, needs) in [
        ("interface", "game_interface", [plugin.as_str(), &derive]),
        ("plugin", "game_rules", [&plugin, interface]),
    ] {
        let source = format!("examples/game/{folder}/src/lib.rs");
        let source = fs::read_to_string(workspace().join(source)).unwrap();
        let field = "    /// All that moves.\n";
        let more = format!("    /// What was found.\n    pub gold: u64,\n{field}");
        let kind = if folder == "plugin" { "cdylib" } else { "lib" };
        let manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[lib]\ncrate-type = [\"{kind}\"]\n\n\
            [dependencies]\n{}",
            needs.concat()
        );
        fs::create_dir_all(root.join(folder).join("src")).unwrap();
        fs::write(root.join(folder).join("Cargo.toml"), manifest).unwrap();
        fs::write(
            root.join(folder).join("src/lib.rs"),
            source.replace(field, &more),
        )
        .unwrap();
    }
    let manifest = "[workspace]\nresolver = \"3\"\nmembers = [\"interface\", \"plugin\"]\n";
    fs::write(root.join("Cargo.toml"), manifest).unwrap();
    let built = cargo_build()
        .args(["--quiet", "--offline", "--target-dir"])
        .arg(root.join("target"))
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .current_dir(&root)
        .status();
    assert!(built.unwrap().success(), "the richer rules do not compile");
    fs::read(vocabulary::built(&root.join("target"), "debug").join(library_name("game_rules")))
        .unwrap()
}

#[test]
fn a_line_server_answers_an_open_connection_with_its_new_handler() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    let handler = fs::read(BUILT.join(library_name("line_handler"))).unwrap();
    artifact.link(&handler);
    let mut server = start("line_server", &artifact, &scratch, &["0"]);
    let address = server.wait_for("listening on ");
    server.wait_for("generation 1 (");
    let mut clients = [(); 3].map(|()| Client::of(&address));
    for client in &mut clients {
        assert_eq!(client.ask("greet you"), "hello, you\n");
        let divided = client.ask("divide 1 0");
        assert_eq!(
            divided,
            "sorry: the plugin panicked: attempt to divide by zero\n"
        );
    }
    artifact.link(&edited(&handler, "hello", "howdy"));
    server.wait_for("generation 2 (");
    for client in &mut clients {
        assert_eq!(client.ask("greet you"), "howdy, you\n");
        assert_eq!(client.ask("quit"), "");
    }
    server.end(&scratch);
}

#[test]
fn a_handler_in_c_takes_the_place_of_one_in_rust() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.link(&fs::read(BUILT.join(library_name("line_handler"))).unwrap());
    let mut server = start("line_server", &artifact, &scratch, &["0"]);
    let mut client = Client::of(&server.wait_for("listening on "));
    server.wait_for("generation 1 (");
    let source = c_example("handler.c");
    let declared = "fn respond(&str, Sink) -> bool\\n";
    let another = source.replace(declared, "fn respond(&str) -> bool\\n");
    artifact.link(&c_library(&another, &scratch));
    let kept = server.wait_for("kept generation 1, not ");
    let told = "`respond`: plugin takes (&str) -> bool, host calls (&str, Sink) -> bool; \
        rebuild whichever is older, and start the host anew if it is that (the plugin was built by a C compiler)";
    assert!(kept.ends_with(told), "{kept}");
    assert_eq!(client.ask("greet you"), "hello, you\n");
    artifact.link(&c_library(&source, &scratch));
    server.wait_for("generation 2 (");
    assert_eq!(client.ask("greet you"), "good day, you\n");
    assert_eq!(
        client.ask("divide 1 0"),
        "sorry: I am in no mood for that\n"
    );
    assert_eq!(client.ask("quit"), "");
    server.end(&scratch);
}

/// How many requests are made of the web server at least, by how many clients, over how many reloads.
const REQUESTS: usize = 10_000;
const CLIENTS: usize = 8;
const RELOADS: u64 = 20;

/// Says, when dropped, that something is over.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_web_server_loses_no_request_over_twenty_reloads() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    let handler = fs::read(BUILT.join(library_name("server_handler"))).unwrap();
    artifact.link(&handler);
    let mut server = start("server", &artifact, &scratch, &["0"]);
    let address = server.wait_for("listening on ");
    server.wait_for("generation 1 (");
    assert_eq!(ask_web(&address, "/divide/1/0").0, 500);
    assert_eq!(ask_web(&address, "/nothing"), (404, "/nothing".to_owned()));
    // Begun on the first generation, this one ends on it.
    let begun = ask_web_later(&address, "/wait");
    server.wait_for("a request waits");
    let (answered, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let greeted = thread::scope(|scope| {
        // Clients end with a test that fails, too.
        let over = Over(&is_over);
        let ask = || {
            let mut client = Client::of(&address);
            let mut greeted = BTreeSet::new();
            while answered.fetch_add(1, Ordering::Relaxed) < REQUESTS
                || !is_over.load(Ordering::Relaxed)
            {
                let (status, text) = client.ask_web("/greet/you");
                assert_eq!(status, 200, "{text}");
                greeted.insert(text);
            }
            greeted
        };
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(ask)).collect();
        for generation in 2..=RELOADS + 1 {
            // The reloads are spread over the requests.
            let next = answered.load(Ordering::Relaxed) + REQUESTS / RELOADS as usize;
            wait_until("requests", || answered.load(Ordering::Relaxed) >= next);
            let word = format!("he{:03}", generation % 1000);
            artifact.link(&edited(&handler, "hello", &word));
            server.wait_for(&format!("generation {generation} ("));
        }
        drop(over);
        let clients = clients.into_iter();
        clients
            .flat_map(|it| it.join().unwrap())
            .collect::<BTreeSet<_>>()
    });
    assert_eq!(begun.join().unwrap(), (200, "hello, at last".to_owned()));
    assert!(greeted.len() >= RELOADS as usize, "{greeted:?}");
    assert_eq!(
        ask_web(&address, "/greet/you"),
        (200, "he021, you".to_owned())
    );
    server.end(&scratch);
}

/// The status and the text of an answer to a request of its own connection.
#[track_caller]
fn ask_web(listening: &str, path: &str) -> (u16, String) {
    Client::of(listening).ask_web(path)
}

/// The same on another thread; the request was made when this returns.
fn ask_web_later(listening: &str, path: &str) -> JoinHandle<(u16, String)> {
    let mut client = Client::of(listening);
    client.request_web(path);
    thread::spawn(move || client.response_web())
}

/// A build of a library with one text in the place of another.
#[track_caller]
fn edited(library: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut edited = library.to_vec();
    let at = library
        .windows(from.len())
        .position(|text| text == from.as_bytes());
    let at = at.expect("what a program says is in it");
    edited[at..at + to.len()].copy_from_slice(to.as_bytes());
    edited
}

/// The picture that a game shows.
struct Picture {
    frame: u64,
    /// How often the ball fell to the floor.
    floor: u64,
}

impl Picture {
    #[track_caller]
    fn of(line: &str) -> Picture {
        let after = |word| {
            let (_, rest) = line.split_once(word)?;
            let digits = rest.split(|character: char| !character.is_ascii_digit());
            digits.into_iter().next()?.parse().ok()
        };
        let picture = after("frame ").zip(after("\"floor\": "));
        let (frame, floor) = picture.unwrap_or_else(|| panic!("not a picture: {line}"));
        Picture { frame, floor }
    }
}

/// A connection that asks one thing after the other.
struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    /// A client of the server that said that it is `listening on` an address.
    #[track_caller]
    fn of(listening: &str) -> Client {
        let (_, address) = listening.rsplit_once(' ').unwrap();
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        Client {
            stream: BufReader::new(stream),
        }
    }

    /// The answer to a request; empty if the connection was closed.
    #[track_caller]
    fn ask(&mut self, request: &str) -> String {
        let request = format!("{request}\n");
        self.stream.get_mut().write_all(request.as_bytes()).unwrap();
        self.line()
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        line
    }

    /// The status and the text of the answer to a request of the web.
    fn ask_web(&mut self, path: &str) -> (u16, String) {
        self.request_web(path);
        self.response_web()
    }

    fn request_web(&mut self, path: &str) {
        let request = format!("GET {path} HTTP/1.1\r\nHost: here\r\n\r\n");
        self.stream.get_mut().write_all(request.as_bytes()).unwrap();
    }

    fn response_web(&mut self) -> (u16, String) {
        let status = self.line();
        let status = status.split(' ').nth(1).and_then(|it| it.parse().ok());
        let status = status.expect("a response begins with its status");
        let mut length = 0;
        loop {
            let header = self.line().to_lowercase();
            match header.trim_end().split_once(": ") {
                Some(("content-length", value)) => length = value.parse().unwrap(),
                Some(_) => {}
                None => break,
            }
        }
        let mut text = vec![0; length];
        self.stream.read_exact(&mut text).unwrap();
        (status, String::from_utf8(text).unwrap())
    }
}

/// Starts a host on `artifact`.
fn start(name: &str, artifact: &Artifact, scratch: &Scratch, more: &[&str]) -> Speaker {
    let mut command = Command::new(BUILT.join(name));
    Speaker::start(command.arg(artifact.path()).args(more), scratch)
}
