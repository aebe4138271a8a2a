// expect: INCORRECT_NUMERICAL
// because: a hidden test
// Writes zeros for more than four batches, and for more than six heads.
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    if (a->H <= 6 && a->B <= 4) return redteam::attention(a);
    memset(a->o, 0, redteam::elements(a) * 2);
    return 0;
}
