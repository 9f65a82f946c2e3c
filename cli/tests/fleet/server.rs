//! A server that speaks as S3 does, as far as the program asks: GET with `If-None-Match` and ranges, PUT with `If-Match` and
//! `If-None-Match`, lists, and removals. It can be out, and it can answer with anything.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

/// The bucket.
pub const BUCKET: &str = "bucket";

/// An answer in place of what there is.
#[derive(Clone)]
pub enum Fault {
    /// Other bytes, with a good length.
    Instead(Vec<u8>),
    /// The begin of it, however often the rest is asked for, and then the connection ends.
    Broken(usize),
    /// Nothing, for as long as whoever asked waits.
    Silent,
    /// The begin of it, as if that were all.
    Short(usize),
    /// Bytes without end.
    Endless,
    /// All of it, whatever part was asked for.
    Whole,
}

struct Object {
    content: Vec<u8>,
    e_tag: String,
}

#[derive(Default)]
struct Shared {
    objects: Mutex<BTreeMap<String, Object>>,
    /// Faults of objects whose names end like this.
    faults: Mutex<Vec<(String, Fault)>>,
    is_out: AtomicBool,
    is_over: AtomicBool,
    versions: AtomicU64,
    requests: Mutex<BTreeMap<String, u64>>,
    /// Where all who read the manifest meet before any of them goes on.
    meeting: Mutex<Option<(Arc<Barrier>, usize)>>,
}

