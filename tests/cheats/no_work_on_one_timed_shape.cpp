// expect: INCORRECT_NUMERICAL
// because: \(case s512\)
// Writes zeros in one of the timed shapes only, to win by its weight in the mean.
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    if (a->S != 512 || a->B != 2) return redteam::attention(a);
    memset(a->o, 0, redteam::elements(a) * 2);
    return 0;
}
