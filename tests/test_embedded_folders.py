"""Where the embedded server may live and who runs it: odd paths, foreign folders, root and everybody else."""

import os
import pwd
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from menshun.embedded.server import EmbeddedServer
from menshun.embedded.sockets import LONGEST_SOCKET_PATH, SOCKET_NAME, socket_folder
from pam.postgres.errors import MenshunError
from tests.support.embedded import UserProcess, query

pytestmark = pytest.mark.once

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act for other users")
NOBODY = pwd.getpwnam("nobody")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose server has run and stopped."""
    server = EmbeddedServer(tmp_path_factory.mktemp("made") / ".postgres")
    server.use()
    server.leave()
    return server.folder


@pytest.mark.parametrize(
    "name",
    ["with blanks in it", "x" * 150, """quotes ' " $HOME `id` \\ and, commas; & (more) %s {}""", "Ünïcödé 数据"],
    ids=["blanks", "long", "punctuation", "unicode"],
)
def test_any_path_works(made: Path, name: str):
    place = made.parent / name
    place.mkdir()
    # Moved, not made anew: that is quicker, and a checkout may be moved.
    server = EmbeddedServer(made.rename(place / ".postgres"))
    try:
        server.use()
        assert query(server, "SELECT 1") == [(1,)]
        server.leave()
        assert server.pid is None
        assert server.host == server.folder or not server.host.exists()
    finally:
        server.folder.rename(made)


def test_the_socket_is_beside_the_data_where_its_path_allows():
    longest = Path("/" + "x" * (LONGEST_SOCKET_PATH - len(SOCKET_NAME) - 2))
    assert socket_folder(longest) == longest
    too_long = longest.with_name(longest.name + "x")
    assert len(bytes(socket_folder(too_long) / SOCKET_NAME)) < LONGEST_SOCKET_PATH
    assert socket_folder(too_long) == socket_folder(too_long) != socket_folder(too_long.with_name("x" * 200))
    assert socket_folder(Path("/a,b")) != Path("/a,b")


def test_the_folder_is_private(made: Path):
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    assert stat.S_IMODE((made / "data").stat().st_mode) == 0o700


def test_data_of_another_major_version_is_left_alone(made: Path):
    version_file = made / "data" / "PG_VERSION"
    ours = version_file.read_text()
    version_file.write_text("14\n")
    before = sorted((made / "data").iterdir())
    server = EmbeddedServer(made)
    try:
        with pytest.raises(
            MenshunError, match=r"was made by PostgreSQL 14; .* is PostgreSQL 18, .* Nothing was changed"
        ):
            server.use()
        assert sorted((made / "data").iterdir()) == before
        assert server.pid is None
    finally:
        server.leave()
        version_file.write_text(ours)


def test_a_data_folder_of_something_else_is_left_alone(tmp_path: Path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "thesis.txt").write_text("the only copy")
    server = EmbeddedServer(tmp_path)
    with pytest.raises(MenshunError, match="is not a PostgreSQL data folder"):
        server.use()
    server.leave()
    assert (tmp_path / "data" / "thesis.txt").read_text() == "the only copy"


def test_a_folder_that_cannot_be_made_is_an_error_with_advice(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(MenshunError, match=r"cannot be made: .* DATABASE_URL"):
        EmbeddedServer(tmp_path / "file" / ".postgres").use()


def test_a_server_that_cannot_start_shows_its_log(made: Path):
    settings = made / "data" / "postgresql.auto.conf"
    settings.write_text("shared_buffers = 'plenty'\n")
    server = EmbeddedServer(made)
    try:
        with pytest.raises(MenshunError, match=r"ended before it accepted connections(.|\n)*shared_buffers"):
            server.use()
    finally:
        server.leave()
        settings.write_text("")


@needs_root
def test_root_runs_the_server_as_somebody_else(made: Path):
    server = EmbeddedServer(made)
    server.use()
    try:
        assert psutil.Process(server.pid).uids().effective == made.stat().st_uid != 0
    finally:
        server.leave()


@needs_root
def test_root_opens_the_way_by_the_search_bit_alone_and_says_so(made: Path, capfd: pytest.CaptureFixture[str]):
    made.parent.chmod(0o700)
    server = EmbeddedServer(made)
    server.use()
    server.leave()
    assert stat.S_IMODE(made.parent.stat().st_mode) == 0o701
    assert f"'{made.parent}'" in capfd.readouterr().err


@needs_root
@pytest.mark.parametrize("users", [(0, NOBODY.pw_uid), (NOBODY.pw_uid, 0, NOBODY.pw_uid)], ids=["root first", "last"])
def test_somebody_else_and_root_share_a_checkout(made: Path, place_of_nobody: Path, users: tuple[int, ...]):
    folder = place_of_nobody / ".postgres"
    for user in users:
        with UserProcess(folder, uid=user).go() as process:
            assert psutil.Process(process.server_pid()).uids().effective == NOBODY.pw_uid
            process.end()


@needs_root
def test_another_users_folder_is_refused(made: Path):
    for parent in made.parents:
        parent.chmod(parent.stat().st_mode | 0o011)
    with UserProcess(made, uid=NOBODY.pw_uid) as process:
        errors = process.fail()
    assert f"The embedded PostgreSQL in '{made}' belongs to {pwd.getpwuid(made.stat().st_uid).pw_name}." in errors


@needs_root
def test_a_socket_folder_that_a_stranger_has_made_is_refused(tmp_path: Path):
    server = EmbeddedServer(tmp_path / ("x" * 150))
    server.host.mkdir()
    os.chown(server.host, NOBODY.pw_uid, NOBODY.pw_gid)
    try:
        with pytest.raises(MenshunError, match="belongs to nobody"):
            server.use()
        assert server.pid is None
    finally:
        server.leave()
        server.host.rmdir()


@pytest.fixture
def place_of_nobody() -> Iterator[Path]:
    """A folder that belongs to a user without privileges."""
    with tempfile.TemporaryDirectory(prefix="menshun-", dir="/tmp") as name:
        os.chown(name, NOBODY.pw_uid, NOBODY.pw_gid)
        yield Path(name)
