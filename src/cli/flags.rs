//! The table of flags: parser, help, man page and completions are made from it.

/// What a flag does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// `-a`: text conversion, which Unix has no use for.
    Ascii,
    /// `-A`: the name of the entry in a zip file.
    Alias,
    /// `--bgzf`.
    Bgzf,
    /// `--bits`: of LZW codes, from the time before DEFLATE.
    Bits,
    /// `-b`.
    Blocksize,
    /// `-C`.
    Comment,
    /// `-d`.
    Decompress,
    /// `--engine`.
    Engine,
    /// `-F`: an order of work inside zopfli that its present implementation does not have.
    First,
    /// `-f`.
    Force,
    /// `-h`.
    Help,
    /// `-H`: no matches.
    Huffman,
    /// `-i`: no windows before chunks.
    Independent,
    /// `-I`.
    Iterations,
    /// `-k`.
    Keep,
    /// `-0` to `-12`.
    Level(u8),
    /// `-L`.
    License,
    /// `-l`.
    List,
    /// `-Z`: output as of compress(1), which nobody writes any more.
    Lzw,
    /// `-J`.
    MaxSplits,
    /// `-N`.
    Name,
    /// `-n`.
    NoName,
    /// `-m`.
    NoTime,
    /// `-O`.
    OneBlock,
    /// `---presume-input-tty`: for tests of what happens at a terminal.
    PresumeTty,
    /// `-p`.
    Processes,
    /// `-q`.
    Quiet,
    /// `-r`.
    Recursive,
    /// `-U`: only matches with the byte before.
    Rle,
    /// `-R`.
    Rsyncable,
    /// `-c`.
    Stdout,
    /// `-S`.
    Suffix,
    /// `-Y`.
    Synchronous,
    /// `-t`.
    Test,
    /// `-M`.
    Time,
    /// `-v`.
    Verbose,
    /// `-V`.
    Version,
    /// `-K`.
    Zip,
    /// `-z`.
    Zlib,
}

/// A row of the table of flags.
pub struct Flag {
    /// What it does.
    pub action: Action,
    /// Its letter or digit.
    pub short: Option<char>,
    /// gzip's own long names, the one shown in the help first. Abbreviations are looked up among
    /// these before the others, so that what is unique for gzip stays so.
    pub gnu: &'static [&'static str],
    /// Other long names.
    pub others: &'static [&'static str],
    /// The name of its value.
    pub value: Option<&'static str>,
    /// Empty: not shown.
    pub help: &'static str,
}

type Names = &'static [&'static str];

const fn flag(
    action: Action,
    short: char,
    gnu: Names,
    others: Names,
    value: Option<&'static str>,
    help: &'static str,
) -> Flag {
    let short = if short == NONE { None } else { Some(short) };
    Flag { action, short, gnu, others, value, help }
}

/// In the letters' column: there is none.
const NONE: char = '\0';

