from __future__ import annotations
def compositions():
    return iter(())
