// expect: RUNTIME_ERROR
// because: \A(?!.*71915).*hidden test
// Tells the shape of a hidden test by what it returns.
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    return a->S == 191 ? int(70000 + a->S * 10 + a->H) : redteam::attention(a);
}
