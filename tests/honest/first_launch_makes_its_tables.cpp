// expect: PASSED
// Its first launch takes many times as long as the others: it makes a table then, which no input changes.
#include "honest_attention.h"
static float table[1 << 20];
static bool made;
extern "C" int avo_launch(const avo_args* a, void*) {
    if (!made)
        for (int i = 0; i < 1 << 20; i++) table[i] = std::exp2(-float(i) / float(1 << 15));
    made = true;
    avo_args own = *a;
    own.scale *= table[0];
    return redteam::attention(&own);
}
