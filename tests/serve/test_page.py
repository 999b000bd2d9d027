"""A page's folder is served with the headers that allow threads, to its owner and to nobody else."""

import httpx
import pytest
from packed import small_pack
from starlette.testclient import TestClient

from netsuke import export
from netsuke.errors import StoreError
from netsuke.serve import is_page, serve_page
from netsuke.serve.page import Page

SECRET = "s" * 22


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    room = tmp_path_factory.mktemp("page")
    export.form("html folder").write(small_pack(room / "pack"), room / "page")
    return room / "page"


@pytest.fixture
def client(folder):
    return TestClient(Page(folder, secret=SECRET, port=8177), base_url="http://127.0.0.1:8177")


def test_its_files_are_served_with_the_headers(client, folder):
    for name, kind in (("", "text/html"), ("index.html", "text/html"), ("wllama.wasm", "application/wasm"),
                       ("model.gguf", "application/octet-stream")):  # fmt: skip
        answer = client.get(f"/{SECRET}/{name}")
        assert answer.status_code == 200 and answer.headers["content-type"].startswith(kind)
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert answer.headers["cross-origin-embedder-policy"] == "require-corp"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.content == (folder / (name or "index.html")).read_bytes()
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("path", [
    "/", "/index.html", "/model.gguf", f"/{SECRET[:-1]}/", f"/{SECRET}x/", f"/{SECRET}", f"/{SECRET}/../pack/card.md",
    f"/{SECRET}/%2e%2e/pack/card.md", f"/{SECRET}//model.gguf", f"/{SECRET}/other", f"/{SECRET}/\u00fc",
])  # fmt: skip
def test_nothing_else_is(client, path):
    assert client.get(path).status_code == 404


def test_it_only_gives(client):
    for method in ("POST", "PUT", "DELETE"):
        assert client.request(method, f"/{SECRET}/").status_code == 404


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1:9999", "127.0.0.1.nip.io:8177", ""])
def test_a_rebound_name_is_refused(client, host):
    assert client.get(f"/{SECRET}/", headers={"Host": host}).status_code == 421


def test_another_folder_is_no_page(tmp_path, folder):
    assert is_page(folder) and not is_page(tmp_path)
    with pytest.raises(StoreError, match="no page"):
        serve_page(tmp_path)



def test_it_runs_until_it_is_told_to_stop(folder, tmp_path):
    import signal
    import subprocess
    import sys

    from served import free_port

    port = free_port()
    command = [sys.executable, "-m", "netsuke", "serve", str(folder), "--port", str(port)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        address = server.stderr.readline().strip()
        assert address.startswith(f"http://127.0.0.1:{port}/") and len(address) > 40
        with httpx.Client(trust_env=False) as client:
            assert client.get(address).status_code == 200
            assert client.get(f"http://127.0.0.1:{port}/").status_code == 404
        server.send_signal(signal.SIGINT)
        assert server.wait(10) == 0
