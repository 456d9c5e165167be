# syntax=docker/dockerfile:1

FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY . .
# The cache mounts keep downloaded and compiled dependencies from one build to the next.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    CARGO_PROFILE_RELEASE_STRIP=symbols cargo build --release --locked --bin ghbroker \
    && mkdir -p /out/data \
    && cp target/release/ghbroker /out/ghbroker

# glibc, libgcc and ca-certificates, which the broker needs to trust GitHub; no shell. Debian as above, for its glibc.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /out/ghbroker /usr/local/bin/ghbroker
COPY --from=build --chown=65532:65532 /out/data /var/lib/ghbroker
# By number, so that Kubernetes can see that it is not root.
USER 65532:65532
# The default database is a file in the working directory.
WORKDIR /var/lib/ghbroker
VOLUME /var/lib/ghbroker
# gRPC, plaintext health for the kubelet, and webhooks and browsers by way of an ingress.
EXPOSE 50051 50052 50053
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/ghbroker"]
CMD ["serve"]
