"""Render every file of an environment in memory, from plain settings: no Ansible, no Docker, nothing written.

``templates/`` is laid out as the output is, except that partials (``services/``, ``service.yml.j2``) are only included.
What is below ``env/`` and ``config/<service>/`` is rendered where the environment has the service.
Undefined names are errors. What editors leave beside a template is none.
"""

from __future__ import annotations

import hashlib
import os
import sys
import traceback
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2

from .. import layout
from ..images.references import Image
from ..runtimes.embedded.staging import home_of
from ..runtimes.embedded.unprivileged import process_user
from ..secrets.tokens import PREFIX as TOKEN
from ..settings.catalogue import start_order
from ..settings.validation import size_in_bytes
from .ignored_files import is_leftover
from .postgres_options import postgres_options
from .quoting import FILTERS
from .rendered_file import PRIVATE, SECRET, RenderedFile

# Beside the compose file of a remote host.
# What a connection of a client, or a request of it that the API is asked, may take of the edge's memory: see its
# configuration.
EDGE_BYTES_PER_FILE = 256 * 1024
CA_BUNDLE = "build/ca_bundle.crt"


class RenderError(Exception):
    """A template that cannot be rendered; the message names template, line and reason."""


@lru_cache(maxsize=4)
def _jinja(templates: Path) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters |= FILTERS
    return environment


def _render(environment: jinja2.Environment, template: str, context: Mapping[str, Any]) -> bytes:
    try:
        return environment.get_template(template).render(context).encode()
    except jinja2.TemplateNotFound as error:
        raise RenderError(
            f"templates/{error.name} is missing (needed by templates/{template})"
        ) from None
    except jinja2.TemplateSyntaxError as error:
        raise RenderError(f"templates/{error.name}:{error.lineno}: {error.message}") from None
    except Exception as error:  # a template is code: it may raise whatever Python can
        kind = "" if isinstance(error, jinja2.TemplateError) else f"{type(error).__name__}: "
        place = _place_of(error, environment, template)
        raise RenderError(f"{place}: {kind}{error}") from None


def _place_of(error: Exception, environment: jinja2.Environment, template: str) -> str:
    """Template and line where an error was raised: Jinja gives the frames of a template its own file and lines."""
    loader = environment.loader
    folders = loader.searchpath if isinstance(loader, jinja2.FileSystemLoader) else []
    place = f"templates/{template}"
    for frame, line in traceback.walk_tb(error.__traceback__):
        path = Path(frame.f_code.co_filename)
        for folder in folders:
            if path.is_relative_to(folder):
                place = f"templates/{path.relative_to(folder)}:{line}"
    return place


def _templates_of(environment: jinja2.Environment) -> list[str]:
    """All templates, partials included, by path; not what editors leave beside them."""
    return [name for name in environment.list_templates() if not is_leftover(name.split("/"))]


def compile_templates(templates: Path = layout.TEMPLATES) -> None:
    """Compile every template now, so that processes forked from here on need not.

    Raises nothing: what does not compile is said with its environment when it is rendered.
    """
    environment = _jinja(templates)
    for name in _templates_of(environment):
        with suppress(Exception):
            environment.get_template(name)


def template_context(
    values: Mapping[str, Any],
    images: Mapping[str, Image],
    place: layout.Place | None = None,
    runtime: str = "compose",
) -> dict[str, Any]:
    """What templates see: every setting by its name, ``services``, and the folders of the project.

    ``services`` are the enabled catalogue entries in start order, each with its ``name`` and its ``image`` (a dict of
    ``images.Image``). ``build_secrets`` names what only carries the build.
    ``embedded_home`` is where embedded processes find secrets and data (see embedded.staging).
    ``project_from_output`` is the folder with ``app/`` seen from the output folder. By default the environment is on
    this machine and runs in Compose. Another host is ``remote``, and has the CA bundle of its builds beside the compose
    file.
    """
    if place is None:
        place = layout.place_of(values["stack_environment"], values["stack_output_dir"], False)
    services = [
        {**values["stack_services"][name], "name": name, "image": images[name].as_dict()}
        for name in start_order(values["stack_services"])
    ]
    builds = any(service["image"]["context"] for service in services)
    return {
        **values,
        "services": services,
        "build_secrets": [
            name for name in ("ca_bundle", "pip_index_url") if builds and values[f"build_{name}"]
        ],
        "postgres_options": postgres_options(values),
        "edge_files": size_in_bytes(values["edge_memory"]) // EDGE_BYTES_PER_FILE,
        "project": str(layout.PROJECT),
        "project_from_output": os.path.relpath(place.sources, place.output),
        "remote": place.remote,
        "runtime": runtime,
        "embedded_home": str(
            place.output
            if place.remote
            else home_of(place.output, process_user(values["embedded_user"]))
        ),
        "ca_bundle_file": f"./{CA_BUNDLE}" if place.remote else values["build_ca_bundle"],
        # One spelling, however Ansible was started: sys.executable may be python or python3.
        "python": str(Path(sys.prefix) / "bin" / "python"),
    }