/// Every flag, in the order of the help.
#[rustfmt::skip]
pub const FLAGS: &[Flag] = &[
    flag(Action::Ascii, 'a', &["ascii"], &[], None, ""),
    flag(Action::Stdout, 'c', &["stdout", "to-stdout"], &[], None, "write on standard output, keep original files unchanged"),
    flag(Action::Decompress, 'd', &["decompress", "uncompress"], &[], None, "decompress"),
    flag(Action::Force, 'f', &["force"], &[], None, "force overwrite of output file and compress links"),
    flag(Action::Help, 'h', &["help"], &[], None, "give this help"),
    flag(Action::Keep, 'k', &["keep"], &[], None, "keep (don't delete) input files"),
    flag(Action::List, 'l', &["list"], &[], None, "list compressed file contents"),
    flag(Action::License, 'L', &["license"], &[], None, "display software license"),
    flag(Action::NoName, 'n', &["no-name"], &[], None, "do not save or restore the original name and timestamp"),
    flag(Action::Name, 'N', &["name"], &[], None, "save or restore the original name and timestamp"),
    flag(Action::NoTime, 'm', &[], &["no-time"], None, "do not save or restore the timestamp"),
    flag(Action::NoTime, 'T', &[], &[], None, ""),
    flag(Action::Time, 'M', &[], &["time"], None, "save or restore the timestamp"),
    flag(Action::Quiet, 'q', &["quiet", "silent"], &[], None, "suppress all warnings"),
    flag(Action::Recursive, 'r', &["recursive"], &[], None, "operate recursively on directories"),
    flag(Action::Rsyncable, 'R', &["rsyncable"], &[], None, "make rsync-friendly archive"),
    flag(Action::Synchronous, 'Y', &["synchronous"], &[], None, "synchronous output (safer if system crashes, but slower)"),
    flag(Action::Suffix, 'S', &["suffix"], &[], Some("SUF"), "use suffix SUF on compressed files"),
    flag(Action::Test, 't', &["test"], &[], None, "test compressed file integrity"),
    flag(Action::Verbose, 'v', &["verbose"], &[], None, "verbose mode"),
    flag(Action::Version, 'V', &["version"], &[], None, "display version number"),
    flag(Action::Level(1), '1', &["fast"], &[], None, "compress faster"),
    flag(Action::Level(9), '9', &["best"], &[], None, "compress better (the default is -6)"),
    flag(Action::Level(0), '0', &[], &[], None, "do not compress, only store"),
    flag(Action::Level(10), NONE, &[], &[], None, "compress by the cheapest of all parses, slowly"),
    flag(Action::Level(11), NONE, &[], &[], None, "the same block by block, more slowly (zopfli with -I, -J or -O)"),
    flag(Action::Level(12), NONE, &[], &[], None, "the same with more attempts, as densely as possible"),
    flag(Action::Level(2), '2', &[], &[], None, ""),
    flag(Action::Level(3), '3', &[], &[], None, ""),
    flag(Action::Level(4), '4', &[], &[], None, ""),
    flag(Action::Level(5), '5', &[], &[], None, ""),
    flag(Action::Level(6), '6', &[], &[], None, ""),
    flag(Action::Level(7), '7', &[], &[], None, ""),
    flag(Action::Level(8), '8', &[], &[], None, ""),
    flag(Action::Processes, 'p', &[], &["processes"], Some("N"), "use N threads (default: as many as there are processors)"),
    flag(Action::Blocksize, 'b', &[], &["blocksize"], Some("N"), "compress in chunks of N KiB (or Nk, Nm, Ng)"),
    flag(Action::Bits, NONE, &["bits"], &[], Some("N"), ""),
    flag(Action::Independent, 'i', &[], &["independent"], None, "compress chunks independently, for damage recovery"),
    flag(Action::Engine, NONE, &[], &["engine"], Some("NAME"), "compress with auto (the default), rigz, libdeflate or zlib-ng"),
    flag(Action::Bgzf, NONE, &[], &["bgzf"], None, "write BGZF, as bgzip does"),
    flag(Action::Zlib, 'z', &[], &["zlib"], None, "write the zlib format, to .zz files"),
    flag(Action::Zip, 'K', &[], &["zip"], None, "write the zip format with one entry, to .zip files"),
    flag(Action::Alias, 'A', &[], &["alias"], Some("NAME"), "use NAME for a zip entry from standard input"),
    flag(Action::Comment, 'C', &[], &["comment"], Some("TEXT"), "put TEXT into the header as a comment"),
    flag(Action::Huffman, 'H', &[], &["huffman"], None, "use only Huffman coding"),
    flag(Action::Rle, 'U', &[], &["rle"], None, "use only run-length and Huffman coding"),
    flag(Action::Iterations, 'I', &[], &["iterations"], Some("N"), "iterate N times with -11 (default: 15)"),
    flag(Action::MaxSplits, 'J', &[], &["maxsplits"], Some("N"), "make at most N blocks of a chunk with -11 (default: 15; 0: no limit)"),
    flag(Action::OneBlock, 'O', &[], &["oneblock"], None, "do not split chunks into blocks with -11"),
    flag(Action::First, 'F', &[], &["first"], None, ""),
    flag(Action::Lzw, 'Z', &["lzw"], &["LZW"], None, ""),
    flag(Action::PresumeTty, NONE, &["-presume-input-tty"], &[], None, ""),
];

impl Flag {
    /// All long names, the one to show first.
    pub fn long_names(&self) -> impl Iterator<Item = &'static str> {
        self.gnu.iter().chain(self.others).copied()
    }
}
