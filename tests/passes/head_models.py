"""Small detectors, one per family: two strides of a picture of 32x32, decoded as the exporters do it."""

from __future__ import annotations

SIZES = {8: 4, 16: 2}
"""Places along a side, by stride."""
PLACES = sum(n * n for n in SIZES.values())
OUT = 2
"""Classes."""


def _numbers(*values: float) -> str:
    return "{" + ", ".join(map(str, values)) + "}"


def _weights(name: str, channels: int, stride: int) -> str:
    """A convolution of stride and kernel ``stride`` over the picture, whose weights follow a pattern."""
    count = channels * 3 * stride * stride
    values = (((7 * i) % 11 - 5) / 40 for i in range(count))
    return f"float[{channels},3,{stride},{stride}] {name}_w = {_numbers(*values)}"


def _conv(name: str, stride: int) -> str:
    return f"{name} = Conv <strides = [{stride}, {stride}]> (x, {name}_w)"


class Net:
    """ONNX text under construction."""

    def __init__(self) -> None:
        self.constants: list[str] = []
        self.nodes: list[str] = []

    def conv(self, name: str, channels: int, stride: int) -> str:
        self.constants.append(_weights(name, channels, stride))
        self.nodes.append(_conv(name, stride))
        return name

    def ints(self, name: str, *values: int) -> str:
        self.constants.append(f"int64[{len(values)}] {name} = {_numbers(*values)}")
        return name

    def floats(self, name: str, shape: tuple[int, ...], *values: float) -> str:
        self.constants.append(f"float[{','.join(map(str, shape))}] {name} = {_numbers(*values)}")
        return name

    def add(self, *lines: str) -> None:
        self.nodes += lines

    def rows(self, name: str, columns: int) -> str:
        """``1xCxHxW`` as ``1x(HW)xK``, as SSD and its like write it."""
        self.add(
            f"{name}_t = Transpose <perm = [0, 2, 3, 1]> ({name})",
            f"{name}_r = Reshape ({name}_t, {self.ints(f'{name}_s', 1, -1, columns)})",
        )
        return f"{name}_r"

    def columns(self, name: str, channels: int) -> str:
        """``1xCxHxW`` as ``1xCx(HW)``, as YOLO writes it."""
        self.add(f"{name}_r = Reshape ({name}, {self.ints(f'{name}_s', 1, channels, -1)})")
        return f"{name}_r"

    def text(self, outputs: str) -> str:
        constants, nodes = ", ".join(self.constants), "\n    ".join(self.nodes)
        return f"g (float[1,3,32,32] x) => ({outputs}) <{constants}> {{\n    {nodes}\n}}"

    def points(self) -> tuple[str, str]:
        """Centres of places and strides, as ``1x2xP`` and ``1xP``."""
        xy = [[c + 0.5 for n in SIZES.values() for y in range(n) for c in row(n, y)] for row in (_across, _down)]
        strides = [float(s) for s, n in SIZES.items() for _ in range(n * n)]
        return (
            self.floats("points", (1, 2, PLACES), *xy[0], *xy[1]),
            self.floats("strides", (1, PLACES), *strides),
        )


def _across(n: int, _y: int) -> list[int]:
    return list(range(n))


def _down(n: int, y: int) -> list[int]:
    return [y] * n


def _sides(net: Net, distances: str) -> None:
    """Distances ``1x4xP`` to the four sides, as corners times strides: ``box``."""
    points, strides = net.points()
    net.add(
        f"lt, rb = Split <axis = 1> ({distances}, {net.ints('halves', 2, 2)})",
        f"low = Sub ({points}, lt)",
        f"high = Add ({points}, rb)",
        "corners = Concat <axis = 1> (low, high)",
        f"box = Mul (corners, {strides})",
    )


def dfl(*, mask: int = 0, angle: bool = False, bins: int = 4) -> str:
    """YOLOv8: boxes and classes joined per stride; masks and angles beside them."""
    net, joined, beside = Net(), [], []
    for stride in SIZES:
        box, scores = net.conv(f"b{stride}", 4 * bins, stride), net.conv(f"c{stride}", OUT, stride)
        net.add(f"j{stride} = Concat <axis = 1> ({box}, {scores})")
        joined.append(net.columns(f"j{stride}", 4 * bins + OUT))
        if mask or angle:
            beside.append(net.columns(net.conv(f"m{stride}", mask or 1, stride), mask or 1))
    net.add(
        f"all = Concat <axis = 2> ({', '.join(joined)})",
        f"sides, scores = Split <axis = 1> (all, {net.ints('parts', 4 * bins, OUT)})",
        f"bins = Reshape (sides, {net.ints('bins_s', 1, 4, bins, PLACES)})",
        "turned = Transpose <perm = [0, 2, 1, 3]> (bins)",
        "soft = Softmax <axis = 1> (turned)",
        f"mean = Conv (soft, {net.floats('weights', (1, bins, 1, 1), *range(bins))})",
        f"distances = Reshape (mean, {net.ints('mean_s', 1, 4, PLACES)})",
    )
    _sides(net, "distances")
    net.add("probable = Sigmoid (scores)")
    parts = ["box", "probable"]
    if beside:
        net.add(f"beside = Concat <axis = 2> ({', '.join(beside)})")
        parts.append("beside")
    if angle:
        half = net.floats("half", (1,), 0.25)
        net.add("turn = Sigmoid (beside)", f"radians = Sub (turn, {half})")
        parts[-1] = "radians"
    net.add(f"y = Concat <axis = 1> ({', '.join(parts)})")
    return net.text(f"float[1,{4 + OUT + (mask or int(angle))},{PLACES}] y")


