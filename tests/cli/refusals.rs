//! Calls that the system refuses late, when the work is almost done.

use crate::support::run::{Finished, has_tool, skipped};
use crate::support::{RIGZ, Scratch};

/// Runs rigz with `args`, while the system call `call` fails with `error` (for the file at `path`
/// only, if there is one); `None` if that cannot be arranged here.
fn refused(dir: &Scratch, call: &str, error: &str, path: Option<&str>, args: &[&str]) -> Option<Finished> {
    if !has_tool("strace") {
        return None;
    }
    let (trace, inject) = (format!("trace={call}"), format!("inject={call}:error={error}"));
    let mut strace = vec!["-f", "-o", "strace.out", "-e", &trace, "-e", &inject];
    let full = path.map(|path| dir.path(path).into_os_string().into_string().expect("a plain path"));
    if let Some(full) = &full {
        strace.extend(["-P", full]);
    }
    strace.push(RIGZ);
    let run = dir.tool("strace", strace.iter().chain(args)).finish();
    let traced = std::fs::read_to_string(dir.path("strace.out")).unwrap_or_default();
    if !traced.contains("INJECTED") {
        skipped(&format!("strace cannot inject failures here: {run:?}"));
        return None;
    }
    std::fs::remove_file(dir.path("strace.out")).unwrap();
    Some(run)
}

#[test]
fn an_output_that_cannot_be_closed_is_not_complete() {
    for error in ["EIO", "ENOSPC", "EDQUOT"] {
        let dir = Scratch::with_f();
        let Some(run) = refused(&dir, "close", error, Some("f.gz"), &["f"]) else { return };
        run.status(1).stderr_has("\nrigz: f.gz: ");
        assert_eq!(dir.names(), ["f"]);
    }
}

#[test]
fn standard_output_that_cannot_be_closed_is_an_error() {
    let dir = Scratch::with_f();
    let out = std::fs::File::create(dir.path("out")).unwrap();
    let path = dir.path("out").into_os_string().into_string().unwrap();
    if !has_tool("strace") {
        return;
    }
    let args = ["-o", "/dev/null", "-P", &path, "-e", "inject=close:error=EIO", RIGZ, "-c", "f"];
    let run = dir.tool("strace", args).stdout_to(out).finish();
    run.status(1).stderr("\nrigz: stdout: Input/output error\n");
}

#[test]
fn a_mode_that_cannot_be_set_is_a_warning() {
    let dir = Scratch::with_f();
    let Some(run) = refused(&dir, "fchmod", "EPERM", None, &["f"]) else { return };
    run.status(2).stdout("").stderr("rigz: f.gz: Operation not permitted\n");
    assert_eq!(dir.names(), ["f.gz"]);
}

#[test]
fn an_input_that_cannot_be_removed_is_a_warning() {
    let dir = Scratch::with_f();
    let Some(run) = refused(&dir, "unlink", "EPERM", None, &["-v", "f"]) else { return };
    let run = run.status(2).stdout("");
    assert!(run.err_text().starts_with("f:\trigz: f: Operation not permitted\n"), "{run:?}");
    assert!(run.err_text().ends_with("% -- replaced with f.gz\n"), "{run:?}");
    assert_eq!(dir.names(), ["f", "f.gz"]);
}
