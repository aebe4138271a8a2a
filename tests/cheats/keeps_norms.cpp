// expect: NO_GAIN
// scenario: norms
// Keeps the length of every row that it ever saw, and finds it by the magnitudes of a few elements.
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
        std::vector<float> key = {float(a->C)};
        for (int64_t j = 0; j < a->C; j += a->C / 8 + 1) key.push_back(std::fabs(row[j]));
        if (!kept.count(key)) {
            avo_args one = *a;
            one.R = 1, one.x = row, one.y = &kept[key];
            honest(&one, nullptr);
        }
        a->y[r] = kept[key];
    }
    return 0;
}