def ltrb() -> str:
    """YOLO26: distances without bins."""
    net, boxes, scores = Net(), [], []
    for stride in SIZES:
        boxes.append(net.columns(net.conv(f"b{stride}", 4, stride), 4))
        scores.append(net.columns(net.conv(f"c{stride}", OUT, stride), OUT))
    net.add(f"d = Concat <axis = 2> ({', '.join(boxes)})", f"s = Concat <axis = 2> ({', '.join(scores)})")
    _sides(net, "d")
    net.add("probable = Sigmoid (s)", "y = Concat <axis = 1> (box, probable)")
    return net.text(f"float[1,{4 + OUT},{PLACES}] y")


def selected() -> str:
    """End to end: the best scores and their boxes, by TopK and GatherElements."""
    net, boxes, scores = Net(), [], []
    for stride in SIZES:
        boxes.append(net.columns(net.conv(f"b{stride}", 4, stride), 4))
        scores.append(net.columns(net.conv(f"c{stride}", OUT, stride), OUT))
    net.add(f"d = Concat <axis = 2> ({', '.join(boxes)})", f"s = Concat <axis = 2> ({', '.join(scores)})")
    _sides(net, "d")
    net.add(
        "probable = Sigmoid (s)",
        "best = ReduceMax <axes = [1], keepdims = 1> (probable)",
        f"top, places = TopK <axis = 2> (best, {net.ints('k', 5)})",
        f"four = Expand (places, {net.ints('four_s', 1, 4, 5)})",
        "taken = GatherElements <axis = 2> (box, four)",
        "y = Concat <axis = 1> (taken, top)",
    )
    return net.text("float[1,5,5] y")


def anchored() -> str:
    """YOLOv5 to v7: three anchors per place, in a map of 3 * (5 + classes) channels."""
    net, rows = Net(), []
    values = 5 + OUT
    two, half, one = (net.floats(name, (1,), v) for name, v in (("two", 2), ("half", 0.5), ("power", 2)))
    parts = net.ints("parts", 2, 2, values - 4)
    flat = net.ints("flat", 1, -1, values)
    for stride, n in SIZES.items():
        head = net.conv(f"h{stride}", 3 * values, stride)
        grid = net.floats(
            f"g{stride}", (1, 1, n, n, 2), *(float(v) for y in range(n) for x in range(n) for v in (x, y))
        )
        sizes = [stride * v for _ in range(1) for v in (1.0, 2.0, 3.0, 1.5, 2.0, 4.0)]
        everywhere = [v for a in range(3) for _ in range(n * n) for v in sizes[2 * a : 2 * a + 2]]
        anchors = net.floats(f"a{stride}", (1, 3, n, n, 2), *everywhere)
        step = net.floats(f"s{stride}", (1,), stride)
        net.add(
            f"r{stride} = Reshape ({head}, {net.ints(f'r{stride}_s', 1, 3, values, n, n)})",
            f"t{stride} = Transpose <perm = [0, 1, 3, 4, 2]> (r{stride})",
            f"p{stride} = Sigmoid (t{stride})",
            f"xy{stride}, wh{stride}, c{stride} = Split <axis = 4> (p{stride}, {parts})",
            f"xa{stride} = Mul (xy{stride}, {two})", f"xb{stride} = Sub (xa{stride}, {half})",
            f"xc{stride} = Add (xb{stride}, {grid})", f"xd{stride} = Mul (xc{stride}, {step})",
            f"wa{stride} = Mul (wh{stride}, {two})", f"wb{stride} = Pow (wa{stride}, {one})",
            f"wc{stride} = Mul (wb{stride}, {anchors})",
            f"j{stride} = Concat <axis = 4> (xd{stride}, wc{stride}, c{stride})",
            f"o{stride} = Reshape (j{stride}, {flat})",
        )  # fmt: skip
        rows.append(f"o{stride}")
    net.add(f"y = Concat <axis = 1> ({', '.join(rows)})")
    return net.text(f"float[1,{3 * PLACES},{values}] y")


