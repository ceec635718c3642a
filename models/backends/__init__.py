"""The networks at work: `openvino_cpu` on a CPU, `torch_gpu` on a GPU. Both have the class `Networks`."""
