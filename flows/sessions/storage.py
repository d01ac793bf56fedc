"""Storages of files: a folder, or a bucket of S3 that all nodes reach."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from ccs.flows.node.files import UnknownUserError, expanded, whole


class StorageError(Exception):
    """A storage cannot be used; the message says why and what to do."""


class Storage(Protocol):
    """Holds files by name; a name has parts, separated by slashes. All of it raises StorageError."""

    def put(self, name: str, file: Path) -> None:
        """Keep a copy of the file: whole, or not at all."""

    def get(self, name: str, file: Path) -> bool:
        """Copy what is kept to a new file that its owner alone can read; whether there was anything."""

    def read(self, name: str) -> bytes | None:
        """What a small file holds, if there is one."""

    def remove(self, name: str) -> None:
        """Forget a file, which may be gone already."""


def shared_storage(address: str) -> Storage:
    """The storage of an address: `s3://bucket/prefix`, or a folder that exists on this node already."""
    if address.startswith("s3://"):
        bucket, _, prefix = address.removeprefix("s3://").partition("/")
        return BucketStorage(bucket, prefix.strip("/"))
    try:
        folder = expanded(address)
    except UnknownUserError:
        folder = Path(address)  # which does not exist, as is said whenever it is used
    return FolderStorage(folder, must_exist=True)


class FolderStorage:
    """A folder of this node, perhaps mounted. What is made in it is for its owner alone."""

    def __init__(self, path: Path, *, must_exist: bool = False) -> None:
        self._path = path
        self._must_exist = must_exist  # else a share that is not mounted would be made on the node's own disk

    def put(self, name: str, file: Path) -> None:
        """Keep a copy of the file: whole, or not at all."""
        with self._explained(), file.open("rb") as source, whole(self._path / name) as target:
            shutil.copyfileobj(source, target)

    def get(self, name: str, file: Path) -> bool:
        """Copy what is kept to a new file that its owner alone can read; whether there was anything."""
        with self._explained():
            try:
                source = (self._path / name).open("rb")
            except FileNotFoundError:
                return False
            with source, whole(file) as target:
                shutil.copyfileobj(source, target)
        return True

    def read(self, name: str) -> bytes | None:
        """What a small file holds, if there is one."""
        with self._explained():
            try:
                return (self._path / name).read_bytes()
            except FileNotFoundError:
                return None

    def remove(self, name: str) -> None:
        """Forget a file, which may be gone already."""
        with self._explained():
            (self._path / name).unlink(missing_ok=True)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        if self._must_exist and not self._path.is_dir():
            raise StorageError(f"{self._path} does not exist on this node: mount it there, or create it")
        try:
            yield
        except OSError as error:
            raise StorageError(f"{error.filename or self._path} cannot be used: {error.strerror or error}") from error


class BucketStorage:
    """A part of a bucket of S3, with the credentials and the endpoint of the node's own environment."""

    def __init__(self, bucket: str, prefix: str) -> None:
        self._bucket, self._prefix = bucket, prefix
        self._client: Any = None

    def put(self, name: str, file: Path) -> None:
        """Keep a copy of the file: whole, or not at all."""
        with self._explained(), file.open("rb") as source:
            self._s3().put_object(**self._object(name), Body=source)

    def get(self, name: str, file: Path) -> bool:
        """Copy what is kept to a new file that its owner alone can read; whether there was anything."""
        with self._explained():
            content = self._content(name)
            if content is None:
                return False
            with whole(file) as target:
                shutil.copyfileobj(content, target)
        return True

    def read(self, name: str) -> bytes | None:
        """What a small file holds, if there is one."""
        with self._explained():
            content = self._content(name)
            return None if content is None else bytes(content.read())

    def remove(self, name: str) -> None:
        """Forget a file, which may be gone already."""
        with self._explained():
            self._s3().delete_object(**self._object(name))

    def _content(self, name: str) -> Any:
        client = self._s3()
        try:
            return client.get_object(**self._object(name))["Body"]
        except client.exceptions.NoSuchKey:
            return None

    def _object(self, name: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": f"{self._prefix}/{name}" if self._prefix else name}

    def _s3(self) -> Any:
        if self._client is None:
            try:
                import boto3  # type: ignore[import-untyped]  # takes long, and not every node has it
                from botocore.config import Config  # type: ignore[import-untyped]
            except ImportError:
                raise StorageError(f"{self} cannot be used without boto3: install ccs[aws] on this node") from None
            config = Config(
                connect_timeout=5,
                read_timeout=60,
                retries={"mode": "standard", "max_attempts": 2},
                request_checksum_calculation="when_required",  # not every store that speaks S3 knows the others
                response_checksum_validation="when_required",
            )
            self._client = boto3.session.Session().client("s3", config=config)  # the shared one minds threads
        return self._client

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except StorageError:
            raise
        except Exception as error:  # boto3 has four families of them
            reason = " ".join(str(error).split()) or type(error).__name__
            raise StorageError(f"{self} cannot be used: {reason}") from error

    def __str__(self) -> str:
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")
