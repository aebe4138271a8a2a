// expect: PASSED
// Prefetches far before and behind its inputs: that reads nothing and cannot fault.
#include "honest_attention.h"
#include <initializer_list>
extern "C" int avo_launch(const avo_args* a, void*) {
    const int64_t bytes = redteam::elements(a) * 2;
    for (const avo_bf16* input : {a->q, a->k, a->v})
        for (int64_t at = -65536; at < bytes + (1 << 20); at += 64) __builtin_prefetch((const uint8_t*)input + at);
    return redteam::attention(a);
}
