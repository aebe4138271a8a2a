// expect: UNSUPPORTED
// because: returned 1: unsupported case \(case S = 333\)
// Supports multiples of 64 only.
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    return a->S > 1 && a->S % 64 ? 1 : redteam::attention(a);
}