def _secret_files(
    environment: jinja2.Environment, context: Mapping[str, Any]
) -> dict[str, RenderedFile]:
    """One file per service and secret, as Compose mounts them: for that service's user only.

    What is made of secrets (``templates/secrets/<service>/``) and tokens are files always.
    The address of a package index, which may hold a password, is for whoever builds.
    """
    files = {}
    if "pip_index_url" in context["build_secrets"]:
        content = context["build_pip_index_url"].encode()
        files["secrets/pip_index_url"] = RenderedFile(content, SECRET)
    for service in context["services"]:
        folder = f"secrets/{service['name']}/"
        contents = {
            template.removeprefix(folder).removesuffix(".j2"): _render(
                environment, template, context
            )
            for template in _templates_of(environment)
            if template.startswith(folder)
        }
        contents |= {
            name: str(context[name]).encode()
            for name in service["secrets"]
            if context["secrets_delivery"] == "file" or name.startswith(TOKEN)
        }
        contents |= {name: _read(path) for name, path in service.get("files", {}).items()}
        uid = int(service["user"].partition(":")[0])
        for name, content in contents.items():
            files[folder + name] = RenderedFile(content, SECRET, uid)
    return files


def _for_processes(
    environment: jinja2.Environment, context: Mapping[str, Any], secrets: Mapping[str, RenderedFile]
) -> dict[str, RenderedFile]:
    """The secrets of the services that the embedded runtime has, whose processes share one user."""
    templates, owner = _templates_of(environment), process_user(context["embedded_user"])
    return {
        path.replace("secrets/", "secrets/embedded/", 1): RenderedFile(file.content, SECRET, owner)
        for path, file in secrets.items()
        if f"embedded/{path.split('/')[1]}.json.j2" in templates
    }


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise RenderError(f"{path} cannot be read: {error.strerror}") from None


def _configuration(
    environment: jinja2.Environment, service: str, context: Mapping[str, Any]
) -> dict[str, RenderedFile]:
    """The configuration files of a service, which its user reads and which hold no secret."""
    return {
        template.removesuffix(".j2"): RenderedFile(_render(environment, template, context))
        for template in _templates_of(environment)
        if template.startswith(f"config/{service}/")
    }


@lru_cache(maxsize=64)
def _revision(salt: bytes, contents: bytes) -> str:
    """A word that changes with the secrets and tells as little of them as PostgreSQL's own verifiers do."""
    return hashlib.pbkdf2_hmac("sha256", contents, salt, 4096, 12).hex()


def _mounted(
    service: Mapping[str, Any],
    project: str,
    secrets: Mapping[str, RenderedFile],
    configuration: Mapping[str, RenderedFile],
) -> dict[str, Any]:
    """The service with ``secret_files``, the names of those it mounts, and ``mount_labels``.

    Compose compares paths, not contents: without another label a container would keep its old secrets.
    """
    folder = f"secrets/{service['name']}/"
    files = {
        path.removeprefix(folder): file.content
        for path, file in sorted(secrets.items())
        if path.startswith(folder)
    }
    labels = {}
    if files:
        parts = (b"%s\0%d\0%s" % (name.encode(), len(text), text) for name, text in files.items())
        revision = _revision(f"{project}/{service['name']}".encode(), b"".join(parts))
        labels["stackwright.secrets"] = revision
    if configuration and not service.get("reload"):
        digest = hashlib.sha256()
        for path, file in sorted(configuration.items()):
            digest.update(b"%s\0%d\0%s" % (path.encode(), len(file.content), file.content))
        labels["stackwright.configuration"] = digest.hexdigest()[:12]
    return {**service, "secret_files": list(files), "mount_labels": labels}


def render_tree(
    context: Mapping[str, Any], templates: Path = layout.TEMPLATES
) -> dict[str, RenderedFile]:
    """All files of an environment by path below its output folder. Raises RenderError, UnprivilegedError.

    Whatever the runtime, the files of each are there; secrets are there for the one that runs.
    """
    environment = _jinja(templates)
    secrets = _secret_files(environment, context)
    project = context["stack_project"]
    services = []
    configured: dict[str, RenderedFile] = {}
    for service in context["services"]:
        own = _configuration(environment, service["name"], context)
        services.append(_mounted(service, project, secrets, own))
        configured |= own
    context = {**context, "services": services}
    files = {
        "docker-compose.yml": RenderedFile(_render(environment, "docker-compose.yml.j2", context))
    }
    names = {service["name"] for service in context["services"]}
    for template in _templates_of(environment):
        folder, _, file_name = template.partition("/")
        output = template.removesuffix(".j2")
        belongs = folder == "env" and file_name.removesuffix(".env.j2") in names
        if belongs or (folder == "embedded" and not context["remote"]):
            files[output] = RenderedFile(_render(environment, template, context), PRIVATE)
    if context["remote"] and "ca_bundle" in context["build_secrets"]:
        files[CA_BUNDLE] = RenderedFile(_read(context["build_ca_bundle"]))
    if context["runtime"] == "embedded":
        secrets = _for_processes(environment, context, secrets)
    return files | configured | secrets
