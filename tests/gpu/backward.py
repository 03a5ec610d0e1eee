"""Backward passes of fake tensors.

PyTorch's engine asks the CUDA driver for the streams of every device that takes part, which fails without
one. The formulas need no driver: here they are called in the engine's order.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor

Node = Any
Engine = Callable[..., tuple[Tensor | None, ...]]


def with_fakes(real: Engine) -> Engine:
    """Return what PyTorch's engine becomes: the real one, but for the gradients of fake tensors."""

    def engine(
        outputs: Sequence[Tensor],
        gradients: Sequence[Tensor],
        retain: bool,
        create: bool,
        inputs: Sequence[Tensor],
        allow_unreachable: bool = False,
        accumulate_grad: bool = True,
    ) -> tuple[Tensor | None, ...]:
        if not any(isinstance(output, FakeTensor) for output in outputs):
            return real(
                outputs, gradients, retain, create, inputs, allow_unreachable, accumulate_grad=accumulate_grad
            )
        with torch.no_grad():
            return _backward(outputs, gradients, inputs, accumulate_grad)

    return engine


def _backward(
    outputs: Sequence[Tensor], gradients: Sequence[Tensor], inputs: Sequence[Tensor], accumulate: bool
) -> tuple[Tensor | None, ...]:
    """The gradients of the inputs; if asked for, every leaf keeps its own."""
    roots = [torch.autograd.graph.get_gradient_edge(output) for output in outputs]
    ends = [torch.autograd.graph.get_gradient_edge(tensor) for tensor in inputs]
    waiting_for = _dependencies([root.node for root in roots])
    received: dict[Node, dict[int, Tensor]] = defaultdict(dict)
    found: dict[tuple[Node, int], Tensor] = {}
    for root, gradient in zip(roots, gradients, strict=True):
        _receive(received, root.node, root.output_nr, gradient)
    ready = [node for node in dict.fromkeys(root.node for root in roots) if not waiting_for[node]]
    while ready:
        node = ready.pop()
        given = received.pop(node, {})
        found |= {(node, number): gradient for number, gradient in given.items()}
        for (following, number), passed in _passed_on(node, given, accumulate):
            if passed is not None:
                _receive(received, following, number, passed)
            waiting_for[following] -= 1
            if not waiting_for[following]:
                ready.append(following)
    return tuple(found.get((end.node, end.output_nr)) for end in ends)


def _dependencies(roots: Sequence[Node]) -> dict[Node, int]:
    """For each node, how many others give it a gradient."""
    counted: dict[Node, int] = defaultdict(int)
    seen, left = set[Node](), list(roots)
    while left:
        node = left.pop()
        if node not in seen:
            seen.add(node)
            for following, _ in _edges(node):
                counted[following] += 1
                left.append(following)
    return counted


def _edges(node: Node) -> list[tuple[Node, int]]:
    return [edge for edge in node.next_functions if edge[0] is not None]


def _receive(received: dict[Node, dict[int, Tensor]], node: Node, number: int, gradient: Tensor) -> None:
    """Add a gradient to what a node was given, in the shape and type that it has to have."""
    wanted = node._input_metadata[number]
    if gradient.shape != wanted.shape:
        gradient = gradient.sum_to_size(wanted.shape)
    if gradient.device != wanted.device:
        raise RuntimeError(f"{node.name()}: expected a gradient on {wanted.device}, got {gradient.device}")
    gradient = gradient.to(wanted.dtype)
    before = received[node].get(number)
    received[node][number] = gradient if before is None else before + gradient


def _passed_on(
    node: Node, given: dict[int, Tensor], accumulate: bool
) -> list[tuple[tuple[Node, int], Tensor | None]]:
    """The edges of a node with the gradients that it makes of those given."""
    edges = _edges(node)
    if node.name().endswith("AccumulateGrad"):
        if accumulate and given:
            leaf = node.variable
            leaf.grad = given[0] if leaf.grad is None else leaf.grad + given[0]
        return []
    if not given:
        return [(edge, None) for edge in edges]
    arguments = [given.get(number) for number in range(len(node._input_metadata))]
    written_here = hasattr(node, "needs_input_grad")  # a torch.autograd.Function
    made = node.apply(*arguments) if written_here else node(*arguments)
    made = made if isinstance(made, tuple) else (made,)
    needed = node.needs_input_grad if written_here else [edge[0] is not None for edge in node.next_functions]
    passed = [one for one, is_needed in zip(made, needed, strict=True) if is_needed]
    return list(zip(edges, passed, strict=True))
