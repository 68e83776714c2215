//! The command line, and what stands before it in the environment, as options.
//!
//! Flags take effect in the order in which they are met, as in a getopt loop: `-1 -9` is 9,
//! `-v -q` is quiet, `-nN` restores names. Long options may be abbreviated; gzip's own names win
//! over the others, so that what is unique today stays so.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use lexopt::{Arg, Parser};

use super::flags::{Action, FLAGS, Flag};
use crate::plan::level::Level;
use crate::plan::names::Suffix;
use crate::plan::recipe::{Family, Format, Strategy, Wanted};

/// What is to be done with the operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Compress,
    Decompress,
    Test,
    List,
}

/// What a command line asks for.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) mode: Mode,
    pub(super) to_stdout: bool,
    pub(super) keep: bool,
    pub(super) force: bool,
    pub(super) recurses: bool,
    /// `-Y`.
    pub(super) synchronizes: bool,
    pub(super) verbosity: Verbosity,
    /// Whether to store or restore file names; each direction has a default of its own.
    pub(super) names: Option<bool>,
    /// The same for times.
    pub(super) times: Option<bool>,
    /// What the compressed data are to be.
    pub(super) wanted: Wanted,
    /// The name of a zip entry for standard input.
    pub(super) alias: Option<Vec<u8>>,
    pub(super) comment: Option<Vec<u8>>,
    /// `-p`.
    pub(super) processes: Option<usize>,
    /// `-S`: the last one counts, and only that one has to be usable.
    suffix: Option<OsString>,
    pub(super) presumes_terminal: bool,
    /// Things to be said before work begins.
    pub(super) remarks: Vec<&'static str>,
    pub(super) operands: Vec<OsString>,
}

/// How much is said on stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verbosity {
    /// No warnings.
    Quiet,
    Normal,
    Verbose,
    /// `-vv`.
    Talkative,
}

/// What a command line amounts to.
pub(super) enum Request {
    /// Work on operands.
    Run(Box<Options>),
    /// Print this to stdout.
    Print(String),
}

/// A command line that cannot be carried out. `Display` is the message without the program's name.
#[derive(Debug)]
pub(super) enum UsageError {
    /// The words are wrong; the user is pointed to `--help`.
    Words(String),
    /// A value is wrong.
    Value(String),
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (UsageError::Words(text) | UsageError::Value(text)) = self;
        f.write_str(text)
    }
}

/// What the environment adds to the command line.
#[derive(Default)]
pub(super) struct Environment {
    /// `GZIP`: of its words GNU gzip obeys levels, `--rsyncable` and `--synchronous`, and
    /// passes over the others in silence.
    pub(super) gzip: Option<OsString>,
    /// `PIGZ`: any option of pigz, such as the number of threads for a whole site.
    pub(super) pigz: Option<OsString>,
    /// `POSIXLY_CORRECT`: options end at the first operand.
    pub(super) is_posixly_correct: bool,
}

impl Environment {
    pub(super) fn of_process() -> Environment {
        Environment {
            gzip: std::env::var_os("GZIP"),
            pigz: std::env::var_os("PIGZ"),
            is_posixly_correct: std::env::var_os("POSIXLY_CORRECT").is_some(),
        }
    }
}

/// Reads the environment and then the command line: argv[0] and what follows it.
pub(super) fn parse(
    program: &str,
    environment: Environment,
    args: impl IntoIterator<Item = OsString>,
) -> Result<Request, UsageError> {
    let mut options = Options::for_program(program);
    if let Some(words) = &environment.gzip {
        options.obey_gzip(words);
    }
    if let Some(words) = &environment.pigz {
        if let Some(request) = options.read(Parser::from_args(split(words)), false)? {
            return Ok(request);
        }
        if !options.operands.is_empty() {
            return Err(UsageError::Value("cannot provide files in PIGZ environment variable".to_owned()));
        }
    }
    let request = options.read(Parser::from_args(args), environment.is_posixly_correct)?;
    options.check()?;
    if options.comment.is_some() && options.wanted.format == Format::Zlib {
        options.remarks.push("the zlib format has no room for a comment -- ignored");
    }
    Ok(request.unwrap_or_else(|| Request::Run(Box::new(options))))
}

