//! The command `moorline`.

use std::process::ExitCode;

fn main() -> ExitCode {
    moorline::cli::main()
}
