// Residual addition and RMS normalisation of rows, on one CPU core.
//   r = x + res, rounded to bf16;  y = r / sqrt(mean of r^2 over the row + eps) * w;  all bf16, every sum in fp32.
// Schedule: two passes over a row, which the caches hold. The first writes r and adds up its squares, the second reads
// r again and writes y. Numbers go in groups of LANES, or of twice as many where a lane is loaded with two.
#include "avo_abi.h"
#include <bit>
#include <cmath>

namespace {
// avo:knob LANES {2, 4, 8, 16}
constexpr int LANES = 2;  // floats that one instruction handles side by side
// avo:knob PAIRS {0, 1}
constexpr int PAIRS = 0;  // 0: a bf16 is widened into each lane; 1: a lane of 32 bits is loaded with two
// avo:knob SUMS {1, 2, 4}
constexpr int SUMS = 1;  // sums of squares that do not wait for each other
// avo:knob AHEAD {0, 1024}
constexpr int AHEAD = 0;  // elements that x and res are prefetched ahead of their use; 0: by the hardware alone

constexpr int PARTS = PAIRS ? 2 : 1, GROUP = LANES * PARTS, STEP = GROUP * SUMS;
typedef float vec __attribute__((vector_size(LANES * 4)));
typedef uint32_t bits __attribute__((vector_size(LANES * 4)));
typedef avo_bf16 halves __attribute__((vector_size(LANES * 2), aligned(2), may_alias));
typedef uint32_t words __attribute__((vector_size(LANES * 4), aligned(2), may_alias));

struct group {  // GROUP numbers in fp32; of pairs, the first ones are in part 0 and the second ones in part 1
    vec part[PARTS];
};

group load(const avo_bf16* p) {
    group g;
    if constexpr (PAIRS) {
        const bits b = *reinterpret_cast<const words*>(p);
        g.part[0] = std::bit_cast<vec>(b << 16), g.part[PARTS - 1] = std::bit_cast<vec>(b & 0xffff0000);
    } else {
        g.part[0] = std::bit_cast<vec>(__builtin_convertvector(*reinterpret_cast<const halves*>(p), bits) << 16);
    }
    return g;
}
void store(avo_bf16* p, const group& g) {  // numbers that were rounded
    const bits b = std::bit_cast<bits>(g.part[0]) >> 16;
    if constexpr (PAIRS) *reinterpret_cast<words*>(p) = b | std::bit_cast<bits>(g.part[PARTS - 1]);
    else *reinterpret_cast<halves*>(p) = __builtin_convertvector(b, halves);
}
vec rounded(vec f) {  // the nearest bf16, ties to even
    const bits b = std::bit_cast<bits>(f);
    return std::bit_cast<vec>((b + 0x7fff + ((b >> 16) & 1)) & 0xffff0000);
}

float widen(avo_bf16 h) { return std::bit_cast<float>(uint32_t(h) << 16); }
avo_bf16 narrow(float f) {
    const uint32_t b = std::bit_cast<uint32_t>(f);
    return avo_bf16((b + 0x7fff + ((b >> 16) & 1)) >> 16);
}

// r = x + res over one row of n, and the sum of its squares.
float add(const avo_bf16* x, const avo_bf16* res, avo_bf16* r, int64_t n) {
    vec sums[SUMS] = {};
    int64_t j = 0;
    for (; j + STEP <= n; j += STEP) {
        for (int k = 0; k < SUMS; k++) {
            const int64_t at = j + k * GROUP;
            if constexpr (AHEAD) __builtin_prefetch(x + at + AHEAD), __builtin_prefetch(res + at + AHEAD);
            group g = load(x + at);
            const group b = load(res + at);
            for (int i = 0; i < PARTS; i++) {
                g.part[i] = rounded(g.part[i] + b.part[i]);
                sums[k] += g.part[i] * g.part[i];
            }
            store(r + at, g);
        }
    }
    float sum = 0;
    for (int k = 0; k < SUMS; k++)
        for (int i = 0; i < LANES; i++) sum += sums[k][i];
    for (; j < n; j++) {
        r[j] = narrow(widen(x[j]) + widen(res[j]));
        sum += widen(r[j]) * widen(r[j]);
    }
    return sum;
}

// y = r * factor * w over one row of n.
void scale(const avo_bf16* r, const avo_bf16* w, avo_bf16* y, float factor, int64_t n) {
    int64_t j = 0;
    for (; j + GROUP <= n; j += GROUP) {
        group g = load(r + j);
        const group b = load(w + j);
        for (int i = 0; i < PARTS; i++) g.part[i] = rounded(g.part[i] * factor * b.part[i]);
        store(y + j, g);
    }
    for (; j < n; j++) y[j] = narrow(widen(r[j]) * factor * widen(w[j]));
}
}  // namespace

extern "C" int avo_launch(const avo_args* a, void*) {
    const int64_t n = a->N;
    for (int64_t at = 0; at < a->M * n; at += n) {
        const float sum = add(a->x + at, a->res + at, a->r + at, n);
        scale(a->r + at, a->w, a->y + at, 1 / std::sqrt(sum / float(n) + a->eps), n);
    }
    return 0;
}
