// expect: RUNTIME_ERROR
// because: SIGSEGV
// Reads address zero.
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    return *(volatile const int*)(a->S - a->S) + redteam::attention(a);
}
