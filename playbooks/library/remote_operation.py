#!/usr/bin/python
"""Ansible module ``remote_operation``: one of stackwright.output.remote_operations on the host of an environment.

Parameters: ``operation``, its name; ``arguments``, packed as there: they may hold secrets, so they are never shown.
Returns ``answer``. Used by the action plugins for hosts that are not this machine.
"""

from __future__ import annotations

import sys

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.stackwright.images.sbom.packages import SbomError
from ansible.module_utils.stackwright.output.manifest import TreeError
from ansible.module_utils.stackwright.output.remote_operations import OPERATIONS, unpack
from ansible.module_utils.stackwright.runtimes.compose.engine import SilentEngineError

OLDEST_PYTHON = (3, 11)


def main() -> None:
    """Answer."""
    module = AnsibleModule(
        argument_spec={
            "operation": {"type": "str", "required": True, "choices": list(OPERATIONS)},
            "arguments": {"type": "str", "required": True, "no_log": True},
        },
        supports_check_mode=True,
    )
    if sys.version_info < OLDEST_PYTHON:
        here = ".".join(str(part) for part in sys.version_info[:2])
        module.fail_json(
            msg=f"Python 3.11 or newer is needed here, and {sys.executable} is {here}: install one "
            "and name it in the inventory as ansible_python_interpreter"
        )
    try:
        answer = OPERATIONS[module.params["operation"]](**unpack(module.params["arguments"]))
    except SbomError as failed:
        module.fail_json(msg=str(failed), output=failed.output)
    except (TreeError, SilentEngineError) as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"{error.filename}: {error.strerror}")
    module.exit_json(changed=False, answer=answer)


if __name__ == "__main__":
    main()
