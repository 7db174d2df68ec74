# The images: one static program under four names and the authorities'
# certificates. docs/building.md says how to build them and what is pinned.
#
#   docker buildx build --target isthmus                --tag isthmus:0.1.0 .
#   docker buildx build --target isthmus-metadata-proxy --tag isthmus-metadata-proxy:0.1.0 .
#
# with --platform linux/amd64,linux/arm64 for both architectures, and with
# --build-arg SOURCE_DATE_EPOCH="$(git log -1 --format=%ct)" for the commit's time.
ARG RUST=docker.io/library/rust:1.95.0-bookworm
ARG DEBIAN=docker.io/library/debian:bookworm-slim

# On the builder's own architecture, also for the other one: emulated, the
# compile would take hours.
FROM --platform=$BUILDPLATFORM ${RUST} AS build
# The image's own toolchain, which is that of rust-toolchain.toml.
ENV RUSTUP_TOOLCHAIN=1.95.0
ARG TARGETARCH
RUN set -eu; \
    case "$TARGETARCH" in \
        amd64) machine=x86_64; packages="gcc-x86-64-linux-gnu libc6-dev-amd64-cross" ;; \
        arm64) machine=aarch64; packages="gcc-aarch64-linux-gnu libc6-dev-arm64-cross" ;; \
        *) echo "amd64 or arm64, not '$TARGETARCH'" >&2; exit 1 ;; \
    esac; \
    echo "$machine" > /machine; \
    if [ "$machine" != "$(uname -m)" ]; then \
        apt-get update; \
        apt-get install --yes --no-install-recommends $packages; \
        rustup target add "$machine-unknown-linux-gnu"; \
    fi
WORKDIR /isthmus
COPY . .
ARG SOURCE_DATE_EPOCH=0
RUN set -eu; \
    program="$(CARGO_TARGET_DIR=/target controllers/isthmus/build-static "$(cat /machine)")"; \
    install -D -m 0555 "$program" /image/isthmus; \
    for name in isthmus-ingress isthmus-dns isthmus-egress isthmus-metadata-proxy; do \
        ln -s isthmus "/image/$name"; \
    done; \
    install -D -m 0444 /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ca-certificates.crt; \
    echo "hosts: files dns" > /image/etc/nsswitch.conf; \
    find /image -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +

FROM scratch AS isthmus
COPY --from=build /image/ /
USER 65534:65534
ENTRYPOINT ["/isthmus"]

# The proxy's rules are iptables' work: its program, what that loads, nothing else.
FROM ${DEBIAN} AS iptables
ARG SOURCE_DATE_EPOCH=0
RUN set -eu; \
    apt-get update; \
    apt-get install --yes --no-install-recommends iptables; \
    program=/usr/sbin/xtables-nft-multi; \
    for file in "$program" /usr/lib/*/xtables/lib*.so; do \
        echo "$file"; \
        ldd "$file" | grep -o '/lib[^ ]*' || true; \
    done | sort -u | while read -r file; do \
        install -D -m 0555 "$file" "/image$file"; \
    done; \
    for name in iptables ip6tables; do \
        ln -s "${program##*/}" "/image/usr/sbin/$name"; \
    done; \
    find /image -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +

FROM isthmus AS isthmus-metadata-proxy
COPY --from=iptables /image/ /
ENV PATH=/usr/sbin
ENTRYPOINT ["/isthmus-metadata-proxy"]
