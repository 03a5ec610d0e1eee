"""A GPU that is not there: PyTorch's own functions over a driver and tensors that only pretend.

Tensors on ``cuda`` are PyTorch's fake tensors: they have a shape, a type and a device, and no values. Mixed
devices and shapes that do not fit raise, as on a GPU. Tensors on the CPU are real. Values read from the GPU
are made up: ones and zeros in turn, of the right shape.

``torch.cuda`` is the real module, with its signatures and its checks; only functions of ``torch._C`` below it
are replaced. A function that has no replacement raises.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch._subclasses import fake_tensor
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.autograd import graph
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary

from tests.gpu.backward import with_fakes

aten = torch.ops.aten
GIB = 2**30
CUDA = torch.device("cuda", 0)
CLASSES = 5
"""Classes that are counted, and elements found, where that depends on values."""


@dataclass
class Copy:
    """A copy from the CPU to the GPU.

    Attributes:
        bytes: Its size.
        dtype: The type of its numbers.
        pinned: Whether it is from pinned memory.
        waits: Whether the CPU waits for it.
    """

    bytes: int
    dtype: torch.dtype
    pinned: bool
    waits: bool


class _Fakes(FakeTensorMode):  # type: ignore[no-untyped-call]
    """Fake tensors, real CPU tensors beside them, and no driver whatever ``torch.cuda.is_available`` says."""

    avoid_device_init = True

    def __init__(self) -> None:
        super().__init__(allow_non_fake_inputs=True)


@dataclass
class FakeGPU:
    """The state of the GPU, and what was done with it.

    Attributes:
        total: Bytes of its memory.
        others: Bytes that other processes have taken.
        cached: Bytes that this process has freed, and PyTorch has kept.
        fraction: The share of the memory that this process is held to.
        shares: Every share that it was held to, in order.
        memory_ends_after: Convolutions until the memory is full; ``None`` if it never is.
        copies: Copies to the GPU.
        waits: Operations for which the CPU waited.
        sync_debug_mode: What is done of an operation that waits: 2 raises.
        rounded: For each convolution, whether its inputs were rounded to TF32.
    """

    total: int = 32 * GIB
    others: int = 0
    cached: int = 0
    fraction: float = 1.0
    shares: list[float] = field(default_factory=list)
    memory_ends_after: int | None = None
    copies: list[Copy] = field(default_factory=list)
    waits: list[str] = field(default_factory=list)
    sync_debug_mode: int = 0
    rounded: list[bool] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.fakes = _Fakes()
        self.pinned = WeakIdKeyDictionary()

    def run(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        """Do an operation on fake tensors."""
        try:
            return self.fakes.dispatch(func, types, args, kwargs)
        finally:  # what is remembered there cannot be moved by a module's second `to`
            self.fakes.fake_tensor_converter.meta_converter.tensor_memo.clear()

    def empty(self, *shape: int) -> Tensor:
        """Whole numbers on the GPU."""
        options = {"dtype": torch.int64, "device": CUDA}
        made: Tensor = self.run(aten.empty.memory_format, (), (list(shape),), options)
        return made

    def wait(self, what: str) -> None:
        """Note that the CPU waits."""
        self.waits.append(what)
        if self.sync_debug_mode == 2:
            raise RuntimeError(f"called a synchronizing CUDA operation: {what}")

    def pin(self, tensor: Tensor) -> Tensor:
        """Take a tensor for one of pinned memory."""
        self.pinned[tensor] = tensor.untyped_storage().data_ptr()
        return tensor

    def is_pinned(self, tensor: Tensor) -> bool:
        """Tell whether a tensor's memory is pinned."""
        return tensor.untyped_storage().data_ptr() in self.pinned.values()  # type: ignore[no-untyped-call]

    def spend(self) -> None:
        """Use memory for one more convolution."""
        if self.memory_ends_after is not None:
            self.memory_ends_after -= 1
            if self.memory_ends_after < 0:
                raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nMore.")


