"""The mirror is asked for newer packages from inside of a stand-in."""

from __future__ import annotations

import re

import pytest
from stackwright.images.outdated import debian_lines

from tests.stack.containers import base_images, docker, new_name

pytestmark = pytest.mark.docker
OLDER = (
    "sed -i '/^Package: base-files$/,/^Version/s/^Version.*/Version: 12.1/' /var/lib/dpkg/status"
)


def test_an_older_package_is_named_and_an_unreachable_mirror_is_said() -> None:
    stand_in, older, cut_off = base_images()["debian"], f"{new_name()}:older", f"{new_name()}:cut"
    elsewhere = "sed -i 's#://[^/]*/#://127.0.0.1:9/#' /etc/apt/sources.list"
    try:
        for image, script in ((older, OLDER), (cut_off, elsewhere)):
            name = new_name()
            docker("run", "--name", name, stand_in, "sh", "-c", script)
            docker("commit", name, image)
            docker("rm", name)
        lines = debian_lines([older, cut_off])
    finally:
        docker("image", "rm", older, cut_off, check=False)
    assert any(re.search(rf"^  {older} +[1-9]\d* behind$", line) for line in lines), lines
    assert any(re.search(r"base-files  12\.1 -> 12\.\d", line) for line in lines), lines
    assert re.search(rf"{cut_off} +not known: [WE]: ", lines[-1]), lines
