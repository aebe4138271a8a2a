// Multi-head attention, forward, with mma.sync: any GPU from sm_80 on.
//   o[b,i,h,:] = sum_j softmax_j(scale * <q[b,i,h,:], k[b,j,h,:]>) v[b,j,h,:],   j <= i when causal
//   q, k, v, o: bf16 [B,S,H,D], D = 128; every sum in fp32.
// Schedule: a block takes ROWS = 16 * WARPS query rows of one head, 16 to a warp, and walks the keys in tiles of KEYS.
//   cp.async fills a ring of STAGES tiles of K and V; each warp does S = Q K^T, softmax and O += P V on its own rows.
//   Q, S, P and O stay in registers. Wait for a tile, __syncthreads, compute, __syncthreads, refill its slot.
// Not used here: TMA, wgmma, setmaxnreg (sm_90a); tcgen05, TMEM, 2-CTA pairs (sm_100a).
#include "avo_abi.h"
#include <cuda_runtime.h>

namespace {
constexpr int D = 128;

// avo:knob WARPS {2, 4, 8}
constexpr int WARPS = 2;  // per block, 16 query rows each
// avo:knob KEYS {16, 32, 64, 128}
constexpr int KEYS = 16;  // per tile
// avo:knob STAGES {1, 2, 3}
constexpr int STAGES = 1;  // tiles in flight
// avo:knob SWIZZLE {0, 1}
constexpr int SWIZZLE = 0;  // 1: 16-byte chunks of a row change places by row, so that ldmatrix meets no bank twice
// avo:knob LONGEST_FIRST {0, 1}
constexpr int LONGEST_FIRST = 0;  // 1: the last rows, which see the most keys, go first
// avo:knob MIN_BLOCKS {1, 2}
constexpr int MIN_BLOCKS = 1;  // per multiprocessor: what the compiler may assume for its registers

constexpr int ROWS = 16 * WARPS, THREADS = 32 * WARPS, CHUNKS = D / 8;
constexpr int TILE_BYTES = KEYS * D * 2, SHARED_BYTES = 2 * STAGES * TILE_BYTES;
constexpr float LOG2E = 1.4426950408889634f;

// Heads of keys and values: as many as of queries, unless the ABI says otherwise (grouped-query attention).
template <class Args> __device__ auto key_heads(const Args& a, int) -> decltype(a.Hkv) { return a.Hkv; }
template <class Args> __device__ int64_t key_heads(const Args& a, long) { return a.H; }

__device__ uint32_t address(const void* p) { return uint32_t(__cvta_generic_to_shared(p)); }

// Where chunk c (8 elements) of row r lies in a tile, in bytes.
__device__ int place(int r, int c) { return (r * CHUNKS + (SWIZZLE ? c ^ (r % 8) : c)) * 16; }

__device__ void copy_async(uint32_t to, const void* from, bool valid) {  // 16 bytes; zeros when not valid
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(valid ? 16 : 0));
}
__device__ void commit() { asm volatile("cp.async.commit_group;"); }
template <int N> __device__ void wait() { asm volatile("cp.async.wait_group %0;" ::"n"(N)); }

