"""Where the arrays of an object are, and where people put the gradient of each."""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..errors import InputError

Path = tuple[tuple[str, Any], ...]
"""How one gets to an array: ("." , attribute) and ("[]", key) in a row."""

DEPTH = 8
"""Objects in objects that are looked into."""
VALUES = ("value", "data", "val", "w", "array", "param")
"""What an object that holds a parameter and its gradient calls the parameter."""
SHORT = {"weights": "w", "weight": "w", "kernel": "w", "biases": "b", "bias": "b"}
PATTERNS = ("d{}", "grad{}", "{}grad", "gradient{}", "{}gradient", "g{}", "delta{}", "nabla{}", "{}grads", "grads{}")
"""The gradient of ``W`` is ``dW``, ``d_W``, ``grad_W``, ``W_grad`` ...; case and underscores make no difference."""
GRADIENTS = ("grads", "gradients", "grad", "dparams", "dparameters", "paramgrads", "parametergradients")
"""The dict or list of gradients that stands beside one of parameters."""
_ABSENT = object()


def get(owner: Any, path: Path, *new: Any) -> Any:
    """What is at ``path``, None where there is nothing; with another argument, that is put there."""
    for k, (kind, key) in enumerate(path):
        if new and k == len(path) - 1:
            if kind == ".":
                setattr(owner, key, new[0])
            else:
                owner[key] = new[0]
            return new[0]
        try:
            owner = getattr(owner, key) if kind == "." else owner[key]
        except (AttributeError, KeyError, IndexError, TypeError):
            return None
    return owner


def written(path: Path) -> str:
    """A path as one writes it: ``layers[0].W``."""
    return "".join(f".{key}" if kind == "." else f"[{key!r}]" for kind, key in path).removeprefix(".")


def read(text: str) -> Path:
    """The path that is written so.

    Raises:
        InputError: it is none.
    """
    path, rest = [], text if text[:1] == "[" else f".{text}"
    while rest:
        found = re.match(r"""\.(\w+)|\[(\d+)\]|\['([^']*)'\]|\["([^"]*)"\]""", rest)
        if not found:
            raise InputError(f"parameters has {text!r}; write it as one does: W, layers[0].W or params['W']")
        name, index, *keys = found.groups()
        key = next((each for each in keys if each is not None), None)
        path.append((".", name) if name else ("[]", int(index) if index else key))
        rest = rest[found.end() :]
    return tuple(path)


def paths(owner: Any) -> list[list[Path]]:
    """The floating arrays and numbers in an object: for each all paths that lead to it, numbers apart."""
    found: dict[Any, list[Path]] = {}
    for path, value in _walk(owner, (), set()):
        found.setdefault(id(value) if isinstance(value, np.ndarray) else path, []).append(path)
    return list(found.values())


def beside(owner: Any, path: Path) -> Path | None:
    """Where the gradient of what is at ``path`` is; None where nothing has a name that says so."""
    (kind, key), parent = path[-1], path[:-1]
    own = get(owner, parent)
    if isinstance(key, str):
        for name in _names(own):
            if _says(str(name), key) or (key.lower() in VALUES and _plain(str(name)) in ("grad", "gradient", "g")):
                return (*parent, (kind, name))
    if parent:  # grads['W'] beside params['W']
        (outer_kind, outer_key), above = parent[-1], parent[:-1]
        for name in _names(get(owner, above)):
            if name != outer_key and (_plain(str(name)) in GRADIENTS or _says(str(name), str(outer_key))):
                there = (*above, (outer_kind, name))
                keys = _names(get(owner, there))
                same = next((each for each in keys if each == key or _says(str(each), str(key))), _ABSENT)
                if same is not _ABSENT:
                    return (*there, (kind, same))
    return None


def _says(name: str, of: str) -> bool:
    """Whether ``name`` is that of the gradient of ``of``."""
    plain = {_plain(of), SHORT.get(_plain(of), _plain(of))}
    return any(_plain(name) == pattern.format(each) for pattern in PATTERNS for each in plain)


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def _names(owner: Any) -> list[Any]:
    """Names of the attributes, or the keys."""
    if isinstance(owner, dict):
        return list(owner)
    if isinstance(owner, (list, tuple)):
        return list(range(len(owner)))
    slots = [name for kind in type(owner).__mro__ for name in getattr(kind, "__slots__", ())]
    return [name for name in (*getattr(owner, "__dict__", ()), *slots) if hasattr(owner, name)]


def _walk(owner: Any, path: Path, seen: set[int]) -> Iterator[tuple[Path, Any]]:
    if len(path) > DEPTH or id(owner) in seen or isinstance(owner, (str, bytes, type, np.generic)):
        return
    seen.add(id(owner))
    kind = "[]" if isinstance(owner, (dict, list, tuple)) else "."
    if kind == "." and type(owner).__module__.split(".")[0] in ("builtins", "numpy", "types", "functools"):
        return
    for name in _names(owner):
        value = owner[name] if kind == "[]" else getattr(owner, name)
        if isinstance(value, np.ndarray):
            if value.dtype.kind in "fc" and value.size:
                yield (*path, (kind, name)), value
        elif isinstance(value, float):
            yield (*path, (kind, name)), value
        else:
            yield from _walk(value, (*path, (kind, name)), seen)
