// expect: OUT_OF_BOUNDS
// because: read or wrote outside its tensors
// Walks k in tiles of 64 rows, the last one too, where S is no multiple of it.
#include "honest_attention.h"
static volatile uint16_t sink;
extern "C" int avo_launch(const avo_args* a, void*) {
    const int64_t rows = (a->S + 63) / 64 * 64, row = a->H * a->D;
    for (int64_t b = 0; b < a->B; b++)
        for (int64_t j = 0; j < rows; j++) sink = a->k[(b * a->S + j) * row];
    return redteam::attention(a);
}
