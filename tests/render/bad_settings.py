"""The table of settings that must be refused: what is written, what is named, why, and what must not be repeated."""

from __future__ import annotations

from dataclasses import dataclass

from tests.support.project import like_dev

# Beside each case: an environment that is fine but for the case itself.
FINE = f"---\n{like_dev('for-tests-only')}"


@dataclass(frozen=True)
class Case:
    """``settings`` go to line 2 and on of the environment's main.yml; ``value`` may show up in no message."""

    name: str
    settings: str
    setting: str
    reason: str
    fix: str = "allowed is "
    value: str = ""


def _ports() -> list[Case]:
    whole = "is text where integer is needed"
    odd = "has a number that is not written in plain decimal digits"
    return [
        Case("port_zero", "api_port: 0", "api_port", "is too small", "from 1 to 65535"),
        Case("port_negative", "api_port: -5000", "api_port", "is too small", value="-5000"),
        Case("port_beyond", "api_port: 65536", "api_port", "is too large", value="65536"),
        Case("port_mapping", 'api_port: "0:80"', "api_port", whole, "without a colon", "0:80"),
        Case("port_sexagesimal", "api_port: 56:22", "api_port", odd, value="3382"),
        Case("port_octal", "db_port: 0123", "db_port", odd, value="0123"),
        Case("port_hexadecimal", "cache_port: 0x1F90", "cache_port", odd, value="8080"),
        Case("port_underscore", "api_port: 50_00", "api_port", odd, value="50_00"),
        Case("port_quoted", 'api_port: "5044"', "api_port", whole, "without quotes", "5044"),
        Case("port_float", "db_port: 5432.0", "db_port", "is a number where integer is needed", value="5432"),
        Case("port_boolean", "api_port: yes", "api_port", "is yes/no where integer is needed"),
        Case("port_list", "api_port: [5044]", "api_port", "is a list where integer is needed", value="5044"),
        Case("host_port_octal", "stack_services: {a: {title: A, enabled: true, needs: [], secrets: [], image: a, "
             "user: '1:1', host_ports: [010]}}", "stack_services", odd),
        Case("replica_ports", "api_port: 65535\napi_replicas: 2\nembedded_db_port: 1000\nembedded_cache_port: 1001",
             "stack_services.api-web.host_ports[1]", "is too large"),
    ]  # fmt: skip


def _emptiness() -> list[Case]:
    return [
        Case("null_value", "api_port:", "api_port", "is empty"),
        Case("null_tilde", "db_name: ~", "db_name", "is empty"),
        Case("empty_text", 'db_name: ""', "db_name", "is empty"),
        Case("empty_secret", 'db_password: ""', "db_password", "is empty"),
        Case("undefined", 'db_name: "{{ nowhere }}"', "db_name", "'nowhere' is undefined", "define it"),
        Case("undefined_inside", 'stack_labels: {a: "{{ nowhere }}"}', "stack_labels", "'nowhere' is undefined",
             "define it"),
        Case("broken_template", 'db_name: "{{ 1 +"', "db_name", "is a template that does not resolve", "!unsafe"),
        Case("endless_template", 'db_name: "{{ db_name }}"', "db_name", "is a template that does not resolve",
             "correct the template"),
        Case("empty_catalogue", "stack_services: {}", "stack_services", "is empty"),
    ]  # fmt: skip


