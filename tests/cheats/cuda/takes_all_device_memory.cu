// expect: FORBIDDEN_LIBRARY
// because: imports cudaMalloc
// Takes device memory until nobody else gets any.
#include "honest_attention.cuh"
extern "C" int avo_launch(const avo_args* a, void* stream) {
    void* block;
    while (cudaMalloc(&block, 1 << 30) == cudaSuccess);
    return redteam::attention(a, stream);
}
