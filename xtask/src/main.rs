//! Developer tasks of the workspace: `cargo xtask --help`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod bindgen;

/// Developer tasks of the workspace.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    Bindgen(bindgen::Args),
}

fn main() -> ExitCode {
    match Cli::parse().task {
        Task::Bindgen(args) => bindgen::run(&args),
    }
}