def _kinds() -> list[Case]:
    form = "has a form that is not allowed"
    return [
        Case("unknown_key", "api_prot: 5044", "api_prot", "is no setting", "did you mean api_port?", "5044"),
        Case("unknown_word", "zzzzzzzz: 5044", "zzzzzzzz", "is no setting", "remove it", "5044"),
        Case("memory_plain", 'api_memory: "512"', "api_memory", form, "such as 256m", "512\n"),
        Case("memory_number", "api_memory: 512", "api_memory", "is a number where string is needed", "such as 256m"),
        Case("memory_unit", "api_memory: 512MB", "api_memory", form, "k, m or g", "512MB"),
        Case("memory_zero", "api_memory: 0m", "api_memory", form, "k, m or g"),
        Case("memory_small", "db_memory: 8m", "db_memory", "is below 64m, with which the service cannot start",
             "set at least 64m"),
        Case("memory_cache", "cache_max_data: 128m", "cache_max_data", "is not below cache_memory",
             "half of cache_memory"),
        Case("cpus_nan", "api_cpus: .nan", "api_cpus", "is no finite number"),
        Case("cpus_infinite", "api_cpus: .inf", "api_cpus", "is too large"),
        Case("cpus_octal", "api_cpus: 010", "api_cpus", "is not written in plain decimal digits"),
        Case("cpus_zero", "api_cpus: 0", "api_cpus", "is too small", "from 0.01 to 64"),
        Case("cpus_below_docker", "db_cpus: 0.0001", "db_cpus", "is too small", "from 0.01 to 64", "0.0001"),
        *(Case(f"memory_huge_{name}", f"{name}: 999999999999999g", name, "is too large", "1024g", "999999999999999g")
          for name in ("api_memory", "db_memory", "cache_memory", "edge_memory", "db_shm_size", "cache_max_data",
                       "stack_log_max_size")),
        Case("memory_below_docker", "edge_memory: 5m", "edge_memory", "is too small", "from 6m", "5m\n"),
        Case("memory_below_docker_in_k", "api_memory: 6143k", "api_memory", "is too small", "from 6m", "6143"),
        Case("ttl_zero", "cache_ttl_seconds: 0", "cache_ttl_seconds", "is too small", "from 1 to 86400"),
        Case("ttl_negative", "cache_ttl_seconds: -60", "cache_ttl_seconds", "is too small", value="-60"),
        Case("choice", "stack_runtime: podman", "stack_runtime", form, "auto, embedded, compose", "podman"),
        Case("boolean_text", 'secrets_strict: "no"', "secrets_strict", "is text where boolean is needed"),
        Case("date", "db_name: 2024-01-31", "db_name", "where string is needed", value="2024"),
        Case("number_for_text", "db_name: 42424", "db_name", "is a number where string is needed", value="42424"),
        Case("label_number", "stack_labels: {team: 42424}", "stack_labels.team", "is a number where string is needed",
             value="42424"),
        Case("label_null", "stack_labels: {team: }", "stack_labels.team", "is empty where string is needed"),
        Case("label_key", "stack_labels: {'Team!': a}", "stack_labels", "has the key 'Team!', of a form"),
        Case("variable_key", "api_environment: {'A B': x}", "api_environment", "has the key 'A B', of a form"),
        Case("variable_key_line", r'api_environment: {"A\n": x}', "api_environment", r"has the key 'A\n', of a form"),
        Case("variable_key_number", "api_environment: {1: x}", "api_environment", "does not read as text"),
        Case("variable_key_yes", "api_environment: {yes: x}", "api_environment", "does not read as text"),
        Case("variable_boolean", "api_environment: {A: no}", "api_environment.A", "is yes/no where string is needed",
             "quote numbers and yes/no"),
        Case("name_line", r'stack_project: "shop\n"', "stack_project", form),
        Case("user_line", r'db_user: "shop\nPOSTGRES_HOST_AUTH_METHOD=trust"', "db_user", form, value="trust"),
        Case("upper_case_project", "stack_project: Shop", "stack_project", form, "lower-case", "Shop"),
        Case("folder_relative", "stack_output_dir: ../elsewhere", "stack_output_dir", form, "absolute", "elsewhere"),
        Case("folder_dots", "stack_output_dir: /srv/../etc/shop", "stack_output_dir", "is not a plain path",
             "a folder of its own"),
        Case("folder_around", 'stack_output_dir: "{{ playbook_dir | dirname }}"', "stack_output_dir",
             "is the project's own folder or one around it", "a folder of its own"),
        Case("address", "api_bind_address: 127.0.0.256", "api_bind_address", "is no valid IPv4 form", "127.0.0.1",
             "256"),
        Case("subnet", "stack_network_subnet: 172.30.0.7/24", "stack_network_subnet", "is no valid IPv4 form",
             "172.30.0.0/24", "0.7"),
        *(Case(f"subnet_{text.translate(str.maketrans('./', '__'))}", f"stack_network_subnet: {text}", "stack_network_subnet", reason,
               "such as 172.30.0.0/24", text)
          for text, reason in (
              *((text, "has addresses that no container can have") for text in
                ("127.0.0.0/8", "0.0.0.0/0", "224.0.0.0/24", "240.0.0.0/24", "169.254.7.0/24", "0.1.0.0/16",
                 "96.0.0.0/3")),
              ("32.0.0.0/4", "is larger than a /8"))),
        Case("subnet_of_one", "stack_network_subnet: 172.30.0.7/32", "stack_network_subnet",
             "has room for 0 containers, and the environment has 3", "a larger one", "0.7/32"),
        Case("subnet_small", "stack_network_subnet: 172.30.0.0/29\napi_replicas: 4", "stack_network_subnet",
             "has room for 5 containers, and the environment has 6", "a larger one"),
        *(Case(f"network_{name}", f"stack_network: {name}", "stack_network", "is a name that Docker has taken",
               "take another, such as shop-network")
          for name in ("host", "bridge", "none", "default", "ingress", "docker_gwbridge")),
        *(Case(f"address_{text.replace('.', '_')}", f"api_bind_address: {text}", "api_bind_address",
               "is an address that no machine can have", "127.0.0.1, 0.0.0.0 or an address of the host", text)
          for text in ("224.0.0.1", "255.255.255.255", "0.0.0.1")),
        *(Case(f"folder_{number}", f"stack_output_dir: {folder}", "stack_output_dir", reason, "a folder of its own")
          for number, (folder, reason) in enumerate([
              *((folder, "is a folder of the system, or below one") for folder in
                ("/etc", "/etc/shop", "/usr/bin", "/usr", "/proc/x", "/sys/fs", "/dev", "/bin", "/lib/shop", "/var/lib",
                 "/home", "/home/somebody", "/tmp", "/var/run/shop", "/opt")),
              *((f'"{{{{ playbook_dir | dirname }}}}/{folder}"', "is there for something else") for folder in
                ("templates", "app/api", "inventories", "playbooks/x", ".git", ".venv/shop", "generated", "elsewhere")),
          ])),
        Case("folder_percent", "stack_output_dir: '/srv/100%/shop'", "stack_output_dir",
             "has a %, with which Compose does not work", "without %, or set stack_runtime to embedded"),
        Case("ca_bundle_missing", "build_ca_bundle: /nowhere/ca.pem", "build_ca_bundle",
             "names a file that cannot be read: No such file", "correct the path, or leave it empty", "/nowhere"),
        Case("ca_bundle_folder", "build_ca_bundle: /etc", "build_ca_bundle",
             "names a file that cannot be read: Is a directory", "correct the path, or leave it empty"),
        Case("ca_bundle_other", "build_ca_bundle: /etc/passwd", "build_ca_bundle", "holds no certificate in PEM form",
             "root certificate", "/etc/passwd"),
        Case("database_template", "db_name: template1", "db_name", "PostgreSQL keeps for itself", "such as tasks_db"),
        Case("embedded_root", "embedded_user: root", "embedded_user", "is root, as whom PostgreSQL does not run",
             "such as nobody"),
        Case("mirror_password", "debian_mirror: http://me:swordfish@deb.example/debian", "debian_mirror", form,
             "without a user and password", "swordfish"),
        Case("image", "python_base_image: 'python; rm -rf /'", "python_base_image", form, value="rm -rf"),
    ]  # fmt: skip


