# replay as an image: small, not root, fit for a read-only root filesystem.
#
# Build: docker build --build-arg VERSION=0.2.0 --tag parquet-replay:0.2.0 .
# Run:   docker run --rm --read-only --tmpfs /tmp --volume replay-state:/var/lib/replay \
#          --volume /srv/trades:/srv/trades:ro parquet-replay:0.2.0 \
#          run /srv/trades --topic trades --bootstrap-servers kafka:9092 --rate 5000/s
# State: the volume /var/lib/replay. Without a named volume there the checkpoint goes with the container.
#
# The base is the Python and the Debian that the tests run on, pinned by tag. Pin it by digest where you build: a digest
# could not be looked up where this file was written.
ARG PYTHON=3.11.14-slim-bookworm

FROM python:${PYTHON} AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE .ci/build.lock .ci/image.lock ./
COPY data data
COPY replay replay
# The label below is right, or nothing is built: the version stands in replay/__init__.py alone.
ARG VERSION
RUN grep --line-regexp "__version__ = \"$VERSION\"" replay/__init__.py \
    || { echo "build with --build-arg VERSION=, as replay/__init__.py has it" >&2; exit 1; }
# Everything that is fetched is named with the hash of its files: .ci/lock makes the two lists anew.
RUN python -m venv --without-pip /opt/build \
    && pip --python /opt/build/bin/python install --no-cache-dir --require-hashes --requirement build.lock \
    && pip --python /opt/build/bin/python wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /dist .
# The environment gets no pip of its own: nothing is installed there later, so that metrics, reports, the formats of
# records and AWS's logins are in it now.
# The wheel is the one just built: there is no version to pin.
# hadolint ignore=DL3013
RUN python -m venv --without-pip /opt/replay \
    && pip --python /opt/replay/bin/python install --no-cache-dir --require-hashes --requirement image.lock \
    && pip --python /opt/replay/bin/python install --no-cache-dir --no-deps --no-index /dist/*.whl \
    && pip --python /opt/replay/bin/python check

FROM python:${PYTHON}
ARG VERSION
LABEL org.opencontainers.image.title="parquet-replay" \
      org.opencontainers.image.description="Replays historical trades from Parquet into Kafka, exactly once" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="docker.io/library/python:3.11.14-slim-bookworm"
# A fixed number, so that volumes and runAsUser can name it.
RUN groupadd --gid 10001 replay \
    && useradd --uid 10001 --gid 10001 --home-dir /var/lib/replay --no-create-home --shell /usr/sbin/nologin replay \
    && install --directory --owner=replay --group=replay --mode=0750 /var/lib/replay
COPY --from=build /opt/replay /opt/replay
# The default state folder is XDG_STATE_HOME/replay: the volume below. Temporary files go there, too: they are for what is
# too large for memory, and /tmp often is memory. Nothing can be compiled into a read-only /opt.
ENV PATH=/opt/replay/bin:$PATH \
    XDG_STATE_HOME=/var/lib \
    TMPDIR=/var/lib/replay \
    PYTHONDONTWRITEBYTECODE=1
VOLUME /var/lib/replay
WORKDIR /var/lib/replay
USER 10001:10001
# Resident: ill when a job in the state folder has not succeeded for a day and two hours, the first of which do not count
# (--start-period): no night has come yet. One-shot: over by then, and its exit code is the answer.
HEALTHCHECK --interval=5m --timeout=10s --start-period=26h CMD ["replay", "status", "--fail-if-older-than", "26h"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["replay"]
CMD ["--help"]
