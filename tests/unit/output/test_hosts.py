"""Another machine answers the same questions as this one, in plain data, with no more than Python's standard library."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from stackwright import layout
from stackwright.images.sbom.packages import Package, SbomError
from stackwright.output.hosts import Host, HostError, RemoteHost, address_of, is_remote
from stackwright.output.remote_operations import OPERATIONS, unpack
from stackwright.rendering.files import RenderedFile
from stackwright.rendering.prepare import make_choices, prepare
from stackwright.runtimes.base import from_here
from stackwright.runtimes.compose.engine import Engine
from stackwright.settings.problems import RefusedError

from tests.support.project import ROOT, tree
from tests.support.resolving import dev_values

FILES = {
    "docker-compose.yml": RenderedFile(b"one\n"),
    "app/api/run": RenderedFile(b"#!/bin/sh\n\xff\n", 0o755),
    "env/api.env": RenderedFile("DB_PASSWORD=schön und geheim\n".encode(), 0o600),
}
ON_HOST = (
    "build_images",
    "explain_failure",
    "verify_environment",
    "remote_operation",
)
CHOICES = {"runtime": "compose", "base_images": "distro"}


def carried(module: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """A connection: what passes it is JSON, in both directions."""
    assert module == "remote_operation"
    given = json.loads(json.dumps(arguments))
    answer = OPERATIONS[given["operation"]](**unpack(given["arguments"]))
    return {"answer": json.loads(json.dumps(answer))}


REMOTE = RemoteHost("shop-host (192.0.2.7)", carried)


@pytest.mark.parametrize("host", [Host(), REMOTE], ids=["here", "there"])
def test_files_are_written_all_together_and_a_second_time_nothing_is(
    host: Host, tmp_path: Path
) -> None:
    record = {"environment": "shop", "project": "shop"}
    before = host.apply(tmp_path / "shop", FILES, record, diff=True, hidden=["schön und geheim"])
    assert (before.changed, before.is_noop, before.recorded) == (sorted(FILES), False, False)
    assert "geheim" not in json.dumps(before.diff, ensure_ascii=False)
    assert not (tmp_path / "shop").exists()
    assert host.apply(tmp_path / "shop", FILES, record, write=True).error == ""
    written = tree(tmp_path / "shop")
    assert {path: written[path] for path in FILES} == {p: f.content for p, f in FILES.items()}
    assert (tmp_path / "shop/app/api/run").stat().st_mode & 0o777 == 0o755
    after = host.apply(tmp_path / "shop", FILES, record)
    assert (after.is_noop, after.recorded) == (True, True)
    rendered = host.rendered(tmp_path / "shop")
    assert (rendered["record"], rendered["running"], rendered["present"]) == (record, [], [])
    (tmp_path / "shop/env/api.env").write_text("by hand")
    assert host.apply(tmp_path / "shop", FILES, record).edited == ["env/api.env"]


@pytest.mark.parametrize("host", [Host(), REMOTE], ids=["here", "there"])
def test_a_folder_that_cannot_be_written_is_told(host: Host, tmp_path: Path) -> None:
    (tmp_path / "shop").write_text("a file in the way")
    applied = host.apply(tmp_path / "shop", FILES, {}, write=True)
    assert applied.error
    assert not applied.partial
    assert applied.error_path.startswith(str(tmp_path / "shop"))


def test_engine_and_images_are_asked_for_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert REMOTE.engine() == Host().engine()
    monkeypatch.setenv("PATH", "/nowhere")  # no client, so no engine and no images
    assert REMOTE.images_present(["localhost/stackwright-no-such-image:1"]) == set()


def test_no_answer_names_the_host_and_a_missing_bill_its_image() -> None:
    silent = RemoteHost("shop-host", lambda name, arguments: {"failed": True, "msg": "no Python"})
    with pytest.raises(HostError, match="shop-host: no Python"):
        silent.engine()
    broken = RemoteHost("shop-host", lambda name, arguments: {"failed": True, "output": "gone"})
    with pytest.raises(SbomError, match="packages in shop:1") as failed:
        broken.packages_of("shop:1")
    assert failed.value.output == "gone"


def test_packages_come_back_as_they_were() -> None:
    package = {"kind": "deb", "name": "a", "version": "1", "licences": ["MIT"]}
    host = RemoteHost("shop-host", lambda name, arguments: {"answer": [package]})
    assert host.packages_of("shop:1") == [Package("deb", "a", "1", ("MIT",))]


@pytest.mark.parametrize(
    ("variables", "remote"),
    [
        ({"ansible_connection": "local"}, False),
        ({"ansible_connection": "ssh"}, True),
        ({"ansible_host": "192.0.2.7"}, True),
    ],
)
def test_a_host_is_this_machine_only_where_the_inventory_says_so(
    variables: dict[str, str], remote: bool
) -> None:
    assert is_remote(variables) is remote
    assert address_of({"inventory_hostname": "shop", **variables}) in ("192.0.2.7", "shop")


@pytest.mark.parametrize("module", ON_HOST)
def test_what_runs_on_a_host_needs_no_package_but_ansibles_own(module: str) -> None:
    program = f"""