/// The words of an environment variable.
fn split(words: &OsStr) -> impl Iterator<Item = OsString> {
    let is_space = |byte: &u8| byte.is_ascii_whitespace();
    words
        .as_bytes()
        .split(is_space)
        .filter(|word| !word.is_empty())
        .map(|word| OsStr::from_bytes(word).into())
}

/// The flags of a list of words, one after the other.
struct Flags {
    parser: Parser,
    /// Whether the flag before was `-1` with more letters behind it: `-10`, `-11` and `-12` are levels of their
    /// own.
    is_after_one: bool,
}

/// What [`Flags`] meets.
enum Met {
    Flag(&'static Flag, OsString),
    Operand(OsString),
}

impl Flags {
    fn next(&mut self) -> Result<Option<Met>, UsageError> {
        let flag = match self.parser.next().map_err(explain)? {
            None => return Ok(None),
            Some(Arg::Value(operand)) => return Ok(Some(Met::Operand(operand))),
            Some(Arg::Long(name)) => {
                let name = name.to_owned();
                complete(&name).map_err(|problem| self.complain(problem, &name))?
            }
            Some(Arg::Short(letter)) => FLAGS
                .iter()
                .find(|flag| flag.short == Some(letter))
                .ok_or_else(|| UsageError::Words(format!("invalid option -- '{letter}'")))?,
        };
        let value = match flag.value {
            Some(_) => self.parser.value().map_err(explain)?,
            None => OsString::new(),
        };
        Ok(Some(Met::Flag(self.join_digits(flag)?, value)))
    }

    /// Says what is wrong with the long option `name`, with the value that was given to it.
    fn complain(&mut self, problem: Problem, name: &str) -> UsageError {
        let value = self.parser.optional_value().map(|value| format!("={}", value.to_string_lossy()));
        let typed = format!("--{name}{}", value.unwrap_or_default());
        UsageError::Words(match problem {
            Problem::Unknown => format!("unrecognized option '{typed}'"),
            Problem::Ambiguous(names) => format!("option '{typed}' is ambiguous; possibilities:{names}"),
        })
    }

