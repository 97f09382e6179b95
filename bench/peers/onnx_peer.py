"""Inference in ONNX Runtime: the same form once more, as a graph; the variant is the number of clips at a time.

The box sum is an average pooling times 16, which the runtime has a kernel for.
"""

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper


def load(parameters, variant, threads):
    return Program(parameters, int(variant), threads)


def graph(parameters, size):
    nodes, constants = [], []

    def constant(values, dtype=np.float32):
        name = f"c{len(constants)}"
        constants.append(numpy_helper.from_array(np.ascontiguousarray(values, dtype), name))
        return name

    def node(kind, *inputs, **attributes):
        name = f"t{len(nodes)}"
        nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def cut(x, axis, start, stop):
        numbers = (constant([number], np.int64) for number in (start, stop, axis))
        return node("Slice", x, *numbers)

    def weighted_sum(x, w, b, frames):
        # x (n, c, d, h, w); a product for each map, joined along the maps
        maps = []
        for f in range(w.shape[0]):
            terms = []
            for i in range(3):
                part = node("Mul", cut(x, 2, i, i + frames), constant(w[f, :, i][None, :, None]))
                terms.append(part if w.shape[1] == 1 else node("ReduceSum", part, constant([1], np.int64), keepdims=1))
            maps.append(node("Add", node("Add", terms[0], terms[1]), terms[2]))
        p = node("Concat", *maps, axis=1)
        sums = node("Mul", node("AveragePool", p, kernel_shape=[1, 4, 4]), constant(16))
        return node("LeakyRelu", node("Add", sums, constant(b[None])), alpha=0.01)

    def normalize(x):
        axes = constant([3, 4], np.int64)
        centred = node("Sub", x, node("ReduceMean", x, axes, keepdims=1))
        variance = node("ReduceMean", node("Mul", centred, centred), axes, keepdims=1)
        return node("Div", centred, node("Sqrt", node("Add", variance, constant(1e-8))))

    w1, b1, w3, b3, w5, b5, w7, b7 = parameters
    frames, shape = b3.shape[1] + 4, (w1.shape[1], b3.shape[1] + 4, *w1.shape[3:])
    a = normalize(weighted_sum("x", w1, b1, frames - 2))
    m = node("MaxPool", a, kernel_shape=[3, 2, 2], strides=[1, 2, 2])
    a = normalize(node("LeakyRelu", node("Add", node("Mul", m, constant(w3[None])), constant(b3[None])), alpha=0.01))
    a = normalize(weighted_sum(a, w5, b5, frames - 6))
    logits = node("Gemm", node("Flatten", a), constant(w7), constant(b7), transB=1)
    return helper.make_model(
        helper.make_graph(
            nodes,
            "emop3d",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [size, *shape])],
            [helper.make_tensor_value_info(logits, TensorProto.FLOAT, [size, len(b7)])],
            constants,
        ),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=10,
    )


class Program:
    gradients = step = None  # inference only

    def __init__(self, parameters, at_a_time, threads):
        self.options = onnxruntime.SessionOptions()
        self.options.intra_op_num_threads = threads
        self.parameters, self.at_a_time, self.sessions = parameters, at_a_time, {}

    def session(self, size):
        if size not in self.sessions:
            model = graph(self.parameters, size)
            onnx.checker.check_model(model)
            self.sessions[size] = onnxruntime.InferenceSession(
                model.SerializeToString(), self.options, providers=["CPUExecutionProvider"]
            )
        return self.sessions[size]

    def forward(self, x):
        size = min(self.at_a_time, len(x))
        parts = [x[start : start + size] for start in range(0, len(x), size)]
        return np.concatenate([self.session(len(part)).run(None, {"x": part})[0] for part in parts])
