#!/usr/bin/python
"""Ansible module ``compose_down``: stop and remove an environment's containers and networks; data are kept.

Parameters: ``output_dir``, the folder with docker-compose.yml; ``project``, the Compose project. Returns ``lines``,
what was done by name. Fails naming what is left.
"""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.stackwright.runtimes.compose.down import NotDownError, take_down


def main() -> None:
    """Take it down."""
    module = AnsibleModule(
        argument_spec={
            "output_dir": {"type": "path", "required": True},
            "project": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    try:
        lines = take_down(module.params["output_dir"], module.params["project"], module.check_mode)
    except (NotDownError, OSError) as failed:
        module.fail_json(msg=str(failed), explained=True)
    module.exit_json(changed=bool(lines), lines=lines or ["there was nothing to stop"])


if __name__ == "__main__":
    main()
