//! The real program, as an operator starts it.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use github_sim::Sim;
use serde_json::Value;

use super::CLIENT_ID;

/// The program while it serves; killed when dropped.
pub struct Program {
    pub child: Child,
    /// Where it listens.
    pub address: String,
}

impl Program {
    /// Starts `ghbroker serve --config ghbroker.toml` in a folder, on a port of its own, and waits until it is ready. Its
    /// standard output is a pipe.
    pub fn serve(folder: &Path, sim: &Sim) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_ghbroker"))
            .args(["serve", "--config", "ghbroker.toml", "--listen", "127.0.0.1:0"])
            .args(["--github-api-url", sim.api_url(), "--github-graphql-url", sim.graphql_url()])
            .args(["--github-web-url", sim.web_url(), "--github-app-issuer", CLIENT_ID])
            .current_dir(folder)
            .env_clear()
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut address = String::new();
        loop {
            let line = lines.next().expect("the broker ended").unwrap();
            let line: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
            if line["message"] == "gRPC port" {
                address = line["listen"].as_str().unwrap().to_owned();
            } else if line["message"] == "ready" {
                break;
            }
        }
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Fails for one that has ended.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