    /// Takes a digit together with a `1` before it, where that makes a difference.
    fn join_digits(&mut self, flag: &'static Flag) -> Result<&'static Flag, UsageError> {
        let is_after_one = std::mem::take(&mut self.is_after_one);
        match flag.short {
            Some(digit @ '0'..='2') if is_after_one => {
                let level = Action::Level(10 + (digit as u8 - b'0'));
                Ok(FLAGS.iter().find(|flag| flag.action == level).expect("levels 10 to 12 have rows"))
            }
            short => {
                // No raw arguments can be had in the middle of a bundle.
                self.is_after_one = short == Some('1') && self.parser.try_raw_args().is_none();
                Ok(flag)
            }
        }
    }
}

/// A parser's error in getopt's words.
fn explain(error: lexopt::Error) -> UsageError {
    let full_name = |typed: &str| match typed.strip_prefix("--").map(complete) {
        Some(Ok(flag)) => format!("--{}", flag.long_names().next().unwrap_or_default()),
        _ => typed.to_owned(),
    };
    UsageError::Words(match error {
        lexopt::Error::MissingValue { option: Some(option) } if option.starts_with("--") => {
            format!("option '{}' requires an argument", full_name(&option))
        }
        lexopt::Error::MissingValue { option: Some(option) } => {
            format!("option requires an argument -- '{}'", option.trim_start_matches('-'))
        }
        lexopt::Error::UnexpectedValue { option, .. } => {
            format!("option '{}' doesn't allow an argument", full_name(&option))
        }
        other => other.to_string(),
    })
}

/// Why a long option is not understood.
enum Problem {
    Unknown,
    /// It begins all these names.
    Ambiguous(String),
}

/// The flag that the long name or its unambiguous beginning `typed` means.
fn complete(typed: &str) -> Result<&'static Flag, Problem> {
    if let Some(flag) = FLAGS.iter().find(|flag| flag.long_names().any(|name| name == typed)) {
        return Ok(flag);
    }
    for names in [|flag: &Flag| flag.gnu, |flag: &Flag| flag.others] {
        let candidates = FLAGS.iter().flat_map(|flag| names(flag).iter().map(move |name| (flag, *name)));
        let found: Vec<_> = candidates.filter(|(_, name)| name.starts_with(typed)).collect();
        match found.as_slice() {
            [] => {}
            [(flag, _), rest @ ..] if rest.iter().all(|(other, _)| other.action == flag.action) => {
                return Ok(flag);
            }
            several => {
                let names: Vec<_> = several.iter().map(|(_, name)| format!(" '--{name}'")).collect();
                return Err(Problem::Ambiguous(names.concat()));
            }
        }
    }
    Err(Problem::Unknown)
}

impl Options {
    /// The defaults under the name `program`.
    fn for_program(program: &str) -> Options {
        let is_cat = program.ends_with("cat");
        let decompresses = is_cat || matches!(program, "gunzip" | "unpigz" | "uncompress");
        Options {
            mode: if decompresses { Mode::Decompress } else { Mode::Compress },
            to_stdout: is_cat,
            keep: false,
            force: false,
            recurses: false,
            synchronizes: false,
            verbosity: Verbosity::Normal,
            names: None,
            times: None,
            wanted: Wanted::default(),
            alias: None,
            comment: None,
            processes: None,
            suffix: None,
            presumes_terminal: false,
            remarks: Vec::new(),
            operands: Vec::new(),
        }
    }

    /// The suffix of compressed files: the user's, or the format's.
    pub(super) fn suffix(&self) -> Suffix {
        let chosen = self.suffix.as_deref().and_then(Suffix::new);
        chosen.unwrap_or_else(|| Suffix::of(self.wanted.format))
    }

    /// Whether inputs are only read: output goes to stdout or nowhere.
    pub(super) fn leaves_inputs_alone(&self) -> bool {
        self.to_stdout || matches!(self.mode, Mode::Test | Mode::List)
    }

    /// Whether symbolic links are followed: not where that would replace a link by a file.
    pub(super) fn follows_links(&self) -> bool {
        self.force || self.leaves_inputs_alone()
    }

    /// Reads all words of `parser`. A request to print something ends the reading.
    fn read(&mut self, parser: Parser, is_posixly_correct: bool) -> Result<Option<Request>, UsageError> {
        let mut flags = Flags { parser, is_after_one: false };
        while let Some(met) = flags.next()? {
            match met {
                Met::Flag(flag, value) => match flag.action {
                    Action::Help => return Ok(Some(Request::Print(help()))),
                    Action::License => return Ok(Some(Request::Print(LICENSE.to_owned()))),
                    Action::Version => return Ok(Some(Request::Print(version()))),
                    action => self.apply(action, value)?,
                },
                Met::Operand(operand) => {
                    self.operands.push(operand);
                    if is_posixly_correct {
                        self.operands.extend(flags.parser.raw_args().map_err(explain)?);
                    }
                }
            }
        }
        Ok(None)
    }

    /// Obeys the few words of `GZIP` that gzip still obeys.
    fn obey_gzip(&mut self, words: &OsStr) {
        let mut flags = Flags { parser: Parser::from_args(split(words)), is_after_one: false };
        loop {
            match flags.next() {
                Ok(Some(Met::Flag(flag, value))) => {
                    let is_harmless =
                        matches!(flag.action, Action::Level(1..) | Action::Rsyncable | Action::Synchronous);
                    if is_harmless && self.apply(flag.action, value).is_err() {
                        return;
                    }
                }
                Ok(Some(Met::Operand(_))) | Err(_) => {}
                Ok(None) => return,
            }
        }
    }

