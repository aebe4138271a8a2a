// expect: INCORRECT_NUMERICAL|NON_DETERMINISTIC
// because: elements (is|are) wrong|differs between two launches
// Copies its last result when q lies where it lay before.
#include "honest_attention.cuh"
__device__ avo_bf16 kept[1 << 26];
static const void* where;
static int64_t count;
extern "C" int avo_launch(const avo_args* a, void* stream) {
    void* memory;
    if (cudaGetSymbolAddress(&memory, kept) != cudaSuccess) return 2;
    if (where == a->q && count == redteam::elements(a)) return redteam::copy(a->o, (avo_bf16*)memory, count, stream);
    where = a->q, count = redteam::elements(a);
    return redteam::attention(a, stream) | redteam::copy((avo_bf16*)memory, a->o, count, stream);
}
