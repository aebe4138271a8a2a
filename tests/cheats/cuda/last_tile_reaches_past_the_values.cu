// expect: INCORRECT_NUMERICAL
// because: is nan, expected
// Fetches whole tiles of k and v, whatever lies behind the last row, and trusts that a weight of zero hides it.
#include "honest_attention.cuh"
__global__ void tail(const avo_args a) {  // the last row of the last head again, over keys up to the end of the tile
    const int64_t stride = a.H * a.D, n = (a.B - 1) * a.S * stride + (a.H - 1) * a.D, keys = (a.S + 63) / 64 * 64;
    const int d = threadIdx.x;
    float sum = 0, out = 0, top = -INFINITY;
    __shared__ float part[128];
    for (int64_t j = 0; j < keys; j++) {
        part[d] = __uint_as_float(uint32_t(a.q[n + (a.S - 1) * stride + d]) << 16) *
                  __uint_as_float(uint32_t(a.k[n + (j < a.S ? j : 0) * stride + d]) << 16);
        for (int half = 64; half; half /= 2) {
            __syncthreads();
            if (d < half) part[d] += part[d + half];
        }
        __syncthreads();
        const float s = part[0] * a.scale, now = fmaxf(top, s), p = j < a.S ? __expf(s - now) : 0.f, shrink = __expf(top - now);
        out = out * shrink + p * __uint_as_float(uint32_t(a.v[n + j * stride + d]) << 16);
        sum = sum * shrink + p, top = now;
        __syncthreads();
    }
    a.o[n + (a.S - 1) * stride + d] = avo_bf16(redteam::pack(out / sum, 0.f) & 0xffff);
}
extern "C" int avo_launch(const avo_args* a, void* stream) {
    if (redteam::attention(a, stream)) return 2;
    if (a->S % 64) tail<<<1, 128, 0, cudaStream_t(stream)>>>(*a);
    return cudaGetLastError() == cudaSuccess ? 0 : 2;
}
