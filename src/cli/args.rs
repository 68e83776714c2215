//! Options: one table of flags, read by clap, folded in the order of the command line.
//!
//! The order matters to gzip's users (`-1 -9` is 9, `-v -q` is quiet, `-nN` restores names), so
//! each occurrence is replayed by its position, as a getopt loop would meet it. Long options may
//! be abbreviated; gzip's own names win over the others, so that what is unique today stays so.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt;

use clap::builder::{OsStringValueParser, ValueParser};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::plan::level::Level;
use crate::plan::names::Suffix;

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
    pub(super) verbosity: Verbosity,
    /// `-n` (false) or `-N` (true); each direction has a default of its own.
    pub(super) names: Option<bool>,
    pub(super) level: Level,
    pub(super) is_bgzf: bool,
    pub(super) block_len: Option<usize>,
    /// `-p`.
    pub(super) processes: Option<usize>,
    pub(super) suffix: Suffix,
    pub(super) operands: Vec<OsString>,
}

/// How much is said on stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verbosity {
    /// No warnings.
    Quiet,
    Normal,
    Verbose,
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

/// What a flag does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Stdout,
    Decompress,
    Force,
    Help,
    Keep,
    List,
    License,
    NoName,
    Name,
    Quiet,
    Suffix,
    Test,
    Verbose,
    Version,
    Level(u8),
    Processes,
    Blocksize,
    Bgzf,
}

/// A row of the table of flags.
struct Flag {
    action: Action,
    short: Option<char>,
    /// gzip's own long names, the one shown in the help first.
    gnu: &'static [&'static str],
    /// Other long names.
    others: &'static [&'static str],
    /// The name of its value.
    value: Option<&'static str>,
    /// Empty: not shown.
    help: &'static str,
}

const fn flag(
    action: Action,
    short: Option<char>,
    gnu: &'static [&'static str],
    others: &'static [&'static str],
    value: Option<&'static str>,
    help: &'static str,
) -> Flag {
    Flag { action, short, gnu, others, value, help }
}

#[rustfmt::skip]
const FLAGS: [Flag; 27] = [
    flag(Action::Stdout, Some('c'), &["stdout", "to-stdout"], &[], None, "write on standard output, keep original files unchanged"),
    flag(Action::Decompress, Some('d'), &["decompress", "uncompress"], &[], None, "decompress"),
    flag(Action::Force, Some('f'), &["force"], &[], None, "force overwrite of output file and compress links"),
    flag(Action::Help, Some('h'), &["help"], &[], None, "give this help"),
    flag(Action::Keep, Some('k'), &["keep"], &[], None, "keep (don't delete) input files"),
    flag(Action::List, Some('l'), &["list"], &[], None, "list compressed file contents"),
    flag(Action::License, Some('L'), &["license"], &[], None, "display software license"),
    flag(Action::NoName, Some('n'), &["no-name"], &[], None, "do not save or restore the original name and timestamp"),
    flag(Action::Name, Some('N'), &["name"], &[], None, "save or restore the original name and timestamp"),
    flag(Action::Quiet, Some('q'), &["quiet", "silent"], &[], None, "suppress all warnings"),
    flag(Action::Suffix, Some('S'), &["suffix"], &[], Some("SUF"), "use suffix SUF on compressed files"),
    flag(Action::Test, Some('t'), &["test"], &[], None, "test compressed file integrity"),
    flag(Action::Verbose, Some('v'), &["verbose"], &[], None, "verbose mode"),
    flag(Action::Version, Some('V'), &["version"], &[], None, "display version number"),
    flag(Action::Level(1), Some('1'), &["fast"], &[], None, "compress faster"),
    flag(Action::Level(9), Some('9'), &["best"], &[], None, "compress better (-0 only stores; the default is -6)"),
    flag(Action::Level(0), Some('0'), &[], &[], None, ""),
    flag(Action::Level(2), Some('2'), &[], &[], None, ""),
    flag(Action::Level(3), Some('3'), &[], &[], None, ""),
    flag(Action::Level(4), Some('4'), &[], &[], None, ""),
    flag(Action::Level(5), Some('5'), &[], &[], None, ""),
    flag(Action::Level(6), Some('6'), &[], &[], None, ""),
    flag(Action::Level(7), Some('7'), &[], &[], None, ""),
    flag(Action::Level(8), Some('8'), &[], &[], None, ""),
    flag(Action::Processes, Some('p'), &[], &["processes"], Some("N"), "use N threads (default: as many as there are processors)"),
    flag(Action::Blocksize, Some('b'), &[], &["blocksize"], Some("N"), "compress in chunks of N KiB (or Nk, Nm, Ng)"),
    flag(Action::Bgzf, None, &[], &["bgzf"], None, "write BGZF, as bgzip does"),
];

