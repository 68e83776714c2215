//! Names in messages: any bytes, carried through `String`s.
//!
//! File names need not be UTF-8, and scripts compare what is printed with what they know. Bytes
//! that are not part of UTF-8 travel as characters from the end of the last private use plane and
//! become bytes again when they are printed. So do the bytes of those characters themselves.

use std::borrow::Cow;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

const FIRST: u32 = 0x10_ff00;

/// `path` as text.
pub(super) fn of(path: &Path) -> String {
    of_bytes(path.as_os_str().as_bytes())
}

/// `bytes` as text.
pub(super) fn of_bytes(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for part in chunk.valid().split_inclusive(|c| u32::from(c) >= FIRST) {
            let plain = part.trim_end_matches(|c| u32::from(c) >= FIRST);
            text.push_str(plain);
            text.extend(part[plain.len()..].bytes().map(escape));
        }
        text.extend(chunk.invalid().iter().copied().map(escape));
    }
    text
}

fn escape(byte: u8) -> char {
    char::from_u32(FIRST + u32::from(byte)).expect("the plane ends behind the last of them")
}

/// The bytes that `text` stands for.
pub(super) fn to_bytes(text: &str) -> Cow<'_, [u8]> {
    let escaped = |c: char| u32::from(c).checked_sub(FIRST).and_then(|byte| u8::try_from(byte).ok());
    if !text.contains(|c| escaped(c).is_some()) {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut bytes = Vec::with_capacity(text.len());
    for c in text.chars() {
        match escaped(c) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Cow::Owned(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_come_out_as_they_went_in() {
        for bytes in [
            &b"plain"[..],
            "größe".as_bytes(),
            b"\xff\xfe",
            b"a\x80b\xc3",
            b"",
            "a\u{10ff01}\u{10ffff}b".as_bytes(),
        ] {
            assert_eq!(&*to_bytes(&of_bytes(bytes)), bytes);
        }
        assert!(matches!(to_bytes("größe"), Cow::Borrowed(_)));
    }
}