    /// Refuses what cannot be had together.
    fn check(&self) -> Result<(), UsageError> {
        if let Some(suffix) = &self.suffix {
            check_suffix(suffix)?;
        }
        let Wanted { format, block_len, is_rsyncable, strategy, .. } = self.wanted;
        if format == Format::Bgzf && (block_len.is_some() || is_rsyncable || strategy != Strategy::Usual) {
            return Err(UsageError::Value(
                "--bgzf has members of a fixed kind: it cannot be used with -b, -R, -U or -H".to_owned(),
            ));
        }
        Ok(())
    }

    fn apply(&mut self, action: Action, value: OsString) -> Result<(), UsageError> {
        match action {
            Action::Stdout => self.to_stdout = true,
            // Testing and listing are kinds of decompression, and stay what they are.
            Action::Decompress if self.mode == Mode::Compress => self.mode = Mode::Decompress,
            Action::Test if self.mode != Mode::List => self.mode = Mode::Test,
            Action::Decompress | Action::Test => {}
            Action::List => self.mode = Mode::List,
            Action::Force => self.force = true,
            Action::Keep => self.keep = true,
            Action::Recursive => self.recurses = true,
            Action::Synchronous => self.synchronizes = true,
            Action::NoName => (self.names, self.times) = (Some(false), Some(false)),
            Action::Name => (self.names, self.times) = (Some(true), Some(true)),
            Action::NoTime => self.times = Some(false),
            Action::Time => self.times = Some(true),
            Action::Quiet => self.verbosity = Verbosity::Quiet,
            Action::Verbose => {
                let is_second = self.verbosity >= Verbosity::Verbose;
                self.verbosity = if is_second { Verbosity::Talkative } else { Verbosity::Verbose };
            }
            Action::Level(number) => {
                self.wanted.level = Level::new(number).expect("the table has rows for levels only");
            }
            Action::Engine => self.wanted.family = read_family(&value)?,
            Action::Bgzf => self.wanted.format = Format::Bgzf,
            Action::Zlib => self.wanted.format = Format::Zlib,
            Action::Zip => self.wanted.format = Format::Zip,
            Action::Rsyncable => self.wanted.is_rsyncable = true,
            Action::Independent => self.wanted.is_independent = true,
            Action::Rle => self.wanted.strategy = Strategy::Rle,
            Action::Huffman => self.wanted.strategy = Strategy::HuffmanOnly,
            Action::Iterations => self.wanted.zopfli.iterations = read_number(&value, "-I")?.max(1),
            Action::MaxSplits => {
                let number = read_number(&value, "-J")?;
                self.wanted.zopfli.max_splits = u16::try_from(number).unwrap_or(u16::MAX);
            }
            Action::OneBlock => self.wanted.zopfli.max_splits = 1,
            Action::First => {}
            Action::Alias => self.alias = Some(value.into_vec()),
            Action::Comment => self.comment = Some(value.into_vec()),
            Action::Suffix => self.suffix = Some(value),
            Action::Processes => self.processes = Some(read_threads(&value)?),
            Action::Blocksize => self.wanted.block_len = Some(read_block_len(&value)?),
            Action::Bits => drop(read_number(&value, "-b")?),
            Action::Ascii => self.remarks.push("option --ascii ignored on this system"),
            Action::Lzw => return Err(UsageError::Words("-Z not supported in this version".to_owned())),
            Action::PresumeTty => self.presumes_terminal = true,
            Action::Help | Action::License | Action::Version => {}
        }
        Ok(())
    }
}

fn check_suffix(suffix: &OsStr) -> Result<(), UsageError> {
    if Suffix::new(suffix).is_some() {
        return Ok(());
    }
    Err(UsageError::Value(match suffix.as_bytes().contains(&b'/') {
        true => "suffix contains '/'".to_owned(),
        false => format!("invalid suffix '{}'", suffix.to_string_lossy()),
    }))
}

/// The number given with `option`; one that is too large counts as the largest.
fn read_number(value: &OsStr, option: &str) -> Result<u32, UsageError> {
    let digits = value.to_str().filter(|text| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()));
    match digits {
        Some(digits) => Ok(digits.parse().unwrap_or(u32::MAX)),
        None => Err(UsageError::Words(format!("{option} operand is not an integer"))),
    }
}

