//! What can go wrong with one operand, and how gzip says it.

use std::fmt;
use std::io;

/// The failure of one operand. `Display` is the sentence after the operand's name.
#[derive(Debug)]
pub enum Error {
    /// Reading the input failed.
    Read(io::Error),
    /// Writing the output failed.
    Write(io::Error),
    /// The output file cannot be created.
    Create(io::Error),
    /// The input file became shorter while it was read.
    Shrank,
    /// An input file that was to be replaced has more data now than were read.
    Grew,
    /// The input does not begin with a gzip header.
    NotGzip,
    /// The input ends inside a member.
    UnexpectedEof,
    /// The DEFLATE data break RFC 1951.
    Violated,
    /// A member's trailer disagrees with its data.
    Trailer {
        /// The CRC-32 differs.
        crc: bool,
        /// The length differs.
        len: bool,
    },
    /// The header names a compression method other than DEFLATE.
    Method(u8),
    /// The header has the "encrypted" flag of old gzip versions.
    Encrypted,
    /// The header has reserved flag bits (the whole flag byte is given).
    Flags(u8),
    /// The header's own CRC-16 is wrong.
    HeaderCrc {
        /// As found in the header.
        stored: u16,
        /// As computed over it.
        computed: u16,
    },
    /// A zip file's first local header is damaged or cut off.
    NotZip,
    /// A zip file's first entry is neither deflated nor stored.
    ZipMethod,
    /// A zip file's first entry is encrypted.
    ZipEncrypted,
    /// A zip file has more than one entry, so that it must not be replaced by its first.
    ZipEntries,
    /// A zip file's stored entry has two different lengths.
    ZipLengths,
    /// The flags of a `.Z` allow codes of so many bits, more than 16.
    TooManyBits(u8),
    /// A `.Z` has a code that nothing stands for.
    Corrupt,
    /// The same, and what came before it is lost because it went to a file.
    CorruptFile,
    /// A packed file has codewords of no bits, or of more than 25.
    CodewordLen,
    /// The code of a packed file has more codewords than its lengths leave room for.
    TooManyLeaves,
    /// The code of a packed file has bit strings that no codeword begins.
    TooFewLeaves,
    /// LZH data have a code that cannot be.
    BadTable,
}

impl Error {
    /// Whether gzip prints an empty line before the message (it does where `-v` may have left
    /// an unfinished line behind).
    pub fn follows_blank_line(&self) -> bool {
        !matches!(
            self,
            Error::Method(_)
                | Error::Encrypted
                | Error::Flags(_)
                | Error::HeaderCrc { .. }
                | Error::ZipEntries
        )
    }

    /// Whether the reader of the output went away, which is no fault of the data.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Error::Write(e) if e.kind() == io::ErrorKind::BrokenPipe)
    }

    /// The message for the operand `name`, without the program's name; several lines where gzip
    /// prints several.
    pub fn lines(&self, name: &str) -> Vec<String> {
        match self {
            Error::Trailer { crc, len } => {
                let mut lines = Vec::new();
                if *crc {
                    lines.push(format!("{name}: invalid compressed data--crc error"));
                }
                if *len {
                    lines.push(format!("{name}: invalid compressed data--length error"));
                }
                lines
            }
            Error::Encrypted | Error::Flags(_) | Error::ZipEntries => vec![format!("{name} {self}")],
            _ => vec![format!("{name}: {self}")],
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Read(e) | Error::Create(e) | Error::Write(e) => f.write_str(&os_text(e)),
            Error::Shrank => f.write_str("file became shorter while it was read"),
            Error::Grew => f.write_str("file grew while it was read -- unchanged"),
            Error::NotGzip => f.write_str("not in gzip format"),
            Error::UnexpectedEof => f.write_str("unexpected end of file"),
            Error::Violated => f.write_str("invalid compressed data--format violated"),
            Error::Trailer { crc: false, .. } => f.write_str("invalid compressed data--length error"),
            Error::Trailer { .. } => f.write_str("invalid compressed data--crc error"),
            Error::Method(method) => write!(f, "unknown method {method} -- not supported"),
            Error::Encrypted => f.write_str("is encrypted -- not supported"),
            Error::Flags(flags) => write!(f, "has flags 0x{flags:x} -- not supported"),
            Error::HeaderCrc { stored, computed } => {
                write!(f, "header checksum 0x{stored:04x} != computed checksum 0x{computed:04x}")
            }
            Error::NotZip => f.write_str("not a valid zip file"),
            Error::ZipMethod => f.write_str("first entry not deflated or stored -- use unzip"),
            Error::ZipEncrypted => f.write_str("encrypted file -- use unzip"),
            Error::ZipEntries => f.write_str("has more than one entry -- unchanged"),
            Error::ZipLengths => f.write_str("invalid compressed data--length mismatch"),
            Error::TooManyBits(bits) => write!(f, "compressed with {bits} bits, can only handle 16 bits"),
            Error::Corrupt => f.write_str("corrupt input."),
            Error::CorruptFile => f.write_str("corrupt input. Use zcat to recover some data."),
            Error::CodewordLen => {
                f.write_str("invalid compressed data -- Huffman code bit length out of range")
            }
            Error::TooManyLeaves => f.write_str("too many leaves in Huffman tree"),
            Error::TooFewLeaves => f.write_str("too few leaves in Huffman tree"),
            Error::BadTable => f.write_str("Bad table"),
        }
    }
}

impl std::error::Error for Error {}

/// The system's text for `error`, as `strerror` gives it: "No such file or directory".
pub fn os_text(error: &io::Error) -> String {
    let text = error.to_string();
    match (error.raw_os_error(), text.find(" (os error ")) {
        (Some(_), Some(end)) => text[..end].to_owned(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn os_errors_read_as_gzip_prints_them() {
        let missing = io::Error::from_raw_os_error(libc::ENOENT);
        assert_eq!(Error::Read(missing).lines("x"), ["x: No such file or directory"]);
    }

    #[test]
    fn both_trailer_fields_give_two_lines() {
        let lines = Error::Trailer { crc: true, len: true }.lines("x");
        assert_eq!(
            lines,
            ["x: invalid compressed data--crc error", "x: invalid compressed data--length error"]
        );
    }
}
