"""Render every file of an environment in memory: no Ansible, no Docker, nothing written.

``templates/`` is laid out as the output is, except that partials (``services/``, ``service.yml.j2``) are only included,
``service.env.j2`` makes each file below ``env/``, and ``embedded.json.j2`` each program that has no template.
What is below ``config/<service>/`` is rendered where the environment has the service, ``embedded/<service>.json.j2``
where the embedded runtime has it.
Undefined names are errors. What editors leave beside a template is none.
"""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2

from .. import layout
from ..environment import Environment
from ..runtimes.embedded.processes import process_user
from ..service import Service
from .files import PRIVATE, SECRET, RenderedFile, is_leftover
from .quoting import FILTERS

# Beside the compose file of a remote host.
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


def _secret_files(jinja: jinja2.Environment, context: Mapping[str, Any]) -> dict[str, RenderedFile]:
    """One file per service and secret, as Compose mounts them: for that service's user only.

    What is made of secrets (``templates/secrets/<service>/``) is a file always.
    The address of a package index, which may hold a password, is for whoever builds.
    """
    files = {}
    if "pip_index_url" in context["build_secrets"]:
        content = context["build_pip_index_url"].encode()
        files["secrets/pip_index_url"] = RenderedFile(content, SECRET)
    for service in context["environment"].services:
        folder = f"secrets/{service.name}/"
        contents = _rendered_below(jinja, folder, context)
        contents |= {folder + one.name: one.value.encode() for one in service.secret_files}
        contents |= {folder + name: _read(path) for name, path in service.files.items()}
        uid = int(service.user.partition(":")[0])
        files |= {path: RenderedFile(content, SECRET, uid) for path, content in contents.items()}
    return files


def _for_processes(
    context: Mapping[str, Any], secrets: Mapping[str, RenderedFile]
) -> dict[str, RenderedFile]:
    """The secrets of the services that the embedded runtime has, whose processes share one user."""
    owner = process_user(context["embedded_user"])
    names = {service.name for service in context["environments"]["embedded"].services}
    return {
        path.replace("secrets/", "secrets/embedded/", 1): RenderedFile(file.content, SECRET, owner)
        for path, file in secrets.items()
        if path.split("/")[1] in names
    }


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise RenderError(f"{path} cannot be read: {error.strerror}") from None


def _rendered_below(
    jinja: jinja2.Environment, folder: str, context: Mapping[str, Any]
) -> dict[str, bytes]:
    """What is made of the templates below ``folder``, by path."""
    return {
        template.removesuffix(".j2"): _render(jinja, template, context)
        for template in _templates_of(jinja)
        if template.startswith(folder)
    }


@lru_cache(maxsize=64)
def _revision(salt: bytes, contents: bytes) -> str:
    """A word that changes with the secrets and tells as little of them as PostgreSQL's own verifiers do."""
    return hashlib.pbkdf2_hmac("sha256", contents, salt, 4096, 12).hex()


def _mounts(
    service: Service,
    project: str,
    secrets: Mapping[str, RenderedFile],
    configuration: Mapping[str, bytes],
) -> dict[str, Any]:
    """``secrets``, the names of the files that a service mounts, and ``labels``, which change with what is in them.

    Compose compares paths, not contents: without another label a container would keep its old secrets.
    """
    folder = f"secrets/{service.name}/"
    files = {
        path.removeprefix(folder): file.content
        for path, file in sorted(secrets.items())
        if path.startswith(folder)
    }
    labels = {}
    if files:
        parts = (b"%s\0%d\0%s" % (name.encode(), len(text), text) for name, text in files.items())
        revision = _revision(f"{project}/{service.name}".encode(), b"".join(parts))
        labels["stackwright.secrets"] = revision
    if configuration and not service.reload:
        digest = hashlib.sha256()
        for path, content in sorted(configuration.items()):
            digest.update(b"%s\0%d\0%s" % (path.encode(), len(content), content))
        labels["stackwright.configuration"] = digest.hexdigest()[:12]
    return {"secrets": list(files), "labels": labels}


def _for_compose(
    jinja: jinja2.Environment, context: Mapping[str, Any], secrets: Mapping[str, RenderedFile]
) -> dict[str, RenderedFile]:
    """The compose file, and the variables and configuration files of its services."""
    environment: Environment = context["environment"]
    files: dict[str, RenderedFile] = {}
    mounts: dict[str, Any] = {}
    for service in environment.services:
        configuration = _rendered_below(jinja, f"config/{service.name}/", context)
        mounts[service.name] = _mounts(service, environment.project, secrets, configuration)
        files |= {path: RenderedFile(content) for path, content in configuration.items()}
        if service.variables():
            content = _render(jinja, "service.env.j2", {**context, "service": service})
            files[f"env/{service.name}.env"] = RenderedFile(content, PRIVATE)
    content = _render(jinja, "docker-compose.yml.j2", {**context, "mounts": mounts})
    return {"docker-compose.yml": RenderedFile(content), **files}


def _for_supervisor(
    jinja: jinja2.Environment, context: Mapping[str, Any]
) -> dict[str, RenderedFile]:
    """The programs of the embedded runtime, ``embedded/<service>.json``, and what they share."""
    templates = set(_templates_of(jinja))
    contents = {
        name.removesuffix(".j2"): _render(jinja, name, context)
        for name in templates
        if name.startswith("embedded/") and not name.endswith(".json.j2")
    }
    for service in context["environment"].services:
        path = f"embedded/{service.name}.json"
        template = f"{path}.j2" if f"{path}.j2" in templates else "embedded.json.j2"
        contents[path] = _render(jinja, template, {**context, "service": service})
    return {path: RenderedFile(content, PRIVATE) for path, content in contents.items()}


def render_tree(
    context: Mapping[str, Any], templates: Path = layout.TEMPLATES
) -> dict[str, RenderedFile]:
    """All files of an environment by path below its output folder. Raises RenderError, UnprivilegedError.

    Whatever the runtime, the files of each are there; secrets are there for the one that runs.
    """
    jinja = _jinja(templates)
    in_compose, embedded = (
        {**context, "environment": context["environments"][name]}
        for name in ("compose", "embedded")
    )
    remote = in_compose["environment"].remote
    secrets = _secret_files(jinja, in_compose)
    files = _for_compose(jinja, in_compose, secrets)
    if not remote:
        files |= _for_supervisor(jinja, embedded)
    elif "ca_bundle" in context["build_secrets"]:
        files[CA_BUNDLE] = RenderedFile(_read(context["build_ca_bundle"]))
    if context["runtime"] == "embedded":
        secrets = _for_processes(context, secrets)
    return files | secrets
