//! `Storage`: the objects of a fleet, in a bucket or in a directory, behind calls that wait.
//!
//! It decides nothing. Each call ends within a time, or when the program is to stop; how often one is made is up to who calls:
//! nothing is tried again in here.

use std::cell::Cell;
use std::error::Error as _;
use std::fmt::Write as _;
use std::fs::{self, File, TryLockError};
use std::future::Future;
use std::io;
use std::iter;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use futures_util::future::{Either, select};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::http::HttpBuilder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    ClientConfigKey, ClientOptions, Error, GetOptions, GetRange, GetResult, ObjectMeta,
    ObjectStore, ObjectStoreExt as _, ObjectStoreScheme, PutMode, PutOptions, PutPayload,
    RetryConfig, UpdateVersion,
};
use replug::shown::shown;
use tokio::runtime::{Builder, Runtime};
use url::{Position, Url};

use super::manifest::MOST;

/// How long a small object may take: a server that answers slower than this does not answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long the content of a build may take in one go. What came until then is not asked for again.
const LONG_PATIENCE: Duration = Duration::from_secs(15 * 60);

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);

/// How often a request to stop is looked for while something is waited for.
const HEED: Duration = Duration::from_millis(50);

/// How many reports are asked for at once.
const AT_ONCE: usize = 32;

/// How long somebody who steers by a directory waits for another one who is just writing.
const TURN: Duration = Duration::from_secs(10);

/// The most characters of a server's words.
const LONGEST_WORDS: usize = 400;

/// The objects of a fleet: a manifest, and what is beside it.
pub(crate) struct Storage {
    runtime: Option<Runtime>,
    store: Arc<dyn ObjectStore>,
    manifest: Path,
    /// The directory of the storage that has the manifest in it.
    home: Path,
    /// The manifest's file, in a storage that is a directory.
    file: Option<PathBuf>,
    /// The place of the manifest, for people.
    shown: String,
    stop: Receiver<()>,
    is_stopped: Cell<bool>,
    requests: Cell<u64>,
}

/// What a manifest's writer has to show that nobody wrote it since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Version {
    e_tag: Option<String>,
    version: Option<String>,
}

/// Something that the storage did not do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StorageError {
    #[error("cannot use `{}`: {}", shown(url), shown(why))]
    NoPlace { url: String, why: String },
    #[error("cannot reach `{}`: {}", shown(place), shown(why))]
    Unreachable { place: String, why: String },
    #[error("cannot get the rest of `{}`: {}", shown(place), shown(why))]
    NoRest { place: String, why: String },
    #[error("there is no `{}`", shown(.0))]
    Absent(String),
    #[error("`{}` has more than {most} bytes", shown(place))]
    Endless { place: String, most: u64 },
    #[error("cannot write `{}`: another one was faster", shown(.0))]
    Outrun(String),
    #[error("cannot write what came: {0}")]
    Disk(io::Error),
    #[error("it was told to stop")]
    Stopped,
}

impl StorageError {
    /// The reason in one word, for programs.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            StorageError::NoPlace { .. } => "no-place",
            StorageError::Unreachable { .. } | StorageError::NoRest { .. } => "unreachable",
            StorageError::Absent(_) => "absent",
            StorageError::Endless { .. } => "endless",
            StorageError::Outrun(_) => "outrun",
            StorageError::Disk(_) => "disk",
            StorageError::Stopped => "stopped",
        }
    }
}

/// The words of an error and of what caused it, once each, without what stands behind a question mark in an address: that can
/// be a secret.
fn words(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !words.contains(&more) {
            let _ = write!(words, ": {more}");
        }
        cause = error.source();
    }
    let mut bare = String::new();
    let mut is_query = false;
    for character in words.chars().take(LONGEST_WORDS) {
        is_query = match character {
            '?' => true,
            _ if character.is_whitespace() || ")\"'>".contains(character) => false,
            _ => is_query,
        };
        if !is_query {
            bare.push(character);
        }
    }
    bare
}

