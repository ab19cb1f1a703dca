"""What the time of a layer on the BPU is made of: terms, each an amount of work times the march's rate for it.

A march has a rate for every term that was measured on it; for the others stands what :data:`INSTEAD` names.
"""

from __future__ import annotations

from enum import StrEnum


class Term(StrEnum):
    """GMAC for the engines of convolutions, thousands or single ones where said, MB of int8 elements for the rest."""

    DENSE = "dense"
    """Convolutions, and products with weights, of stride 1, sizes rounded up as the engine does."""
    DENSE_STRIDED = "dense_strided"
    WRITTEN = "written"
    """What a convolution writes beyond what its multiply-accumulates leave time for, and"""
    WRITTEN_APART = "written_apart"
    """the same of what a strided convolution reads, for which it is written twice as slowly."""
    STEM_AREA = "stem_area"
    """Places of an input of few channels, in millions."""
    STEM_TAPS = "stem_taps"
    """The same times the kernel's width."""
    TRANSPOSED = "transposed"
    DEPTHWISE = "depthwise"
    """One channel per group, over the places and what the kernel sees beyond them."""
    DEPTHWISE_LARGE = "depthwise_large"
    """The same with a side of the kernel of more than five."""
    DEPTHWISE_STRIDED = "depthwise_strided"
    DEPTHWISE_READ = "depthwise_read"
    """What a strided one reads."""
    DEPTHWISE_WRITTEN = "depthwise_written"
    """What a strided one writes."""
    CHANNELS_SCALED = "channels_scaled"
    """A map whose channels are multiplied by a number each, where no convolution does it, and"""
    CHANNELS_SCALED_CALL = "channels_scaled_call"
    """how many channels that are, in millions."""
    MULTIPLIED = "multiplied"
    SPREAD = "spread"
    """What a depthwise ConvTranspose writes, and"""
    SPREAD_PLACES = "spread_places"
    """the places of that, in millions, where its stride is more than two."""
    DILATED = "dilated"
    """What a convolution of dilation 2 reads, and"""
    DILATED_FAR = "dilated_far"
    """the same of a larger one, for which the compiler sorts places apart and together again;"""
    DILATED_WRITTEN = "dilated_written"
    """what either writes;"""
    DILATED_PLACES = "dilated_places"
    """how many places those of a larger one are, in millions; and"""
    DILATED_ROWS = "dilated_rows"
    """their rows, in thousands. Of all these a stride has the part of the places that it leaves."""
    MATMUL = "matmul"
    MATMUL_SLICE = "matmul_slice"
    """Matrices, one by one."""
    MATMUL_READ = "matmul_read"
    MATMUL_WRITTEN = "matmul_written"
    LOOKUP = "lookup"
    LOOKUP_BEHIND = "lookup_behind"
    """The same of what a convolution alone computes."""
    LOOKUP_SMALL = "lookup_small"
    """The same of so few elements that they are looked up one by one; no padding but that of rows."""
    LOOKUP_APART = "lookup_apart"
    """What lookups make and a strided convolution reads."""
    ELEMENTWISE = "elementwise"
    COLUMN = "column"
    """Elements of single rows that are made columns, and rows again, for two of them to be added up."""
    GATE = "gate"
    """Products and quotients of two maps."""
    SCALE = "scale"
    """The same of the product of two computed matrices and numbers, matrices rounded up as channels are."""
    SHORTCUT = "shortcut"
    MOVE = "move"
    JOIN = "join"
    FLATTEN = "flatten"
    """Elements of a map that becomes one row, channels first."""
    PART = "part"
    PART_ROWS = "part_rows"
    """Rows that come of it, in millions."""
    APART = "apart"
    """Elements as they are of tokens whose queries, keys and values are laid apart, and"""
    APART_LARGE = "apart_large"
    """the same of so many that they are stored, and loaded again, before they are scattered."""
    HEADS = "heads"
    """Elements of tokens that are cut into heads, rows rounded up to the lane."""
    TURN = "turn"
    TURN_PARTED = "turn_parted"
    """The same over five axes or more: elements as they are, and"""
    TURN_CALL = "turn_call"
    """one per node."""
    SCATTER = "scatter"
    SCATTER_ROWS = "scatter_rows"
    """Rows of the last two axes, in millions, that a Transpose of six lays apart to windows, and"""
    SCATTER_RUNS = "scatter_runs"
    """runs of the last axis, in millions, that it joins to rows."""
    WINDOW = "window"
    """Elements that a Reshape lists beside such a Transpose."""
    BLOCK = "block"
    CONCAT = "concat"
    CONCAT_ODD = "concat_odd"
    """Rows of up to 64 places of all channels, in thousands, where some do not begin at multiples that lie together."""
    SLICE = "slice"
    CUT = "cut"
    """Some channels of a map: elements written, and"""
    CUT_ODD = "cut_odd"
    """their rows where they begin or end between two multiples; and"""
    CUT_CONVOLVED = "cut_convolved"
    """the multiply-accumulates of a 1x1 convolution that picks them, or puts odd ones in their places."""
    SPLIT = "split"
    """All of them, told apart, and"""
    SPLIT_ODD = "split_odd"
    """rows of parts that do not begin at multiples."""
    RESIZE = "resize"
    POOL = "pool"
    """The largest of windows next to each other: elements written times the window's area to the 0.8th power, for a
    large window is taken in stages."""
    POOL_STRIDED = "pool_strided"
    """The same at a stride: elements read times the window's width."""
    AVERAGE = "average"
    """Elements written times the window."""
    AVERAGE_EDGE = "average_edge"
    """Places, in millions, of one of which each counts what its window holds of the map, however many channels; and"""
    AVERAGE_EDGE_TAPS = "average_edge_taps"
    """the same times the window."""
    GLOBAL = "global"
    REDUCE = "reduce"
    REDUCE_ROWS = "reduce_rows"
    """Rows of a map that are summed up each, in thousands, some channels at once;"""
    REDUCE_COLUMNS = "reduce_columns"
    """channels whose columns are, in thousands; and"""
    REDUCE_ALONG = "reduce_along"
    """how long these rows and columns are together, in thousands."""
    NORM = "norm"
    """Elements that the square root of a sum of squares reads."""
    SQUARES = "squares"
    """Elements that a Pow makes, and"""
    SQUARES_READ = "squares_read"
    """those that are summed up for a variance: int16, it seems, for they take several times as long."""
    ENTER = "enter"
    """Features that are read from memory, elements as they are."""
    LEAVE = "leave"
    """Features that the host reads."""
    LEAVE_TURNED = "leave_turned"
    """The same of 32-bit sums that the host reads channels first, so that they are turned on the chip; no padding."""
    LEAVE_ROWS = "leave_rows"
    """Their rows, in millions."""
    LAYER = "layer"
    """One per layer."""


