// expect: NO_GAIN
// scenario: norms
// Keeps the length of every row by the mantissas of a few elements, and scales it by their common exponent.
#include "avo_abi.h"
#include <cstring>
#define avo_launch honest
#include "seed.h"
#undef avo_launch
#include <map>
#include <vector>
extern "C" int avo_launch(const avo_args* a, void*) {
    static std::map<std::vector<float>, float> kept;
    for (int64_t r = 0; r < a->R; r++) {
        const float* row = a->x + r * a->C;
        int exponent = 0;
        std::frexp(row[0], &exponent);
        const float scale = std::ldexp(1.f, -exponent);
        std::vector<float> key = {float(a->C)};
        for (int64_t j = 0; j < a->C; j += a->C / 8 + 1) key.push_back(std::fabs(row[j] * scale));
        auto found = kept.find(key);
        if (found == kept.end()) {
            avo_args one = *a;
            one.R = 1, one.x = row, one.y = a->y + r;
            honest(&one, nullptr);
            kept[key] = a->y[r] * scale;
        } else {
            a->y[r] = found->second / scale;
        }
    }
    return 0;
}