def _texts() -> list[Case]:
    return [
        Case("secret_nul", r'db_password: "swordfish\0swordfish"', "db_password", "contains a control character",
             value="swordfish"),
        Case("secret_line", r'db_password: "swordfish\nDB_HOST=evil"', "db_password", "contains a control character",
             value="swordfish"),
        Case("secret_escape", r'db_password: "swordfish\x1b[2J"', "db_password", "contains a control character",
             value="swordfish"),
        Case("secret_c1", r'db_password: "swordfish\x85"', "db_password", "contains a control character",
             value="swordfish"),
        Case("secret_long", f"db_password: {'swordfish' * 60}", "db_password", "is too long", value="swordfish"),
        Case("secret_number", "db_password: 4815162342", "db_password", "is a number where string is needed",
             value="4815162342"),
        Case("value_nul", r'api_environment: {A: "a\0b"}', "api_environment", "contains a NUL character"),
        Case("label_nul", r'stack_labels: {a: "a\0b"}', "stack_labels", "contains a NUL character"),
    ]  # fmt: skip


SERVICE = (
    "title: Extra, enabled: true, needs: [], host_ports: [], user: '1000:1000', secrets: [], "
    "limits: {memory: 64m, cpus: 1, pids: 9}, health_test: ['NONE'], grace_seconds: 1"
)


