"""Stub libraries: written without a compiler, loaded by the real loader, and found from what libraries lack."""

from __future__ import annotations

import ctypes
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from bench.releases.absent import HOLDER, wanted, write_stubs
from bench.releases.elf import BadLibrary, SharedObject, Undefined, read_library
from bench.releases.stub import is_variable, library

here = pytest.mark.skipif(
    (platform.system(), platform.machine()) != ("Linux", "x86_64"), reason="the stubs are for Linux on x86_64"
)
CONSTRUCTOR = "_ZN4c10d16ProcessGroupNCCL7OptionsC1Eb"
SYMBOLS = {
    *("cudaGetDevice", "cudaGetErrorString", "_ZN3c104cuda12device_countEv", "_ZN2at4cuda14getCurrentFlagEv"),
    *(CONSTRUCTOR, "_ZN3c104cuda9allocatorE", "_ZTIN4c10d4NCCLE", "_ZTVN4c10d4NCCLE"),
}


@pytest.fixture
def loaded(tmp_path: Path) -> ctypes.CDLL:
    """A stub with every kind of symbol, loaded into this process."""
    path = tmp_path / "libtried.so"
    path.write_bytes(library("libtried.so", SYMBOLS))
    return ctypes.CDLL(str(path))


@here
def test_functions_say_that_there_is_no_gpu(loaded: ctypes.CDLL) -> None:
    """C functions fail with "no device", the number of devices is 0, texts are empty, flags are False."""
    loaded.cudaGetErrorString.restype = ctypes.c_char_p
    flag = loaded._ZN2at4cuda14getCurrentFlagEv
    flag.restype = ctypes.c_bool
    results = loaded.cudaGetDevice(), loaded._ZN3c104cuda12device_countEv(), loaded.cudaGetErrorString(100), flag()
    assert results == (100, 0, b"", False)


@here
def test_a_constructed_object_knows_its_type(loaded: ctypes.CDLL) -> None:
    """A constructor returns its object; the object's table has a type, and a method that can be called."""
    room = (ctypes.c_void_p * 8)()
    construct = getattr(loaded, CONSTRUCTOR)
    construct.restype = ctypes.c_void_p
    assert construct(ctypes.byref(room)) == ctypes.addressof(room)
    table = ctypes.cast(room[0] or 0, ctypes.POINTER(ctypes.c_void_p))
    type_of, method = ctypes.cast((room[0] or 0) - 8, ctypes.POINTER(ctypes.c_void_p))[0], table[0]
    assert type_of is not None
    assert method is not None
    assert ctypes.CFUNCTYPE(ctypes.c_bool)(method)() is False
    standard = ctypes.CDLL("libstdc++.so.6")
    plain = ctypes.addressof(ctypes.c_byte.in_dll(standard, "_ZTVN10__cxxabiv117__class_type_infoE"))
    assert ctypes.c_void_p.from_address(type_of).value == plain + 16


@here
def test_a_type_has_its_name(loaded: ctypes.CDLL) -> None:
    """C++ compares types by their names: a stub's type has its own."""
    words = (ctypes.c_char_p * 2).in_dll(loaded, "_ZTIN4c10d4NCCLE")
    assert words[1] == b"N4c10d4NCCLE"


@here
def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    """A library that a linker made is read: it needs the C library and defines its module's function."""
    import _ctypes

    found = read_library(Path(_ctypes.__file__))
    assert "libc.so.6" in found.needed
    assert "PyInit__ctypes" in found.defined
    assert {"PyErr_SetString"} <= {symbol.name for symbol in found.undefined}
    assert "libc.so.6" in {symbol.library for symbol in found.undefined}


@pytest.mark.parametrize("content", [b"", b"text", b"\x7fELF\x02\x01" + bytes(10)], ids=["empty", "text", "cut"])
def test_a_damaged_library_costs_one_line(content: bytes, tmp_path: Path) -> None:
    """Another file is refused with its name."""
    path = tmp_path / "libdamaged.so"
    path.write_bytes(content)
    with pytest.raises(BadLibrary, match=r"^libdamaged\.so cannot be read as a shared library for x86_64: "):
        read_library(path)


def test_only_what_nothing_defines_is_wanted() -> None:
    """Symbols of kept libraries, of the system and of Python are left alone; absent CUDA libraries are named."""
    lacks = ("cudaFree", "at_add", "std_throw", "PyList_New", "memcpy")
    linked = {"cudaFree": "libcudart.so.12", "memcpy": "libc.so.6"}
    python = SharedObject(
        ("libtorch_cpu.so", "libcudart.so.12", "libc10_cuda.so", "libc.so.6"),
        tuple(Undefined(name, linked.get(name)) for name in lacks),
        frozenset(),
    )
    kept = {"libtorch_python.so": python, "libtorch_cpu.so": SharedObject((), (), frozenset({"at_add"}))}
    assert wanted(kept, lambda name: name == "std_throw") == ({"libcudart.so.12", "libc10_cuda.so"}, {"cudaFree"})


@pytest.mark.parametrize(
    ("name", "variable"),
    [("_ZN3c104cuda9allocatorE", True), ("_ZN4c10d4NCCL8shutdownESt8optionalISsE", False), ("cudaFree", False)],
)
def test_variables_are_told_from_functions(name: str, variable: bool) -> None:
    """A C++ name without a list of arguments is a variable's."""
    assert is_variable(name) is variable


@here
def test_stubs_let_a_library_load(tmp_path: Path) -> None:
    """A library that needs absent ones loads once the stubs are beside it, and calls into them."""
    compiler = "gcc"
    home = tmp_path / "torch" / "lib"
    home.mkdir(parents=True)
    source = home / "user.c"
    source.write_text("int cudaFree(void *p); int use(void) { return cudaFree(0); }")
    stand_in = home / "libcudart.so.12"
    stand_in.write_bytes(library("libcudart.so.12", ["cudaFree"]))
    command = [compiler, "-shared", "-fPIC", "-Wl,-rpath,$ORIGIN", "-o", "libuser.so", "user.c", "-Wl,--no-as-needed"]
    # As torch's own libraries do, it also needs the library that holds the symbols.
    (home / HOLDER).write_bytes(library(HOLDER))
    try:
        done = subprocess.run([*command, "-L.", f"-l:{HOLDER}"], cwd=home, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("gcc must be installed: the library that is loaded is made with it")
    assert done.returncode == 0, done.stderr
    stand_in.unlink()
    (home / HOLDER).unlink()
    assert write_stubs(tmp_path) == 1
    script = f"import ctypes; print(ctypes.CDLL({str(home / 'libuser.so')!r}).use())"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout == "100\n"
