#!/usr/bin/python
"""Ansible module ``check_owner``: refuse to touch containers that another checkout started.

Parameters: ``environment``; ``project``, the Compose project; ``output_dir``, the folder it has to have been started
from; ``adopt``, to take it over. Changes nothing. Returns ``foreign``, the containers that are taken over.
"""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.stackwright.runtimes.ownership import (
    EngineError,
    foreign_containers,
    refusal,
)


def main() -> None:
    """Compare labels with the folder."""
    module = AnsibleModule(
        argument_spec={
            "environment": {"type": "str", "required": True},
            "project": {"type": "str", "required": True},
            "output_dir": {"type": "str", "required": True},
            "adopt": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    given = module.params
    try:
        foreign = foreign_containers(given["project"], given["output_dir"])
    except EngineError as error:
        module.fail_json(
            msg=f"whose the Compose project {given['project']} is cannot be asked: {error}",
            explained=True,
        )
    if foreign and not given["adopt"]:
        where = (given["environment"], given["project"], given["output_dir"])
        module.fail_json(msg=refusal(*where, foreign), explained=True)
    module.exit_json(changed=False, foreign=sorted(foreign))


if __name__ == "__main__":
    main()
