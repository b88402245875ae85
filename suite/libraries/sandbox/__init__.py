"""A library's code in a process of its own, with stubs for all that it imports and does not need."""
