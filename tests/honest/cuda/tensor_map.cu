// expect: PASSED
// Describes V to the copy engine by a tensor map, and fetches a tile with it before the work.
#include "honest_attention.cuh"
#include <cuda.h>
__global__ void fetch_tile(const __grid_constant__ CUtensorMap map, avo_bf16* to) {
    __shared__ __align__(128) avo_bf16 s_tile[8 * 64];
    __shared__ __align__(8) uint64_t s_done;
    const uint32_t tile = redteam::address(s_tile), done = redteam::address(&s_done);
    if (threadIdx.x == 0) {
        asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;\nfence.mbarrier_init.release.cluster;" ::"r"(done));
        asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(done), "r"(int(sizeof s_tile)));
        asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes "
                     "[%0], [%1, {%2, %3}], [%4];"
                     ::"r"(tile), "l"(&map), "r"(0), "r"(0), "r"(done) : "memory");
    }
    __syncthreads();
    asm volatile("{\n.reg .pred p;\nagain: mbarrier.try_wait.parity.shared::cta.b64 p, [%0], 0;\n@!p bra again;\n}"
                 ::"r"(done) : "memory");
    to[threadIdx.x] = s_tile[threadIdx.x];
}
extern "C" int avo_launch(const avo_args* a, void* stream) {
    CUtensorMap map;
    const cuuint64_t size[] = {cuuint64_t(a->D), cuuint64_t(a->B * a->S * a->H)};
    const cuuint64_t stride[] = {cuuint64_t(a->D) * 2};
    const cuuint32_t box[] = {64, 8}, step[] = {1, 1};
    if (cuTensorMapEncodeTiled(&map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 2, const_cast<avo_bf16*>(a->v), size, stride, box,
                               step, CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_NONE, CU_TENSOR_MAP_L2_PROMOTION_NONE,
                               CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE))
        return 3;
    fetch_tile<<<1, 128, 0, cudaStream_t(stream)>>>(map, (avo_bf16*)a->workspace);
    return redteam::attention(a, stream);
}
