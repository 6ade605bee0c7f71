"""The benchmarks. ``make bench``: how long the main job takes, cold and unchanged, and how rendering grows;
``make bench-api`` (the package `api`): how many requests the API answers, beside its peers.

They never pass or fail by time; they fail where a run breaks, an unchanged one changes something, or an answer is wrong.
"""

from __future__ import annotations

import sys

from tests.support.project import ROOT

sys.path.insert(0, str(ROOT / "playbooks" / "module_utils"))
