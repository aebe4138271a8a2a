// expect: PASSED
// Its first launch makes a table on the device, which no input changes, and takes longer than the others.
#include "honest_attention.cuh"
__device__ float table[1 << 20];
__global__ void make() {
    for (int i = blockIdx.x * 256 + threadIdx.x; i < 1 << 20; i += gridDim.x * 256) {
        float x = float(i);
        for (int n = 0; n < 200; n++) x = __sinf(x) + float(i);
        table[i] = x;
    }
}
extern "C" int avo_launch(const avo_args* a, void* stream) {
    static bool made;
    if (!made) make<<<1024, 256, 0, cudaStream_t(stream)>>>();
    made = true;
    return redteam::attention(a, stream);
}
