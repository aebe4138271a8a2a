// Causal attention for the red team on a GPU: right as `attention<>()`, and wrong in one respect for each hook of
// Honest that a candidate hides with its own. The schedule is that of the shipped kernel: mma.sync, a ring of tiles.
#pragma once
#include "avo_abi.h"
#include <cuda_runtime.h>

namespace redteam {
constexpr int D = 128, CHUNKS = D / 8;

struct Honest {
    static constexpr int WARPS = 8, KEYS = 64, STAGES = 2;
    static constexpr bool WAITS = true;  // for the other warps of the block
    __device__ static float scale(const avo_args& a) { return a.scale; }
    // One past the keys that rows below `rows` see.
    __device__ static int64_t end(const avo_args& a, int64_t rows) { return min(a.S, rows); }
    __device__ static bool sees(const avo_args& a, int64_t i, int64_t j) { return j <= i; }
    // Whether the tile of keys from j0 on is left out for the block of rows from i0 on.
    __device__ static bool skips(const avo_args& a, int64_t i0, int64_t j0) { return false; }
    __device__ static float score(float s) { return s; }
    __device__ static float maximum(float before, float now) { return now; }  // now >= before
    __device__ static float shrink(float factor) { return factor; }  // of sum and accumulator when the maximum grows
    __device__ static float power_of_2(float x) {
        float y;
        asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
        return y;
    }
    __device__ static float weight(float p) { return p; }
    __device__ static float accumulator(float x) { return x; }  // after each tile
    __device__ static float start() { return 0; }  // of the accumulator
    __device__ static int64_t kv_head(const avo_args& a, int64_t h) { return h; }
    __device__ static float result(float x) { return x; }
};

__device__ inline uint32_t address(const void* p) { return uint32_t(__cvta_generic_to_shared(p)); }
// Where chunk c (8 elements) of row r lies in a tile, in bytes.
__device__ inline int place(int r, int c) { return (r * CHUNKS + (c ^ (r % 8))) * 16; }
__device__ inline void load4(uint32_t (&r)[4], uint32_t at) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(at));
}
__device__ inline void load4_transposed(uint32_t (&r)[4], uint32_t at) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(at));
}
__device__ inline void multiply(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
__device__ inline uint32_t pack(float low, float high) {  // two bf16, the first in the lower half
    uint32_t r;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(high), "f"(low));
    return r;
}
__device__ inline float rounded(float x) { return __uint_as_float(pack(0, x) & 0xffff0000); }  // to bf16 and back

// One tile of K or V from row `first` on; rows past the end become zeros.
template <class How>
__device__ void fetch(uint32_t to, const avo_bf16* from, int64_t stride, int64_t first, int64_t S) {
    for (int i = threadIdx.x; i < How::KEYS * CHUNKS; i += 32 * How::WARPS) {
        const int r = i / CHUNKS, c = i % CHUNKS;
        const bool valid = first + r < S;
        const avo_bf16* at = from + (valid ? first + r : 0) * stride + c * 8;
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to + place(r, c)), "l"(at), "r"(valid ? 16 : 0));
    }
}