fn read_family(value: &OsStr) -> Result<Family, UsageError> {
    let found = Family::NAMES.iter().find(|(name, _)| value == *name);
    found.map(|(_, family)| *family).ok_or_else(|| {
        let names = Family::NAMES.map(|(name, _)| name).join(", ");
        UsageError::Value(format!("invalid engine '{}': there are {names}", value.to_string_lossy()))
    })
}

/// More threads than this help nobody and may exhaust the system.
const MAX_THREADS: usize = 1024;

fn read_threads(value: &OsStr) -> Result<usize, UsageError> {
    let number = value.to_str().and_then(|text| text.parse().ok());
    number.filter(|number| (1..=MAX_THREADS).contains(number)).ok_or_else(|| {
        let value = value.to_string_lossy();
        UsageError::Value(format!("invalid number of threads '{value}': 1 to {MAX_THREADS} are possible"))
    })
}

/// DEFLATE's window: chunks shorter than it would lose much and gain nothing. gzip's old `-b 16`
/// (bits of LZW codes) is still accepted and lands here.
const MIN_BLOCK_KIB: usize = 32;
const MAX_BLOCK_KIB: usize = 1 << 20;

fn read_block_len(value: &OsStr) -> Result<usize, UsageError> {
    let text = value.to_string_lossy();
    let (digits, factor) = match text.char_indices().next_back() {
        Some((at, 'k' | 'K')) => (&text[..at], 1),
        Some((at, 'm' | 'M')) => (&text[..at], 1 << 10),
        Some((at, 'g' | 'G')) => (&text[..at], 1 << 20),
        _ => (&*text, 1),
    };
    let kib = (read_number(OsStr::new(digits), "-b")? as usize).saturating_mul(factor);
    if kib > MAX_BLOCK_KIB {
        return Err(UsageError::Value(format!("block size too large: {text}: at most 1 GiB is possible")));
    }
    Ok(kib.max(MIN_BLOCK_KIB) << 10)
}

const LICENSE: &str = include_str!("../../LICENSE");

fn version() -> String {
    concat!("rigz ", env!("CARGO_PKG_VERSION"), "\n").to_owned()
}

fn help() -> String {
    let mut text = "\
Usage: rigz [OPTION]... [FILE]...
Compress or uncompress FILEs (by default, compress FILES in-place).

Mandatory arguments to long options are mandatory for short options too.

"
    .to_owned();
    for flag in FLAGS.iter().filter(|flag| !flag.help.is_empty()) {
        text.push_str(&format!("  {:<20}  {}\n", spelling(flag), flag.help));
    }
    text.push_str("\nWith no FILE, or when FILE is -, read standard input.\n");
    text
}