impl Flag {
    fn long_names(&self) -> impl Iterator<Item = &'static str> {
        self.gnu.iter().chain(self.others).copied()
    }

    /// What clap knows it by: its first long name, or its digit.
    fn id(&self) -> &'static str {
        const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
        match self.action {
            Action::Level(number) => DIGITS[usize::from(number)],
            _ => self.long_names().next().expect("only levels have no long name"),
        }
    }

    fn arg(&self) -> Arg {
        let mut long_names = self.long_names();
        let mut arg = Arg::new(self.id()).short(self.short).action(ArgAction::Append);
        if let Some(name) = long_names.next() {
            arg = arg.long(name).aliases(long_names);
        }
        match self.value {
            Some(_) => arg.num_args(1).allow_hyphen_values(true).value_parser(os_strings()),
            None => arg.num_args(0).default_missing_value(""),
        }
    }
}

fn os_strings() -> ValueParser {
    OsStringValueParser::new().into()
}

const OPERANDS: &str = "operands";

fn command() -> Command {
    let operands = Arg::new(OPERANDS).num_args(0..).action(ArgAction::Append).value_parser(os_strings());
    Command::new("rigz")
        .no_binary_name(true)
        .disable_help_flag(true)
        .disable_version_flag(true)
        .args(FLAGS.iter().map(Flag::arg))
        .arg(operands)
}

/// Reads the command line: argv[0] and what follows it.
pub(super) fn parse(program: &str, args: impl Iterator<Item = OsString>) -> Result<Request, UsageError> {
    let mut args: Vec<OsString> = args.collect();
    let matches = loop {
        match command().try_get_matches_from(&args) {
            Ok(matches) => break matches,
            Err(error) => complete_or_explain(&error, &mut args)?,
        }
    };
    fold(Options::for_program(program), &matches)
}

/// Replaces the abbreviated option that `error` complains of by its full name; otherwise says
/// what is wrong in getopt's words.
fn complete_or_explain(error: &clap::Error, args: &mut [OsString]) -> Result<(), UsageError> {
    let culprit = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(culprit)) => culprit.as_str(),
        _ => "",
    };
    let words = |text: String| Err(UsageError::Words(text));
    match (error.kind(), culprit.strip_prefix("--")) {
        (ErrorKind::UnknownArgument, Some(prefix)) => {
            let is_typed = |arg: &&mut OsString| {
                let rest = arg.as_bytes().strip_prefix(culprit.as_bytes());
                rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'=')))
            };
            let Some(typed) = args.iter_mut().find(is_typed) else {
                return words(format!("unrecognized option '{culprit}'"));
            };
            let full = complete(prefix, &typed.to_string_lossy()).map_err(UsageError::Words)?;
            let mut completed = OsString::from(format!("--{full}"));
            completed.push(OsStr::from_bytes(&typed.as_bytes()[culprit.len()..]));
            *typed = completed;
            Ok(())
        }
        (ErrorKind::UnknownArgument, None) => {
            words(format!("invalid option -- '{}'", culprit.trim_start_matches('-')))
        }
        (ErrorKind::TooManyValues, _) => words(format!("option '{culprit}' doesn't allow an argument")),
        // The only other thing that can be wrong is a value missing at the end.
        _ => match args.last().map(|arg| arg.to_string_lossy().into_owned()).unwrap_or_default() {
            long if long.starts_with("--") => words(format!("option '{long}' requires an argument")),
            short => {
                words(format!("option requires an argument -- '{}'", &short[short.len().saturating_sub(1)..]))
            }
        },
    }
}

