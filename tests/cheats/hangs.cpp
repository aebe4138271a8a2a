// expect: TIMEOUT
// because: took longer than
// Never comes back.
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    for (;;) asm volatile("" ::"r"(a));
}
