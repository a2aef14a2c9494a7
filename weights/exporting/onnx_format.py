"""The network as an ONNX graph, run by ONNX Runtime.

The graph is built from the arrays: two dozen nodes, which every runtime has. Exporters that trace
the Keras network would need TensorFlow, and write its Fourier transforms as they are.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hiphopss.config import SOURCES
from hiphopss.network.forward import NumpyNetwork
from hiphopss.network.spec import N_FILTERS, TIME_FILTER
from hiphopss.weights.exporting.facts import INPUT, OUTPUT
from hiphopss.weights.exporting.formats import Masks, decoders_of_sources

if TYPE_CHECKING:
    import onnx

# Of 2020, with ONNX 1.8: the oldest in which ReduceSum has its axes as an input, as it has since.
_OPSET, _IR_VERSION = 13, 7


def write(path: Path, network: NumpyNetwork, facts: dict[str, Any]) -> None:
    """Write the network with its facts, each a JSON value, among the metadata."""
    import onnx
    from onnx import helper

    graph = helper.make_graph(*_graph(network))
    model = helper.make_model(
        graph,
        producer_name="hiphopss",
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
    )
    helper.set_model_props(model, {name: json.dumps(value) for name, value in facts.items()})
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString(deterministic=True))


def masks_of(path: Path) -> Masks:
    """Load an ONNX file into ONNX Runtime, on the processor."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])

    def masks(patches: np.ndarray) -> np.ndarray:
        return session.run([OUTPUT], {INPUT: patches})[0]

    return masks


def _graph(network: NumpyNetwork) -> tuple[list, str, list, list, list[onnx.TensorProto]]:
    """Nodes, name, inputs, outputs and arrays of the graph."""
    from onnx import TensorProto, helper, numpy_helper

    arrays = _arrays(network)
    config = network.config
    shapes: dict[str, list[str | int | None]] = {
        INPUT: ["batch", config.context, config.bins],
        OUTPUT: ["batch", len(SOURCES), config.context, config.bins],
    }
    described = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in shapes.items()
    ]
    kept = [numpy_helper.from_array(np.ascontiguousarray(a), name) for name, a in arrays.items()]
    return _nodes(network), "hiphopss", described[:1], described[1:], kept


def _arrays(network: NumpyNetwork) -> dict[str, np.ndarray]:
    """Arrays of the graph by name; kernels of both convolutions serve their inverses, too."""
    config, n_decoders = network.config, len(network.sources)
    conv2 = network.conv2_kernel.reshape(TIME_FILTER, N_FILTERS, N_FILTERS)
    frames, bins = config.context, config.bins
    arrays = {
        "conv1/kernel": network.conv1_kernel,
        "conv1/bias": network.conv1_bias,
        "conv2/kernel": conv2.transpose(2, 1, 0),  # (filters, channels, size)
        "conv2/bias": network.conv2_bias,
        "bottleneck/kernel": network.bottleneck_kernel,
        "bottleneck/bias": network.bottleneck_bias,
        "decoders/kernel": network.decoder_kernel,
        "decoders/bias": network.decoder_bias,
        "output/bias": (network.lift - network.floor)[:, :1, :1],
        "masks/noise": network.floor[:, :bins],
        "shape/encoded": np.array([-1, network.n_encoded, N_FILTERS], np.int64),
        "shape/outputs": np.array([-1, n_decoders, frames, bins], np.int64),
        "axes/sources": np.array([1], np.int64),
    }
    if n_decoders < len(SOURCES):
        arrays["decoders/of_sources"] = np.array(decoders_of_sources(network), np.int64)
    return arrays


def _nodes(network: NumpyNetwork) -> list[onnx.NodeProto]:
    """The nodes in their order; most take the result of the node before."""
    from onnx import helper

    nodes, last = [], INPUT

    def add(kind: str, result: str, *inputs: str, **attributes: Any) -> None:
        nonlocal last
        nodes.append(helper.make_node(kind, inputs, [result], name=result, **attributes))
        last = result

    to_channels = {"perm": [0, 2, 1]}  # (n, time, channels) to (n, channels, time), and back
    # encoder
    add("MatMul", "conv1/product", last, "conv1/kernel")
    add("Add", "conv1", last, "conv1/bias")  # (n, 30, 50)
    add("Transpose", "conv2/input", last, **to_channels)
    add("Conv", "conv2/valid", last, "conv2/kernel", "conv2/bias", kernel_shape=[TIME_FILTER])
    add("Transpose", "conv2", last, **to_channels)  # (n, 16, 50)
    add("Flatten", "flatten", last)
    add("Gemm", "bottleneck/product", last, "bottleneck/kernel", "bottleneck/bias")
    add("Relu", "bottleneck", last)  # (n, 128)
    # decoders, side by side
    add("Gemm", "decoders/product", last, "decoders/kernel", "decoders/bias")
    add("Relu", "decoders", last)
    add("Reshape", "decoders/encoded", last, "shape/encoded")  # (n * n_decoders, 16, 50)
    add("Transpose", "conv2_inverse/input", last, **to_channels)
    add("ConvTranspose", "conv2_inverse/full", last, "conv2/kernel", kernel_shape=[TIME_FILTER])
    add("Transpose", "conv2_inverse", last, **to_channels)  # (n * n_decoders, 30, 50)
    decoded = last
    add("Transpose", "conv1_inverse/kernel", "conv1/kernel", perm=[1, 0])
    add("MatMul", "conv1_inverse", decoded, "conv1_inverse/kernel")
    add("Reshape", "outputs/decoded", last, "shape/outputs")  # (n, n_decoders, 30, 513)
    if len(network.sources) < len(SOURCES):  # Q1
        add("Gather", "outputs", last, "decoders/of_sources", axis=1)
    # masks
    add("Add", "outputs/biased", last, "output/bias")
    add("Relu", "outputs/rectified", last)
    add("Add", "masks/raised", last, "masks/noise")
    raised = last
    add("ReduceSum", "masks/total", raised, "axes/sources", keepdims=1)
    add("Div", OUTPUT, raised, "masks/total")
    return nodes
