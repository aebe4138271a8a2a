// expect: RUNTIME_ERROR
// because: abort\(\)
// Lets an exception escape.
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    throw a->S;
}
