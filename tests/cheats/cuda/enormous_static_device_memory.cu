// expect: RUNTIME_ERROR|FORBIDDEN_LIBRARY|COMPILE_ERROR
// because: memory|returned 2|CUDA error|cannot be loaded
// Asks for more device memory than there is.
#include "honest_attention.cuh"
__device__ uint8_t hoard[250ull << 30];
__global__ void touch() { hoard[250ull << 29] = 1; }
extern "C" int avo_launch(const avo_args* a, void* stream) {
    touch<<<1, 1, 0, cudaStream_t(stream)>>>();
    return redteam::attention(a, stream);
}
