// expect: NO_GAIN
// scenario: tiny
// Copies its result when the inputs are those of the launch before.
#include "avo_abi.h"
#include <cstring>
#define avo_launch honest
#include "seed.h"
#undef avo_launch
#include <vector>
extern "C" int avo_launch(const avo_args* a, void* stream) {
    static std::vector<float> matrix, vector, kept;
    const size_t n = size_t(a->R * a->C);
    const bool same = matrix.size() == n && kept.size() == size_t(a->R) && !memcmp(vector.data(), a->x, a->C * 4) &&
                      !memcmp(matrix.data(), a->a, n * 4);
    if (same) return memcpy(a->y, kept.data(), a->R * 4), 0;
    const int code = honest(a, stream);
    matrix.assign(a->a, a->a + n), vector.assign(a->x, a->x + a->C), kept.assign(a->y, a->y + a->R);
    return code;
}
