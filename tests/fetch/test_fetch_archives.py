"""Archives: the wanted files come out whole, and nothing leads out of the folder."""

import gzip
import io
import stat
import zipfile
from pathlib import Path

import pytest

from permagrid.errors import PermagridError
from permagrid.fetch.archives import gunzip, unzip


def zipped(files: dict[str, bytes], *, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip archive of files."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def archive(folder: Path, content: bytes) -> Path:
    path = folder / "a.zip"
    path.write_bytes(content)
    return path


def others(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and p.name != "a.zip")


def test_wanted_files_come_out_with_those_of_the_same_stem(tmp_path: Path) -> None:
    files = {"x/bio1.bil": b"one", "x/bio1.hdr": b"head", "x/bio10.bil": b"ten", "readme.txt": b"?"}
    found = unzip(archive(tmp_path, zipped(files)), tmp_path, ["bio1.bil"])
    assert [path.name for path in found] == ["bio1.bil", "bio1.hdr"]
    assert others(tmp_path) == ["bio1.bil", "bio1.hdr"]
    assert (tmp_path / "bio1.bil").read_bytes() == b"one"


def test_a_file_that_lacks_is_named_with_what_is_there(tmp_path: Path) -> None:
    with pytest.raises(PermagridError, match=r"a\.zip: holds no bio1\.bil; it holds bio_1\.bil$"):
        unzip(archive(tmp_path, zipped({"bio_1.bil": b"one"})), tmp_path, ["bio1.bil"])
    assert others(tmp_path) == []


@pytest.mark.parametrize(
    "name", ["../out.tif", "a/../../out.tif", "/out.tif", "C:\\out.tif", "..\\out.tif", "C:out.tif"]
)
def test_names_that_lead_out_refuse_the_whole_archive(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    content = zipped({"good.tif": b"good", name: b"bad"})
    with pytest.raises(PermagridError, match="leads out of its folder; nothing was taken from it"):
        unzip(archive(folder, content), folder, ["good.tif"])
    assert others(tmp_path) == []


def test_links_are_refused(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as made:
        link = zipfile.ZipInfo("a.tif")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        made.writestr(link, "/etc/passwd")
    with pytest.raises(PermagridError, match="leads out of its folder"):
        unzip(archive(tmp_path, stream.getvalue()), tmp_path, ["a.tif"])
    assert others(tmp_path) == []


@pytest.mark.parametrize("spoil", ["no archive", "cut off", "flipped"])
def test_a_damaged_archive_leaves_nothing(spoil: str, tmp_path: Path) -> None:
    content = zipped({"a.tif": bytes(range(256)) * 40}, compression=zipfile.ZIP_STORED)
    if spoil == "no archive":
        content = b"<html>"
    elif spoil == "cut off":
        content = content[:5000]
    else:
        content = content[:5000] + bytes([content[5000] ^ 1]) + content[5001:]
    with pytest.raises(PermagridError, match="is no whole zip archive"):
        unzip(archive(tmp_path, content), tmp_path, ["a.tif"])
    assert others(tmp_path) == []


def test_an_archive_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("permagrid.fetch.archives.MOST_BYTES", 1000)
    with pytest.raises(PermagridError, match="would unpack to 1001 bytes; at most 1000 are allowed"):
        unzip(archive(tmp_path, zipped({"a.tif": bytes(1001)})), tmp_path, ["a.tif"])
    path = tmp_path / "a.nc.gz"
    path.write_bytes(gzip.compress(bytes(1001)))
    with pytest.raises(PermagridError, match="unpacks to more than 1000 bytes"):
        gunzip(path, tmp_path / "a.nc")
    assert others(tmp_path) == ["a.nc.gz"]


def test_a_gzip_file_is_unpacked_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a.nc.gz"
    path.write_bytes(gzip.compress(b"values" * 1000))
    gunzip(path, tmp_path / "a.nc")
    assert (tmp_path / "a.nc").read_bytes() == b"values" * 1000
    for content in (b"no gzip", path.read_bytes()[:-20]):
        path.write_bytes(content)
        with pytest.raises(PermagridError, match="is no whole gzip file"):
            gunzip(path, tmp_path / "b.nc")
    assert others(tmp_path) == ["a.nc", "a.nc.gz"]
