"""Every threshold says its unit, its source and what it is, and keeps its own bounds."""

from dataclasses import fields, replace
from typing import get_args, get_type_hints

import pytest
from annotated_types import BaseMetadata
from pydantic import TypeAdapter

from leakseg.config import docstrings
from leakseg.criteria import Criteria, LeakCriteria, Source, Unit, digest, table, values

ROWS = table()
KINDS = {item.name: type(getattr(Criteria(), item.name)) for item in fields(Criteria)}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.group}.{row.name}")
def test_a_criterion_has_unit_source_bound_and_docstring(row):
    marks = get_args(get_type_hints(KINDS[row.group], include_extras=True)[row.name])[1:]
    assert [mark for mark in marks if isinstance(mark, Unit)], "no unit"
    assert [mark for mark in marks if isinstance(mark, Source)], "no source"
    assert isinstance(row.value, bool | str) or [mark for mark in marks if isinstance(mark, BaseMetadata)], "no bound"
    assert docstrings(KINDS[row.group])[row.name], "no docstring"


def test_names_are_unique_over_all_groups():
    """They stand side by side in a report."""
    assert len(values(Criteria())) == len(ROWS)


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.__name__)
def test_the_defaults_lie_within_their_bounds(kind):
    adapter = TypeAdapter(kind)
    assert adapter.validate_json(adapter.dump_json(kind()), strict=True) == kind()


def test_the_digest_follows_the_values_and_nothing_else():
    other = replace(Criteria(), leaks=replace(LeakCriteria(), min_leak_volume_mm3=11.0))
    assert digest(Criteria()) == digest(Criteria()) != digest(other)