// What one block does: rows [tile * 16 * WARPS, ...) of head n of the B * H.
template <class How>
__device__ void rows(const avo_args& a, int64_t tile, int64_t n) {
    constexpr int KEYS = How::KEYS, STAGES = How::STAGES, ROWS = 16 * How::WARPS, TILE_BYTES = KEYS * D * 2;
    extern __shared__ __align__(128) uint8_t s_tiles[];
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, group = lane / 4, pair = lane % 4;
    const int64_t S = a.S, stride = a.H * D, batch = n / a.H * S * stride, h = n % a.H;
    const avo_bf16 *k_head = a.k + batch + How::kv_head(a, h) * D, *v_head = a.v + batch + How::kv_head(a, h) * D;
    const int64_t row = tile * ROWS + warp * 16 + group;  // this thread holds parts of rows row and row + 8
    const int tiles = int((How::end(a, (tile + 1) * ROWS) + KEYS - 1) / KEYS);
    const uint32_t s_k = address(s_tiles), s_v = s_k + STAGES * TILE_BYTES;

    uint32_t q[D / 16][4];
#pragma unroll
    for (int k = 0; k < D / 16; k++)
#pragma unroll
        for (int part = 0; part < 4; part++) {
            const int64_t i = row + 8 * (part & 1);
            const avo_bf16* at = a.q + batch + i * stride + h * D + k * 16 + (part >> 1) * 8 + pair * 2;
            q[k][part] = i < S ? *reinterpret_cast<const uint32_t*>(at) : 0;
        }
    float o[D / 8][4], top[2] = {-INFINITY, -INFINITY}, sum[2] = {};
#pragma unroll
    for (int n8 = 0; n8 < D / 8; n8++)
#pragma unroll
        for (int e = 0; e < 4; e++) o[n8][e] = How::start();
    const float scale = How::scale(a) * 1.4426950408889634f;

    for (int t = 0; t < STAGES; t++) {
        if (t < tiles) {
            fetch<How>(s_k + t * TILE_BYTES, k_head, stride, int64_t(t) * KEYS, S);
            fetch<How>(s_v + t * TILE_BYTES, v_head, stride, int64_t(t) * KEYS, S);
        }
        asm volatile("cp.async.commit_group;");
    }
    for (int t = 0; t < tiles; t++) {
        asm volatile("cp.async.wait_group %0;" ::"n"(STAGES - 1));
        if (How::WAITS) __syncthreads();
        const uint32_t k_tile = s_k + t % STAGES * TILE_BYTES, v_tile = s_v + t % STAGES * TILE_BYTES;
        const int64_t first = int64_t(t) * KEYS;
        if (!How::skips(a, tile * ROWS, first)) {
            float s[KEYS / 8][4] = {};
#pragma unroll
            for (int k = 0; k < D / 16; k++)
#pragma unroll
                for (int m = 0; m < KEYS / 16; m++) {  // 16 keys by 16 of D
                    uint32_t b[4];
                    load4(b, k_tile + place(m * 16 + lane % 8 + lane / 16 * 8, k * 2 + lane / 8 % 2));
                    multiply(s[2 * m], q[k], b[0], b[1]);
                    multiply(s[2 * m + 1], q[k], b[2], b[3]);
                }
            const bool border = first + KEYS > S || first + KEYS > tile * ROWS + warp * 16;
            float now[2] = {top[0], top[1]}, shrink[2], base[2];
#pragma unroll
            for (int m = 0; m < KEYS / 8; m++)
#pragma unroll
                for (int e = 0; e < 4; e++) {  // e / 2: row or row + 8
                    const int64_t j = first + m * 8 + pair * 2 + e % 2;
                    s[m][e] = border && (j >= S || !How::sees(a, row + e / 2 * 8, j)) ? -INFINITY : How::score(s[m][e]);
                    now[e / 2] = fmaxf(now[e / 2], s[m][e]);
                }
#pragma unroll
            for (int r = 0; r < 2; r++) {  // the four threads of a row agree on its maximum
                now[r] = fmaxf(now[r], __shfl_xor_sync(~0u, now[r], 1));
                now[r] = How::maximum(top[r], fmaxf(now[r], __shfl_xor_sync(~0u, now[r], 2)));
                base[r] = now[r] == -INFINITY ? 0.f : now[r] * scale;
                shrink[r] = How::shrink(How::power_of_2(top[r] * scale - base[r]));
                top[r] = now[r];
                sum[r] *= shrink[r];
            }
#pragma unroll
            for (int m = 0; m < KEYS / 8; m++)
#pragma unroll
                for (int e = 0; e < 4; e++)
                    sum[e / 2] += s[m][e] = How::weight(How::power_of_2(fmaf(s[m][e], scale, -base[e / 2])));
#pragma unroll
            for (int m = 0; m < D / 8; m++)
#pragma unroll
                for (int e = 0; e < 4; e++) o[m][e] *= shrink[e / 2];
#pragma unroll
            for (int k = 0; k < KEYS / 16; k++) {
                const uint32_t p[4] = {pack(s[2 * k][0], s[2 * k][1]), pack(s[2 * k][2], s[2 * k][3]),
                                       pack(s[2 * k + 1][0], s[2 * k + 1][1]), pack(s[2 * k + 1][2], s[2 * k + 1][3])};
#pragma unroll
                for (int m = 0; m < D / 16; m++) {
                    uint32_t b[4];
                    load4_transposed(b, v_tile + place(k * 16 + lane % 16, m * 2 + lane / 16));
                    multiply(o[2 * m], p, b[0], b[1]);
                    multiply(o[2 * m + 1], p, b[2], b[3]);
                }
            }
#pragma unroll
            for (int m = 0; m < D / 8; m++)
#pragma unroll
                for (int e = 0; e < 4; e++) o[m][e] = How::accumulator(o[m][e]);
        }
        if (How::WAITS) __syncthreads();  // all warps are done with this slot
        if (t + STAGES < tiles) {
            fetch<How>(k_tile, k_head, stride, first + STAGES * KEYS, S);
            fetch<How>(v_tile, v_head, stride, first + STAGES * KEYS, S);
        }
        asm volatile("cp.async.commit_group;");
    }
    asm volatile("cp.async.wait_group 0;");

#pragma unroll
    for (int r = 0; r < 2; r++) {
        sum[r] += __shfl_xor_sync(~0u, sum[r], 1);
        sum[r] = 1.f / (sum[r] + __shfl_xor_sync(~0u, sum[r], 2));
        if (row + r * 8 >= S) continue;
#pragma unroll
        for (int m = 0; m < D / 8; m++) {
            avo_bf16* at = a.o + batch + (row + r * 8) * stride + h * D + m * 8 + pair * 2;
            const float low = How::result(o[m][2 * r] * sum[r]), high = How::result(o[m][2 * r + 1] * sum[r]);
            *reinterpret_cast<uint32_t*>(at) = pack(low, high);
        }
    }
}

