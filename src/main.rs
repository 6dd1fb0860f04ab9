//! The `certmq` program: parse the command line, run it, map the outcome to an exit code.

fn main() -> std::process::ExitCode {
    certmq::cli::main()
}
