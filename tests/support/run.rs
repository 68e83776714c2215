//! Running a program: what goes in, what must come out, and no run without an end.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// After this a run counts as hanging. Far longer than any takes, for busy machines.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A program about to be run.
pub(crate) struct Run {
    command: Command,
    what: String,
    user: Option<u32>,
    stdin: Option<Vec<u8>>,
}

impl Run {
    pub(super) fn new<I>(program: &OsStr, args: I, dir: &Path) -> Run
    where
        I: IntoIterator<Item: AsRef<OsStr>>,
    {
        let args: Vec<OsString> = args.into_iter().map(|arg| arg.as_ref().to_owned()).collect();
        let base = Path::new(program).file_name().unwrap_or(program).to_string_lossy().into_owned();
        let mut command = Command::new(program);
        // GNU gzip obeys GZIP; dates and messages must not depend on who runs the tests.
        command.args(&args).current_dir(dir).env_remove("GZIP").env_remove("PIGZ");
        command.env("LC_ALL", "C").env("TZ", "UTC");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Run { command, what: format!("{base} {args:?}"), user: None, stdin: None }
    }

    pub(crate) fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Run {
        self.command.env(key, value);
        self
    }

    /// Runs under this argv[0].
    pub(crate) fn called(mut self, argv0: &str) -> Run {
        self.command.arg0(argv0);
        self.what = format!("{argv0}, that is, {}", self.what);
        self
    }

    /// Runs with a limit: `option` and value as bash's `ulimit` takes them.
    pub(crate) fn limited(self, option: &str, value: &str) -> Run {
        let mut command = Command::new("bash");
        let script = "ulimit \"$1\" \"$2\"; shift 2; exec \"$@\"";
        command.args(["-c", script, "bash", option, value]).arg(self.command.get_program());
        command.args(self.command.get_args());
        if let Some(dir) = self.command.get_current_dir() {
            command.current_dir(dir);
        }
        if let Some(id) = self.user {
            command.uid(id).gid(id);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Run { command, ..self }
    }

    /// Runs as another user and group.
    pub(crate) fn user(mut self, id: u32) -> Run {
        self.command.uid(id).gid(id);
        self.user = Some(id);
        self
    }

    /// Standard input: a pipe with these bytes.
    pub(crate) fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Run {
        self.stdin = Some(bytes.into());
        self.command.stdin(Stdio::piped());
        self
    }

    /// Standard input: this file.
    pub(crate) fn stdin_file(mut self, path: PathBuf) -> Run {
        self.command.stdin(File::open(path).expect("the file is there"));
        self
    }

    /// Standard input: a pipe that the caller writes.
    pub(crate) fn stdin_piped(mut self) -> Run {
        self.command.stdin(Stdio::piped());
        self
    }

    pub(crate) fn stdin_from(mut self, stdin: impl Into<Stdio>) -> Run {
        self.command.stdin(stdin);
        self
    }

    pub(crate) fn stdout_to(mut self, stdout: impl Into<Stdio>) -> Run {
        self.command.stdout(stdout);
        self
    }

    /// Starts the program and leaves it to the caller, who must end it.
    pub(crate) fn start(mut self) -> Running {
        let child = self.command.spawn().unwrap_or_else(|error| panic!("{}: {error}", self.what));
        let watch = Watch::over(&child);
        // The parent's copies of pipe ends go with the command.
        Running { child, watch, what: self.what }
    }

    /// Whether the program can be run at all.
    pub(crate) fn try_finish(mut self) -> io::Result<ExitStatus> {
        self.command.status()
    }

    /// Runs the program to its end.
    pub(crate) fn finish(mut self) -> Finished {
        let bytes = self.stdin.take();
        let mut running = self.start();
        let stdin = running.child.stdin.take();
        thread::scope(|scope| {
            if let (Some(mut stdin), Some(bytes)) = (stdin, bytes) {
                // A program that stops reading early is not at fault here.
                scope.spawn(move || stdin.write_all(&bytes));
            }
            running.finish()
        })
    }

    /// Runs the program, which must exit with `code`.
    #[track_caller]
    pub(crate) fn status(self, code: i32) -> Finished {
        self.finish().status(code)
    }
}

/// A program at work.
pub(crate) struct Running {
    pub(crate) child: Child,
    watch: Watch,
    what: String,
}

impl Running {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn kill(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("the process is there");
    }

