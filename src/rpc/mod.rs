//! gRPC: a handler parses its request, makes one call of the broker, and translates the answer.
//!
//! * [`requests`], with [`fields`]: requests become domain types; every bad field is reported at once.
//! * [`binding`]: the request of ConfigureRepo; [`connecting`]: requests that connect accounts.
//! * [`promotion`], [`repositories`]: requests and answers of OpenPromotionPr, and of listing and creating repositories.
//! * [`translate`]: domain types become answers.
//! * [`status`]: the only place where an error becomes a gRPC status.
//! * [`present`]: what of an error goes out.
//! * [`guard`]: who calls, and whether it may; [`arrival`]: what handlers know of that.
//! * [`call`]: what every call has: a span with an id, a [`deadline`], a line in the audit, and a status in the end.
//! * [`quota`]: how much a caller may take, for as long as its [`body`] is under way.
//! * [`edge`]: calls that come to no handler. [`room`]: how large a request may be.

mod arrival;
mod binding;
mod body;
mod call;
mod connecting;
mod connection_admin;
mod credential_broker;
mod deadline;
mod edge;
mod fields;
mod guard;
mod present;
mod promotion;
mod quota;
mod repositories;
mod requests;
mod room;
mod status;
mod translate;

use tonic::service::Routes;
use tonic_health::pb::health_server::{Health, HealthServer};

pub use connection_admin::Admin;
pub use credential_broker::CredentialBrokerRpc;
pub use edge::Edge;
pub use guard::Guard;
pub use quota::Refusals;

use room::Rooms;

use crate::{
    broker::Sites,
    domain::Limits,
    proto::{
        self, connection_admin_server::ConnectionAdminServer,
        credential_broker_server::CredentialBrokerServer,
    },
};

/// Full names of the services whose health is reported.
pub const SERVICES: [&str; 2] = ["ghbroker.v1.CredentialBroker", "ghbroker.v1.ConnectionAdmin"];

/// All services of the main port: the broker's two, health, and reflection.
pub fn routes<H: Health>(
    sites: &Sites,
    health: HealthServer<H>,
    limits: &Limits,
) -> Result<Routes, tonic_reflection::server::Error> {
    let broker_service = |room| {
        CredentialBrokerServer::new(CredentialBrokerRpc::new(sites.clone()))
            .max_decoding_message_size(room)
    };
    let admin = ConnectionAdminServer::new(Admin::new(sites.clone()));
    let mut routes = Routes::new(health)
        .add_service(Rooms {
            large: broker_service(limits.commit_bytes),
            small: broker_service(limits.request_bytes),
        })
        .add_service(admin.max_decoding_message_size(limits.request_bytes));
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
