# All of Gudang's programs, each as an image of its own: `docker build --target stock .`
#
# One build stage makes every program once; the other stages each take one. Nothing is fetched at run time, nothing is written to the
# root file system, and nobody is root.

FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
# The caches outlive the build, so what comes out is copied out of them.
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --release --locked -p product -p stock -p notification -p analytics -p gudang \
    && mkdir /out \
    && cp target/release/product target/release/stock target/release/notification target/release/analytics target/release/gudang /out/

FROM debian:bookworm-slim AS base
# Whom to trust, for servers that are reached by TLS.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
RUN useradd --system --no-log-init --uid 10001 --no-create-home --shell /usr/sbin/nologin gudang
USER 10001
# Ready when the service's own database answers; it needs no client in the image.
HEALTHCHECK --interval=2s --timeout=5s --start-period=60s --retries=15 \
    CMD ["bash", "-c", "exec 3<>\"/dev/tcp/127.0.0.1/$PORT\" && printf 'GET /readyz HTTP/1.0\\r\\nhost: localhost\\r\\n\\r\\n' >&3 && read -r _ status _ <&3 && [ \"$status\" = 200 ]"]

FROM base AS product
COPY --from=build /out/product /usr/local/bin/product
ENV PORT=8082
EXPOSE 8082
ENTRYPOINT ["product"]

FROM base AS stock
COPY --from=build /out/stock /usr/local/bin/stock
ENV PORT=8083
EXPOSE 8083
ENTRYPOINT ["stock"]

FROM base AS notification
COPY --from=build /out/notification /usr/local/bin/notification
ENV PORT=8084
EXPOSE 8084
ENTRYPOINT ["notification"]

FROM base AS analytics
COPY --from=build /out/analytics /usr/local/bin/analytics
ENV PORT=8085
EXPOSE 8085
ENTRYPOINT ["analytics"]

# The command line: topics, demo, audit and the rest. It serves nothing.
FROM base AS gudang
COPY --from=build /out/gudang /usr/local/bin/gudang
HEALTHCHECK NONE
ENTRYPOINT ["gudang"]
