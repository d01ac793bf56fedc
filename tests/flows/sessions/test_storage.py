"""Places for files: a folder, and a bucket of S3 behind an endpoint on loopback."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ccs.flows.sessions.storage import FolderStorage, Storage, StorageError, shared_storage
from tests.fakes.s3 import StubS3, running_s3


@pytest.fixture(scope="module")
def s3() -> Iterator[StubS3]:
    with running_s3() as server:
        yield server


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path, s3: StubS3, monkeypatch: pytest.MonkeyPatch) -> Storage:
    if request.param == "folder":
        (tmp_path / "share").mkdir()
        return shared_storage(str(tmp_path / "share"))
    for name, value in s3.variables.items():
        monkeypatch.setenv(name, value)
    return shared_storage("s3://bucket/some/prefix/")


def test_a_file_is_kept_replaced_and_forgotten(place: Storage, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "deep" / "target"
    assert place.read("a/b.json") is None and not place.get("a/b.json", target)
    for content in (b"one", b"two" * 1_000_000, b""):
        source.write_bytes(content)
        place.put("a/b.json", source)
        assert place.read("a/b.json") == content
        assert place.get("a/b.json", target) and target.read_bytes() == content
    assert target.stat().st_mode & 0o777 == 0o600 and target.parent.stat().st_mode & 0o777 == 0o700
    place.remove("a/b.json")
    place.remove("a/b.json")
    assert place.read("a/b.json") is None
    assert [f.name for f in target.parent.iterdir()] == ["target"]


def test_the_prefix_is_optional(s3: StubS3, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in s3.variables.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "x").write_text("content")
    shared_storage("s3://plain").put("x", tmp_path / "x")
    shared_storage("s3://plain/one/two").put("x", tmp_path / "x")
    assert {"/plain/x", "/plain/one/two/x"} <= set(s3.objects)


def test_a_bucket_that_refuses_is_said_in_a_sentence(
    s3: StubS3, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in s3.variables.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "x").write_text("content")
    place = shared_storage("s3://bucket/p")
    monkeypatch.setattr(s3, "refuses", True)
    with pytest.raises(StorageError, match=r"^s3://bucket/p cannot be used: .*AccessDenied") as refused:
        place.put("x", tmp_path / "x")
    with pytest.raises(StorageError):
        place.get("x", tmp_path / "y")
    assert "\n" not in str(refused.value) and "made-up" not in str(refused.value)
    assert not (tmp_path / "y").exists()


def test_a_node_without_credentials_is_said_in_a_sentence(s3: StubS3, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_EC2_METADATA_DISABLED"):
        monkeypatch.setenv(name, s3.variables[name])
    with pytest.raises(StorageError, match="Unable to locate credentials"):
        shared_storage("s3://bucket").read("x")


def test_a_share_that_is_not_mounted_is_not_made(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("content")
    place = shared_storage(str(tmp_path / "share"))
    for use in (
        lambda: place.put("a", tmp_path / "x"),
        lambda: place.get("a", tmp_path / "y"),
        lambda: place.read("a"),
        lambda: place.remove("a"),
    ):
        with pytest.raises(StorageError, match="does not exist on this node: mount it there"):
            use()
    assert not (tmp_path / "share").exists()


def test_a_folder_in_the_way_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("content")
    (tmp_path / "way").write_text("no folder")
    place = FolderStorage(tmp_path)
    with pytest.raises(StorageError, match=r"way.* cannot be used: "):
        place.put("way/a", tmp_path / "x")
    with pytest.raises(StorageError, match="Is a directory"):
        place.read("")


def test_a_home_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "x").write_text("content")
    shared_storage("~").put("a", tmp_path / "x")
    assert (tmp_path / "a").read_text() == "content"


def test_a_folder_of_a_user_that_is_not_there_does_not_exist() -> None:
    with pytest.raises(StorageError, match="~no-such-user/share does not exist on this node"):
        shared_storage("~no-such-user/share").read("x")
