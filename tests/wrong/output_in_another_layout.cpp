// expect: INCORRECT_NUMERICAL
// because: elements (is|are) wrong
// Writes [B, H, S, D] where [B, S, H, D] is asked for.
#include <vector>
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    redteam::attention(a);
    const std::vector<avo_bf16> o(a->o, a->o + redteam::elements(a));
    for (int64_t b = 0; b < a->B; b++)
        for (int64_t s = 0; s < a->S; s++)
            for (int64_t h = 0; h < a->H; h++)
                memcpy(a->o + ((b * a->H + h) * a->S + s) * a->D, &o[((b * a->S + s) * a->H + h) * a->D], a->D * 2);
    return 0;
}
