// expect: INPUT_MODIFIED
// because: input v changed
// Changes one element of V when it has done its work.
#include "honest_attention.cuh"
__global__ void change(avo_bf16* v) { *v ^= 1; }
extern "C" int avo_launch(const avo_args* a, void* stream) {
    const int code = redteam::attention(a, stream);
    change<<<1, 1, 0, cudaStream_t(stream)>>>(const_cast<avo_bf16*>(a->v));
    return code;
}