class _Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """A hook into every operation of PyTorch, in one thread."""

    def __init__(self, gpu: FakeGPU) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.gpu = gpu

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func.overloadpacket is aten.to:  # whole only in inference mode
            with self:
                return func.decompose(*args, **kwargs)
        if func.overloadpacket in _PINNING:
            return _PINNING[func.overloadpacket](self.gpu, args[0])
        if kwargs.pop("pin_memory", None):
            return self.gpu.pin(func(*args, **kwargs))
        leaves = tree_leaves((args, kwargs))
        on_gpu = any(isinstance(leaf, FakeTensor) for leaf in leaves)
        to_gpu = any(isinstance(leaf, torch.device) and leaf.type == "cuda" for leaf in leaves)
        if not (on_gpu or to_gpu):
            return func(*args, **kwargs)
        return self._on_gpu(func, types, args, kwargs)

    def _on_gpu(self, func: Any, types: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        if func.overloadpacket in _CONVOLUTIONS:
            self.gpu.spend()
            self.gpu.rounded.append(torch.backends.cudnn.allow_tf32)
        if func in _ANSWERS:
            self.gpu.wait(str(func))
            return _ANSWERS[func](self.gpu, *args, **kwargs)
        if func is aten._to_copy.default:
            device = kwargs.get("device") or args[0].device
            if not isinstance(args[0], FakeTensor):
                return self._arrive(args[0], kwargs)
            if device.type == "cpu":
                return self._leave(args[0], kwargs)
        if func is aten.copy_.default and isinstance(args[0], FakeTensor) != isinstance(args[1], FakeTensor):
            return self._copy(*args)
        return self.gpu.run(func, types, args, kwargs)

    def _arrive(self, tensor: Tensor, kwargs: dict[str, Any]) -> Tensor:
        """A CPU tensor's fake."""
        waits = not kwargs.pop("non_blocking", False)
        self._note(tensor, waits)
        device = kwargs.pop("device")
        like = aten._to_copy.default(tensor, **kwargs)
        shape = list(like.shape), like.stride()
        options = {"dtype": like.dtype, "device": device}
        made: Tensor = self.gpu.run(aten.empty_strided.default, (), shape, options)
        return made

    def _leave(self, tensor: Tensor, kwargs: dict[str, Any]) -> Tensor:
        """Ones and zeros in turn instead of a fake: probes that are right and wrong."""
        if not kwargs.get("non_blocking"):
            self.gpu.wait("copy to the CPU")
        made = torch.arange(1, tensor.numel() + 1).remainder(2).view(tensor.shape)
        return made.to(kwargs.get("dtype") or tensor.dtype)

    def _copy(self, into: Tensor, source: Tensor, non_blocking: bool = False) -> Tensor:
        """A copy between the devices in place."""
        if into.numel() != source.expand(into.shape).numel():
            raise RuntimeError(f"copy of {tuple(source.shape)} into {tuple(into.shape)}")
        if isinstance(into, FakeTensor):
            self._note(source, not non_blocking)
            return into
        self.gpu.wait("copy to the CPU")
        return into.fill_(1)

    def _note(self, tensor: Tensor, waits: bool) -> None:
        size = tensor.numel() * tensor.element_size()
        self.gpu.copies.append(Copy(size, tensor.dtype, self.gpu.is_pinned(tensor), waits))
        if waits:
            self.gpu.wait("copy to the GPU")


def _value(gpu: FakeGPU, tensor: Tensor) -> bool | int | float:
    if tensor.dtype == torch.bool:
        return True
    return 2.0 if tensor.is_floating_point() else 1


def _counts(gpu: FakeGPU, tensor: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    return gpu.empty(minlength or CLASSES)


def _found(gpu: FakeGPU, tensor: Tensor) -> Tensor:
    return gpu.empty(min(CLASSES, tensor.numel()), tensor.dim())


_ANSWERS: Mapping[Any, Callable[..., Any]] = {
    aten._local_scalar_dense.default: _value,
    aten.item.default: _value,
    aten.bincount.default: _counts,
    aten.nonzero.default: _found,
    aten.equal.default: lambda gpu, one, other: True,
}
"""Operations whose results depend on values, with made-up results."""

_CONVOLUTIONS = (aten.convolution, aten.conv2d, aten.conv_transpose2d)
"""Convolutions; the last two are whole only in inference mode."""

_PINNING: Mapping[Any, Callable[[FakeGPU, Tensor], Any]] = {
    aten._pin_memory: lambda gpu, tensor: gpu.pin(tensor.clone()),
    aten.pin_memory: lambda gpu, tensor: gpu.pin(tensor.clone()),
    aten.is_pinned: FakeGPU.is_pinned,
}


def _driver(gpu: FakeGPU) -> dict[str, Callable[..., Any]]:
    """Return replacements for the functions of ``torch._C`` that ``torch.cuda`` calls."""

    def set_fraction(fraction: float, device: int) -> None:
        _require(device)
        gpu.fraction = fraction
        gpu.shares.append(fraction)

    def statistics(device: int) -> dict[str, Any]:
        _require(device)
        kinds = {"reserved_bytes": gpu.cached, "allocated_bytes": 2**20}
        return {name: {"all": {"current": value, "peak": value}} for name, value in kinds.items()}

    def free_cache() -> None:
        gpu.cached = 0

    def set_sync_debug_mode(mode: int) -> None:
        gpu.sync_debug_mode = mode

    return {
        "_cuda_getDeviceCount": lambda: 1,
        "_cuda_getDevice": lambda: 0,
        "_cuda_setDevice": _require,
        "_cuda_exchangeDevice": _require,
        "_cuda_maybeExchangeDevice": lambda device: 0,
        "_cuda_synchronize": lambda: None,
        "_cuda_emptyCache": free_cache,
        "_cuda_setMemoryFraction": set_fraction,
        "_cuda_getMemoryFraction": lambda device: gpu.fraction + _require(device),
        "_cuda_memoryStats": statistics,
        "_cuda_resetPeakMemoryStats": _require,
        "_cuda_set_sync_debug_mode": set_sync_debug_mode,
    }


def _require(device: int) -> int:
    if type(device) is not int or device != 0:
        raise RuntimeError(f"CUDA error: invalid device ordinal ({device!r})")
    return device


def _submit_at_once(pool: ThreadPoolExecutor, work: Any, *args: Any, **kwargs: Any) -> "Future[Any]":
    """Do the work of a pool in this thread: fake tensors are not for several at a time."""
    future: Future[Any] = Future()
    try:
        future.set_result(work(*args, **kwargs))
    except BaseException as error:
        future.set_exception(error)
    return future


@contextmanager
def fake_gpu() -> Iterator[FakeGPU]:
    """Pretend that this process sees one GPU, in this thread, which does the work of its pools, too."""
    torch._C._ensureCUDADeviceGuardSet()  # before anything claims that there is a device
    gpu = FakeGPU()

    def memory(device: int) -> tuple[int, int]:
        _require(device)
        return gpu.total - gpu.others - gpu.cached, gpu.total

    name = SimpleNamespace(name="Pretended", major=9, minor=0, total_memory=gpu.total)
    driver = _driver(gpu)
    replaced: list[tuple[Any, str, Any]] = [
        *((torch._C, name, function) for name, function in driver.items()),
        (torch.cuda, "_initialized", True),
        (torch.cuda, "_cached_device_count", None),  # else the number of GPUs outlives the pretence
        (torch.cuda, "_exchange_device", driver["_cuda_exchangeDevice"]),
        (torch.cuda, "_maybe_exchange_device", driver["_cuda_maybeExchangeDevice"]),
        (torch.cuda, "_cudart", SimpleNamespace(cudaMemGetInfo=memory)),
        (torch.cuda, "_get_device_properties", lambda device: name),
        (torch.cuda, "default_generators", (torch.Generator(),)),
        (torch.autograd, "_engine_run_backward", with_fakes(graph._engine_run_backward)),
        (fake_tensor, "init_gpu_context", lambda device: None),
        (ThreadPoolExecutor, "submit", _submit_at_once),
    ]
    with ExitStack() as stack:
        for owner, attribute, value in replaced:
            stack.enter_context(mock.patch.object(owner, attribute, value, create=True))
        stack.enter_context(_Operations(gpu))
        yield gpu
