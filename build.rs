//! Compiles the protos without protoc, and keeps their descriptors (with comments) for reflection.

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message;

/// Messages that carry a secret: `src/proto` writes their Debug by hand.
const SECRET_MESSAGES: [&str; 7] = [
    ".ghbroker.v1.RegisterInstallationRequest",
    ".ghbroker.v1.SetPatRequest",
    ".ghbroker.v1.GetRepoTokenResponse",
    ".ghbroker.v1.ReportRejectedTokenRequest",
    ".ghbroker.v1.BeginInstallationResponse",
    ".ghbroker.v1.BeginOAuthResponse",
    ".ghbroker.v1.CompleteOAuthRequest",
];

#[allow(clippy::disallowed_methods, reason = "cargo tells a build script by the environment")]
fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_imports(true).include_source_info(true);
    compiler.open_files([
        "ghbroker/v1/credential_broker.proto",
        "ghbroker/v1/connection_admin.proto",
    ])?;

    let descriptors = PathBuf::from(env::var("OUT_DIR")?).join("ghbroker.bin");
    fs::write(descriptors, compiler.encode_file_descriptor_set())?;

    tonic_prost_build::configure()
        .bytes(".ghbroker.v1.FileChange")
        .skip_debug(SECRET_MESSAGES)
        .codec_path("super::Codec")
        .compile_fds(compiler.file_descriptor_set())?;
    // Fails the build here, not at run time, if a message of the list is renamed.
    let set =
        prost_types::FileDescriptorSet::decode(compiler.encode_file_descriptor_set().as_slice())?;
    for name in SECRET_MESSAGES {
        let known = set.file.iter().any(|file| {
            file.message_type.iter().any(|m| name == format!(".{}.{}", file.package(), m.name()))
        });
        if !known {
            return Err(format!("{name} is not a message of the protos").into());
        }
    }
    Ok(())
}
