//! Developer tasks of the workspace: `cargo xtask --help`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod atb_shim;
mod bench;
mod bindgen;
mod build_kernels;
mod check_kernel;
mod public_api;
mod sim_cc;
mod sim_install;
mod test_npu;
mod tiling_header;

/// Developer tasks of the workspace.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    AtbShim(atb_shim::Args),
    Bench(bench::Args),
    Bindgen(bindgen::Args),
    BuildKernels(build_kernels::Args),
    CheckKernel(check_kernel::Args),
    PublicApi(public_api::Args),
    SimCc(sim_cc::Args),
    SimInstall(sim_install::Args),
    TestNpu(test_npu::Args),
    TilingHeader(tiling_header::Args),
}

fn main() -> ExitCode {
    match Cli::parse().task {
        Task::AtbShim(args) => atb_shim::run(&args),
        Task::Bench(args) => bench::run(&args),
        Task::Bindgen(args) => bindgen::run(&args),
        Task::BuildKernels(args) => build_kernels::run(&args),
        Task::CheckKernel(args) => check_kernel::run(&args),
        Task::PublicApi(args) => public_api::run(&args),
        Task::SimCc(args) => sim_cc::run(args),
        Task::SimInstall(args) => sim_install::run(&args),
        Task::TestNpu(args) => test_npu::run(&args),
        Task::TilingHeader(args) => tiling_header::run(&args),
    }
}
