//! Suffix rules: what an output is called, and what a missing input may be called instead.
//!
//! Names are bytes: they need not be UTF-8.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::recipe::Format;

/// What `-S` accepts.
pub const MAX_SUFFIX_LEN: usize = 30;

/// Suffixes that mark a compressed file, besides the one of `-S`; compared without regard to case.
const KNOWN: [&[u8]; 8] = [b".gz", b".z", b".taz", b".tgz", b"-gz", b"-z", b"_z", b".Z"];

/// Suffixes of pigz's other formats. gzip compresses files of such names, so they count for
/// decompression only.
const OTHERS: [&[u8]; 2] = [b".zz", b".zip"];

/// The longest name that file systems take, in bytes.
const MAX_NAME_LEN: usize = 255;

/// What `-d NAME` also looks for when NAME is missing, after the suffix of `-S`.
const TRIED: [&[u8]; 4] = [b".gz", b".z", b"-z", b".Z"];

/// The suffix of compressed files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suffix(Vec<u8>);

impl Suffix {
    /// The usual suffix of `format`.
    pub fn of(format: Format) -> Suffix {
        let suffix: &[u8] = match format {
            Format::Gzip | Format::Bgzf => b".gz",
            Format::Zlib => b".zz",
            Format::Zip => b".zip",
        };
        Suffix(suffix.to_vec())
    }

    /// The suffix that a user chose; `None` if it is empty, too long or has a slash.
    pub fn new(suffix: &OsStr) -> Option<Suffix> {
        let bytes = suffix.as_bytes();
        let is_usable = !bytes.is_empty() && bytes.len() <= MAX_SUFFIX_LEN && !bytes.contains(&b'/');
        is_usable.then(|| Suffix(bytes.to_vec()))
    }

    /// `path` with the suffix.
    pub fn append(&self, path: &Path) -> PathBuf {
        with_suffix(path, &self.0)
    }

    /// As [`append`](Self::append), with the file's name cut so that the result is no longer than
    /// a name may be; `None` if it need not or cannot be cut.
    ///
    /// As gzip does it: `.tar.gz` becomes `.tgz`; otherwise the parts between dots are cut to three
    /// bytes each, from the last to the first, and only as far as necessary.
    pub fn append_to_shortened(&self, path: &Path) -> Option<PathBuf> {
        const KEPT: usize = 3;
        let name = path.file_name()?.as_bytes();
        let mut excess =
            (name.len() + self.0.len()).checked_sub(MAX_NAME_LEN).filter(|excess| *excess > 0)?;
        if let Some(stem) = name.strip_suffix(b".tar").filter(|_| self.0 == b".gz" && excess < b".gz".len()) {
            return Some(path.with_file_name(OsStr::from_bytes(&[stem, b".tgz"].concat())));
        }
        let mut parts: Vec<&[u8]> = name.split(|byte| *byte == b'.').collect();
        for kept in [KEPT, 1] {
            for part in parts.iter_mut().rev() {
                let cut = excess.min(part.len().saturating_sub(kept));
                *part = &part[..part.len() - cut];
                excess -= cut;
            }
        }
        let name = parts.join(&b'.');
        (excess == 0).then(|| self.append(&path.with_file_name(OsStr::from_bytes(&name))))
    }

    /// The suffix that already marks `path` as compressed, as it stands in the name.
    pub fn found_in<'a>(&self, path: &'a Path) -> Option<&'a OsStr> {
        self.find(path, &[])
    }

    fn find<'a>(&self, path: &'a Path, others: &[&[u8]]) -> Option<&'a OsStr> {
        let name = path.file_name()?.as_bytes();
        let ends_with = |suffix: &&[u8]| {
            name.len() > suffix.len() && name[name.len() - suffix.len()..].eq_ignore_ascii_case(suffix)
        };
        let candidates = KNOWN.iter().chain(others).copied().chain([self.0.as_slice()]);
        // The longest counts: `.tgz` rather than a `-S gz`.
        let found = candidates.filter(ends_with).max_by_key(|suffix| suffix.len())?;
        Some(OsStr::from_bytes(&name[name.len() - found.len()..]))
    }

    /// The name of what is inside `path`: without its suffix, `.tgz` and `.taz` becoming `.tar`.
    /// `.zz` and `.zip` count as suffixes if `knows_others`.
    pub fn strip(&self, path: &Path, knows_others: bool) -> Option<PathBuf> {
        let suffix = self.find(path, if knows_others { &OTHERS } else { &[] })?.as_bytes();
        let bytes = path.as_os_str().as_bytes();
        let stem = PathBuf::from(OsString::from_vec(bytes[..bytes.len() - suffix.len()].to_vec()));
        let is_tar = suffix.eq_ignore_ascii_case(b".tgz") || suffix.eq_ignore_ascii_case(b".taz");
        Some(if is_tar { with_suffix(&stem, b".tar") } else { stem })
    }

    /// Names to try for the compressed file `path` when there is none of that name.
    pub fn alternatives(&self, path: &Path) -> Vec<PathBuf> {
        let mut tried: Vec<&[u8]> = vec![&self.0];
        tried.extend(TRIED.iter().filter(|suffix| **suffix != self.0));
        tried.into_iter().map(|suffix| with_suffix(path, suffix)).collect()
    }
}