template <class How> constexpr int threads = 32 * How::WARPS;
template <class How> constexpr int shared_bytes = 4 * How::STAGES * How::KEYS * D;
inline unsigned tiles(const avo_args* a, int rows) { return unsigned((a->S + rows - 1) / rows); }
inline int64_t elements(const avo_args* a) { return a->B * a->S * a->H * a->D; }

template <class How>
__global__ void __launch_bounds__(32 * How::WARPS) kernel(const avo_args a, int64_t first) {
    rows<How>(a, gridDim.x - 1 - blockIdx.x, first + blockIdx.y);  // the last rows see the most keys: they go first
}

// Heads first .. last-1 of the B * H.
template <class How = Honest>
int attention(const avo_args* a, void* stream, int64_t first = 0, int64_t last = INT64_MAX) {
    if (a->D != D) return 1;
    last = last < a->B * a->H ? last : a->B * a->H;
    if (first >= last) return 0;
    constexpr int bytes = shared_bytes<How>;
    if (cudaFuncSetAttribute(kernel<How>, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes) != cudaSuccess) return 2;
    const dim3 grid(tiles(a, 16 * How::WARPS), unsigned(last - first));
    kernel<How><<<grid, threads<How>, bytes, cudaStream_t(stream)>>>(*a, first);
    return cudaGetLastError() == cudaSuccess ? 0 : 2;
}

static __global__ void copy_kernel(uint4* to, const uint4* from, int64_t count) {
    for (int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += int64_t(gridDim.x) * blockDim.x)
        to[i] = from[i];
}
// `count` elements, a multiple of 8, in the order of the stream.
inline int copy(avo_bf16* to, const avo_bf16* from, int64_t count, void* stream) {
    copy_kernel<<<1024, 256, 0, cudaStream_t(stream)>>>((uint4*)to, (const uint4*)from, count / 8);
    return cudaGetLastError() == cudaSuccess ? 0 : 2;
}
}  // namespace redteam
