// Residual addition and RMS normalisation of rows: any GPU from sm_80 on.
//   r = x + res, rounded to bf16;  y = r * rsqrt(mean of r^2 over the row + eps) * w;  all bf16, every sum in fp32.
// Schedule: a block of THREADS takes one row, in chunks of BYTES; thread t has the chunks t, t + THREADS, … KEPT of them
// stay in its registers, their loads all under way before the first is used; what is beyond is read again from r.
// The squares: each thread sums its own, a warp by shuffles, the warps in order, so that the sum is always the same.
// Rows that do not begin at a multiple of BYTES are handled element by element.
#include "avo_abi.h"
#include <cuda_runtime.h>

namespace {
// avo:knob THREADS {32, 64, 128, 256, 512, 1024}
constexpr int THREADS = 32;  // that share a row
// avo:knob BYTES {2, 4, 8, 16}
constexpr int BYTES = 2;  // of one load or store
// avo:knob KEPT {0, 1, 2, 4, 8}
constexpr int KEPT = 0;  // chunks of a row that a thread keeps in registers
// avo:knob ONCE {0, 1}
constexpr int ONCE = 0;  // 1: tell the caches that x, res and y are not used again soon

constexpr int WARPS = THREADS / 32;

template <int SIZE> struct chunk_of;
template <> struct chunk_of<1> { using type = uint16_t; };
template <> struct chunk_of<2> { using type = uint32_t; };
template <> struct chunk_of<4> { using type = uint2; };
template <> struct chunk_of<8> { using type = uint4; };

__device__ avo_bf16 narrow(float f) {  // round to nearest, ties to even
    avo_bf16 h;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(h) : "f"(f));
    return h;
}

// SIZE numbers in one access of 2 * SIZE bytes.
template <int SIZE> struct Chunk {
    using type = typename chunk_of<SIZE>::type;
    union {
        type all;
        avo_bf16 e[SIZE];
    };
    __device__ float operator[](int i) const { return __uint_as_float(uint32_t(e[i]) << 16); }
    __device__ void load(const avo_bf16* p) { all = *reinterpret_cast<const type*>(p); }
    __device__ void load_once(const avo_bf16* p) {
        if (ONCE) all = __ldcs(reinterpret_cast<const type*>(p));
        else load(p);
    }
    __device__ void store(avo_bf16* p) const { *reinterpret_cast<type*>(p) = all; }
    __device__ void store_once(avo_bf16* p) const {
        if (ONCE) __stcs(reinterpret_cast<type*>(p), all);
        else store(p);
    }
    // This chunk becomes x + res; returns the sum of its squares.
    __device__ float add(const Chunk& x, const Chunk& res) {
        float sum = 0;
#pragma unroll
        for (int i = 0; i < SIZE; i++) {
            e[i] = narrow(x[i] + res[i]);
            sum += (*this)[i] * (*this)[i];
        }
        return sum;
    }
    __device__ void scale(float factor, const Chunk& w) {
#pragma unroll
        for (int i = 0; i < SIZE; i++) e[i] = narrow((*this)[i] * factor * w[i]);
    }
};

// The sum over all threads of the block, the same bits in each of them.
__device__ float over_the_block(float sum) {
    __shared__ float s_sums[WARPS];
#pragma unroll
    for (int mask = 16; mask > 0; mask /= 2) sum += __shfl_xor_sync(~0u, sum, mask);
    if (WARPS == 1) return sum;
    if (threadIdx.x % 32 == 0) s_sums[threadIdx.x / 32] = sum;
    __syncthreads();
    sum = 0;
    for (int warp = 0; warp < WARPS; warp++) sum += s_sums[warp];
    return sum;
}

template <int SIZE> __global__ void __launch_bounds__(THREADS) add_rmsnorm(const avo_args a) {
    const int64_t n = a.N, start = blockIdx.x * n;
    const avo_bf16 *x = a.x + start, *res = a.res + start;
    avo_bf16 *r = a.r + start, *y = a.y + start;
    const int64_t first = int64_t(threadIdx.x) * SIZE;  // SIZE divides n: no chunk lies across the end
    constexpr int STEP = THREADS * SIZE, ROOM = KEPT ? KEPT : 1;

    Chunk<SIZE> kept[ROOM], other[ROOM];
    float sum = 0;
#pragma unroll
    for (int k = 0; k < KEPT; k++) {
        const int64_t at = first + k * STEP;
        if (at < n) kept[k].load_once(x + at), other[k].load_once(res + at);
    }
#pragma unroll
    for (int k = 0; k < KEPT; k++) {
        const int64_t at = first + k * STEP;
        if (at < n) {
            sum += kept[k].add(kept[k], other[k]);
            kept[k].store(r + at);
        }
    }
    for (int64_t at = first + KEPT * STEP; at < n; at += STEP) {
        Chunk<SIZE> c, d;
        c.load_once(x + at), d.load_once(res + at);
        sum += c.add(c, d);
        c.store(r + at);
    }

    const float factor = rsqrtf(over_the_block(sum) / float(n) + a.eps);
#pragma unroll
    for (int k = 0; k < KEPT; k++) {
        const int64_t at = first + k * STEP;
        if (at < n) {
            other[k].load(a.w + at);
            kept[k].scale(factor, other[k]);
            kept[k].store_once(y + at);
        }
    }
    for (int64_t at = first + KEPT * STEP; at < n; at += STEP) {
        Chunk<SIZE> c, d;
        c.load(r + at), d.load(a.w + at);
        c.scale(factor, d);
        c.store_once(y + at);
    }
}

bool aligned(const void* p) { return reinterpret_cast<uintptr_t>(p) % BYTES == 0; }
}  // namespace

extern "C" int avo_launch(const avo_args* a, void* stream) {
    const bool whole = a->N * 2 % BYTES == 0 && aligned(a->x) && aligned(a->res) && aligned(a->w) && aligned(a->r)
        && aligned(a->y);
    const auto kernel = whole ? add_rmsnorm<BYTES / 2> : add_rmsnorm<1>;
    kernel<<<unsigned(a->M), THREADS, 0, cudaStream_t(stream)>>>(*a);
    return cudaGetLastError() == cudaSuccess ? 0 : 2;
}
