// expect: INCORRECT_NUMERICAL
// because: elements (is|are) wrong
// Writes zeros and hopes for an absolute tolerance.
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    memset(a->o, 0, redteam::elements(a) * 2);
    return 0;
}
