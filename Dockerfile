# Two stages: one builds, the other has the program, and nothing else: no shell, no package manager, no curl.
#
#   docker build -t sluicegate .
#   docker run --read-only --cap-drop ALL --security-opt no-new-privileges \
#     -p 127.0.0.1:8080:8080 -v sluicegate-data:/data -e SLUICEGATE_MASTER_KEY sluicegate
#
# Published on the host's loopback only, as above, or with TLS: --insecure below speaks of the container's own network.

FROM rust:1.95-bookworm AS build
RUN apt-get update && apt-get install --yes --no-install-recommends cmake && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY Cargo.toml Cargo.lock ./
COPY src ./src
COPY models ./models
COPY policies ./policies
COPY benches ./benches
RUN cargo build --release --locked --bin sluicegate && mkdir -m 0700 /data

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /build/target/release/sluicegate /usr/local/bin/sluicegate
# The folder's owner becomes the owner of a volume that is mounted there.
COPY --from=build --chown=65532:65532 /data /data
USER 65532:65532
VOLUME /data
ENV SLUICEGATE_DATA=/data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD ["/usr/local/bin/sluicegate", "health"]
ENTRYPOINT ["/usr/local/bin/sluicegate"]
CMD ["serve", "--listen", "0.0.0.0:8080", "--insecure"]
