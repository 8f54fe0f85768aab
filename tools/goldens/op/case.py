# SPDX-License-Identifier: Apache-2.0
"""What a case of a tensor operator is (make.py computes and writes them)."""

OPSET = 22


class Constant:
    """An input that is a constant of the graph (shape rules may look at it)."""

    def __init__(self, value):
        self.value = value


class Case:
    """One operator on given inputs: arrays, Constant(array), or None for an absent one. `text`: the node as hone writes it, where
    that differs from the operator's name and attributes; `expected`: what must come out, where no reference knows it; `fails`: part of
    the sentence that must come instead."""

    def __init__(self, symbol, name, op, inputs, attributes=None, *, outputs=1, domain="", text=None, expected=None, opset=OPSET,
                 fails=None):
        self.symbol, self.name, self.op, self.inputs = symbol, name, op, inputs
        self.attributes, self.outputs, self.domain = attributes or {}, outputs, domain
        self.text, self.expected, self.opset, self.fails = text, expected, opset, fails
