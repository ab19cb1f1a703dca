"""Shortened logs of own runs of the toolchain: the lines the parsers read, and some they have to pass over."""

from __future__ import annotations

STAMP = "2026-11-23 03:17:41,720 \x1b[92mINFO\x1b[0m "
TABLE = f"""\
{STAMP}hbdk version 3.49.15
{STAMP}horizon_nn version 1.1.0
{STAMP}hb_mapper version 1.24.3
{STAMP}Start to compile the model with march bayes-e.
[          ]   0%[===== ]  50%[==========] 100%
{STAMP}FPS=241.75, latency = 4136.5 us, DDR = 21823680 bytes   (see ./.hb_check/main_graph_subgraph_0.html)
{STAMP}The main quantized node information:
====================================================================================================================
Node                            ON   Subgraph  Type              Cosine Similarity  Threshold  DataType  
--------------------------------------------------------------------------------------------------------------------
/conv1/Conv                     BPU  id(0)     HzSQuantizedConv  --                 1.0        int8      
...r4.1/conv2/Conv              BPU  id(1)     HzSQuantizedConv  0.999125           1.0        int8      
/fc/Gemm_transpose_output_reshape  CPU  --        Reshape           --                 --         float
{STAMP}The quantized model output:
============
Output      
------------
{STAMP}End model checking....
"""  # noqa: W291 - the tool pads its columns
DATED = """\
2024-06-01 10:00:00,000 INFO The converted model node information:
==================================================
Node       ON   Subgraph  Type              In/Out DataType  
--------------------------------------------------
Conv_0     BPU  id(0)     HzSQuantizedConv  int8/int32       
Softmax_1  CPU  --        Softmax           float/float      
"""  # noqa: W291
OLDEST = """\
2022-06-01 10:00:00,000 file: build.py func: build line No: 36 message The converted model node information:
Node          ON   Subgraph  Type
-------------------------------------------
conv1         BPU  id(0)     HzSQuantizedConv
pow           CPU  --        Pow
"""


def failed(reason: str, stage: str = "horizon_nn.build_onnx") -> str:
    """The log of a run that failed for ``reason``."""
    said = f"*** ERROR-OCCUR-DURING {{{stage}}} ***, error message: {reason}"
    return f"{STAMP}Start to prepare the onnx model.\n2026-11-23 03:22:59,000 \x1b[91mERROR\x1b[0m {said}\n"


MODIFIER = """\
2026-11-23 03:16:23,110 file: hb_model_modifier.py func: f line No: 190 message Node 'x_HzQuantize' found, its OP type is 'Quantize'
2026-11-23 03:16:23,110 file: hb_model_modifier.py func: f line No: 389 message Node x_HzQuantize info: 'x_HzQuantize: scale: [0.0078]; zero point: {zero_point}'
2026-11-23 03:16:23,110 file: hb_model_modifier.py func: f line No: 391 message Node 'x_HzQuantize' is removed
2026-11-23 03:16:23,110 file: hb_model_modifier.py func: f line No: 190 message Node 'y_HzDequantize' found, its OP type is 'Dequantize'
2026-11-23 03:16:23,110 file: hb_model_modifier.py func: f line No: 389 message Node y_HzDequantize info: 'y_HzDequantize: scale: [0.5, 2e-05]; zero point: 0'
2026-11-23 03:16:23,110 file: hb_model_modifier.py func: f line No: 391 message Node 'y_HzDequantize' is removed
"""  # noqa: E501
SEGMENT = {
    "summary": {
        "model name": "g_subgraph_0",
        "latency (us)": 72.3,
        "FPS": 13826.29,
        "DDR bytes per frame": 190336,
        "loaded bytes per frame": 132992,
        "stored bytes per frame": 57344,
        "BPU OPs per frame (effective)": 115605504,
        "interval time (ms)": 0.01,
        "interval computing unit utilization": [0.003, 0.926],
        "interval loading bandwidth (megabytes/s)": [5468, 4516],
        "interval storing bandwidth (megabytes/s)": [0, 0],
        "layer details": [
            [
                "layer",
                "ops",
                "original output shape",
                "aligned output shape",
                "computing cost (no DDR)",
                "load/store cost",
                "active period of time",
            ],
            [
                "n0_Conv",
                "57,802,752",
                "[1,28,28,64]",
                "[1,28,32,64]",
                "22 us (29.9% of model)",
                "10 us (13.5% of model)",
                "6 ~ 32 us (26)",
            ],
            ["n1_Elu", "0", "[1,28,28,64]", "[1,28,32,64]", "2 us (2.6% of model)", "0", ""],
        ],
    }
}
