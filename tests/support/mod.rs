//! What the integration tests share: temporary folders, running programs, made-up data, and a
//! look at gzip members that does not rely on rigz's own parser.

#![allow(dead_code, reason = "each test program uses a part of this")]

pub(crate) mod data;
pub(crate) mod decode;
pub(crate) mod marks;
pub(crate) mod members;
pub(crate) mod run;
pub(crate) mod zip;

use std::ffi::OsStr;
use std::fs::{self, File, FileTimes, Metadata};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(crate) use run::Run;
use tempfile::TempDir;

/// The program under test.
pub(crate) const RIGZ: &str = env!("CARGO_BIN_EXE_rigz");

/// 2024-03-05T06:07:08Z, the time of [`Scratch::with_f`]'s file, in seconds since 1970.
pub(crate) const F_SECONDS: u64 = 1_709_618_828;
/// Its nanoseconds.
pub(crate) const F_NANOS: u32 = 123_456_789;

/// A folder of its own for a test, removed with everything in it at the end.
pub(crate) struct Scratch {
    dir: TempDir,
}

impl Scratch {
    pub(crate) fn new() -> Scratch {
        Scratch { dir: tempfile::tempdir().expect("a temporary folder") }
    }

    pub(crate) fn with_file(name: &str, content: &[u8]) -> Scratch {
        let dir = Scratch::new();
        dir.write(name, content);
        dir
    }

    /// With the file `f`: the output of `seq 1 5000`, last changed on 2024-03-05 at 06:07:08 and
    /// some nanoseconds.
    pub(crate) fn with_f() -> Scratch {
        let dir = Scratch::with_file("f", &data::seq());
        dir.set_mtime("f", f_time());
        dir
    }

    /// [`with_f`](Self::with_f) and its compressed form `f.gz`, made by GNU gzip.
    pub(crate) fn with_f_and_gz() -> Scratch {
        let dir = Scratch::with_f();
        dir.tool("gzip", ["-k", "f"]).status(0);
        dir
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn root(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn write(&self, name: &str, content: &[u8]) {
        fs::write(self.path(name), content).expect("a file can be written");
    }

    pub(crate) fn append(&self, name: &str, content: &[u8]) {
        let mut file = File::options().append(true).open(self.path(name)).expect("the file is there");
        file.write_all(content).expect("a file can be written");
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}, only {:?}", self.names()))
    }

    /// What `name` is itself, not what it points to.
    pub(crate) fn metadata(&self, name: &str) -> Metadata {
        fs::symlink_metadata(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) fn mtime(&self, name: &str) -> SystemTime {
        self.metadata(name).modified().expect("a modification time")
    }

    pub(crate) fn set_mtime(&self, name: &str, time: SystemTime) {
        let file = File::options().read(true).open(self.path(name)).expect("the file is there");
        file.set_times(FileTimes::new().set_modified(time)).expect("times can be set");
    }

    pub(crate) fn symlink(&self, target: &str, name: &str) {
        std::os::unix::fs::symlink(target, self.path(name)).expect("a link can be made");
    }

    pub(crate) fn chmod(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).expect("a mode can be set");
    }

    /// The names in the folder, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir.path()).expect("the folder is there");
        let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
        let mut names: Vec<_> = entries.map(|entry| name(entry).to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// A run of rigz in this folder.
    pub(crate) fn rigz<I>(&self, args: I) -> Run
    where
        I: IntoIterator<Item: AsRef<OsStr>>,
    {
        self.tool(RIGZ, args)
    }

    /// A run of rigz by somebody who may not do everything; `None` if that cannot be had.
    pub(crate) fn rigz_as_nobody<I>(&self, args: I) -> Option<Run>
    where
        I: IntoIterator<Item: AsRef<OsStr>>,
    {
        const NOBODY: u32 = 65_534;
        if !rustix::process::geteuid().is_root() {
            return Some(self.rigz(args));
        }
        // The program may lie where only root can go. Another process copies it: what a test beside this one starts
        // would hold the copy open for writing for a moment, and such a file cannot be executed.
        self.tool("cp", [RIGZ, "rigz"]).status(0);
        self.chmod(".", self.metadata(".").permissions().mode() | 0o055);
        if self.tool("true", [""; 0]).user(NOBODY).try_finish().is_err() {
            run::skipped("root may not become anybody else here");
            return None;
        }
        Some(self.tool("./rigz", args).user(NOBODY))
    }

    /// A run of another program in this folder.
    pub(crate) fn tool<I>(&self, program: impl AsRef<OsStr>, args: I) -> Run
    where
        I: IntoIterator<Item: AsRef<OsStr>>,
    {
        Run::new(program.as_ref(), args, self.dir.path())
    }

    /// A run of a shell script, in which `$R` is rigz.
    pub(crate) fn shell(&self, script: &str) -> Run {
        self.shell_of("sh", script)
    }

    /// The same for a certain shell.
    pub(crate) fn shell_of(&self, shell: &str, script: &str) -> Run {
        let script = script.replace("$R", "\"$R\"");
        self.tool(shell, ["-c", &script]).env("R", RIGZ)
    }
}

/// The time of [`Scratch::with_f`]'s file.
pub(crate) fn f_time() -> SystemTime {
    UNIX_EPOCH + Duration::new(F_SECONDS, F_NANOS)
}

/// What GNU gzip makes of `packed`.
pub(crate) fn gunzip(packed: &[u8]) -> Vec<u8> {
    Scratch::new().tool("gzip", ["-dc"]).stdin(packed).status(0).stderr("").into_stdout()
}

/// `data` as one member, by GNU gzip.
pub(crate) fn gzip(data: &[u8]) -> Vec<u8> {
    Scratch::new().tool("gzip", ["-nc"]).stdin(data).status(0).into_stdout()
}

/// What rigz makes of `data`, given as a pipe.
pub(crate) fn rigz(args: &[&str], data: &[u8]) -> Vec<u8> {
    Scratch::new().rigz(args).stdin(data).status(0).stderr("").into_stdout()
}

/// Compares without printing megabytes.
#[track_caller]
pub(crate) fn assert_same(actual: &[u8], expected: &[u8], what: &str) {
    if actual == expected {
        return;
    }
    let at = actual.iter().zip(expected).take_while(|(a, b)| a == b).count();
    let near = |bytes: &[u8]| {
        let from = at.saturating_sub(20);
        String::from_utf8_lossy(&bytes[from..bytes.len().min(at + 60)]).into_owned()
    };
    panic!(
        "{what}: {} bytes, expected {}; they differ at {at}\n actual: {:?}\n expected: {:?}",
        actual.len(),
        expected.len(),
        near(actual),
        near(expected)
    );
}
