"""Python text as a syntax tree, from any thread.

CPython counts the depth of a tree that it builds in one place for all threads: two that build one at the same time
end in "SystemError: AST constructor recursion depth mismatch" (seen with 3.11.7), and so does every later attempt.
"""

from __future__ import annotations

import ast
import threading

_LOCK = threading.Lock()


def expression(text: str) -> ast.expr:
    """The tree of an expression; raises SyntaxError.

    >>> ast.unparse(expression("f( opt,5 )"))
    'f(opt, 5)'
    """
    with _LOCK:
        return ast.parse(text, mode="eval").body


def statements(text: str | bytes) -> ast.Module:
    """The tree of a module; raises SyntaxError.

    >>> len(statements("a = 1\\nb = 2").body)
    2
    """
    with _LOCK:
        return ast.parse(text)
