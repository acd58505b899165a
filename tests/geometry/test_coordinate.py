"""Coordinates: every operator as numpy does it, and a plain tuple in all else."""

import json
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from emseg.geometry import Coordinate

values = st.integers(-(2**40), 2**40)
triples = st.tuples(values, values, values)
coordinates = st.builds(Coordinate, values, values, values)
operands = st.one_of(coordinates, triples, values)
divisors = st.integers(-50, 50).filter(bool)
DIVISORS = st.one_of(divisors, st.tuples(divisors, divisors, divisors))


def same(found: Coordinate, expected: np.ndarray) -> bool:
    return type(found) is Coordinate and all(type(v) is int for v in found) and found == tuple(expected.tolist())


@given(coordinates, operands)
def test_operators_are_those_of_numpy_axis_by_axis(one, other):
    """Kills `+` and `*` of tuples, which would join and repeat them, and a swapped order of operands."""
    a, b = np.array(one), np.array(other)
    assert same(one + other, a + b)
    assert same(other + one, a + b)
    assert same(one - other, a - b)
    assert same(one * 3, a * 3)
    assert same(one.minimum(other), np.minimum(a, b))
    assert same(one.maximum(other), np.maximum(a, b))
    assert same(-one, -a)
    assert one.is_within(other) == bool((a <= b).all())


@given(coordinates, st.one_of(st.tuples(*[st.integers(-9, 9)] * 3), st.integers(-9, 9)))
def test_products_are_those_of_numpy(one, other):
    assert same(one * other, np.array(one) * np.array(other))
    assert same(other * one, np.array(one) * np.array(other))
    assert one.product == one[0] * one[1] * one[2]


@given(coordinates, DIVISORS)
def test_quotients_round_down_or_up_on_either_side_of_zero(one, other):
    """Kills rounding towards zero, which is wrong below voxel 0."""
    assert same(one // other, np.array(one) // np.array(other))
    assert same(one.ceil_div(other), -(-np.array(one) // np.array(other)))


@given(triples)
def test_in_all_else_it_is_the_tuple_of_its_values(triple):
    """Kills a class of its own, which JSON, pydantic, numpy, Spark's pickle or a message would show or refuse."""
    one = Coordinate(*triple)
    assert (one, hash(one), repr(one), f"{one}") == (triple, hash(triple), repr(triple), f"{triple}")
    assert (one.z, one.y, one.x) == triple
    assert json.dumps(one) == json.dumps(triple)
    again = pickle.loads(pickle.dumps(one))  # noqa: S301 - our own bytes
    assert type(again) is Coordinate
    assert again == one
    assert sorted([one, Coordinate(0, 0, 0)]) == sorted([triple, (0, 0, 0)])


def test_numpy_and_pydantic_take_it_as_a_shape_an_index_and_a_field():
    class Holder(BaseModel):
        shape_vox: tuple[int, int, int]

    one = Coordinate(2, 3, 4)
    assert np.zeros(one).shape == one
    assert np.arange(60).reshape(3, 4, 5)[one] == 59
    assert Holder(shape_vox=one).model_dump_json() == '{"shape_vox":[2,3,4]}'
    np.testing.assert_array_equal(np.array([[1, 1, 1]]) + one, [[3, 4, 5]])
    np.testing.assert_array_equal(one + np.array([[1, 1, 1]]), [[3, 4, 5]])


def test_it_is_made_of_three_whole_numbers():
    """Kills a coordinate of numpy integers, which JSON refuses, and one of a fourth axis or a fraction cut off."""
    one = Coordinate.of(np.array([1, 2, 3], np.int32))
    assert [type(v) for v in one] == [int, int, int]
    with pytest.raises(ValueError):
        Coordinate.of((1, 2))
    with pytest.raises(ValueError):
        one + (1, 2)  # noqa: RUF005 - a sum, not a longer tuple
    with pytest.raises(TypeError):
        Coordinate.of((1.5, 2, 3))