__device__ void load4(uint32_t (&r)[4], uint32_t at) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(at));
}
__device__ void load4_transposed(uint32_t (&r)[4], uint32_t at) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(at));
}
// c[16x8] += a[16x16] b[16x8]
__device__ void multiply(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
__device__ uint32_t pack(float low, float high) {  // two bf16, the first in the lower half
    uint32_t r;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(high), "f"(low));
    return r;
}
__device__ float power_of_2(float x) {
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

// One tile of K or V from row `first` on; rows past the end become zeros.
__device__ void fetch(uint32_t to, const avo_bf16* from, int64_t stride, int64_t first, int64_t S) {
    for (int i = threadIdx.x; i < KEYS * CHUNKS; i += THREADS) {
        const int r = i / CHUNKS, c = i % CHUNKS;
        const bool valid = first + r < S;
        copy_async(to + place(r, c), from + (valid ? first + r : 0) * stride + c * 8, valid);
    }
}

__global__ void __launch_bounds__(THREADS, MIN_BLOCKS) attention(const avo_args a) {
    extern __shared__ __align__(128) uint8_t s_tiles[];
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, group = lane / 4, pair = lane % 4;
    const int64_t S = a.S, stride = a.H * D, tile = LONGEST_FIRST ? gridDim.x - 1 - blockIdx.x : blockIdx.x;
    const int64_t head = (blockIdx.y / a.H) * S * stride + (blockIdx.y % a.H) * D;
    const int64_t heads = key_heads(a, 0), key_stride = heads * D;
    const int64_t key_head = (blockIdx.y / a.H) * S * key_stride + (blockIdx.y % a.H) / (a.H / heads) * D;
    const int64_t row = tile * ROWS + warp * 16 + group;  // this thread holds parts of rows row and row + 8
    const int64_t end = a.causal ? min(S, (tile + 1) * ROWS) : S;
    const int tiles = int((end + KEYS - 1) / KEYS);
    const uint32_t s_k = address(s_tiles), s_v = s_k + STAGES * TILE_BYTES;

    uint32_t q[D / 16][4];
    for (int k = 0; k < D / 16; k++)
        for (int part = 0; part < 4; part++) {
            const int64_t i = row + 8 * (part & 1);
            const avo_bf16* at = a.q + head + i * stride + k * 16 + (part >> 1) * 8 + pair * 2;
            q[k][part] = i < S ? *reinterpret_cast<const uint32_t*>(at) : 0;
        }
    float o[D / 8][4] = {}, top[2] = {-INFINITY, -INFINITY}, sum[2] = {};
    const float scale = a.scale * LOG2E;

    for (int t = 0; t < STAGES; t++) {
        if (t < tiles) {
            fetch(s_k + t * TILE_BYTES, a.k + key_head, key_stride, int64_t(t) * KEYS, S);
            fetch(s_v + t * TILE_BYTES, a.v + key_head, key_stride, int64_t(t) * KEYS, S);
        }
        commit();
    }
    for (int t = 0; t < tiles; t++) {
        wait<STAGES - 1>();
        __syncthreads();
        const uint32_t k_tile = s_k + t % STAGES * TILE_BYTES, v_tile = s_v + t % STAGES * TILE_BYTES;
        const int64_t first = int64_t(t) * KEYS;

        float s[KEYS / 8][4] = {};
#pragma unroll
        for (int k = 0; k < D / 16; k++)
#pragma unroll
            for (int n = 0; n < KEYS / 16; n++) {  // 16 keys by 16 of D
                uint32_t b[4];
                load4(b, k_tile + place(n * 16 + lane % 8 + lane / 16 * 8, k * 2 + lane / 8 % 2));
                multiply(s[2 * n], q[k], b[0], b[1]);
                multiply(s[2 * n + 1], q[k], b[2], b[3]);
            }

        const bool border = first + KEYS > S || (a.causal && first + KEYS > tile * ROWS + warp * 16 + 1);
        float now[2] = {top[0], top[1]};
#pragma unroll
        for (int n = 0; n < KEYS / 8; n++)
#pragma unroll
            for (int e = 0; e < 4; e++) {  // e / 2: row or row + 8
                const int64_t j = first + n * 8 + pair * 2 + e % 2;
                if (border && (j >= S || (a.causal && j > row + e / 2 * 8))) s[n][e] = -INFINITY;
                now[e / 2] = fmaxf(now[e / 2], s[n][e]);
            }
        float shrink[2], base[2];
#pragma unroll
        for (int r = 0; r < 2; r++) {  // the four threads of a row agree on its maximum
            now[r] = fmaxf(now[r], __shfl_xor_sync(~0u, now[r], 1));
            now[r] = fmaxf(now[r], __shfl_xor_sync(~0u, now[r], 2));
            base[r] = now[r] == -INFINITY ? 0.f : now[r] * scale;
            shrink[r] = power_of_2(top[r] * scale - base[r]);
            top[r] = now[r];
            sum[r] *= shrink[r];
        }
#pragma unroll
        for (int n = 0; n < KEYS / 8; n++)
#pragma unroll
            for (int e = 0; e < 4; e++) sum[e / 2] += s[n][e] = power_of_2(fmaf(s[n][e], scale, -base[e / 2]));
#pragma unroll
        for (int n = 0; n < D / 8; n++)
#pragma unroll
            for (int e = 0; e < 4; e++) o[n][e] *= shrink[e / 2];

#pragma unroll
        for (int k = 0; k < KEYS / 16; k++) {
            const uint32_t p[4] = {pack(s[2 * k][0], s[2 * k][1]), pack(s[2 * k][2], s[2 * k][3]),
                                   pack(s[2 * k + 1][0], s[2 * k + 1][1]), pack(s[2 * k + 1][2], s[2 * k + 1][3])};
#pragma unroll
            for (int n = 0; n < D / 16; n++) {
                uint32_t b[4];
                load4_transposed(b, v_tile + place(k * 16 + lane % 16, n * 2 + lane / 16));
                multiply(o[2 * n], p, b[0], b[1]);
                multiply(o[2 * n + 1], p, b[2], b[3]);
            }
        }
        __syncthreads();  // all warps are done with this slot
        if (t + STAGES < tiles) {
            fetch(k_tile, a.k + key_head, key_stride, first + STAGES * KEYS, S);
            fetch(v_tile, a.v + key_head, key_stride, first + STAGES * KEYS, S);
        }
        commit();
    }

#pragma unroll
    for (int r = 0; r < 2; r++) {
        sum[r] += __shfl_xor_sync(~0u, sum[r], 1);
        sum[r] = 1.f / (sum[r] + __shfl_xor_sync(~0u, sum[r], 2));
    }
    for (int n = 0; n < D / 8; n++)
        for (int r = 0; r < 2; r++)
            if (row + r * 8 < S) {
                avo_bf16* at = a.o + head + (row + r * 8) * stride + n * 8 + pair * 2;
                *reinterpret_cast<uint32_t*>(at) = pack(o[n][2 * r] * sum[r], o[n][2 * r + 1] * sum[r]);
            }
}
}  // namespace

extern "C" int avo_launch(const avo_args* a, void* stream) {
    if (a->D != D) return 1;
    if (cudaFuncSetAttribute(attention, cudaFuncAttributeMaxDynamicSharedMemorySize, SHARED_BYTES) != cudaSuccess) return 2;
    const dim3 grid(unsigned((a->S + ROWS - 1) / ROWS), unsigned(a->B * a->H));
    attention<<<grid, THREADS, SHARED_BYTES, cudaStream_t(stream)>>>(*a);
    return cudaGetLastError() == cudaSuccess ? 0 : 2;
}
