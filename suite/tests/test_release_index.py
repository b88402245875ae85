"""What is read from an index: parts of wheels or whole ones, by the real pip, from a server on this machine."""

from __future__ import annotations

import io
import os
import shutil
from pathlib import Path

import pytest

from suite.releases import cache, index
from suite.releases.fetch import fetch
from suite.releases.index import FALLBACK, PipIndex, available
from suite.shared import user_pip
from suite.shared.remote_file import RemoteFile, Traffic, opener
from suite.tests import fake_index
from suite.tests.fake_server import PASSWORD, USER, Index, running

RELEASES = ("9.0.0", "9.1.0")


@pytest.fixture(autouse=True)
def only_our_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty cache, pip without the settings of this machine, no proxy, and one version of Python to ask for."""
    for name in [name for name in os.environ if name.startswith("PIP_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setattr(index, "PYTHONS", ("3.10",))


def use(monkeypatch: pytest.MonkeyPatch, server: Index) -> None:
    """Let pip find this index."""
    monkeypatch.setenv("PIP_INDEX_URL", server.url)


def configure(monkeypatch: pytest.MonkeyPatch, path: Path, server: Index, settings: str) -> None:
    """Write a configuration file for pip with this index and further settings."""
    path.write_text(f"[global]\nindex-url = {server.url}\n{settings}\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(path))


def fetched(warnings: list[str] | None = None, waits: tuple[float, ...] = ()) -> tuple[dict[str, str], Traffic]:
    """Fetch RELEASES from the configured index: the reasons of failures, and what was counted."""
    source = PipIndex((warnings if warnings is not None else []).append)
    failed = fetch(RELEASES, getter=source.files, waits=waits)
    return failed, source.traffic


@pytest.mark.slow
def test_three_files_are_read_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both releases come by range requests, a small share of the wheels' bytes, and every byte is counted."""
    warnings: list[str] = []
    with running(*RELEASES) as server:
        use(monkeypatch, server)
        failed, traffic = fetched(warnings)
    assert (failed, warnings) == ({}, [])
    assert [cache.read(release) for release in RELEASES] == [fake_index.contents(release) for release in RELEASES]
    pages = [size for path, _, size in server.answers if path.endswith("/simple/torch/")]
    assert len(pages) == 1
    assert traffic.bytes == server.sent(206) + sum(pages)
    assert traffic.requests == len(server.answers)
    assert server.sent(206) < 0.25 * sum(map(len, server.wheels.values()))


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["whole", "wrong part", "short", "other bytes", "broken"])
def test_a_server_without_ranges_costs_the_whole_wheel(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where parts fail in any way, pip downloads the wheel: one warning, before it, says so; the files are right."""
    warnings: list[str] = []
    with running(*RELEASES, mode=mode) as server:
        use(monkeypatch, server)
        failed, traffic = fetched(warnings)
    assert failed == {}
    assert [cache.read(release) for release in RELEASES] == [fake_index.contents(release) for release in RELEASES]
    (line,) = warnings
    assert "wheel cannot be read in parts (" in line
    assert line.endswith("): downloading whole wheels, 43 to 140 MB each")
    assert traffic.bytes > sum(map(len, server.wheels.values()))


@pytest.mark.parametrize("mode", ["ranges", "whole", "wrong part", "short", "other bytes", "broken"])
def test_parts_are_right_or_refused(mode: str) -> None:
    """A wheel is read in three requests of known size; any other answer of the server is an error."""
    traffic = Traffic()
    with running(RELEASES[0], mode=mode) as server:
        (name,) = server.wheels
        url = server.url.replace("simple", name)
        if mode == "ranges":
            file = io.BufferedReader(RemoteFile(url, opener({}), traffic))
            assert index.extract(file) == fake_index.contents(RELEASES[0])
            file.seek(0, io.SEEK_END)
            assert file.read(10) == b""
            assert file.seek(-3, io.SEEK_END) == len(server.wheels[name]) - 3
            assert file.read() == server.wheels[name][-3:]
            assert (traffic.requests, traffic.bytes) == (len(server.answers), server.sent(206))
            assert traffic.requests <= 3
        else:
            with pytest.raises(index.UNREADABLE):
                index.extract(io.BufferedReader(RemoteFile(url, opener({}), traffic)))


@pytest.mark.slow
def test_a_broken_connection_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """One lost connection does not cost a whole wheel."""
    warnings: list[str] = []
    with running(RELEASES[0], mode="breaks once") as server:
        use(monkeypatch, server)
        assert fetch(RELEASES[:1], getter=PipIndex(warnings.append).files, waits=()) == {}
    assert warnings == []


@pytest.mark.slow
def test_wheels_on_this_machine_are_read_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of wheels (find-links) needs no request and no copy."""
    for release in RELEASES:
        fake_index.wheel(release, tmp_path)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", tmp_path.as_uri())
    monkeypatch.setattr(PipIndex, "download", None)
    failed, traffic = fetched()
    assert failed == {}
    assert traffic.bytes == 0


#: Settings with which pip refuses to download one wheel, and its words for that.
SETTINGS = {
    ("constraint", "{file}"): "pip said: ResolutionImpossible",
    ("requirement", "{file}"): "pip said: ",
    ("require-hashes", "true"): "pip said: ",
}


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["ranges", "whole"])
@pytest.mark.parametrize("setting", SETTINGS, ids=" ".join)
def test_settings_for_installs_do_not_matter(
    setting: tuple[str, str], mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A constraint, a requirement or required hashes in pip's configuration stop no fetch, of parts or of wheels."""
    (tmp_path / "file").write_text("torch<2\n")
    with running(*RELEASES, mode=mode) as server:
        configure(monkeypatch, tmp_path / "pip.conf", server, " = ".join(setting).format(file=tmp_path / "file"))
        failed, _ = fetched()
    assert failed == {}


@pytest.mark.slow
@pytest.mark.parametrize("setting", SETTINGS, ids=" ".join)
def test_such_settings_stop_pip_itself(
    setting: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test above can fail: without our overrides pip refuses, and the line holds pip's own words."""
    (tmp_path / "file").write_text("torch<2\n")
    monkeypatch.setattr(user_pip, "NEUTRAL", {})
    name, value = setting
    monkeypatch.setenv(f"PIP_{name.upper().replace('-', '_')}", value.format(file=tmp_path / "file"))
    with running(*RELEASES, mode="whole") as server:
        use(monkeypatch, server)
        failed, _ = fetched()
    assert list(failed) == list(RELEASES)
    for release, line in failed.items():
        assert line.startswith(f"release={release} could not be fetched; ")
        assert SETTINGS[setting] in line


@pytest.mark.slow
def test_a_broken_configuration_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A configuration file that pip cannot read is named, in pip's words."""
    (tmp_path / "pip.conf").write_text("no section\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    failed, _ = fetched()
    for line in failed.values():
        assert "could not be fetched; pip said: Configuration file could not be loaded" in line
        assert str(tmp_path / "pip.conf") in line
    assert list(failed) == list(RELEASES)


@pytest.mark.slow
def test_passwords_are_used_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """An index with a password in its URL is read by pip; the password appears in no line."""
    warnings: list[str] = []
    with running(*RELEASES, private=True) as server:
        use(monkeypatch, server)
        failed, _ = fetched(warnings)
    assert failed == {}
    assert {status for path, status, _ in server.answers if path.endswith(".whl")} <= {200, 401}
    shutil.rmtree(cache.root())
    with running(private=True) as empty:
        use(monkeypatch, empty)
        failed, _ = fetched(warnings)
    assert list(failed) == list(RELEASES)
    assert PASSWORD not in " ".join([*warnings, *failed.values()])


@pytest.mark.slow
def test_no_index_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing answers at the index's address, each release says so, and the committed list is used."""
    with running() as server:
        use(monkeypatch, server)
    failed, traffic = fetched()
    assert failed == {r: f"release={r} could not be fetched: pip cannot reach its index" for r in RELEASES}
    assert traffic.bytes == 0
    assert available() == (FALLBACK, False)


@pytest.mark.slow
def test_pip_settings_reach_the_requests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy of pip's configuration is asked, and a certificate that cannot be read is an error, not ignored."""
    with running(*RELEASES) as server:
        configure(monkeypatch, tmp_path / "pip.conf", server, f"proxy = {server.url}\ncert = {tmp_path / 'none.pem'}")
        settings = user_pip.network_settings()
        assert settings == {"proxy": server.url, "cert": str(tmp_path / "none.pem")}
        with pytest.raises(FileNotFoundError):
            opener(settings)
        del settings["cert"]
        file = RemoteFile("http://nowhere.invalid/torch-9.0.0-py3-none-any.whl", opener(settings), Traffic())
    assert file.size == len(server.wheels["torch-9.0.0-py3-none-any.whl"])
    assert server.answers[-1][0] == "http://nowhere.invalid/torch-9.0.0-py3-none-any.whl"


@pytest.mark.slow
def test_variables_come_before_configuration_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PIP_CERT overrides the file's cert, which overrides the variable that requests reads."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "third")
    assert user_pip.network_settings() == {"cert": "third"}
    (tmp_path / "pip.conf").write_text("[global]\ncert = second\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    assert user_pip.network_settings() == {"cert": "second"}
    monkeypatch.setenv("PIP_CERT", "first")
    assert user_pip.network_settings() == {"cert": "first"}


def test_links_with_credentials_are_left_to_pip() -> None:
    """pip shows stars in place of a password, so such a link cannot be used; pre-releases are no releases."""
    text = "\n".join(
        f"  Found link http://{host}/torch-{version}-any.whl#sha256=0 (from http://{host}/), version: {version}"
        for host, version in ((f"{USER}:****@host", "9.0.0"), ("host", "9.1.0"), ("host", "9.2.0rc1"))
    )
    assert user_pip.parse_links(text) == {"9.1.0": "http://host/torch-9.1.0-any.whl"}


def test_without_an_index_the_committed_list_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where pip lists nothing, the releases are those of the committed list and the cached ones."""
    monkeypatch.setattr(index, "_listed", lambda python: "")
    fetch(["9.0.0"], getter=fake_index.files)
    assert available() == ((*FALLBACK, "9.0.0"), False)
    assert available(offline=True) == available()
    monkeypatch.setattr(index, "_listed", lambda python: "Available versions: 3.0.0, 2.15.0")
    assert available() == (("2.15.0", "3.0.0", "9.0.0"), True)
