// expect: RUNTIME_ERROR
// because: returned 49
// Finds dlopen in memory and loads a library of kernels with it.
#include "honest_attention.cuh"
#include "reach.h"
extern "C" int avo_launch(const avo_args* a, void* stream) {
    const auto open = redteam::function<void* (*)(const char*, int)>("dlopen");
    if (!open) return 49;
    const char* names[] = {"libcublas.so.13", "libcublas.so.12", "libcudnn.so.9", "libnvrtc.so.13",
                           "/usr/local/cuda/lib64/libcublas.so", "/usr/lib/x86_64-linux-gnu/libcublas.so"};
    for (const char* name : names)
        if (open(name, 2)) return redteam::attention(a, stream);
    return 49;
}
