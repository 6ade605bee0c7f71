"""In which steps the images that an engine lacks are built and pulled, so that each can be announced."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

# Stand-ins that are built together, as in app/base/build.
ROUNDS = (("debian",), ("python", "redis"), ("postgres", "caddy"))


def build_steps(
    stand_ins: Mapping[str, str], images: Mapping[str, Mapping[str, str]], lacking: set[str]
) -> Iterator[tuple[str, list[str]]]:
    """What is done, in words, and the references that it brings, in order.

    ``stand_ins`` are references by kind, ``images`` those of the services with ``reference`` and ``context``.
    """
    for kinds in ROUNDS:
        chosen = [kind for kind in kinds if stand_ins.get(kind) in lacking]
        if chosen:
            yield (
                f"building {' and '.join(chosen)}, stand-ins for base images",
                [stand_ins[kind] for kind in chosen],
            )
    rest = {
        name: image["reference"]
        for name, image in images.items()
        if image["reference"] in lacking - set(stand_ins.values())
    }
    for reference in sorted({ref for name, ref in rest.items() if not images[name]["context"]}):
        yield f"pulling {reference}", [reference]
    built = {name: reference for name, reference in rest.items() if images[name]["context"]}
    if built:
        yield f"building {', '.join(built)}", list(built.values())
