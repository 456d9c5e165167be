//! gRPC: a handler parses its request, makes one call of the broker, and translates the answer.
//!
//! * [`requests`], with [`fields`]: requests become domain types; every bad field is reported at once.
//! * [`translate`]: domain types become answers.
//! * [`status`]: the only place where an error becomes a gRPC status.
//! * [`present`]: what of an error goes out.
//! * [`too_large`]: a request that no handler sees.
//! * [`call`]: what every call has: a span with an id, a deadline, and a status in the end.

mod call;
mod connection_admin;
mod credential_broker;
mod fields;
mod present;
mod requests;
mod status;
mod too_large;
mod translate;

use tonic::service::Routes;
use tonic_health::pb::health_server::{Health, HealthServer};

pub use connection_admin::Admin;
pub use credential_broker::CredentialBrokerRpc;
pub use too_large::explain_too_large;

use crate::{
    broker::Broker,
    proto::{
        self, connection_admin_server::ConnectionAdminServer,
        credential_broker_server::CredentialBrokerServer,
    },
};

/// Full names of the services whose health is reported.
pub const SERVICES: [&str; 2] = ["ghbroker.v1.CredentialBroker", "ghbroker.v1.ConnectionAdmin"];

/// Largest request: CommitFiles with its files. All other requests are bounded by their fields.
pub const MAX_REQUEST: usize = 48 * 1024 * 1024;

/// All services of the main port: the broker's two, health, and reflection.
pub fn routes<H: Health>(
    broker: &Broker,
    health: HealthServer<H>,
) -> Result<Routes, tonic_reflection::server::Error> {
    let broker_service = CredentialBrokerServer::new(CredentialBrokerRpc::new(broker.clone()))
        .max_decoding_message_size(MAX_REQUEST);
    let mut routes = Routes::new(health)
        .add_service(broker_service)
        .add_service(ConnectionAdminServer::new(Admin::new(broker.clone())));
    routes = routes.add_service(reflection().build_v1()?);
    Ok(routes.add_service(reflection().build_v1alpha()?))
}

/// The services of the health port: health, and the reflection that grpcurl needs to ask it.
pub fn health_routes<H: Health>(
    health: HealthServer<H>,
) -> Result<Routes, tonic_reflection::server::Error> {
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET);
    Ok(Routes::new(health).add_service(reflection.build_v1()?))
}

/// Old and new clients ask different versions of reflection; both get the contract with its comments, and the types of
/// error details, so that grpcurl can show them.
fn reflection() -> tonic_reflection::server::Builder<'static> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
}
