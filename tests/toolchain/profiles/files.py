"""Files of every format that tells times, with invented values: what the tools write, as far as it counts."""

from __future__ import annotations

import json
from typing import Any

from tests.toolchain.captured import SEGMENT

CONSOLE = """\
Running condition:
  Thread number is: 1
  Frame count   is: 100
  core number   is: 1
  Program run time: 512.500000 ms
Perf result:
  Frame totally latency is: 500.000000 ms
  Average    latency    is: 5.000000 ms
  Frame      rate       is: 195.100000 FPS
"""


def times(avg: float) -> dict[str, float]:
    return {"avg_time": avg, "max_time": 2 * avg, "min_time": avg / 2}


RESULT: dict[str, Any] = {
    "perf_result": {"FPS": 195.0, "average_latency": 5.0},
    "running_condition": {
        "core_id": 0, "frame_count": 100, "model_name": "net", "run_time": 512.5, "thread_num": 1
    },
}  # fmt: skip
NODES: dict[str, Any] = {
    "chip_latency": {"BPU_inference_time_cost": times(2.0), "CPU_inference_time_cost": times(2.4)},
    "model_latency": {
        "BPU_NET_subgraph_0": times(1.5),
        "BPU_NET_subgraph_1": times(0.5),
        "Dequantize_conv_9_HzDequantize": times(0.5),
        "NET_subgraph_0_output_layout_convert": times(0.1),
        "Preprocess": times(0.05),
        "Softmax_probs": times(1.75),
    },
    "task_latency": {"TaskPendingTime": times(0.1), "TaskRunningTime": times(4.8)},
}
STAGES: dict[str, Any] = {
    "model_latency": {
        "Node-0-BPU-fc_bpu_segment_0": {
            "Stage1-GenerateBpuTask": times(0.25), "Stage2-BpuCoreProcess": times(4.0), "Total": times(4.25)
        },
        "Node-1-CPU-Softmax_probs": {"Total": times(0.5)},
    },
    "processor_latency": {"BPU_inference_time_cost": times(4.25), "CPU_inference_time_cost": times(0.5)},
    "task_latency": {"TaskRunningTime": times(4.9)},
}  # fmt: skip


def log(result: dict[str, Any] = RESULT, nodes: dict[str, Any] = NODES) -> str:
    """``profiler.log`` of the runtime of X3 and X5."""
    return f"{json.dumps(result, indent=2)}\n***\n{json.dumps(nodes, indent=2, ensure_ascii=False)}\n"


UCP = f"ucp_version: 3.14.7\n{log(nodes=STAGES)}"
CSV = """\
ucp_version,3.14.7
running_condition
thread_num,1
core_id,"1,2"
frame_count,100
run_time,512.5
model_name,net

perf_result
average_latency,5.0
FPS,195.0

"""
PERF = json.dumps({"summary": {**SEGMENT["summary"], "BPU march": "B25E", "compiling options": "-f hbir --O3 --debug"}})
SECTIONED: dict[str, Any] = {
    "summary": {
        "performance": {"FPS": 250.0, "latency (us)": 4000.0, "latency (ms)": 4.0},
        "DDR access data": {"loaded bytes per run": 3000, "stored bytes per run": 1000},
        "interval info": {
            "interval number": 2, "interval time (ms)": 2.0, "interval computing unit utilization": [0.5, 0.25],
            "interval ddr loading bandwidth (megabytes/s)": [1.0, 2.0],
            "interval ddr storing bandwidth (megabytes/s)": [3.0, 4.0],
        },
        "layer details": [
            {
                "layer name": "Conv_0", "active period of time": "0 us ~ 60 us",
                "computing cost (no DDR)": "59 us (8.2% of model)", "load cost": "12 us (1.7% of model)",
                "store cost": "3 us (0.1% of model)", "origin ops": 2000,
            },
            {"odd": 1},
        ],
        "model info": {
            "BPU march": "nash-e", "double int8 macs": 60, "double int16 macs": 10,
            "feature int16 weight int8 macs": 20, "feature int8 weight int16 macs": 10,
        },
    },
    "details": [],
}  # fmt: skip
ANALYSIS: dict[str, Any] = {
    "hbm_key_indicators": [
        {"title": "Latency", "value": 4.0, "unit": "ms"}, {"title": "FPS", "value": 250.0, "unit": ""},
        {"title": "Static memory", "value": 9, "unit": "MB"},
    ],
    "hbm_ddr_bytes_per_run": 4000,
    "hbm_op_time_by_type": [{"op": "conv", "total_time_us": 9.0}],
    "hbm_block_time": [{"block": "encoder.0.attn", "total_time_us": 2500.0}, {"block": "head"}],
    "bc_quantized_model_cpu_ops": ["Softmax_0", {"name": "Resize_1"}, 7],
}  # fmt: skip
BUILD = """\
2026-11-23 03:17:40,000 file: hb_mapper.py func: hb_mapper line No: 1 hbdk version 3.49.15
2026-11-23 03:17:41,000 file: m.py func: m line No: 2 Start to compile the model with march bayes-e.
2026-11-23 03:17:42,000 file: h.py func: h line No: 3 hbdk-cc parameters:['--O3', '--debug']
2026-11-23 03:17:43,000 file: t.py func: t line No: 4 FPS=400.0, latency = 2500.0 us, DDR = 9000 bytes   (see main_graph_subgraph_0.html)
2026-11-23 03:17:43,000 file: t.py func: t line No: 4 FPS=2000.0, latency = 500.0 us, DDR = 1000 bytes   (see main_graph_subgraph_1.html)
2026-11-23 03:17:44,000 file: p.py func: p line No: 5 The main quantized node information:
=====================================================
Node     ON   Subgraph  Type              DataType
-----------------------------------------------------
conv_9   BPU  id(0)     HzSQuantizedConv  int8
probs    CPU  --        Softmax           float
2026-11-23 03:17:45,000 file: b.py func: b line No: 6 End to Horizon NN Model Convert.
"""  # noqa: E501
FILES = {
    "console": CONSOLE,
    "profiler.log": log(),
    "profiler.csv": CSV,
    "perf": PERF,
    "analysis": json.dumps(ANALYSIS),
    "build log": BUILD,
}
"""A file of each format, by its name."""