/// Whether an error says that the storage does not answer with the part of an object that was asked for. Such errors have no
/// type for others.
fn is_about_part(error: &Error) -> bool {
    /// How their causes begin, for a server that speaks HTTP, for one of the other protocols, and for a directory. An object's
    /// name, which can be any, is nowhere at the begin.
    const BEGINS: [&str; 7] = [
        "Range request not supported",
        "Server returned non-2xx status code: 416",
        "Received non-partial response",
        "Content-Range header",
        "Failed to parse value for CONTENT_RANGE",
        "Wanted range",
        "Requested ",
    ];
    let mut causes = iter::successors(error.source(), |&cause| cause.source());
    causes.any(|cause| {
        let words = cause.to_string();
        BEGINS.iter().any(|it| words.starts_with(it))
    })
}

impl Storage {
    /// The storage of the manifest that a person named. Nothing is asked of it yet.
    pub(crate) fn open(place: &str, stop: Receiver<()>) -> Result<Storage, StorageError> {
        // A second one in this process is no error: it is the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let no_place = |why: String| StorageError::NoPlace {
            url: without_query(place).to_owned(),
            why,
        };
        let url = match place.contains("://") {
            true => Url::parse(place).map_err(|error| no_place(error.to_string()))?,
            false => std::path::absolute(place)
                .map_err(|error| no_place(error.to_string()))
                .and_then(|path| {
                    Url::from_file_path(path).map_err(|()| no_place("it is no path".to_owned()))
                })?,
        };
        let (store, manifest) = store_of(&url).map_err(|error| no_place(words(&error)))?;
        let Some((home, _)) = manifest.as_ref().rsplit_once('/').or(Some(("", ""))) else {
            return Err(no_place("it names no object".to_owned()));
        };
        if manifest.as_ref().is_empty() {
            return Err(no_place("it names no object".to_owned()));
        }
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| no_place(error.to_string()))?;
        Ok(Storage {
            runtime: Some(runtime),
            store,
            home: Path::from(home),
            file: url.to_file_path().ok().filter(|_| url.scheme() == "file"),
            shown: without_query(url.as_str()).to_owned(),
            manifest,
            stop,
            is_stopped: Cell::new(false),
            requests: Cell::new(0),
        })
    }

    /// The place of the manifest, for people.
    pub(crate) fn place(&self) -> &str {
        &self.shown
    }

    /// How many requests were made.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.get()
    }

    /// Waits for a time; returns whether the program is to stop.
    pub(crate) fn waits(&self, time: Duration) -> bool {
        if !self.is_stopped.get() {
            self.is_stopped.set(self.stop.recv_timeout(time).is_ok());
        }
        self.is_stopped.get()
    }

    /// Runs a request to its end, within a time, and until the program is to stop.
    fn run<T>(
        &self,
        place: &str,
        patience: Duration,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, StorageError> {
        self.requests.set(self.requests.get() + 1);
        let runtime = self.runtime.as_ref().expect("it lives until the drop");
        let unreachable = |why: String| StorageError::Unreachable {
            place: place.to_owned(),
            why,
        };
        let heed = async {
            while self.stop.try_recv().is_err() && !self.is_stopped.get() {
                tokio::time::sleep(HEED).await;
            }
            self.is_stopped.set(true);
        };
        runtime.block_on(async {
            let work = pin!(tokio::time::timeout(patience, work));
            match select(work, pin!(heed)).await {
                Either::Right(_) => Err(StorageError::Stopped),
                Either::Left((Err(_), _)) => {
                    let seconds = patience.as_secs();
                    Err(unreachable(format!("no whole answer within {seconds} s")))
                }
                Either::Left((Ok(done), _)) => done.map_err(|error| match error {
                    Error::NotFound { .. } => StorageError::Absent(place.to_owned()),
                    Error::Precondition { .. } | Error::AlreadyExists { .. } => {
                        StorageError::Outrun(place.to_owned())
                    }
                    error => unreachable(words(&error)),
                }),
            }
        })
    }

    /// The manifest, unless it is still that of this version.
    pub(crate) fn manifest(
        &self,
        known: Option<&Version>,
    ) -> Result<Option<(Vec<u8>, Version)>, StorageError> {
        let options = GetOptions {
            if_none_match: known.and_then(|it| it.e_tag.clone()),
            ..GetOptions::default()
        };
        let work = async {
            let got = match self.store.get_opts(&self.manifest, options).await {
                Err(Error::NotModified { .. }) => return Ok(None),
                got => got?,
            };
            let version = Version {
                e_tag: got.meta.e_tag.clone(),
                version: got.meta.version.clone(),
            };
            // One byte more than may be, so that it is known to be too large.
            Ok(Some((head(got, MOST + 1).await?, version)))
        };
        self.run(&self.shown, PATIENCE, work)
    }

    /// Writes the manifest if nobody wrote it since that version; if there is none, only where nothing is.
    pub(crate) fn put_manifest(
        &self,
        text: &str,
        version: Option<&Version>,
    ) -> Result<(), StorageError> {
        let Some(version) = version else {
            return self.put_as(&self.manifest, text.as_bytes().to_vec(), PutMode::Create);
        };
        let _turn = match &self.file {
            None => {
                let known = UpdateVersion {
                    e_tag: version.e_tag.clone(),
                    version: version.version.clone(),
                };
                let mode = PutMode::Update(known);
                return self.put_as(&self.manifest, text.as_bytes().to_vec(), mode);
            }
            Some(file) => self.turn(file)?,
        };
        // A directory has no conditional writes: who has the lock looks, and then writes.
        let head = self.store.head(&self.manifest);
        let now = self.run(&self.shown, PATIENCE, head)?;
        match now.e_tag == version.e_tag {
            true => self.put_as(&self.manifest, text.as_bytes().to_vec(), PutMode::Overwrite),
            false => Err(StorageError::Outrun(self.shown.clone())),
        }
    }

    /// The lock beside a manifest that is a file. It is let go of when its holder ends, however that is.
    fn turn(&self, manifest: &std::path::Path) -> Result<File, StorageError> {
        let mut name = manifest.as_os_str().to_owned();
        name.push(".lock");
        let unreachable = |error: io::Error| StorageError::Unreachable {
            place: format!("{}.lock", self.shown),
            why: error.to_string(),
        };
        let lock = File::options().create(true).append(true).open(&name);
        let lock = lock.map_err(unreachable)?;
        let begun = Instant::now();
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(lock),
                Err(TryLockError::WouldBlock) if begun.elapsed() < TURN => {
                    if self.waits(HEED) {
                        return Err(StorageError::Stopped);
                    }
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(StorageError::Outrun(self.shown.clone()));
                }
                Err(TryLockError::Error(error)) => return Err(unreachable(error)),
            }
        }
    }

    /// The name of an object beside the manifest.
    pub(crate) fn beside(&self, name: &str) -> Path {
        let home = self.home.as_ref();
        match home.is_empty() {
            true => Path::from(name),
            false => Path::from(format!("{home}/{name}")),
        }
    }

    /// A small object.
    pub(crate) fn small(&self, path: &Path, most: u64) -> Result<Vec<u8>, StorageError> {
        let work = async { head(self.store.get(path).await?, most + 1).await };
        let content = self.run(path.as_ref(), PATIENCE, work)?;
        match content.len() as u64 > most {
            true => Err(StorageError::Endless {
                place: path.to_string(),
                most,
            }),
            false => Ok(content),
        }
    }

    /// The content of an object from a place on, piece by piece, and never more than `most` bytes in all.
    pub(crate) fn content(
        &self,
        path: &Path,
        from: u64,
        most: u64,
        mut take: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), StorageError> {
        let options = GetOptions {
            range: (from > 0).then_some(GetRange::Offset(from)),
            ..GetOptions::default()
        };
        let (mut failed, mut has_no_rest) = (None, false);
        let work = async {
            let got = self.store.get_opts(path, options).await;
            let got = got.inspect_err(|error| has_no_rest = from > 0 && is_about_part(error))?;
            let mut pieces = got.into_stream();
            let mut length = from;
            while let Some(piece) = pieces.next().await {
                let piece = piece?;
                length += piece.len() as u64;
                if length > most {
                    failed = Some(StorageError::Endless {
                        place: path.to_string(),
                        most,
                    });
                    break;
                }
                if let Err(error) = take(&piece) {
                    failed = Some(StorageError::Disk(error));
                    break;
                }
            }
            Ok(())
        };
        match self.run(path.as_ref(), LONG_PATIENCE, work) {
            Err(StorageError::Unreachable { place, why }) if has_no_rest => {
                Err(StorageError::NoRest { place, why })
            }
            done => failed.map_or(done, Err),
        }
    }

    /// Writes an object, whatever is there.
    pub(crate) fn put(&self, path: &Path, content: Vec<u8>) -> Result<(), StorageError> {
        self.put_as(path, content, PutMode::Overwrite)
    }

    /// Writes an object where none is; returns whether there was one.
    pub(crate) fn create(&self, path: &Path, content: Vec<u8>) -> Result<bool, StorageError> {
        match self.put_as(path, content, PutMode::Create) {
            Err(StorageError::Outrun(_)) => Ok(true),
            done => done.map(|()| false),
        }
    }

    fn put_as(&self, path: &Path, content: Vec<u8>, mode: PutMode) -> Result<(), StorageError> {
        let options = PutOptions {
            mode,
            ..PutOptions::default()
        };
        let patience = match content.len() as u64 > MOST {
            true => LONG_PATIENCE,
            false => PATIENCE,
        };
        let put = self
            .store
            .put_opts(path, PutPayload::from(content), options);
        self.run(path.as_ref(), patience, put).map(drop)
    }

    /// Each object below a name.
    pub(crate) fn list(&self, path: &Path) -> Result<Vec<ObjectMeta>, StorageError> {
        let work = self.store.list(Some(path)).try_collect();
        self.run(path.as_ref(), LONG_PATIENCE, work)
    }

    /// Several small objects; none in place of one that is gone, or is larger.
    pub(crate) fn many(
        &self,
        paths: &[Path],
        most: u64,
    ) -> Result<Vec<Option<Vec<u8>>>, StorageError> {
        let one = |path: &Path| {
            let (store, path) = (Arc::clone(&self.store), path.clone());
            async move {
                match store.get(&path).await {
                    Err(Error::NotFound { .. }) => Ok(None),
                    got => {
                        let content = head(got?, most + 1).await?;
                        Ok((content.len() as u64 <= most).then_some(content))
                    }
                }
            }
        };
        self.requests
            .set(self.requests.get() + (paths.len() as u64).saturating_sub(1));
        let all: Vec<_> = paths.iter().map(one).collect();
        let work = stream::iter(all).buffered(AT_ONCE).try_collect();
        self.run("the reports", LONG_PATIENCE, work)
    }

    /// Removes an object.
    pub(crate) fn remove(&self, path: &Path) -> Result<(), StorageError> {
        self.run(path.as_ref(), PATIENCE, self.store.delete(path))
    }
}

