"""Whether a value is what an operation gives. Members that a later version adds are let be."""

from typing import Any, Dict, List, Tuple

_PLAIN: Dict[str, Tuple[type, ...]] = {"str": (str,), "int": (int,), "float": (int, float), "bool": (bool,)}


def fits(value: Any, shape: Any, shapes: Dict[str, List[Dict[str, Any]]]) -> bool:
    if shape == "any":
        return True
    if isinstance(shape, str):
        # A truth value is a number to Python.
        return isinstance(value, _PLAIN[shape]) and (shape == "bool" or not isinstance(value, bool))
    kind, inner = shape
    if kind == "one":
        return any(value == one and type(value) is type(one) for one in inner)
    if kind == "any_of":
        return any(fits(value, one, shapes) for one in inner)
    if kind == "list":
        return isinstance(value, list) and all(fits(one, inner, shapes) for one in value)
    if not isinstance(value, dict):
        return False
    if kind == "dict":
        return all(fits(one, inner, shapes) for one in value.values())
    must, may = shapes[inner]
    return all(name in value and fits(value[name], one, shapes) for name, one in must.items()) and all(
        name not in value or fits(value[name], one, shapes) for name, one in may.items()
    )