import importlib.util, sys, types
sys.path.insert(0, {str(ROOT / "playbooks/module_utils")!r})
ansible, utils, basic = (types.ModuleType(name) for name in
    ("ansible", "ansible.module_utils", "ansible.module_utils.basic"))
basic.AnsibleModule = None
utils.__path__ = [{str(ROOT / "playbooks/module_utils")!r}]
sys.modules |= {{module.__name__: module for module in (ansible, utils, basic)}}
spec = importlib.util.spec_from_file_location("tried", {str(ROOT / f"playbooks/library/{module}.py")!r})
spec.loader.exec_module(importlib.util.module_from_spec(spec))
"""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


class TestPreparing:
    def test_another_machine_gets_what_its_images_are_built_of(self, tmp_path: Path) -> None:
        bundle = tmp_path / "authorities.pem"
        bundle.write_text("certificates")
        values = dev_values(build_ca_bundle=str(bundle), stack_output_dir="/opt/stackwright/dev")
        files = prepare(values, CHOICES, remote=True).files
        assert files["app/api/Dockerfile"].mode == 0o644
        assert files["app/database/entrypoint"].mode == 0o755
        assert "app/base/build" in files
        assert "app/edge/Dockerfile" not in files
        assert files["build/ca_bundle.crt"].content == b"certificates"
        assert not [path for path in files if "embedded" in path]
        text = files["docker-compose.yml"].content.decode()
        assert 'context: "./app/api"' in text
        assert "file: ./build/ca_bundle.crt" in text.replace('"', "")
        assert str(layout.PROJECT) not in text

    def test_sources_stay_here_where_the_host_is_this_machine_and_stand_ins_where_none_is_used(
        self,
    ) -> None:
        assert not [path for path in prepare(dev_values(), CHOICES).files if "Dockerfile" in path]
        values = dev_values(stack_output_dir="/opt/stackwright/dev", build_ca_bundle="")
        files = prepare(values, CHOICES | {"base_images": "registry"}, remote=True).files
        assert "app/api/Dockerfile" in files
        assert not [path for path in files if path.startswith(("app/base", "build/"))]

    def test_what_cannot_run_there_is_refused_with_the_way_out(self) -> None:
        engine = Engine(True, "Docker Engine 24.0 with Compose 2.20 answers", "24.0", "2.20")
        values = dev_values(base_images="distro")
        choices = make_choices(values, engine, REMOTE)
        assert choices["runtime"] == "compose"
        assert choices["runtime_reason"].startswith("on shop-host (192.0.2.7) Docker Engine")
        none = replace(engine, usable=False, reason="there is no docker client")
        with pytest.raises(RefusedError, match="`make engine ENV=dev` installs"):
            make_choices(values, none, REMOTE)
        with pytest.raises(RefusedError, match="ansible_become: true"):
            make_choices(values, replace(none, denied=True), REMOTE)
        with pytest.raises(RefusedError, match="runs on this machine only"):
            make_choices(values | {"stack_runtime": "embedded"}, engine, REMOTE)


@pytest.mark.parametrize(
    ("address", "url", "bound", "expected"),
    [
        ("", "http://localhost:5000", "127.0.0.1", ("http://localhost:5000", "", "")),
        ("srv", "http://localhost:5000", "0.0.0.0", ("http://srv:5000", "", "")),
        ("srv", "http://localhost:5000", "127.0.0.1",
         ("http://localhost:5000", "", "ssh -L 5000:127.0.0.1:5000 srv")),
        ("srv", "https://prod.localhost:5543", "0.0.0.0",
         ("https://prod.localhost:5543", " --connect-to ::srv:", "")),
        ("srv", "https://tasks.example.com", "0.0.0.0", ("https://tasks.example.com", "", "")),
    ],
)  # fmt: skip
def test_the_summary_says_how_to_reach_it_from_here(
    address: str, url: str, bound: str, expected: tuple[str, str, str]
) -> None:
    found = from_here(address, {"url": url, "published": [{"address": bound}]})
    assert (found["url"], found["options"], found["tunnel"]) == expected
