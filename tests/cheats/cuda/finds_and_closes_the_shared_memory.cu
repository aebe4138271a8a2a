// expect: RUNTIME_ERROR
// because: illegal memory access|CUDA error|returned
// Unmaps the memory that it shares with the judge, which was opened for it.
#include "honest_attention.cuh"
#include "reach.h"
extern "C" int avo_launch(const avo_args* a, void* stream) {
    const auto close = redteam::function<int (*)(const void*)>("cudaIpcCloseMemHandle");
    if (!close) return 45;
    for (uintptr_t at = (uintptr_t)a->q & ~uintptr_t(4095), n = 0; n < (1 << 16) && close((void*)at); n++) at -= 4096;
    return redteam::attention(a, stream);
}
