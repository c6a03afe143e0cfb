"""Replay a training step as a CUDA graph.

A step of a small network is some hundred kernels of a few microseconds, which a processor cannot start fast enough: recorded
once and replayed, they cost one start.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Step = Callable[..., Tensor]
EAGER = 3  # steps on a stream of their own before the recording: libraries and the optimiser make their buffers in them


class ReplayedStep:
    """A step on a GPU, recorded as a graph after its first calls.

    Whatever the step reads besides its arguments must stay at its place in memory, and no branch may depend on data. Arguments
    of another shape than the first call's, as those of an epoch's last step, are not replayed but run.

    Args:
        step: takes tensors on the GPU and returns one; changes parameters in place.
    """

    def __init__(self, step: Step) -> None:
        self._step, self._calls = step, 0
        self._graph: torch.cuda.CUDAGraph | None = None
        self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        self._inputs: list[Tensor] = []
        self._output: Tensor | None = None

    def __call__(self, *inputs: Tensor) -> Tensor:
        """Take the step at ``inputs``; return what it returns."""
        if not self._inputs:
            self._inputs = [value.clone() for value in inputs]
        if any(one.shape != other.shape for one, other in zip(inputs, self._inputs, strict=True)):
            return self._step(*inputs)
        if self._calls < EAGER:
            self._calls += 1
            return self._apart(*inputs)
        for place, value in zip(self._inputs, inputs, strict=True):
            place.copy_(value)
        if self._graph is None:
            self._graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._graph):
                self._output = self._step(*self._inputs)
        self._graph.replay()
        assert self._output is not None  # noqa: S101 - set with the graph
        return self._output.clone()

    def _apart(self, *inputs: Tensor) -> Tensor:
        """Run the step on a stream of its own, as a recording asks for."""
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            out = self._step(*inputs)
        torch.cuda.current_stream().wait_stream(self._stream)
        return out
