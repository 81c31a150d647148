"""Read the pickle of a ``.pt`` file as data: nothing in it is imported, called or run.

``torch.save`` writes a zip archive: ``data.pkl`` describes the tensors, the other members hold
their numbers. A pickle is a program; the operations that a state dict needs are carried out here
one by one, on plain data, and every other one is refused.
"""

from __future__ import annotations

import pickletools
from dataclasses import dataclass, field
from typing import Any

MOST_OPERATIONS = 5_000_000


class PickleError(ValueError):
    """The pickle holds something other than tensors and plain data."""


@dataclass(frozen=True)
class Global:
    """The name of a class or function, which is never looked up."""

    name: str


@dataclass(frozen=True)
class Storage:
    """Numbers in a member of the archive."""

    dtype: str
    key: str
    count: int


@dataclass(frozen=True)
class StoredTensor:
    """A tensor: a part of a storage."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass(eq=False)
class Unread:
    """The result of a call that is not carried out."""

    name: str


STORAGES = {
    "torch.FloatStorage": "F32",
    "torch.DoubleStorage": "F64",
    "torch.HalfStorage": "F16",
    "torch.BFloat16Storage": "BF16",
    "torch.LongStorage": "I64",
    "torch.IntStorage": "I32",
    "torch.ShortStorage": "I16",
    "torch.CharStorage": "I8",
    "torch.ByteStorage": "U8",
    "torch.BoolStorage": "BOOL",
}
REBUILD = "torch._utils._rebuild_tensor_v2"
PARAMETER = "torch._utils._rebuild_parameter"
ORDERED = "collections.OrderedDict"
_MARK = object()


@dataclass
class _Machine:
    stack: list[Any] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)

    def marked(self) -> list[Any]:
        """Remove and return what is above the last mark."""
        for at in range(len(self.stack) - 1, -1, -1):
            if self.stack[at] is _MARK:
                items = self.stack[at + 1 :]
                del self.stack[at:]
                return items
        raise PickleError("it is damaged")

    def run(self, content: bytes) -> Any:
        for count, (operation, argument, _) in enumerate(pickletools.genops(content)):
            if count > MOST_OPERATIONS:
                raise PickleError("it is too long")
            if operation.name == "STOP":
                return self.stack.pop()
            self.step(operation.name, argument)
        raise PickleError("it is damaged")

    def step(self, name: str, argument: Any) -> None:  # noqa: PLR0912 - one branch each
        stack = self.stack
        if name in {"PROTO", "FRAME"}:
            return
        if name in VALUES:
            stack.append(VALUES[name] if argument is None else argument)
        elif name == "MARK":
            stack.append(_MARK)
        elif name in EMPTY:
            stack.append(EMPTY[name]())
        elif name == "TUPLE":
            stack.append(tuple(self.marked()))
        elif name in {"TUPLE1", "TUPLE2", "TUPLE3"}:
            count = int(name[-1])
            items = stack[-count:]
            del stack[-count:]
            stack.append(tuple(items))
        elif name in {"BINPUT", "LONG_BINPUT", "PUT"}:
            self.memo[int(argument)] = stack[-1]
        elif name == "MEMOIZE":
            self.memo[len(self.memo)] = stack[-1]
        elif name in {"BINGET", "LONG_BINGET", "GET"}:
            stack.append(self.memo[int(argument)])
        elif name == "GLOBAL":
            stack.append(Global(argument.replace(" ", ".")))
        elif name == "STACK_GLOBAL":
            attribute, module = stack.pop(), stack.pop()
            stack.append(Global(f"{module}.{attribute}"))
        elif name == "BINPERSID":
            stack.append(_storage(stack.pop()))
        elif name == "REDUCE":
            arguments, function = stack.pop(), stack.pop()
            stack.append(_result(function, arguments))
        elif name == "NEWOBJ":  # an object of a class, which is not made
            _, function = stack.pop(), stack.pop()
            stack.append(Unread(function.name if isinstance(function, Global) else "an object"))
        elif name in {"SETITEM", "SETITEMS"}:
            items = self.marked() if name == "SETITEMS" else [stack.pop(-2), stack.pop()]
            _set_items(stack[-1], items)
        elif name in {"APPEND", "APPENDS"}:
            items = self.marked() if name == "APPENDS" else [stack.pop()]
            if isinstance(stack[-1], list):
                stack[-1].extend(items)
        elif name in {"BUILD", "POP"}:  # attributes, such as the `_metadata` of a state dict
            stack.pop()
        else:
            raise PickleError(f"it holds the operation {name}")


EMPTY: dict[str, type] = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}
EMPTY["EMPTY_SET"] = list
VALUES: dict[str, Any] = dict.fromkeys(
    (
        *("NONE", "BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT", "BINUNICODE"),
        *("SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "INT", "UNICODE"),
    )
)
VALUES |= {"NEWTRUE": True, "NEWFALSE": False}


def _set_items(target: Any, items: list[Any]) -> None:
    if isinstance(target, Unread):
        return
    if not isinstance(target, dict) or len(items) % 2:
        raise PickleError("it is damaged")
    for key, value in zip(items[::2], items[1::2], strict=True):
        if isinstance(key, str | int | float | bool | type(None)):
            target[key] = value


def _storage(value: Any) -> Storage:
    if isinstance(value, tuple) and len(value) == 5 and value[0] == "storage":
        _, kind, key, _, count = value
        dtype = STORAGES.get(kind.name) if isinstance(kind, Global) else None
        if dtype and isinstance(key, str) and isinstance(count, int):
            return Storage(dtype, key, count)
    raise PickleError("it holds tensors of an unknown kind")


def _result(function: Any, arguments: Any) -> Any:
    """Return what a call of PyTorch's own would make; of all others only that it is unread."""
    name = function.name if isinstance(function, Global) else "an object"
    if name == ORDERED and arguments == ():
        return {}
    if name == PARAMETER and isinstance(arguments, tuple) and arguments:
        return arguments[0]
    if name == REBUILD and isinstance(arguments, tuple) and len(arguments) >= 4:
        storage, offset, shape, strides = arguments[:4]
        numbers = (offset, *_sizes(shape), *_sizes(strides))
        if isinstance(storage, Storage) and all(type(n) is int and n >= 0 for n in numbers):
            return StoredTensor(storage, offset, tuple(shape), tuple(strides))
        raise PickleError("a tensor in it is damaged")
    return Unread(name)


def _sizes(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (None,)


def read_pickle(content: bytes) -> Any:
    """Return what a pickle holds; what calls of unknown functions would make is ``Unread``.

    Raises:
        PickleError: it is damaged, or holds operations that no state dict needs.
    """
    try:
        return _Machine().run(content)
    except PickleError:
        raise
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise PickleError(f"it is damaged ({type(error).__name__})") from None