/// How `flag` is written, in the columns of the help: `-S, --suffix=SUF`.
fn spelling(flag: &Flag) -> String {
    let long = flag.long_names().next().map(|name| format!("--{name}"));
    let value = flag.value.map_or(String::new(), |value| format!("={value}"));
    match (flag.short, long, flag.action) {
        (Some(short), Some(long), _) => format!("-{short}, {long}{value}"),
        (Some(short), None, _) => format!("-{short}"),
        (None, None, Action::Level(number)) => format!("-{number}"),
        (None, long, _) => format!("    {}{value}", long.unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(program: &str, args: &[&str]) -> Result<Request, String> {
        parse(program, Environment::default(), args.iter().map(OsString::from))
            .map_err(|error| error.to_string())
    }

    fn options(args: &[&str]) -> Options {
        match request("rigz", args) {
            Ok(Request::Run(options)) => *options,
            Ok(Request::Print(text)) => panic!("{args:?} prints {text}"),
            Err(text) => panic!("{args:?}: {text}"),
        }
    }

    fn refusal(args: &[&str]) -> String {
        request("rigz", args).err().unwrap_or_else(|| panic!("{args:?} is accepted"))
    }

    #[test]
    fn bundles_values_and_operands_mix() {
        let options = options(&["-9dc", "a", "-p4", "-b", "256", "-S.x", "--keep", "-", "--", "-z", "-"]);
        assert_eq!((options.mode, options.to_stdout, options.keep), (Mode::Decompress, true, true));
        assert_eq!(
            (options.wanted.level, options.processes, options.wanted.block_len),
            (Level::DENSEST, Some(4), Some(256 << 10))
        );
        assert_eq!(options.suffix(), Suffix::new(OsStr::new(".x")).unwrap());
        assert_eq!(options.operands, ["a", "-", "-z", "-"]);
    }

    #[test]
    fn the_last_of_a_kind_wins() {
        assert_eq!(options(&["-1", "-9"]).wanted.level, Level::DENSEST);
        assert_eq!(options(&["-91"]).wanted.level, Level::FASTEST);
        assert_eq!(options(&["-9", "--fast", "-9", "--fast"]).wanted.level, Level::FASTEST);
        assert_eq!(options(&["-vq"]).verbosity, Verbosity::Quiet);
        assert_eq!(options(&["-qv"]).verbosity, Verbosity::Verbose);
        assert_eq!(options(&["-v", "-v"]).verbosity, Verbosity::Talkative);
        assert_eq!((options(&["-nM"]).names, options(&["-nM"]).times), (Some(false), Some(true)));
        assert_eq!((options(&["-T"]).names, options(&["-NT"]).times), (None, Some(false)));
        assert_eq!(options(&["-nN"]).names, Some(true));
        assert_eq!(options(&["-b64", "-b", "1m"]).wanted.block_len, Some(1 << 20));
    }

    #[test]
    fn testing_and_listing_stay() {
        assert_eq!(options(&["-t", "-d"]).mode, Mode::Test);
        assert_eq!(options(&["-d", "-t"]).mode, Mode::Test);
        assert_eq!(options(&["-l", "-d", "-t"]).mode, Mode::List);
    }

    #[test]
    fn levels_of_two_digits_are_in_one_piece() {
        let level = |args: &[&str]| options(args).wanted.level;
        assert_eq!(Some(level(&["-k10c"])), Level::new(10));
        assert_eq!(Some(level(&["-912"])), Level::new(12));
        assert_eq!(Some(level(&["-1", "-2"])), Level::new(2));
        for args in [["-11"], ["-k11"], ["-11k"], ["-911"]] {
            assert_eq!(Some(level(&args)), Level::new(11), "{args:?}");
        }
        assert_eq!(level(&["-1", "-1"]), Level::FASTEST);
        assert_eq!(level(&["-1k1"]), Level::FASTEST);
        assert_eq!(level(&["-111"]), Level::FASTEST);
        assert_eq!(level(&["-19"]), Level::DENSEST);
    }

    fn with_environment(environment: Environment, args: &[&str]) -> Options {
        match parse("rigz", environment, args.iter().map(OsString::from)) {
            Ok(Request::Run(options)) => *options,
            _ => panic!("{args:?}"),
        }
    }

    #[test]
    fn the_environment_comes_before_the_command_line() {
        let gzip = |words: &str, args: &[&str]| {
            with_environment(Environment { gzip: Some(words.into()), ..Environment::default() }, args)
        };
        assert_eq!(gzip("-9 -n -d -k bogus", &[]).wanted.level, Level::DENSEST);
        assert_eq!(gzip("-9", &["-1"]).wanted.level, Level::FASTEST);
        for words in ["-n", "-d", "-k", "--bogus", "x", "-S", "-p0", "--", "-0"] {
            let options = gzip(words, &[]);
            assert_eq!((options.names, options.mode, options.keep), (None, Mode::Compress, false), "{words}");
            assert_eq!((options.wanted.level, options.operands.len()), (Level::default(), 0), "{words}");
        }
        assert!(gzip("--rsync  --fast\t--syn", &[]).wanted.is_rsyncable);

        let pigz = Environment { pigz: Some("-p 3 -k".into()), ..Environment::default() };
        let options = with_environment(pigz, &["-p1", "f"]);
        assert_eq!((options.processes, options.keep, options.operands.len()), (Some(1), true, 1));
        let files = Environment { pigz: Some("f".into()), ..Environment::default() };
        assert!(parse("rigz", files, []).is_err());
    }

    #[test]
    fn options_may_end_at_the_first_operand() {
        let posix = Environment { is_posixly_correct: true, ..Environment::default() };
        let options = with_environment(posix, &["-k", "f", "-9", "--", "-x"]);
        assert_eq!(options.operands, ["f", "-9", "--", "-x"]);
        assert!(options.keep);
    }

    #[test]
    fn long_options_may_be_abbreviated() {
        assert_eq!(options(&["--dec", "--std"]).mode, Mode::Decompress);
        assert_eq!(options(&["--k", "--sil", "--no", "--fo"]).names, Some(false));
        assert_eq!(options(&["--suf=.x", "--proc", "3", "--suff", "--dec"]).processes, Some(3));
        assert_eq!(
            refusal(&["--s"]),
            "option '--s' is ambiguous; possibilities: '--stdout' '--silent' '--synchronous' '--suffix'"
        );
        assert_eq!(refusal(&["--de=x"]), "option '--decompress' doesn't allow an argument");
        assert!(matches!(request("rigz", &["--h"]), Ok(Request::Print(_))));
    }

    #[test]
    fn wrong_words_are_refused_as_getopt_does() {
        assert_eq!(refusal(&["--bogus"]), "unrecognized option '--bogus'");
        assert_eq!(refusal(&["-cy"]), "invalid option -- 'y'");
        assert_eq!(refusal(&["-S"]), "option requires an argument -- 'S'");
        assert_eq!(refusal(&["-kS"]), "option requires an argument -- 'S'");
        assert_eq!(refusal(&["--suffix"]), "option '--suffix' requires an argument");
    }

    #[test]
    fn values_out_of_range_are_refused() {
        for args in [["-p", "0"], ["-p", "-1"], ["-p", "x"], ["-p", "1025"]] {
            assert!(refusal(&args).starts_with("invalid number of threads"), "{args:?}");
        }
        for value in ["x", "-5", "", "k", "1x"] {
            assert_eq!(refusal(&["-b", value]), "-b operand is not an integer", "{value}");
        }
        assert!(refusal(&["-b", "2g"]).starts_with("block size too large"));
        assert_eq!(options(&["-b", "0"]).wanted.block_len, Some(32 << 10));
        assert_eq!(options(&["-b", "16"]).wanted.block_len, Some(32 << 10));
        assert_eq!(options(&["-b", "1g"]).wanted.block_len, Some(1 << 30));
        assert_eq!(refusal(&["--bits=x"]), "-b operand is not an integer");
        assert_eq!(refusal(&["-S", ""]), "invalid suffix ''");
        assert_eq!(refusal(&["-S", "a/b"]), "suffix contains '/'");
        assert!(refusal(&["--bgzf", "-b64"]).contains("--bgzf"));
    }

    #[test]
    fn names_of_the_program_choose_defaults() {
        for (program, mode, to_stdout) in [
            ("rigz", Mode::Compress, false),
            ("gunzip", Mode::Decompress, false),
            ("unpigz", Mode::Decompress, false),
            ("zcat", Mode::Decompress, true),
            ("gzcat", Mode::Decompress, true),
        ] {
            let Ok(Request::Run(options)) = request(program, &[]) else { panic!("{program}") };
            assert_eq!((options.mode, options.to_stdout), (mode, to_stdout), "{program}");
        }
    }
}
