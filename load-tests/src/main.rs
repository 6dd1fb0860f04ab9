//! `load-tests`: load scenarios from the command line.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool speaks to its terminal")]

use clap::{Parser, Subcommand};
use load_tests::LoadError;
use load_tests::certs::Certificates;
use load_tests::compare::{self, CompareOptions};
use load_tests::hold::{HoldOptions, HoldReport, Holding};
use load_tests::pairs::{self, PairsOptions};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};

/// Load scenarios for certmq and its peers, over mTLS
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Print JSON instead of text
    #[arg(long, global = true)]
    json: bool,
    /// Threads of the load generator
    #[arg(long, global = true, default_value_t = 1, value_name = "COUNT")]
    threads: usize,
}

const EXAMPLES: &str = "EXAMPLES
  load-tests certs /tmp/load --pairs 8
  load-tests pairs --address 127.0.0.1:8883 --certs /tmp/load --qos 1 --broker-pid 4711
  load-tests pairs --address 127.0.0.1:8883 --ca device-certs/ca.crt --cert device-certs/device-001.crt \\
      --key device-certs/device-001.key --topic 'devices/device-001/{pair}'
  load-tests compare --pin
  load-tests hold 1500 --address 127.0.0.1:8883 --certs /tmp/load      type mark, revoke one, type stop

EXIT CODES
  0 every message came once and in order   1 messages were lost, repeated or out of order
  64 usage   69 a broker cannot be reached or started";

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a CA, a server certificate and one client certificate per pair
    Certs {
        /// Where to; it is made when it is missing
        folder: PathBuf,
        /// How many client certificates
        #[arg(long, default_value_t = 8, value_name = "COUNT")]
        pairs: usize,
    },
    /// P publishers, each with one subscriber
    Pairs {
        #[command(flatten)]
        options: Box<PairsOptions>,
        /// Bind this program to one CPU
        #[arg(long, value_name = "CPU")]
        cpu: Option<usize>,
    },
    /// N connections that wait; says which the broker closed, why and when. Prints `holding`, then reads lines from
    /// stdin: `mark` is the moment that counts, `stop` (or the end of the input) prints the report
    Hold(HoldOptions),
    /// Start certmq and mosquitto, alternate runs, print the medians of the ratios
    Compare(CompareOptions),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(code) => code,
        Err(fault) => {
            eprintln!("load-tests: {fault}");
            ExitCode::from(if matches!(fault, LoadError::Usage(_)) { 64 } else { 69 })
        }
    }
}

fn run(arguments: &Arguments) -> Result<ExitCode, LoadError> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(arguments.threads.max(1)).enable_all().build()?;
    match &arguments.command {
        Command::Certs { folder, pairs } => {
            std::fs::create_dir_all(folder).map_err(|fault| LoadError::File(folder.clone(), fault))?;
            Certificates::make(folder, *pairs)?;
            println!("{}", folder.display());
            Ok(ExitCode::SUCCESS)
        }
        Command::Pairs { options, .. } => {
            let report = runtime.block_on(async {
                // On a worker: the thread that only waits would take turns with it.
                let options = options.clone();
                tokio::spawn(async move { pairs::run(&options).await }).await.map_err(std::io::Error::other)?
            })?;
            if arguments.json {
                println!("{}", json(&report)?);
            } else {
                println!("{report}");
                if report.generator_was_the_limit(arguments.threads) {
                    println!("            it was the limit: give it --threads, or the broker less");
                }
            }
            Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::from(1) })
        }
        Command::Hold(options) => {
            let report = runtime.block_on(hold(options))?;
            match arguments.json {
                true => println!("{}", json(&report)?),
                false => println!("{report}"),
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Compare(options) => {
            let comparisons = runtime.block_on(compare::run(options, |comparison| {
                if !arguments.json {
                    print!("{comparison}");
                }
            }))?;
            if arguments.json {
                println!("{}", json(&comparisons)?);
            }
            let clean = comparisons.iter().flat_map(|one| &one.brokers).flat_map(|one| &one.runs).all(|r| r.is_clean());
            Ok(if clean { ExitCode::SUCCESS } else { ExitCode::from(1) })
        }
    }
}

async fn hold(options: &HoldOptions) -> Result<HoldReport, LoadError> {
    let mut holding = Holding::open(options).await?;
    println!("holding {}", options.connections);
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut ended = Vec::new();
    loop {
        let line = lines.next_line().await?;
        match line.as_deref().map(str::trim) {
            Some("mark") => {
                holding.mark();
                println!("marked");
            }
            Some("stop") | None => break,
            Some(other) => eprintln!("load-tests: {other:?} is neither `mark` nor `stop`"),
        }
    }
    // What has ended by now.
    holding.wait(Duration::ZERO, options.connections, &mut ended).await?;
    holding.report(ended).await
}

fn json<T: serde::Serialize>(value: &T) -> Result<String, LoadError> {
    serde_json::to_string_pretty(value).map_err(|fault| LoadError::Usage(fault.to_string()))
}