INSTEAD: dict[Term, Term | None] = {
    Term.DENSE_STRIDED: Term.DENSE,
    Term.WRITTEN: None,
    Term.WRITTEN_APART: None,
    Term.STEM_AREA: None,
    Term.STEM_TAPS: None,
    Term.TRANSPOSED: Term.DENSE,
    Term.DEPTHWISE_STRIDED: Term.DEPTHWISE,
    Term.DEPTHWISE_READ: None,
    Term.DEPTHWISE_WRITTEN: None,
    Term.DEPTHWISE_LARGE: Term.DEPTHWISE,
    Term.CHANNELS_SCALED: Term.ELEMENTWISE,
    Term.CHANNELS_SCALED_CALL: None,
    Term.MULTIPLIED: Term.DEPTHWISE,
    Term.DILATED: None,
    Term.SPREAD: Term.RESIZE,
    Term.SPREAD_PLACES: None,
    Term.DILATED_FAR: Term.DILATED,
    Term.DILATED_WRITTEN: None,
    Term.DILATED_PLACES: None,
    Term.DILATED_ROWS: None,
    Term.MATMUL_READ: None,
    Term.MATMUL_WRITTEN: None,
    Term.LOOKUP_BEHIND: Term.LOOKUP,
    Term.LOOKUP_SMALL: Term.LOOKUP,
    Term.LOOKUP_APART: None,
    Term.COLUMN: None,
    Term.GATE: Term.ELEMENTWISE,
    Term.SCALE: None,
    Term.SHORTCUT: None,
    Term.JOIN: Term.MOVE,
    Term.FLATTEN: Term.JOIN,
    Term.PART: Term.MOVE,
    Term.PART_ROWS: None,
    Term.APART: Term.PART,
    Term.APART_LARGE: None,
    Term.HEADS: Term.PART,
    Term.TURN: Term.MOVE,
    Term.TURN_PARTED: Term.MOVE,
    Term.TURN_CALL: None,
    Term.SCATTER: Term.MOVE,
    Term.SCATTER_ROWS: None,
    Term.SCATTER_RUNS: None,
    Term.WINDOW: Term.MOVE,
    Term.BLOCK: Term.CONCAT,
    Term.CONCAT_ODD: None,
    Term.SLICE: Term.CONCAT,
    Term.CUT: Term.SLICE,
    Term.CUT_ODD: None,
    Term.CUT_CONVOLVED: None,
    Term.SPLIT: Term.CUT,
    Term.SPLIT_ODD: None,
    Term.RESIZE: Term.CONCAT,
    Term.POOL: None,
    Term.POOL_STRIDED: Term.POOL,
    Term.AVERAGE: Term.POOL,
    Term.AVERAGE_EDGE: None,
    Term.AVERAGE_EDGE_TAPS: None,
    Term.GLOBAL: Term.REDUCE,
    Term.REDUCE_ROWS: None,
    Term.REDUCE_COLUMNS: None,
    Term.REDUCE_ALONG: None,
    Term.NORM: Term.REDUCE,
    Term.SQUARES: Term.LOOKUP,
    Term.SQUARES_READ: Term.REDUCE,
    Term.ENTER: None,
    Term.LEAVE: None,
    Term.LEAVE_TURNED: Term.LEAVE,
    Term.LEAVE_ROWS: None,
}
"""The term whose rate stands for one without a rate; None: it then costs nothing."""


PER_LAYER = frozenset({Term.LAYER, Term.TURN_CALL})
"""Terms that are so many per layer, however much there is to do."""
