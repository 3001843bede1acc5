"""What one person pushed, another pulls: a folder, S3 and SSH, the latter two over sockets of this machine."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import asyncssh
import boto3
import pytest
from moto.server import ThreadedMotoServer

from repository import Repository

KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}


@pytest.fixture
def folder(checkout: Repository, tmp_path: Path) -> Repository:
    checkout.dvc("remote", "add", "--default", "team", str(tmp_path / "team"))
    return checkout


@pytest.fixture
def s3(checkout: Repository) -> Iterator[Repository]:
    server = ThreadedMotoServer("127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    client = boto3.client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    client.create_bucket(Bucket="team")
    checkout.dvc("remote", "add", "--default", "team", "s3://team/echoes")
    checkout.dvc("remote", "modify", "team", "endpointurl", url)
    try:
        yield replace(checkout, environment=KEYS)
    finally:
        server.stop()


@pytest.fixture
def ssh(checkout: Repository, tmp_path: Path) -> Iterator[Repository]:
    """A server that lets one key in, and whose own key the user knows."""
    keys = checkout.home / ".ssh"
    keys.mkdir(mode=0o700)
    user, host = asyncssh.generate_private_key("ssh-ed25519"), asyncssh.generate_private_key("ssh-ed25519")
    user.write_private_key(keys / "id_ed25519")
    (tmp_path / "authorized").write_bytes(user.export_public_key())
    store = tmp_path / "served"
    store.mkdir()

    async def serve(port: Future[int], stop: Future[None]) -> None:
        server = await asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[host],
            authorized_client_keys=str(tmp_path / "authorized"),
            sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=str(store).encode()),
        )
        port.set_result(server.get_port())
        await asyncio.wrap_future(stop)
        server.close()

    listening: Future[int] = Future()
    stop: Future[None] = Future()
    thread = threading.Thread(target=lambda: asyncio.run(serve(listening, stop)))
    thread.start()
    port = listening.result(timeout=60)
    known = host.export_public_key().decode()
    (keys / "known_hosts").write_text(f"[127.0.0.1]:{port} {known}")
    checkout.dvc("remote", "add", "--default", "team", f"ssh://someone@127.0.0.1:{port}/echoes")
    try:
        yield checkout
    finally:
        stop.set_result(None)
        thread.join()


@pytest.mark.parametrize("kind", ["s3", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("folder", "ssh"))])
def test_a_fresh_clone_pulls_everything_and_has_nothing_to_run(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    first: Repository = request.getfixturevalue(kind)
    first.run("git", "commit", "--quiet", "--all", "-m", "the team's remote")
    assert "pushed" in first.dvc("push")
    (tmp_path / "second").mkdir()
    second = first.clone(tmp_path / "second")
    assert not (second.root / "data" / "radar" / "ldm.safetensors").exists()
    second.dvc("pull")
    assert "up to date" in second.dvc("status")
    assert "in sync" in second.dvc("status", "--cloud")
    said = second.dvc("repro")
    assert "Running stage" not in said
    assert said.count("didn't change, skipping") == 9
    assert second.digests() == first.digests()
    assert second.run("git", "status", "--short") == ""


def test_a_server_that_refuses_the_key_gives_an_error_and_no_data(ssh: Repository) -> None:
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(ssh.home / ".ssh" / "id_ed25519")
    assert "ermission denied" in ssh.dvc("push", status=None)


def test_an_object_that_changed_in_the_remote_is_not_pulled(folder: Repository, tmp_path: Path) -> None:
    """`verify` is what a team needs: DVC trusts a remote without it."""
    folder.dvc("remote", "modify", "team", "verify", "true")
    folder.run("git", "commit", "--quiet", "--all", "-m", "the team's remote")
    folder.dvc("push")
    cached = folder.cached("data/radar/ldm.safetensors")
    stored = tmp_path / "team" / "files" / "md5" / cached.parent.name / cached.name
    content = bytearray(stored.read_bytes())
    content[-1] ^= 1
    stored.chmod(0o644)
    stored.write_bytes(content)
    (tmp_path / "second").mkdir()
    second = folder.clone(tmp_path / "second")
    assert "ldm.safetensors" in second.dvc("pull", status=None)
    assert not (second.root / "data" / "radar" / "ldm.safetensors").exists()
    assert (second.root / "data" / "radar" / "cd.safetensors").exists()
    assert not second.wrong_objects()