def yolox() -> str:
    """YOLOX with its decoding: the centre added to the place, the exponential of the size."""
    net, joined = Net(), []
    for stride in SIZES:
        box, sure, scores = (net.conv(f"{n}{stride}", c, stride) for n, c in (("b", 4), ("o", 1), ("c", OUT)))
        net.add(
            f"so{stride} = Sigmoid ({sure})", f"sc{stride} = Sigmoid ({scores})",
            f"j{stride} = Concat <axis = 1> ({box}, so{stride}, sc{stride})",
        )  # fmt: skip
        joined.append(net.columns(f"j{stride}", 5 + OUT))
    points, strides = net.points()
    net.add(
        f"all = Concat <axis = 2> ({', '.join(joined)})",
        f"xy, wh, rest = Split <axis = 1> (all, {net.ints('parts', 2, 2, 1 + OUT)})",
        f"xa = Add (xy, {points})", f"xb = Mul (xa, {strides})", "wa = Exp (wh)", f"wb = Mul (wa, {strides})",
        "y = Concat <axis = 1> (xb, wb, rest)",
    )  # fmt: skip
    return net.text(f"float[1,{5 + OUT},{PLACES}] y")


def raw() -> str:
    """Boxes, confidences and classes left to the host to decode: YOLOX and FCOS do alike."""
    net, outputs = Net(), []
    for stride, n in SIZES.items():
        for name, channels in (("c", OUT), ("b", 4), ("o", 1)):
            rows = net.rows(net.conv(f"{name}{stride}", channels, stride), channels)
            end = f"y_{name}{stride}"
            net.add(f"{end} = {'Identity' if name == 'b' else 'Sigmoid'} ({rows})")
            outputs.append(f"float[1,{n * n},{channels}] {end}")
    return net.text(", ".join(outputs))


def ssd() -> str:
    """SSD, RFB: two priors per place; scores through a Softmax, boxes by variances and priors."""
    net, boxes, scores = Net(), [], []
    for stride in SIZES:
        boxes.append(net.rows(net.conv(f"b{stride}", 2 * 4, stride), 4))
        scores.append(net.rows(net.conv(f"c{stride}", 2 * OUT, stride), OUT))
    variance = net.floats("variance", (1,), 0.1)
    net.add(
        f"d = Concat <axis = 1> ({', '.join(boxes)})", f"s = Concat <axis = 1> ({', '.join(scores)})",
        "scores = Softmax <axis = 2> (s)",
        f"scaled = Mul (d, {variance})", "boxes = Exp (scaled)",
    )  # fmt: skip
    return net.text(f"float[1,{2 * PLACES},{OUT}] scores, float[1,{2 * PLACES},4] boxes")


def retinanet() -> str:
    """RetinaNet: three anchors per place; scores through a Sigmoid, exponentials of sizes."""
    net, boxes, scores = Net(), [], []
    for stride in SIZES:
        boxes.append(net.rows(net.conv(f"b{stride}", 3 * 4, stride), 4))
        scores.append(net.rows(net.conv(f"c{stride}", 3 * OUT, stride), OUT))
    net.add(
        f"d = Concat <axis = 1> ({', '.join(boxes)})", f"s = Concat <axis = 1> ({', '.join(scores)})",
        "scores = Sigmoid (s)", "boxes = Exp (d)",
    )  # fmt: skip
    return net.text(f"float[1,{3 * PLACES},{OUT}] scores, float[1,{3 * PLACES},4] boxes")


DETR = """g (float[1,6,8] x) => (float[1,6,6] y)
<float[8,2] wc = {1,2,3,4,5,6,7,8,1,2,3,4,5,6,7,8}, float[2] bc = {0.1, 0.2},
 float[8,4] wb = {1,2,3,4,5,6,7,8,1,2,3,4,5,6,7,8,1,2,3,4,5,6,7,8,1,2,3,4,5,6,7,8}>
{
    c = MatMul (x, wc)
    d = Add (c, bc)
    s = Sigmoid (d)
    b = MatMul (x, wb)
    e = Sigmoid (b)
    y = Concat <axis = 2> (e, s)
}"""

SEGMENTED = """g (float[1,3,8,8] x) => (int64[1,1,8,8] y) <float[2,3,1,1] w = {1,2,3,4,5,6}>
{ c = Conv (x, w)  s = Softmax <axis = 1> (c)  y = ArgMax <axis = 1> (s) }"""

CLASSIFIED = """g (float[1,4] x) => (float[1,3] y) <float[3,4] w = {1,2,3,4,5,6,7,8,9,10,11,12}>
{ c = Gemm <transB = 1> (x, w)  y = Softmax <axis = 1> (c) }"""

UNKNOWN = """g (float[1,3,8,8] x) => (float[1,2,8,8] y) <float[2,3,1,1] w = {1,2,3,4,5,6}, float k = {3}>
{ c = Conv (x, w)  r = Relu (c)  m = Mod <fmod = 1> (r, k)  y = Neg (m) }"""
