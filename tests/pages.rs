//! The man page and the completions, made from the table of flags.
//!
//! They are files of the repository, so that they can be installed without being built. This
//! test holds them to the table; `scripts/pages` writes them anew.

use std::fs;
use std::path::Path;

use clap::{Arg, ArgAction, Command, ValueHint};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};
use rigz::cli::flags::{Action, FLAGS, Flag};

/// The table as clap knows it.
fn command() -> Command {
    let operands = Arg::new("FILE").num_args(0..).value_hint(ValueHint::AnyPath);
    Command::new("rigz")
        .version(env!("CARGO_PKG_VERSION"))
        .about("compress or expand files, on all processors")
        .disable_help_flag(true)
        .disable_version_flag(true)
        .args(FLAGS.iter().enumerate().filter_map(|(row, flag)| arg(row, flag)))
        .arg(operands.help("Files, or - for standard input."))
}

fn arg(row: usize, flag: &Flag) -> Option<Arg> {
    let mut names = flag.long_names().filter(|name| !name.starts_with('-'));
    let first = names.next();
    if flag.short.is_none() && first.is_none() {
        return None;
    }
    let arg = Arg::new(format!("row {row}"))
        .short(flag.short)
        .long(first)
        .visible_aliases(names)
        .help(flag.help)
        .hide(flag.help.is_empty());
    Some(match flag.value {
        Some(value) => arg.value_name(value).action(ArgAction::Set),
        None => arg.action(ArgAction::SetTrue),
    })
}

/// Paragraphs behind the options, as (heading, text); `*word*` is set bold.
const SECTIONS: [(&str, &[&str]); 7] = [
    (
        "LEVELS",
        &[
            "*-1* is the fastest, *-9* the densest of the usual levels, *-6* the default. *-0* stores without \
         compressing; *-11* and *-12* try hard and take long. With *-I*, *-J* or *-O*, *-11* is zopfli.",
            "The compressed bytes depend on the data and the options, never on the number of threads, nor on \
         whether the input is a file or a pipe.",
        ],
    ),
    (
        "FORMATS",
        &[
            "rigz reads gzip files of any number of members, zlib streams, the first entry of a zip file \
         (stored or deflated), and the older formats of compress(1), pack(1) and SCO compress -H. With \
         *-c*, *-d* and *-f* together, data in none of these formats are copied as they are.",
            "It writes gzip files or, with *--bgzf*, *-z* and *-K*, the BGZF, zlib and zip formats. Most levels \
         write large files as several gzip members, which every gzip reader accepts, and which rigz reads \
         on all processors.",
        ],
    ),
    (
        "COMPATIBILITY",
        &[
            "Under the names gunzip, unpigz and uncompress rigz decompresses; under names that end in cat it \
         also writes to standard output. Every option of gzip and pigz is accepted, and long ones may be \
         abbreviated. Of those not listed above *-a*, *-F* and *--bits*=N have no effect, *-T* is *-m*, and \
         *-Z* is refused.",
            "Where gzip and pigz disagree, gzip is right, except for *-11*, *-b* and *-H*.",
        ],
    ),
    (
        "ENVIRONMENT",
        &[
            "*GZIP*: of the options in it, only levels, *--rsyncable* and *--synchronous* are obeyed, as by gzip.",
            "*PIGZ*: options that are put before those of the command line.",
            "*POSIXLY_CORRECT*: if set, options end at the first file name.",
        ],
    ),
    ("EXIT STATUS", &["0 if all is well, 1 if there was an error, 2 if there was a warning."]),
    (
        "EXAMPLES",
        &[
            "*tar c dir | rigz > dir.tgz*: compresses a stream.",
            "*rigz -d -c file.gz*: shows what is in a file.",
            "*rigz -r dir*: compresses every file in a folder, several at once.",
            "*rigz -l file.gz*: lists sizes, by decoding on all processors.",
        ],
    ),
    ("SEE ALSO", &["gzip(1), pigz(1), bgzip(1), zgrep(1), zdiff(1), zless(1)"]),
];

