//! Sample kernels on the simulated device, against plain formulas, with equal bits at any number of threads.
fn main() {}