/// The long name that `prefix` abbreviates; complaints name the option as it was `typed`.
fn complete(prefix: &str, typed: &str) -> Result<&'static str, String> {
    for names in [|flag: &Flag| flag.gnu, |flag: &Flag| flag.others] {
        let candidates =
            FLAGS.iter().flat_map(|flag| names(flag).iter().map(move |name| (flag.action, *name)));
        let found: Vec<_> = candidates.filter(|(_, name)| name.starts_with(prefix)).collect();
        match found.as_slice() {
            [] => {}
            [(action, name), rest @ ..] if rest.iter().all(|(other, _)| other == action) => return Ok(name),
            several => {
                let names: Vec<_> = several.iter().map(|(_, name)| format!(" '--{name}'")).collect();
                return Err(format!("option '{typed}' is ambiguous; possibilities:{}", names.concat()));
            }
        }
    }
    Err(format!("unrecognized option '{typed}'"))
}

/// Replays the flags in the order of the command line.
fn fold(mut options: Options, matches: &ArgMatches) -> Result<Request, UsageError> {
    let mut met: Vec<(usize, &Flag, &OsStr)> = Vec::new();
    for flag in &FLAGS {
        let id = flag.id();
        let Some(indices) = matches.indices_of(id) else { continue };
        for (n, index) in indices.enumerate() {
            let value = flag.value.and_then(|_| matches.get_many::<OsString>(id)?.nth(n));
            met.push((index, flag, value.map_or(OsStr::new(""), OsString::as_os_str)));
        }
    }
    met.sort_by_key(|(index, ..)| *index);
    for (_, flag, value) in met {
        match flag.action {
            Action::Help => return Ok(Request::Print(help())),
            Action::License => return Ok(Request::Print(LICENSE.to_owned())),
            Action::Version => return Ok(Request::Print(version())),
            action => options.apply(action, value)?,
        }
    }
    options.operands = matches.get_many(OPERANDS).into_iter().flatten().cloned().collect();
    if options.is_bgzf && options.block_len.is_some() {
        return Err(UsageError::Value(
            "--bgzf has members of a fixed length: it cannot be used with -b".to_owned(),
        ));
    }
    Ok(Request::Run(Box::new(options)))
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
            verbosity: Verbosity::Normal,
            names: None,
            level: Level::default(),
            is_bgzf: false,
            block_len: None,
            processes: None,
            suffix: Suffix::default(),
            operands: Vec::new(),
        }
    }

    fn apply(&mut self, action: Action, value: &OsStr) -> Result<(), UsageError> {
        match action {
            Action::Stdout => self.to_stdout = true,
            // Testing and listing are kinds of decompression, and stay what they are.
            Action::Decompress if self.mode == Mode::Compress => self.mode = Mode::Decompress,
            Action::Test if self.mode != Mode::List => self.mode = Mode::Test,
            Action::Decompress | Action::Test => {}
            Action::List => self.mode = Mode::List,
            Action::Force => self.force = true,
            Action::Keep => self.keep = true,
            Action::NoName => self.names = Some(false),
            Action::Name => self.names = Some(true),
            Action::Quiet => self.verbosity = Verbosity::Quiet,
            Action::Verbose => self.verbosity = Verbosity::Verbose,
            Action::Level(number) => self.level = Level::new(number).expect("the table has levels 0 to 9"),
            Action::Bgzf => self.is_bgzf = true,
            Action::Suffix => self.suffix = read_suffix(value)?,
            Action::Processes => self.processes = Some(read_threads(value)?),
            Action::Blocksize => self.block_len = Some(read_block_len(value)?),
            Action::Help | Action::License | Action::Version => {}
        }
        Ok(())
    }
}

