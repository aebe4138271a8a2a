// expect: INPUT_MODIFIED|OUT_OF_BOUNDS
// because: input [qkv] changed|wrote outside of
// Makes the inputs of the next launch of a row all alike.
#include "honest_attention.cuh"
__global__ void flatten(avo_bf16* v) { v[int64_t(blockIdx.x) * blockDim.x + threadIdx.x] = 0x3f80; }
extern "C" int avo_launch(const avo_args* a, void* stream) {
    static const avo_bf16* first;
    static int64_t S, step;
    if (a->S != S) S = a->S, first = a->v, step = 0;
    if (!step && a->v > first) step = a->v - first;
    const int code = redteam::attention(a, stream);
    if (step && a->S >= 4096 && (a->v - first) / step < 7)
        flatten<<<4096, 256, 0, cudaStream_t(stream)>>>(const_cast<avo_bf16*>(a->v) + step);
    return code;
}
