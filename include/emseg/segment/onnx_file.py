"""Which other files an ONNX file leans on, found without loading it: a digest covers only those that are in the model.

ONNX is protobuf: a message is fields `number << 3 | type` with a value each. Tensors lie in graphs, in attributes of
nodes, in functions and in graphs inside of those. A tensor with `data_location = EXTERNAL` keeps its values in a file
that it names, and a reader looks for that file beside the network or in the current folder.
"""

from __future__ import annotations

from collections.abc import Iterator

INSIDE = {
    "ModelProto": {7: "GraphProto", 20: "TrainingInfoProto", 25: "FunctionProto"},
    "GraphProto": {1: "NodeProto", 5: "TensorProto", 15: "SparseTensorProto"},
    "NodeProto": {5: "AttributeProto"},
    "AttributeProto": {
        **{5: "TensorProto", 6: "GraphProto", 10: "TensorProto", 11: "GraphProto"},
        **{22: "SparseTensorProto", 23: "SparseTensorProto"},
    },
    "SparseTensorProto": {1: "TensorProto", 2: "TensorProto"},
    "TrainingInfoProto": {1: "GraphProto", 2: "GraphProto"},
    "FunctionProto": {7: "NodeProto", 11: "AttributeProto"},
}
"""Fields of each message in which tensors can lie; all others are skipped."""

_DATA_LOCATION, _EXTERNAL, _ENTRY, _KEY, _VALUE = 14, 1, 13, 1, 2
_OPERATOR, _COMPILED_ELSEWHERE = 4, b"EPContext"
_VARINT, _EIGHT_BYTES, _COUNTED, _FOUR_BYTES = 0, 1, 2, 5


def files_leaned_on(network: bytes) -> list[str]:
    """Names of the files that hold weights of the network, sorted; ValueError for bytes that are no protobuf.

    A node that was compiled for one machine (`EPContext`) is a ValueError too: it can name a file in ways of its own.
    """
    found: set[str] = set()
    left = [("ModelProto", memoryview(network))]
    while left:
        kind, message = left.pop()
        fields = list(_fields(message))
        if kind == "TensorProto" and (_DATA_LOCATION, _EXTERNAL) in fields:
            found.add(_location(fields))
        if kind == "NodeProto" and _COMPILED_ELSEWHERE in _texts(fields, _OPERATOR):
            raise ValueError("a node EPContext was compiled for one machine")
        inside = INSIDE.get(kind, {})
        left += [(inside[n], v) for n, v in fields if n in inside and isinstance(v, memoryview)]
    return sorted(found)


def _location(fields: list[tuple[int, int | memoryview]]) -> str:
    entries = [list(_fields(memoryview(entry))) for entry in _texts(fields, _ENTRY)]
    names = [name for each in entries if b"location" in _texts(each, _KEY) for name in _texts(each, _VALUE)]
    return names[-1].decode("utf-8", "replace") if names else "a file without a name"


def _texts(fields: list[tuple[int, int | memoryview]], number: int) -> list[bytes]:
    return [bytes(value) for each, value in fields if each == number and isinstance(value, memoryview)]


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Number and value of each field; a value is a whole number, or the bytes of a string, list or message."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == _VARINT:
            value, at = _varint(message, at)
            yield tag >> 3, value
            continue
        if kind not in {_COUNTED, _EIGHT_BYTES, _FOUR_BYTES}:
            raise ValueError(f"no protobuf: type {kind} at byte {at}")
        length, at = _varint(message, at) if kind == _COUNTED else ({_EIGHT_BYTES: 8, _FOUR_BYTES: 4}[kind], at)
        if at + length > len(message):
            raise ValueError(f"no protobuf: {length} bytes at byte {at} of {len(message)}")
        yield tag >> 3, message[at : at + length]
        at += length


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """A whole number, 7 bits a byte, least first; and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            break
        value |= (message[at] & 127) << shift
        at += 1
        if message[at - 1] < 128:
            return value, at
    raise ValueError(f"no protobuf: no number ends at byte {at}")
