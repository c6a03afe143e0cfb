"""A server of the S3 protocol for tests of the store: moto in its own process."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from tests.ports import free_port

START = "from moto.server import main; import sys; main(['-H', '127.0.0.1', '-p', sys.argv[1]])"
SECRET = "not-to-be-told"  # noqa: S105 - what must not be found in a message
SECONDS = 60


@contextmanager
def s3_server() -> Iterator[dict[str, str]]:
    """Start the server on a free port and yield the environment of its clients."""
    port = free_port()
    environment = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "tester",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    quiet = subprocess.DEVNULL
    with subprocess.Popen([sys.executable, "-c", START, str(port)], stdout=quiet, stderr=quiet) as server:
        try:
            _wait(server, environment["AWS_ENDPOINT_URL"])
            _make_bucket(environment)
            _forget_clients()
            yield environment
        finally:
            _forget_clients()
            server.kill()


def _forget_clients() -> None:
    """Drop the clients that fsspec keeps: they belong to an earlier server."""
    from s3fs import S3FileSystem

    S3FileSystem.clear_instance_cache()


def _wait(server: subprocess.Popen[bytes], url: str) -> None:
    end = time.monotonic() + SECONDS
    while True:
        try:
            urllib.request.urlopen(f"{url}/moto-api/", timeout=5).close()  # noqa: S310 - the server just started
            return
        except (urllib.error.URLError, OSError):
            assert server.poll() is None, "the S3 server ended at once"
            assert time.monotonic() < end, "the S3 server does not answer"
            time.sleep(0.05)


def _make_bucket(environment: Mapping[str, str]) -> None:
    import boto3

    before = dict(os.environ)
    os.environ.update(environment)
    try:
        client = boto3.client("s3")
        client.create_bucket(Bucket="bucket")
        client.close()
    finally:
        os.environ.clear()
        os.environ.update(before)
