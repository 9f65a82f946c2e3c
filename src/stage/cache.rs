//! The cache of glibc's loader: in which directories of the system a library lies, by its name. Pure; any bytes may come.

use std::path::PathBuf;

/// Where the cache is.
pub(crate) const CACHE: &str = "/etc/ld.so.cache";

/// The largest cache that is read, in bytes. That of a full desktop has some hundred kilobytes.
pub(crate) const LONGEST_CACHE: u64 = 16 << 20;

/// How a cache begins, behind which its entries follow.
const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";

/// The length of what comes before the entries, and that of one entry, in bytes.
const HEADER: usize = 48;
const ENTRY: usize = 24;

/// The places where libraries of this name lie, in the loader's order. Some may be for another processor.
pub(crate) fn places(cache: &[u8], name: &str) -> Vec<PathBuf> {
    // In front there may be a cache of an older form.
    let starts = cache.windows(MAGIC.len()).position(|it| it == MAGIC);
    let Some(cache) = starts.map(|at| &cache[at..]) else {
        return Vec::new();
    };
    let count = number(cache, MAGIC.len()).unwrap_or(0);
    let entries = cache.get(HEADER..).unwrap_or_default().chunks_exact(ENTRY);
    let text = |entry: &[u8], at| text(cache, number(entry, at)?);
    entries
        .take(count)
        .filter(|entry| text(entry, 4) == Some(name))
        .filter_map(|entry| text(entry, 8).map(PathBuf::from))
        .collect()
}

/// The number at a place.
fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_ne_bytes(*bytes) as usize)
}

/// The text at a place, up to its NUL.
fn text(cache: &[u8], at: usize) -> Option<&str> {
    let rest = cache.get(at..)?;
    let end = rest.iter().position(|&byte| byte == 0)?;
    str::from_utf8(&rest[..end]).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A cache with these names and paths.
    fn cache(entries: &[(&str, &str)]) -> Vec<u8> {
        let mut cache = MAGIC.to_vec();
        cache.extend((entries.len() as u32).to_ne_bytes());
        cache.resize(HEADER, 0);
        let mut at = HEADER + entries.len() * ENTRY;
        let mut texts = Vec::new();
        for (name, path) in entries {
            cache.extend(0x303_u32.to_ne_bytes());
            for text in [name, path] {
                cache.extend((at as u32).to_ne_bytes());
                texts.extend(text.bytes().chain([0]));
                at += text.len() + 1;
            }
            cache.extend([0; 12]);
        }
        cache.extend(texts);
        cache
    }

    #[test]
    fn a_library_is_found_by_its_whole_name_at_each_of_its_places() {
        let cache = cache(&[
            ("libm.so.6", "/lib/libm.so.6"),
            ("libm.so", "/usr/lib/libm.so"),
            ("libm.so.6", "/lib32/libm.so.6"),
        ]);
        let found = places(&cache, "libm.so.6");
        assert_eq!(
            found,
            [PathBuf::from("/lib/libm.so.6"), "/lib32/libm.so.6".into()]
        );
        assert!(places(&cache, "libm").is_empty());
        let older = [b"ld.so-1.7.0\0 and what belongs to it".to_vec(), cache].concat();
        assert_eq!(places(&older, "libm.so").len(), 1);
    }

    #[test]
    fn a_cache_that_is_cut_anywhere_or_says_nonsense_ends_well() {
        let whole = cache(&[("libm.so.6", "/lib/libm.so.6")]);
        for len in 0..whole.len() {
            assert!(places(&whole[..len], "libm.so.6").is_empty(), "{len}");
        }
        for at in MAGIC.len()..whole.len() {
            let mut wrong = whole.clone();
            wrong[at] = 0xff;
            let _ = places(&wrong, "libm.so.6");
        }
    }
}
