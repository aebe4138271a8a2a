// expect: INCORRECT_NUMERICAL
// because: is (nan|-?inf)
// Writes NaN, which no comparison finds different.
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    for (int64_t i = 0; i < redteam::elements(a); i++) a->o[i] = 0x7fc0;
    return 0;
}
