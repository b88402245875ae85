"""Shared libraries that stand for absent ones: every wanted symbol is defined, and no compiler is needed.

A library is written as an ELF file: tables, code, data. Its functions do nothing, and return what keeps a program on
its path without a GPU (`_function_of`). Types and tables of virtual functions are real ones, because torch makes
objects of CUDA's classes when it declares default arguments, and C++ asks them for their type.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Sequence

from .elf import MAGIC, X86_64

PAGE = 4096
#: Virtual functions in the table that all classes share: more than any class of torch has.
METHODS = 254
#: The class of a plain type; its objects begin with the address of its table, past two words.
_PLAIN_TYPE = "_ZTVN10__cxxabiv117__class_type_infoE"
_STANDARD = "libstdc++.so.6"
_TYPE, _TABLE = "_ZTI", "_ZTV"
_CONSTRUCTOR = re.compile(r"_ZN.*C[12]E")
#: Error 100 is CUDA's "no device", and no success in any other of its libraries.
_C_FUNCTION = re.compile(r"cu|nv|nccl")
_SYMBOL, _RELOCATION, _ENTRY = struct.Struct("<IBBHQQ"), struct.Struct("<QQq"), struct.Struct("<qQ")
_ADDRESS_OF, _OWN_ADDRESS = 1, 8
#: The bytes at the start of the data that hold the dynamic table, and of one type.
_DYNAMIC_ROOM, _TYPE_ROOM = 256, 16


def is_variable(name: str) -> bool:
    """Whether an undefined symbol is a variable rather than a function, by its C++ name.

    >>> is_variable("_ZN3c104cuda20CUDACachingAllocator9allocatorE"), is_variable("_ZN3c104cuda12device_countEv")
    (True, False)
    """
    rest = name.removeprefix("_ZN")
    if rest == name:
        return False
    while match := re.match(r"\d+", rest):  # a scope or a name, after its length
        rest = rest[match.end() + int(match[0]) :]
    return rest == "E"  # no list of arguments follows


def _function_of(name: str) -> str:
    """The code that a function gets: returns an error, 0, an empty text or zeros; a constructor makes an object.

    The zeros begin at a multiple of 4096, so their address is False to a caller that expects a bool.
    """
    if name.endswith(("String", "ErrorName")):
        return "zeros"
    if "device_count" in name:
        return "nothing"
    if _CONSTRUCTOR.match(name):
        return "constructor"
    return "error" if _C_FUNCTION.match(name) else "zeros"


def _machine_code(start: int, zeros: int, table: int) -> tuple[bytes, dict[str, int]]:
    """The code, and the address of each function."""
    code, places = b"", {}
    for name in ("error", "nothing", "zeros", "constructor"):
        places[name] = at = start + len(code)
        code += {
            "error": b"\xb8" + struct.pack("<i", 100),  # mov eax, 100
            "nothing": b"\x31\xc0",  # xor eax, eax
            "zeros": b"\x48\x8d\x05" + struct.pack("<i", zeros - at - 7),  # lea rax, [zeros]
            "constructor": b"\x48\x8d\x05"
            + struct.pack("<i", table + 16 - at - 7)  # lea rax, [the first method]
            + b"\x48\x89\x07\x48\x89\xf8",  # mov [rdi], rax; mov rax, rdi
        }[name] + b"\xc3"  # ret
        code += b"\xcc" * (-len(code) % 16)
    return code, places


def _elf_hash(name: str) -> int:
    value = 0
    for byte in name.encode():
        value = (value << 4) + byte
        value ^= (value >> 24) & 0xF0
        value &= 0x0FFFFFFF
    return value


def _hash_table(names: Sequence[str]) -> bytes:
    """The lookup table of the symbols; the first is none."""
    count = max(1, len(names) // 2)
    heads, chain = [0] * count, [0] * len(names)
    for index, name in enumerate(names[1:], 1):
        bucket = _elf_hash(name) % count
        chain[index], heads[bucket] = heads[bucket], index
    return struct.pack(f"<II{count}I{len(names)}I", count, len(names), *heads, *chain)


def library(name: str, symbols: Iterable[str] = ()) -> bytes:
    """The bytes of a shared library called `name` that defines these symbols.

    >>> library("libcudart.so.12")[:4]
    b'\\x7fELF'
    """
    wanted = sorted(set(symbols))
    types = ["", *(symbol for symbol in wanted if symbol.startswith(_TYPE))]  # the first: of the shared table
    names = ["", _PLAIN_TYPE, *wanted] if wanted else [""]
    strings, offsets = b"\0", {"": 0}
    for text in (*names[1:], name, _STANDARD):
        offsets[text] = len(strings)
        strings += text.encode() + b"\0"
    hashes = _hash_table(names)
    moves = (2 * len(types) + 1 + METHODS) * _RELOCATION.size

    places = {"symbols": 64 + 5 * 56}
    places["hashes"] = places["symbols"] + len(names) * _SYMBOL.size
    places["strings"] = _up(places["hashes"] + len(hashes), 8)
    places["moves"] = _up(places["strings"] + len(strings), 8)
    places["code"] = _up(places["moves"] + moves)
    places["data"] = places["code"] + PAGE
    places["table"] = places["data"] + _DYNAMIC_ROOM + _TYPE_ROOM * len(types)
    places["zeros"] = _up(places["table"] + 8 * (2 + METHODS))
    code, functions = _machine_code(places["code"], places["zeros"], places["table"])

    type_at = {text: places["data"] + _DYNAMIC_ROOM + _TYPE_ROOM * k for k, text in enumerate(types)}
    relocations = []
    for text, at in type_at.items():
        relocations.append((at, (1 << 32) | _ADDRESS_OF, 16))
        relocations.append((at + 8, _OWN_ADDRESS, places["strings"] + offsets[text] + len(_TYPE) * bool(text)))
    relocations.append((places["table"] + 8, _OWN_ADDRESS, type_at[""]))
    relocations += [(places["table"] + 16 + 8 * k, _OWN_ADDRESS, functions["zeros"]) for k in range(METHODS)]
    if not wanted:
        relocations = []

    def value(symbol: str) -> tuple[int, int]:
        if symbol in type_at:
            return 1, type_at[symbol]
        if symbol.startswith(_TABLE):
            return 1, places["table"]
        return (1, places["zeros"]) if is_variable(symbol) else (2, functions[_function_of(symbol)])

    entries = [bytes(_SYMBOL.size)] + [_SYMBOL.pack(offsets[text], 1 << 4, 0, 0, 0, 0) for text in names[1:2]]
    for symbol in wanted:
        kind, at = value(symbol)
        entries.append(_SYMBOL.pack(offsets[symbol], (1 << 4) | kind, 0, 1, at, 8))
    rows = [
        *([(1, offsets[_STANDARD])] if wanted else []),
        *[(14, offsets[name]), (4, places["hashes"]), (5, places["strings"]), (10, len(strings))],
        *[(6, places["symbols"]), (11, _SYMBOL.size)],
        *[(7, places["moves"]), (8, len(relocations) * _RELOCATION.size), (9, _RELOCATION.size), (0, 0)],
    ]
    size = places["table"] + 8 * (2 + METHODS) - places["data"]
    content = bytearray(places["data"] + size)
    pieces = {
        0: _header(places["code"], places["data"], size, places["zeros"] + PAGE - places["data"], len(rows)),
        places["symbols"]: b"".join(entries),
        places["hashes"]: hashes,
        places["strings"]: strings,
        places["moves"]: b"".join(_RELOCATION.pack(*row) for row in relocations),
        places["code"]: code,
        places["data"]: b"".join(_ENTRY.pack(*row) for row in rows),
    }
    for at, piece in pieces.items():
        content[at : at + len(piece)] = piece
    return bytes(content)


def _header(code: int, data: int, size: int, memory: int, rows: int) -> bytes:
    """The file's header, and what is mapped: tables, code, data, the dynamic table, a stack without code."""
    parts = [
        *[(1, 4, 0, code, code, PAGE), (1, 5, code, PAGE, PAGE, PAGE), (1, 6, data, size, memory, PAGE)],
        *[(2, 6, data, rows * _ENTRY.size, rows * _ENTRY.size, 8), (0x6474E551, 6, 0, 0, 0, 16)],
    ]
    header = struct.pack("<HHIQQQIHHHHHH", 3, X86_64, 1, 0, 64, 0, 0, 64, 56, len(parts), 64, 0, 0)
    table = (
        struct.pack("<IIQQQQQQ", kind, flags, at, at, at, length, room, align)
        for kind, flags, at, length, room, align in parts
    )
    return MAGIC + b"\x01" + bytes(9) + header + b"".join(table)


def _up(size: int, step: int = PAGE) -> int:
    """The next multiple of `step`."""
    return size + -size % step
