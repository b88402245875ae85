"""What users do beside the plain loop, one file for each kind: its actions, and the cases that cross them."""

from . import (
    applied,
    beside,
    built_again,
    docs,
    ends,
    far,
    groups,
    loading,
    lowered,
    metrics,
    numbers,
    objects,
    order,
    same_object,
)

#: The generators of cases, in the order of the catalogue.
CASES = (
    applied.cases,
    order.cases,
    groups.cases,
    docs.cases,
    metrics.cases,
    loading.cases,
    ends.cases,
    far.cases,
    beside.cases,
    built_again.cases,
    lowered.cases,
    same_object.cases,
    numbers.cases,
    objects.cases,
)
