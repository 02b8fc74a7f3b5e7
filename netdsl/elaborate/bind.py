"""The settings of a layer and the parameters of a net, from what is given for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netdsl.diagnostics import Span
from netdsl.elaborate.arguments import (
    Bound,
    Formal,
    Given,
    converted,
    declare_parameter,
    formal_of,
    match,
)
from netdsl.elaborate.environment import POISON, Environment
from netdsl.elaborate.evaluate import Evaluator
from netdsl.elaborate.suggest import did_you_mean
from netdsl.elaborate.written import Written, expression
from netdsl.ops.base import Op
from netdsl.ops.op_parameters import parameters
from netdsl.ops.params import TEXT, Same
from netdsl.syntax import ast


def bind_op(
    evaluator: Evaluator, op: type[Op], arguments: Sequence[Given], call: Span, inputs_before: int
) -> Bound | None:
    """The fields of an op; None if the call is wrong (reported).

    `inputs_before` is where references to other values start.
    """
    order = [p.name for p in parameters(op) if not p.named]
    usage = f"`{op.name}` takes {', '.join(order)}, in this order" if len(order) > 1 else ""
    formals = [
        Formal(p.name, p.kind, p.required, p.default, usage, p.named, op.name)
        for p in parameters(op)
    ]
    matched = match(op.name, formals, arguments, call, evaluator.sink)
    if matched is None:
        return None
    bound = Bound()
    for formal in formals:
        if formal.name in matched:
            argument, environment = matched[formal.name]
            evaluator.take(bound, formal, argument.value, environment, inputs_before)
        elif isinstance(formal.default, Same):
            bound.values[formal.name] = bound.values[formal.default.parameter]
        else:
            bound.values[formal.name] = formal.default
    return bound


def bind_net(
    evaluator: Evaluator,
    net: ast.NetDefinition,
    values: Mapping[str, object],
    inner: Environment,
) -> Bound | None:
    """The parameters of a net, from Python values or its defaults."""
    bound = Bound()
    names = [p.name.text for p in net.parameters]
    for name in values:
        if name not in names:
            evaluator.sink.error(
                "unknown-parameter",
                f"net {net.name.text} has no parameter `{name}`",
                net.name.span,
                help=did_you_mean(name, names) or f"it has {', '.join(names) or 'none'}",
            )
            return None
    for parameter in net.parameters:
        formal = formal_of(parameter, evaluator.sink)
        if formal is None:
            return None
        name = formal.name
        if name in values:
            place = parameter.name.span
            bound.values[name] = _from_outside(evaluator, formal, values[name], place, inner)
        elif parameter.default is not None:
            evaluator.take(bound, formal, parameter.default, inner, None)
        else:
            evaluator.sink.error(
                "missing-argument",
                f"net {net.name.text} needs a value for its parameter `{name}`",
                parameter.span,
                help=f"give it (`--set {name}=...`), or give it a default",
            )
            bound.values[name] = POISON
        bound.formulas[name] = None
        declare_parameter(inner, parameter, bound.values[name], evaluator.sink)
    return bound


def _from_outside(
    evaluator: Evaluator, formal: Formal, value: object, place: Span, inner: Environment
) -> object:
    """A value that Python or the command line gives; a layer comes as it would be written."""
    if formal.kind is not None and (formal.kind is TEXT or not isinstance(value, Written)):
        plain = str(value) if isinstance(value, Written) else value
        return converted(formal, plain, place, evaluator.sink)
    if not isinstance(value, str):
        evaluator.sink.error(
            "bad-argument",
            f"`{formal.name}` takes a layer, not {value!r}",
            place,
            help='give it as it would be written: "leaky_relu(0.1)"',
        )
        return POISON
    expr = expression(value, formal.name, place, evaluator.sink)
    if expr is None:
        return POISON
    bound = Bound()
    evaluator.take(bound, formal, expr, inner, None)
    return bound.values[formal.name]