    /// Reads what is left of its output and waits for its end.
    pub(crate) fn finish(mut self) -> Finished {
        drop(self.child.stdin.take());
        let output = self.child.wait_with_output().expect("a child can be waited for");
        let hung = self.watch.end();
        let result =
            Finished { what: self.what, status: output.status, out: output.stdout, err: output.stderr };
        assert!(!hung, "does not come to an end: {result:?}");
        result
    }

    /// A line of /proc/PID/status: `Threads`, or `VmHWM` in KiB.
    pub(crate) fn proc_status(&self, key: &str) -> u64 {
        let path = format!("/proc/{}/status", self.pid());
        let text = std::fs::read_to_string(path).expect("a running process");
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        let value = line.and_then(|line| line.split_whitespace().next());
        value.unwrap_or_else(|| panic!("no {key} in {text}")).parse().expect("a number")
    }

    /// Waits until every thread of the process sleeps, and goes on sleeping.
    pub(crate) fn wait_until_blocked(&self) {
        let mut quiet = 0;
        for _ in 0..5000 {
            quiet = if self.sleeps() { quiet + 1 } else { 0 };
            if quiet == 30 {
                return;
            }
            thread::sleep(Duration::from_millis(4));
        }
        panic!("{} is never blocked", self.what);
    }

    fn sleeps(&self) -> bool {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid())).expect("a running process");
        tasks.flatten().all(|task| {
            // "PID (name) STATE …"; a thread that has gone meanwhile does not sleep.
            let stat = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
            stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('S'))
        })
    }
}

/// Kills a process that takes too long.
struct Watch {
    ended: Option<Sender<()>>,
    thread: Option<thread::JoinHandle<bool>>,
}

impl Watch {
    fn over(child: &Child) -> Watch {
        let (ended, end) = channel::<()>();
        let pid = Pid::from_child(child);
        let thread = thread::spawn(move || {
            let hung = end.recv_timeout(TIMEOUT) == Err(RecvTimeoutError::Timeout);
            if hung {
                let _ = kill_process(pid, Signal::KILL);
            }
            hung
        });
        Watch { ended: Some(ended), thread: Some(thread) }
    }

    /// Whether the process had to be killed.
    fn end(mut self) -> bool {
        drop(self.ended.take());
        self.thread.take().is_some_and(|thread| thread.join().expect("no panic in there"))
    }
}

/// How a run ended.
pub(crate) struct Finished {
    what: String,
    pub(crate) status: ExitStatus,
    pub(crate) out: Vec<u8>,
    pub(crate) err: Vec<u8>,
}

impl Finished {
    #[track_caller]
    pub(crate) fn status(self, code: i32) -> Finished {
        assert!(self.status.code() == Some(code), "expected status {code}: {self:?}");
        self
    }

    /// It was killed by this signal.
    #[track_caller]
    pub(crate) fn signal(self, signal: i32) -> Finished {
        assert!(self.status.signal() == Some(signal), "expected signal {signal}: {self:?}");
        self
    }

    #[track_caller]
    pub(crate) fn stdout(self, expected: impl AsRef<[u8]>) -> Finished {
        super::assert_same(&self.out, expected.as_ref(), &format!("stdout of {self:?}"));
        self
    }

    #[track_caller]
    pub(crate) fn stderr(self, expected: impl AsRef<[u8]>) -> Finished {
        super::assert_same(&self.err, expected.as_ref(), &format!("stderr of {self:?}"));
        self
    }

    #[track_caller]
    pub(crate) fn stderr_has(self, expected: &str) -> Finished {
        assert!(self.err_text().contains(expected), "expected {expected:?} on stderr: {self:?}");
        self
    }

    pub(crate) fn out_text(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }

    pub(crate) fn err_text(&self) -> String {
        String::from_utf8_lossy(&self.err).into_owned()
    }

    pub(crate) fn into_stdout(self) -> Vec<u8> {
        self.out
    }
}

impl fmt::Debug for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = String::from_utf8_lossy(&self.out[..self.out.len().min(60)]);
        write!(f, "`{}` ended with {}, ", self.what, self.status)?;
        write!(f, "{} bytes on stdout ({start:?}…), stderr {:?}", self.out.len(), self.err_text())
    }
}

/// Whether `program` is installed; says so on stderr, past the harness's capture, if it is not.
pub(crate) fn has_tool(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|dir| dir.join(program).is_file());
    if !found {
        skipped(&format!("{program} is not installed"));
    }
    found
}

/// Says that a test, or a part of it, proves nothing here.
pub(crate) fn skipped(why: &str) {
    let test = thread::current().name().unwrap_or("a test").to_owned();
    let _ = writeln!(io::stderr(), "skipped: {test}: {why}");
}