impl Drop for Storage {
    fn drop(&mut self) {
        // A look into a directory on a dead mount is not waited for.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The first bytes of an answer, however long it is.
async fn head(got: GetResult, most: u64) -> Result<Vec<u8>, Error> {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let mut content = Vec::new();
    let mut pieces = got.into_stream();
    while let Some(piece) = pieces.next().await {
        content.extend_from_slice(&piece?);
        if content.len() >= most {
            content.truncate(most);
            break;
        }
    }
    Ok(content)
}

/// An address without what stands behind its question mark.
fn without_query(url: &str) -> &str {
    url.split('?').next().unwrap_or(url)
}

/// The storage of an address, and the object in it. What it asks for beside, such as keys, is in the environment.
fn store_of(url: &Url) -> Result<(Arc<dyn ObjectStore>, Path), Error> {
    let (scheme, path) = ObjectStoreScheme::parse(url)?;
    let path = Path::parse(path)?;
    let retry = || RetryConfig {
        max_retries: 0,
        ..RetryConfig::default()
    };
    let (timeout, connect) = (
        format!("{} s", LONG_PATIENCE.as_secs()),
        format!("{} s", CONNECT.as_secs()),
    );
    let store: Arc<dyn ObjectStore> = match scheme {
        ObjectStoreScheme::Local => {
            if let Ok(file) = url.to_file_path()
                && let Some(home) = file.parent()
                && let Err(source) = fs::metadata(home)
            {
                return Err(Error::Generic {
                    store: "directory",
                    source: source.into(),
                });
            }
            Arc::new(LocalFileSystem::new().with_fsync(true))
        }
        ObjectStoreScheme::AmazonS3 => {
            let key = AmazonS3ConfigKey::Client;
            let builder = AmazonS3Builder::from_env()
                .with_config(key(ClientConfigKey::Timeout), timeout)
                .with_config(key(ClientConfigKey::ConnectTimeout), connect);
            Arc::new(builder.with_url(url.as_str()).with_retry(retry()).build()?)
        }
        ObjectStoreScheme::GoogleCloudStorage => {
            let key = GoogleConfigKey::Client;
            let builder = GoogleCloudStorageBuilder::from_env()
                .with_config(key(ClientConfigKey::Timeout), timeout)
                .with_config(key(ClientConfigKey::ConnectTimeout), connect);
            Arc::new(builder.with_url(url.as_str()).with_retry(retry()).build()?)
        }
        ObjectStoreScheme::MicrosoftAzure => {
            let key = AzureConfigKey::Client;
            let builder = MicrosoftAzureBuilder::from_env()
                .with_config(key(ClientConfigKey::Timeout), timeout)
                .with_config(key(ClientConfigKey::ConnectTimeout), connect);
            Arc::new(builder.with_url(url.as_str()).with_retry(retry()).build()?)
        }
        ObjectStoreScheme::Http => {
            // What comes is signed: it need not come by TLS.
            let options = ClientOptions::new()
                .with_allow_http(true)
                .with_timeout(LONG_PATIENCE)
                .with_connect_timeout(CONNECT);
            let builder = HttpBuilder::new().with_url(&url[..Position::BeforePath]);
            Arc::new(
                builder
                    .with_client_options(options)
                    .with_retry(retry())
                    .build()?,
            )
        }
        scheme => {
            return Err(Error::NotSupported {
                source: format!("{scheme:?} is no storage that others see").into(),
            });
        }
    };
    Ok((store, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_behind_a_question_mark_is_not_said() {
        let error = io::Error::other("GET (http://x/y?sig=secret&a=b) failed: no \"http://x?k\"");
        assert_eq!(words(&error), "GET (http://x/y) failed: no \"http://x\"");
        let never = crossbeam_channel::never();
        let failed = Storage::open("gopher://x/y?sig=secret", never)
            .err()
            .unwrap();
        assert!(!failed.to_string().contains("secret"), "{failed}");
    }

    #[test]
    fn in_a_directory_too_only_who_has_read_the_last_manifest_writes_the_next() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("fleet.json");
        let place = place.to_str().unwrap();
        let open = || Storage::open(place, crossbeam_channel::never()).unwrap();
        let (one, other) = (open(), open());
        let is_outrun =
            |done: Result<(), StorageError>| matches!(done, Err(StorageError::Outrun(_)));
        one.put_manifest("1", None).unwrap();
        assert!(is_outrun(other.put_manifest("1", None)));
        let [(_, first), (_, second)] =
            [&one, &other].map(|it| it.manifest(None).unwrap().unwrap());
        assert!(one.manifest(Some(&first)).unwrap().is_none());
        other.put_manifest("22", Some(&second)).unwrap();
        assert!(is_outrun(one.put_manifest("33", Some(&first))));
        let (content, version) = one.manifest(Some(&first)).unwrap().unwrap();
        assert_eq!(content, b"22");
        // Who writes just now is waited for.
        let turn = other.turn(std::path::Path::new(place)).unwrap();
        std::thread::scope(|scope| {
            let writes = scope.spawn(|| one_more(place, &version));
            drop(turn);
            writes.join().unwrap();
        });
        assert_eq!(one.manifest(None).unwrap().unwrap().0, b"44");
    }

    fn one_more(place: &str, version: &Version) {
        let storage = Storage::open(place, crossbeam_channel::never()).unwrap();
        storage.put_manifest("44", Some(version)).unwrap();
    }
}
