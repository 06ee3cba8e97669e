# One image for every command: `serve` by default, `migrate` and `doctor` beside it.
FROM python:3.11-slim

ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

WORKDIR /src
COPY requirements.txt ./
RUN pip install --no-deps --only-binary :all: --require-hashes --requirement requirements.txt

COPY pyproject.toml README.md LICENSE ./
COPY channels channels
COPY policies policies
COPY simulators simulators
COPY gateway gateway
RUN pip install --no-deps --no-build-isolation .

# The process owns its data folder and nothing else.
RUN useradd --system --uid 10001 --no-create-home hangdao \
    && install --directory --owner hangdao --mode 0700 /var/lib/hangdao
USER hangdao
ENV HANGDAO_DATA_DIR=/var/lib/hangdao HANGDAO_SERVER__HOST=0.0.0.0
VOLUME /var/lib/hangdao
EXPOSE 8080

# hangdao.yaml is looked for in the working directory.
WORKDIR /etc/hangdao
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["python", "-c", \
    "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/healthz', timeout=2)"]
ENTRYPOINT ["hangdao"]
CMD ["serve"]
