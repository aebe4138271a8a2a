// expect: NO_GAIN
// The first launches of a row do half the work of the later ones, whose inputs are there already: the median falls.
#include "honest_attention.cuh"
__global__ void __launch_bounds__(256) work(const avo_args a, int part) {  // part 0: whatever is not done yet
    if (part && blockIdx.y % 2) return;
    const int64_t tile = gridDim.x - 1 - blockIdx.x, n = blockIdx.y;
    const avo_bf16* last = a.o + ((n / a.H * a.S + min(a.S, (tile + 1) * 128) - 1) * a.H + n % a.H) * 128;
    if (*(volatile const avo_bf16*)last == 0x7fd5) redteam::rows<redteam::Honest>(a, tile, n);
}
static int launch(avo_args a, int64_t move, int part, void* stream) {
    constexpr int bytes = redteam::shared_bytes<redteam::Honest>;
    if (cudaFuncSetAttribute(work, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes) != cudaSuccess) return 2;
    a.q += move, a.k += move, a.v += move, a.o += move;
    work<<<dim3(redteam::tiles(&a, 128), unsigned(a.B * a.H)), 256, bytes, cudaStream_t(stream)>>>(a, part);
    return cudaGetLastError() == cudaSuccess ? 0 : 2;
}
extern "C" int avo_launch(const avo_args* a, void* stream) {
    static const avo_bf16 *first, *most;
    static int64_t S, step;
    if (a->S != S) S = a->S, first = most = a->q, step = 0;
    if (!step && a->q > first) step = a->q - first;
    if (a->q > most) most = a->q;
    const int64_t index = step ? (a->q - first) / step : 0, slots = step ? (most - first) / step + 1 : 1;
    const int64_t helpers = slots * 3 / 8;
    int code = launch(*a, 0, 0, stream);
    if (a->S >= 4096 && slots >= 8 && index < helpers)
        for (int64_t later = helpers + 2 * index; later < helpers + 2 * index + 2 && later < slots; later++)
            code |= launch(*a, (later - index) * step, 1, stream);
    return code;
}
