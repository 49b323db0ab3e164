"""Rasters by URL, from a server on this machine."""

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from made_rasters import GLOBE, smooth_grid, write_tif

from permagrid.covariates.resample import onto
from permagrid.covariates.sources import open_grid
from permagrid.errors import PermagridError
from permagrid.grid import make_geobox


class _Ranges(SimpleHTTPRequestHandler):
    """Serves files, and parts of files as COG readers ask for them."""

    def __init__(self, *args, sent: list[int], **options) -> None:
        self.sent = sent
        super().__init__(*args, **options)

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        data, asked = path.read_bytes(), self.headers.get("Range")
        first, last = 0, len(data) - 1
        if asked:
            begin, _, end = asked.removeprefix("bytes=").partition("-")
            first, last = int(begin), min(int(end or last), last)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
        else:
            self.send_response(200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(last + 1 - first))
        self.end_headers()
        self.wfile.write(data[first : last + 1])
        self.sent.append(last + 1 - first)

    def log_message(self, *_: object) -> None:
        """Keep silent."""


@pytest.fixture
def server(tmp_path, monkeypatch) -> Iterator[tuple[str, Path, list[int]]]:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    sent: list[int] = []
    handler = partial(_Ranges, directory=str(tmp_path), sent=sent)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as served:
        thread = threading.Thread(target=served.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{served.server_port}", tmp_path, sent
        served.shutdown()
        thread.join()


def test_a_cog_is_read_window_by_window(server):
    url, folder, sent = server
    geobox = make_geobox("EPSG:3995", 1000, bounds=(0, 0, 2_048_000, 2_048_000))
    values = np.random.default_rng(0).normal(size=geobox.shape).astype("float32")
    write_tif(folder / "field.tif", values, geobox, driver="COG", compress="deflate")
    target = make_geobox("EPSG:3995", 1000, bounds=(700_000, 700_000, 900_000, 800_000))
    brought = onto(open_grid(f"{url}/field.tif"), target).compute(scheduler="synchronous")
    np.testing.assert_array_equal(brought, values[1248:1348, 700:900])
    assert 0 < sum(sent) < 0.4 * (folder / "field.tif").stat().st_size


def test_what_is_missing_or_damaged_there_is_named_without_its_key(server):
    url, folder, _ = server
    with pytest.raises(PermagridError, match=r"127\.0\.0\.1:\d+/none\.tif: cannot be opened") as caught:
        open_grid(f"{url.replace('//', '//me:secret@')}/none.tif?signature=abc")
    assert "secret" not in str(caught.value)
    assert "abc" not in str(caught.value)
    geobox = make_geobox("EPSG:3995", 1000, bounds=(0, 0, 256_000, 256_000))
    values = np.random.default_rng(0).normal(size=geobox.shape).astype("float32")
    path = write_tif(folder / "cut.tif", values, geobox, tiled=True, blockxsize=64, blockysize=64)
    path.write_bytes(path.read_bytes()[:-40_000])
    with pytest.raises(PermagridError, match=r"cut\.tif: cannot be read"):
        onto(open_grid(f"{url}/cut.tif"), geobox).compute(scheduler="synchronous")


def test_zarr_by_http(server):
    pytest.importorskip("aiohttp", reason="Zarr by http needs aiohttp")
    url, folder, _ = server
    dims = ("lat", "lon")
    coords = {"lat": GLOBE.coords["latitude"].values, "lon": GLOBE.coords["longitude"].values}
    xr.Dataset({"field": (dims, smooth_grid(GLOBE).values)}, coords).to_zarr(folder / "field.zarr")
    np.testing.assert_array_equal(open_grid(f"{url}/field.zarr").values, smooth_grid(GLOBE).values)
    with pytest.raises(PermagridError, match=r"none\.zarr: cannot be opened"):
        open_grid(f"{url}/none.zarr")


@pytest.mark.skipif(find_spec("aiohttp") is not None, reason="aiohttp is installed")
def test_zarr_by_http_says_what_it_needs(server):
    with pytest.raises(PermagridError, match="needs fsspec and aiohttp"):
        open_grid(f"{server[0]}/field.zarr")