def _together() -> list[Case]:
    return [
        Case("connections", "api_replicas: 4\napi_threads: 16", "db_max_connections",
             "leaves room for 90 API connections, and api_replicas x api_workers x (api_threads + 1) needs 136",
             "raise it to 146"),
        Case("processes", "api_workers: 3\napi_pids: 128", "api_pids",
             "is less than what api_workers x (2 x api_threads + 72) + 12 needs", "raise it to 252 or lower the others"),
        Case("delivery", "secrets_delivery: environment\nsecrets_strict: true", "secrets_delivery",
             "puts secrets into environment variables", "set it to file"),
        Case("roles_shared", "db_monitor_user: tasks_backup", "db_monitor_user", "is the same as db_backup_user",
             "its own name"),
        Case("role_reserved", "db_backup_user: pg_dump", "db_backup_user", "PostgreSQL keeps for itself",
             "such as tasks_backup"),
        Case("role_password", "db_app_password: another", "db_app_password", "differs from db_password",
             "{{ db_password }}"),
        Case("cache_user_taken", "cache_user: health", "cache_user", "is the user of the health check", "another name"),
        Case("cache_user_delivery", "cache_user: tasks_api", "secrets_delivery", "does not reach Redis", "set it to file"),
        Case("embedded_ports", "embedded_db_port: 5000", "embedded_db_port", "are not all different",
             "give each its own port"),
        Case("service_key", f"stack_services: {{extra: {{{SERVICE}, image: a, privileged: true}}}}",
             "stack_services.extra", "has the unknown key privileged", "services.yml"),
        Case("service_source", f"stack_services: {{extra: {{{SERVICE}}}}}", "stack_services.extra",
             "needs exactly one of image, base, build"),
        Case("service_root", f"stack_services: {{extra: {{{SERVICE.replace('1000:1000', '0:0')}, image: a}}}}",
             "stack_services.extra.user", "has a form that is not allowed"),
        Case("service_lacks", "stack_services: {extra: {title: Extra, image: a}}", "stack_services.extra",
             "lacks enabled, needs, host_ports, user, secrets, limits, health_test, grace_seconds"),
        Case("service_name", f"stack_services: {{Extra: {{{SERVICE}, image: a}}}}", "stack_services",
             "has the key Extra, of a form"),
        *(Case(f"service_named_{word}", f"stack_services: {{'{word}': {{{SERVICE}, image: a}}}}", "stack_services",
               f"has a service named {word}, which YAML reads as yes/no", "another name")
          for word in ("no", "yes", "on", "off", "true", "null")),
        Case("service_named_bare", f"stack_services: {{no: {{{SERVICE}, image: a}}}}", "stack_services",
             "has a key that YAML does not read as text (quote it, or take another word)"),
        Case("service_needs", f"stack_services: {{extra: {{{SERVICE.replace('needs: []', 'needs: [ghost]')}, "
             "image: a}}", "stack_services", "extra needs ghost, which is unknown", "enable ghost"),
        Case("service_circle", f"stack_services: {{extra: {{{SERVICE.replace('needs: []', 'needs: [extra]')}, "
             "image: a}}", "stack_services", "need each other: extra → extra", "break the circle"),
        Case("service_ports", f"stack_services: {{one: {{{SERVICE.replace('host_ports: []', 'host_ports: [81], container_ports: [80]')}, "
             f"image: a}}, two: {{{SERVICE.replace('host_ports: []', 'host_ports: [81], container_ports: [80]')}, image: a}}}}",
             "stack_services", "host port 81 is taken by one and two", "its own port"),
        Case("service_address", f"stack_services: {{extra: {{{SERVICE.replace('host_ports: []', 'host_ports: [81], container_ports: [80]')}, "
             "image: a}}", "stack_services.extra", "takes host ports and does not say at which address",
             "add host_address: 127.0.0.1"),
        Case("service_address_odd", f"stack_services: {{extra: {{{SERVICE.replace('host_ports: []', 'host_ports: [81], container_ports: [80]')}, "
             "image: a, host_address: 300.0.0.1}}", "stack_services.extra.host_address", "is no valid IPv4 form",
             "127.0.0.1", "300.0"),
        Case("service_pairs", f"stack_services: {{extra: {{{SERVICE.replace('host_ports: []', 'host_ports: [81, 82], container_ports: [80]')}, "
             "image: a, host_address: 127.0.0.1}}", "stack_services",
             "extra has 2 host_ports, 1 container_ports and 1 replicas", "one host port for each port"),
        Case("service_program", f"stack_services: {{api-web: {{{SERVICE}, image: a}}}}", "stack_services",
             "api-web has a program, templates/embedded/api-web.json.j2, and no embedded_port", "add its port"),
        Case("service_secret", f"stack_services: {{extra: {{{SERVICE.replace('secrets: []', 'secrets: [api_port]')}, "
             "image: a}}", "stack_services.extra.secrets", "names 'api_port', which is no secret setting",
             "db_password"),
        Case("service_folder", f"stack_services: {{extra: {{{SERVICE}, build: {{context: app/ghost, base: python, "
             "argument: BASE}}}", "stack_services", "extra is built from app/ghost, which has no Dockerfile",
             "write app/ghost/Dockerfile"),
        Case("app_folder_absent", "app_folder: app/ghost\napp_command: [python]", "app_folder",
             "names app/ghost, which is no folder of the project", "put the application there"),
        Case("app_folder_outside", "app_folder: ../ghost", "app_folder", "has a form that is not allowed",
             "no .. and no slash at either end"),
        Case("app_folder_bare", "app_folder: app\napp_command: [python]\nstack_runtime: compose", "app_folder",
             "names app, which has no Dockerfile", "write app/Dockerfile"),
        Case("app_source_absent", "app_source_folder: app/ghost\nstack_runtime: embedded", "app_source_folder",
             "names app/ghost, which is no folder of the project", "correct it"),
        Case("app_command_missing", "app_folder: app/base/python", "app_command",
             "is empty, so the embedded runtime cannot run the application", "set stack_runtime to compose"),
        Case("app_health_relative", "app_health_path: ready", "app_health_path", "has a form that is not allowed",
             "a path such as /livez", "'ready'"),
        Case("app_check_unnamed", "app_checks:\n  - {path: /}", "app_checks[0]", "lacks name", "{name: greeting"),
        Case("app_check_unknown", "app_checks:\n  - {name: a, path: /, answer: 200}", "app_checks[0]",
             "has the unknown key answer", "{name: greeting"),
        Case("app_check_method", "app_checks: [{name: a, path: /, method: FETCH}]", "app_checks[0].method",
             "has a form that is not allowed", "DELETE or OPTIONS", "FETCH"),
        Case("app_check_twice", "app_checks: [{name: a, path: /}, {name: a, path: /b}]", "app_checks",
             "has more than one check a", "give each its own name"),
        Case("app_check_head", "app_checks: [{name: a, path: /, method: HEAD, text: x}]", "app_checks",
             "has the check a, which expects a body in an answer to HEAD", "take GET"),
        Case("variable_reserved", "api_environment: {DB_PORT: '5433'}", "api_environment.DB_PORT",
             "is a variable that the stack gives the API itself", "remove it: db_port decides it", "5433"),
        Case("variable_reserved_file", "api_environment: {DB_HOST_FILE: /run/h}", "api_environment.DB_HOST_FILE",
             "is a variable that the stack gives the API itself", "the stack itself decides it", "/run/h"),
        *(Case(f"variable_{name.lower()}", f"api_environment: {{{name}: 127.0.0.1}}", f"api_environment.{name}",
               "is a variable that the stack gives the API itself", "the stack itself decides it")
          for name in ("API_HOST", "API_HOST_FILE", "PYTHONPATH", "PYTHONSAFEPATH")),
        Case("by_hand", "stack_environment: prod", "stack_environment", "is not the group's name, by_hand",
             "remove it"),
    ]  # fmt: skip


CASES = [*_ports(), *_emptiness(), *_kinds(), *_texts(), *_together()]