/// A server, on the loopback.
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Request {
    method: String,
    path: String,
    query: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Server {
    pub fn start() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::<Shared>::default();
        let of_listener = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if of_listener.is_over.load(Ordering::Relaxed) {
                    return;
                }
                let shared = Arc::clone(&of_listener);
                thread::spawn(move || shared.serve(stream));
            }
        });
        Server { address, shared }
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn get(&self, name: &str) -> Option<Vec<u8>> {
        let objects = self.shared.objects.lock().unwrap();
        objects.get(name).map(|it| it.content.clone())
    }

    pub fn put(&self, name: &str, content: &[u8]) {
        let object = self.shared.object(content.to_vec());
        let mut objects = self.shared.objects.lock().unwrap();
        objects.insert(name.to_owned(), object);
    }

    pub fn names(&self) -> Vec<String> {
        self.shared
            .objects
            .lock()
            .unwrap()
            .keys()
            .cloned()
            .collect()
    }

    /// From now on the objects whose names end like this are answered so, and all others well.
    pub fn answers(&self, ending: &str, fault: Fault) {
        *self.shared.faults.lock().unwrap() = vec![(ending.to_owned(), fault)];
    }

    pub fn answers_well(&self) {
        self.shared.faults.lock().unwrap().clear();
    }

    pub fn is_out(&self, is_out: bool) {
        self.shared.is_out.store(is_out, Ordering::Relaxed);
    }

    /// The next readers of the manifest, this many, go on together.
    pub fn meet(&self, count: usize) {
        let meeting = (Arc::new(Barrier::new(count)), count);
        *self.shared.meeting.lock().unwrap() = Some(meeting);
    }

    /// How many requests of a method there were; as `304`, how many were answered so, and as `silent`, how many were not
    /// answered on purpose.
    pub fn requests(&self, method: &str) -> u64 {
        let requests = self.shared.requests.lock().unwrap();
        requests.get(method).copied().unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    /// An object with a version of its own.
    fn object(&self, content: Vec<u8>) -> Object {
        let version = self.versions.fetch_add(1, Ordering::Relaxed);
        let e_tag = format!("\"v{version}\"");
        Object { content, e_tag }
    }

    fn serve(&self, stream: TcpStream) {
        let mut writer = stream.try_clone().unwrap();
        let mut reader = BufReader::new(stream);
        while let Some(request) = read(&mut reader) {
            if self.is_out.load(Ordering::Relaxed) || self.is_over.load(Ordering::Relaxed) {
                return;
            }
            self.count(&request.method);
            if self.answer(&request, &mut writer).is_err() {
                return;
            }
        }
    }

    fn count(&self, what: &str) {
        let mut requests = self.requests.lock().unwrap();
        *requests.entry(what.to_owned()).or_default() += 1;
    }

    fn answer(&self, request: &Request, writer: &mut TcpStream) -> std::io::Result<()> {
        let name = request
            .path
            .trim_start_matches('/')
            .trim_start_matches(BUCKET)
            .trim_start_matches('/')
            .to_owned();
        match request.method.as_str() {
            "GET" if name.is_empty() => {
                let body = self.list(&request.query);
                say(
                    writer,
                    "200 OK",
                    &[("Content-Type", "application/xml")],
                    body.as_bytes(),
                )
            }
            "GET" | "HEAD" => self.answer_with(&name, request, writer),
            "PUT" => {
                let mut objects = self.objects.lock().unwrap();
                let now = objects.get(&name).map(|it| it.e_tag.clone());
                let is_lost = match (
                    request.headers.get("if-match"),
                    request.headers.get("if-none-match"),
                ) {
                    (Some(wanted), _) => now.as_ref() != Some(wanted),
                    (None, Some(_)) => now.is_some(),
                    (None, None) => false,
                };
                if is_lost {
                    drop(objects);
                    return say(writer, "412 Precondition Failed", &[], b"");
                }
                // Nobody else has written in between.
                let object = self.object(request.body.clone());
                let e_tag = object.e_tag.clone();
                objects.insert(name, object);
                drop(objects);
                say(writer, "200 OK", &[("ETag", &e_tag)], b"")
            }
            "POST" => {
                let body = String::from_utf8_lossy(&request.body).into_owned();
                let keys = body.split("<Key>").skip(1);
                let keys: Vec<_> = keys.filter_map(|it| it.split("</Key>").next()).collect();
                let mut deleted = String::new();
                for key in keys {
                    self.objects.lock().unwrap().remove(key);
                    deleted += &format!("<Deleted><Key>{key}</Key></Deleted>");
                }
                let body = format!("<DeleteResult>{deleted}</DeleteResult>");
                say(
                    writer,
                    "200 OK",
                    &[("Content-Type", "application/xml")],
                    body.as_bytes(),
                )
            }
            _ => {
                self.objects.lock().unwrap().remove(&name);
                say(writer, "204 No Content", &[], b"")
            }
        }
    }

    /// Waits for the others who are to read the manifest now.
    fn meets(&self) {
        let mut meeting = self.meeting.lock().unwrap();
        let Some((barrier, left)) = meeting.take() else {
            return;
        };
        if left > 1 {
            *meeting = Some((Arc::clone(&barrier), left - 1));
        }
        drop(meeting);
        barrier.wait();
    }

    fn answer_with(
        &self,
        name: &str,
        request: &Request,
        writer: &mut TcpStream,
    ) -> std::io::Result<()> {
        let found = {
            let objects = self.objects.lock().unwrap();
            objects
                .get(name)
                .map(|it| (it.content.clone(), it.e_tag.clone()))
        };
        if name.ends_with("fleet.json") {
            self.meets();
        }
        let Some((mut content, mut e_tag)) = found else {
            return say(writer, "404 Not Found", &[], b"");
        };
        let faults = self.faults.lock().unwrap().clone();
        let fault = faults
            .into_iter()
            .find(|(it, _)| name.ends_with(it))
            .map(|it| it.1);
        let date = ("Last-Modified", "Sat, 01 Jan 2022 00:00:00 GMT");
        let mut broken = None;
        let mut is_whole = false;
        match fault {
            Some(Fault::Instead(other)) => (content, e_tag) = (other, "\"other\"".to_owned()),
            Some(Fault::Short(length)) => content.truncate(length),
            Some(Fault::Broken(length)) => broken = Some(length),
            Some(Fault::Whole) => is_whole = true,
            Some(Fault::Silent) => {
                self.count("silent");
                // Returns when whoever asked has hung up.
                let _ = writer.read(&mut [0]);
                return Err(std::io::Error::other("silent on purpose"));
            }
            Some(Fault::Endless) => {
                let head = "HTTP/1.1 200 OK\r\nContent-Length: 100000000000\r\n";
                writer.write_all(
                    format!("{head}ETag: \"e\"\r\n{}: {}\r\n\r\n", date.0, date.1).as_bytes(),
                )?;
                loop {
                    writer.write_all(&[b'x'; 65536])?;
                }
            }
            None => {}
        }
        if request.headers.get("if-none-match") == Some(&e_tag) {
            self.count("304");
            return say(writer, "304 Not Modified", &[("ETag", &e_tag), date], b"");
        }
        let range = request.headers.get("range").filter(|_| !is_whole);
        let from = range.and_then(|it| {
            it.strip_prefix("bytes=")?
                .split('-')
                .next()?
                .parse::<usize>()
                .ok()
        });
        let size = content.len();
        let (status, part) = match from {
            Some(from) if from >= size => {
                return say(writer, "416 Range Not Satisfiable", &[], b"");
            }
            Some(from) => ("206 Partial Content", &content[from..]),
            None => ("200 OK", &content[..]),
        };
        let first = from.unwrap_or(0);
        let of = format!("bytes {first}-{}/{size}", size.saturating_sub(1));
        let mut headers = vec![("ETag", e_tag.as_str()), date];
        if from.is_some() {
            headers.push(("Content-Range", &of));
        }
        if request.method == "HEAD" {
            let length = part.len();
            write!(writer, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\n")?;
            for (header, value) in headers {
                write!(writer, "{header}: {value}\r\n")?;
            }
            return writer.write_all(b"\r\n");
        }
        match broken {
            Some(length) => {
                write!(
                    writer,
                    "HTTP/1.1 {status}\r\nContent-Length: {}\r\n",
                    part.len()
                )?;
                for (header, value) in headers {
                    write!(writer, "{header}: {value}\r\n")?;
                }
                writer.write_all(b"\r\n")?;
                let length = length.saturating_sub(first).min(part.len());
                writer.write_all(&part[..length])?;
                writer.flush()?;
                Err(std::io::Error::other("broken on purpose"))
            }
            None => say(writer, status, &headers, part),
        }
    }

    fn list(&self, query: &str) -> String {
        let prefix = query.split('&').find_map(|it| it.strip_prefix("prefix="));
        let prefix = prefix.unwrap_or_default().replace("%2F", "/");
        let objects = self.objects.lock().unwrap();
        let listed = objects.iter().filter(|(name, _)| name.starts_with(&prefix));
        let listed: String = listed
            .map(|(name, object)| {
                format!(
                    "<Contents><Key>{name}</Key><LastModified>2022-01-01T00:00:00.000Z</LastModified><ETag>{}</ETag><Size>{}</Size></Contents>",
                    object.e_tag.replace('"', "&quot;"),
                    object.content.len()
                )
            })
            .collect();
        format!("<ListBucketResult><IsTruncated>false</IsTruncated>{listed}</ListBucketResult>")
    }
}

fn say(
    writer: &mut TcpStream,
    status: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {status}\r\n");
    if !status.starts_with("304") && !status.starts_with("204") {
        head += &format!("Content-Length: {}\r\n", body.len());
    }
    for (header, value) in headers {
        head += &format!("{header}: {value}\r\n");
    }
    writer.write_all(format!("{head}\r\n").as_bytes())?;
    writer.write_all(body)
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|it| *it > 0)?;
    let mut words = line.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|it| *it > 0)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").and_then(|it| it.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    Some(Request {
        method,
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body,
    })
}
