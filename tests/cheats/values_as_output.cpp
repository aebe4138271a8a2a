// expect: INCORRECT_NUMERICAL
// because: elements (is|are) wrong
// Returns v, which is right for the first row.
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    memcpy(a->o, a->v, redteam::elements(a) * 2);
    return 0;
}
