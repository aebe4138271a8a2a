// Rows of FP32 sorted in ascending order, on one CPU core.
// Schedule: each row is copied to y and sorted there, by quicksort down to SMALL elements and insertion below, or by a
// least-significant-digit radix sort of the keys, DIGIT bits a pass, through the workspace.
#include "avo_abi.h"
#include <bit>
#include <cstring>
#include <utility>

namespace {
// avo:knob METHOD {0, 1}
constexpr int METHOD = 0;  // 0: quicksort; 1: radix sort
// avo:knob SMALL {2, 4, 8, 16, 32, 64}
constexpr int SMALL = 2;  // elements that insertion takes over from quicksort
// avo:knob DIGIT {4, 8, 11, 16}
constexpr int DIGIT = 4;  // bits of a pass of the radix sort

void insertion(float* y, int64_t n) {
    for (int64_t i = 1; i < n; i++) {
        const float x = y[i];
        int64_t j = i;
        for (; j > 0 && x < y[j - 1]; j--) y[j] = y[j - 1];
        y[j] = x;
    }
}

// Recurses into the smaller part and loops over the larger one: the stack stays at log2(n) calls.
void quicksort(float* y, int64_t n) {
    while (n > SMALL) {
        const float pivot = y[n / 2];
        int64_t i = 0, j = n - 1;
        while (i <= j) {
            while (y[i] < pivot) i++;
            while (pivot < y[j]) j--;
            if (i <= j) std::swap(y[i++], y[j--]);
        }
        if (j + 1 < n - i) quicksort(y, j + 1), y += i, n -= i;
        else quicksort(y + i, n - i), n = j + 1;
    }
    insertion(y, n);
}

// Bits in the order of the floats: of negative ones all are turned, of the others the sign.
uint32_t key(uint32_t bits) { return bits ^ (bits >> 31 ? 0xffffffffu : 0x80000000u); }
uint32_t bits(uint32_t key) { return key ^ (key >> 31 ? 0x80000000u : 0xffffffffu); }

// One row of n keys, from `a` to `b` and back, a digit a pass; the sorted row is in what is returned.
uint32_t* radix(uint32_t* a, uint32_t* b, int64_t n) {
    static_assert(32 % DIGIT == 0 || DIGIT == 11);
    uint32_t count[1 << DIGIT];
    for (int shift = 0; shift < 32; shift += DIGIT) {
        std::memset(count, 0, sizeof count);
        for (int64_t i = 0; i < n; i++) count[a[i] >> shift & ((1 << DIGIT) - 1)]++;
        for (uint32_t d = 0, before = 0; d < 1u << DIGIT; d++) before += std::exchange(count[d], before);
        for (int64_t i = 0; i < n; i++) b[count[a[i] >> shift & ((1 << DIGIT) - 1)]++] = a[i];
        std::swap(a, b);
    }
    return a;
}
}  // namespace

extern "C" int avo_launch(const avo_args* a, void*) {
    auto* first = reinterpret_cast<uint32_t*>(a->workspace);
    for (int64_t r = 0; r < a->R; r++) {
        const float* x = a->x + r * a->C;
        float* y = a->y + r * a->C;
        if constexpr (METHOD == 0) {
            std::memcpy(y, x, a->C * sizeof(float));
            quicksort(y, a->C);
        } else {
            for (int64_t i = 0; i < a->C; i++) first[i] = key(std::bit_cast<uint32_t>(x[i]));
            const uint32_t* sorted = radix(first, first + a->C, a->C);
            for (int64_t i = 0; i < a->C; i++) y[i] = std::bit_cast<float>(bits(sorted[i]));
        }
    }
    return 0;
}