fn with_suffix(path: &Path, suffix: &[u8]) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(OsStr::from_bytes(suffix));
    name.into()
}

/// Whether the file name of `path` is longer than file systems take.
pub fn is_too_long(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.len() > MAX_NAME_LEN)
}

/// `path` with its file name cut at the end: to the length that most file systems take, or by
/// one byte for those that take less. `None` if too little of it is left.
pub fn cut(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.as_bytes();
    let len = MAX_NAME_LEN.min(name.len() - 1);
    (len > 0).then(|| path.with_file_name(OsStr::from_bytes(&name[..len])))
}

/// The last component of a stored name; empty if there is none.
pub fn base(stored: &[u8]) -> &[u8] {
    stored.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}

/// The file that `-N` restores: the stored name's last component, in the folder of `input`.
/// `None` if the stored name has no last component.
pub fn restored(input: &Path, stored: &[u8]) -> Option<PathBuf> {
    let base = base(stored);
    let is_name = !base.is_empty() && base != b"." && base != b"..";
    is_name.then(|| input.with_file_name(OsStr::from_bytes(base)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strip(suffix: &str, name: &str) -> Option<String> {
        let suffix = Suffix::new(OsStr::new(suffix)).unwrap();
        suffix.strip(Path::new(name), false).map(|path| path.to_str().unwrap().to_owned())
    }

    #[test]
    fn known_suffixes_are_stripped_whatever_their_case() {
        for name in ["d/f.gz", "d/f.z", "d/f.Z", "d/f-gz", "d/f-z", "d/f_z", "d/f.GZ"] {
            assert_eq!(strip(".gz", name).as_deref(), Some("d/f"), "{name}");
        }
        assert_eq!(strip(".gz", "f.tgz").as_deref(), Some("f.tar"));
        assert_eq!(strip(".gz", "f.TAZ").as_deref(), Some("f.tar"));
        assert_eq!(strip(".foo", "f.foo").as_deref(), Some("f"));
        assert_eq!(strip(".foo", "f.gz").as_deref(), Some("f"));
        for name in ["f", ".gz", "d/.gz", "f.txt", "gz"] {
            assert_eq!(strip(".gz", name), None, "{name}");
        }
    }

    #[test]
    fn suffixes_of_other_formats_count_where_they_are_asked_for() {
        let gz = Suffix::of(Format::Gzip);
        for name in ["f.zz", "f.ZIP"] {
            assert_eq!(gz.strip(Path::new(name), true), Some("f".into()), "{name}");
            assert_eq!(gz.strip(Path::new(name), false), None, "{name}");
            assert_eq!(gz.found_in(Path::new(name)), None, "{name}");
        }
    }

    #[test]
    fn names_that_get_too_long_are_cut_from_the_last_part_on() {
        let gz = Suffix::of(Format::Gzip);
        let shortened = |name: &str| gz.append_to_shortened(Path::new(name));
        let long = "a".repeat(245);
        assert_eq!(
            shortened(&format!("d/{long}.txt.html")),
            Some(format!("d/{}.txt.htm.gz", &long[1..]).into())
        );
        assert_eq!(shortened(&"b".repeat(255)), Some(format!("{}.gz", "b".repeat(252)).into()));
        assert_eq!(shortened(&"b".repeat(252)), None);
        assert_eq!(shortened(&".".repeat(255)), None);
    }

    #[test]
    fn stored_names_that_are_too_long_are_cut_at_the_end() {
        let cut = |name: &str| cut(Path::new(name));
        assert_eq!(cut(&format!("d/{}", "a".repeat(300))), Some(format!("d/{}", "a".repeat(255)).into()));
        assert_eq!(cut(&format!("d/{}", "a".repeat(255))), Some(format!("d/{}", "a".repeat(254)).into()));
        assert_eq!(cut("d/a"), None);
    }

    #[test]
    fn unusable_suffixes_are_refused() {
        for suffix in ["", "a/b", "0123456789012345678901234567890"] {
            assert_eq!(Suffix::new(OsStr::new(suffix)), None);
        }
    }

    #[test]
    fn a_missing_file_may_have_a_suffix() {
        let names = |suffix: Suffix| suffix.alternatives(Path::new("f"));
        assert_eq!(names(Suffix::of(Format::Gzip)), ["f.gz", "f.z", "f-z", "f.Z"].map(PathBuf::from));
        assert_eq!(names(Suffix::new(OsStr::new(".x")).unwrap())[..2], ["f.x", "f.gz"].map(PathBuf::from));
    }

    #[test]
    fn restored_names_stay_in_the_folder() {
        let restored = |stored: &str| restored(Path::new("d/x.gz"), stored.as_bytes());
        assert_eq!(restored("f"), Some("d/f".into()));
        assert_eq!(restored("../../etc/evil"), Some("d/evil".into()));
        for nothing in ["", "..", ".", "a/", "/"] {
            assert_eq!(restored(nothing), None, "{nothing:?}");
        }
    }
}