fn read_suffix(value: &OsStr) -> Result<Suffix, UsageError> {
    Suffix::new(value).ok_or_else(|| {
        let what = if value.as_bytes().contains(&b'/') { "suffix contains '/': " } else { "invalid suffix " };
        UsageError::Value(format!("{what}'{}'", value.to_string_lossy()))
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
    let parsed = value.to_str().and_then(|text| {
        let (digits, factor) = match text.char_indices().next_back()? {
            (at, 'k' | 'K') => (&text[..at], 1),
            (at, 'm' | 'M') => (&text[..at], 1 << 10),
            (at, 'g' | 'G') => (&text[..at], 1 << 20),
            _ => (text, 1),
        };
        digits.parse::<usize>().ok()?.checked_mul(factor)
    });
    match parsed {
        Some(kib @ 1..=MAX_BLOCK_KIB) => Ok(kib.max(MIN_BLOCK_KIB) << 10),
        _ => {
            let value = value.to_string_lossy();
            Err(UsageError::Value(format!(
                "invalid block size '{value}': {MIN_BLOCK_KIB} KiB to 1 GiB are possible"
            )))
        }
    }
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
        let short = flag.short.map_or("   ".to_owned(), |short| format!("-{short},"));
        let long = flag.long_names().next().unwrap_or_default();
        let value = flag.value.map_or(String::new(), |value| format!("={value}"));
        let names = format!("{short} --{long}{value}");
        text.push_str(&format!("  {names:<20}  {}\n", flag.help));
    }
    text.push_str("\nWith no FILE, or when FILE is -, read standard input.\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(program: &str, args: &[&str]) -> Result<Request, String> {
        parse(program, args.iter().map(OsString::from)).map_err(|error| error.to_string())
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
            (options.level, options.processes, options.block_len),
            (Level::DENSEST, Some(4), Some(256 << 10))
        );
        assert_eq!(options.suffix, Suffix::new(OsStr::new(".x")).unwrap());
        assert_eq!(options.operands, ["a", "-", "-z", "-"]);
    }

    #[test]
    fn the_last_of_a_kind_wins() {
        assert_eq!(options(&["-1", "-9"]).level, Level::DENSEST);
        assert_eq!(options(&["-91"]).level, Level::FASTEST);
        assert_eq!(options(&["-9", "--fast", "-9", "--fast"]).level, Level::FASTEST);
        assert_eq!(options(&["-vq"]).verbosity, Verbosity::Quiet);
        assert_eq!(options(&["-qv"]).verbosity, Verbosity::Verbose);
        assert_eq!(options(&["-nN"]).names, Some(true));
        assert_eq!(options(&["-b64", "-b", "1m"]).block_len, Some(1 << 20));
    }

    #[test]
    fn testing_and_listing_stay() {
        assert_eq!(options(&["-t", "-d"]).mode, Mode::Test);
        assert_eq!(options(&["-d", "-t"]).mode, Mode::Test);
        assert_eq!(options(&["-l", "-d", "-t"]).mode, Mode::List);
    }

    #[test]
    fn long_options_may_be_abbreviated() {
        assert_eq!(options(&["--dec", "--std"]).mode, Mode::Decompress);
        assert_eq!(options(&["--k", "--sil", "--no", "--fo"]).names, Some(false));
        assert_eq!(options(&["--suf=.x", "--proc", "3", "--suff", "--dec"]).processes, Some(3));
        assert_eq!(
            refusal(&["--s"]),
            "option '--s' is ambiguous; possibilities: '--stdout' '--silent' '--suffix'"
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
        for args in
            [["-b", "0"], ["-b", "x"], ["-b", "2g"], ["-b", "99999999999999999999"], ["-b", ""], ["-b", "k"]]
        {
            assert!(refusal(&args).starts_with("invalid block size"), "{args:?}");
        }
        assert_eq!(options(&["-b", "16"]).block_len, Some(32 << 10));
        assert_eq!(options(&["-b", "1g"]).block_len, Some(1 << 30));
        assert_eq!(refusal(&["-S", ""]), "invalid suffix ''");
        assert_eq!(refusal(&["-S", "a/b"]), "suffix contains '/': 'a/b'");
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
