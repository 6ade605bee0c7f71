"""The benchmark, ``make bench``: how long the main job takes, cold and unchanged, and how rendering grows.

It never passes or fails by time; it fails where a run breaks or an unchanged one changes something.
"""

from __future__ import annotations

import sys

from tests.support.project import ROOT

sys.path.insert(0, str(ROOT / "playbooks" / "module_utils"))
