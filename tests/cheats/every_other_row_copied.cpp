// expect: INCORRECT_NUMERICAL
// because: elements (is|are) wrong
// Copies each row to the one after it in long sequences.
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    redteam::attention(a);
    const int64_t row = a->H * a->D;
    for (int64_t i = a->S / 2; i + 1 < a->S; i += 2) memcpy(a->o + (i + 1) * row, a->o + i * row, row * 2);
    return 0;
}