fn man_page() -> Vec<u8> {
    let mut page = Vec::new();
    let man = Man::new(command()).title("RIGZ").manual("User Commands");
    man.render_title(&mut page).unwrap();
    man.render_name_section(&mut page).unwrap();
    let mut roff = Roff::new();
    roff.control("SH", ["SYNOPSIS"]);
    roff.text([bold("rigz"), roman(" ["), italic("OPTION"), roman("]... ["), italic("FILE"), roman("]...")]);
    roff.control("SH", ["DESCRIPTION"]);
    roff.text([roman(
        "rigz replaces each FILE by a compressed one with the suffix .gz, or with -d a compressed file by \
         what is in it. The new file keeps times, mode and owner of the old one. Without FILE, or when FILE \
         is -, it works from standard input to standard output.",
    )]);
    roff.control("SH", ["OPTIONS"]);
    for flag in FLAGS.iter().filter(|flag| !flag.help.is_empty()) {
        roff.control("TP", []);
        roff.text(names(flag));
        roff.text([roman(flag.help)]);
    }
    for (heading, paragraphs) in SECTIONS {
        roff.control("SH", [heading]);
        for (i, paragraph) in paragraphs.iter().enumerate() {
            if i > 0 {
                roff.control("PP", []);
            }
            roff.text(
                paragraph
                    .split('*')
                    .enumerate()
                    .map(|(i, part)| match i % 2 {
                        0 => roman(part),
                        _ => bold(part),
                    })
                    .collect::<Vec<_>>(),
            );
        }
    }
    roff.to_writer(&mut page).unwrap();
    page
}

/// How `flag` is written: `-S, --suffix=SUF`.
fn names(flag: &Flag) -> Vec<Inline> {
    let level = match flag.action {
        Action::Level(number) if flag.short.is_none() => Some(format!("-{number}")),
        _ => None,
    };
    let short = flag.short.map(|short| format!("-{short}"));
    let long = flag.long_names().map(|name| format!("--{name}"));
    let mut inlines = Vec::new();
    for name in level.into_iter().chain(short).chain(long) {
        if !inlines.is_empty() {
            inlines.push(roman(", "));
        }
        inlines.push(bold(name));
    }
    if let Some(value) = flag.value {
        inlines.extend([roman("="), italic(value)]);
    }
    inlines
}

fn completion(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command(), "rigz", &mut script);
    script
}

/// Compares `made` with the file at `path`, or writes it.
fn hold(path: &str, made: &[u8]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("RIGZ_WRITE_PAGES").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, made).unwrap();
    }
    let kept = fs::read(&path).unwrap_or_default();
    assert!(kept == made, "{} is out of date: run scripts/pages", path.display());
}

#[test]
fn the_man_page_is_that_of_the_table() {
    hold("docs/rigz.1", &man_page());
}

#[test]
fn the_completions_are_those_of_the_table() {
    hold("docs/completions/rigz.bash", &completion(Shell::Bash));
    hold("docs/completions/_rigz", &completion(Shell::Zsh));
    hold("docs/completions/rigz.fish", &completion(Shell::Fish));
}

#[test]
fn every_flag_is_explained() {
    let page = String::from_utf8(man_page()).unwrap().replace("\\-", "-");
    for flag in FLAGS {
        let digit = matches!(flag.action, Action::Level(2..=8));
        let for_tests = flag.action == Action::PresumeTty;
        if let Some(short) = flag.short.filter(|_| !digit) {
            assert!(page.contains(&format!("-{short}")), "-{short}");
        }
        if let Some(long) = flag.long_names().next().filter(|_| !for_tests && flag.action != Action::Lzw) {
            let is_told = page.contains(&format!("--{long}"))
                || page.contains(&format!("-{}", flag.short.unwrap_or(' ')));
            assert!(is_told, "--{long}");
        }
    }
}
