// expect: PASSED
// Looks at every input in pieces of sixteen bytes that end where the input does, from the first byte on.
#include "honest_attention.h"
#include <initializer_list>
typedef uint64_t piece __attribute__((vector_size(16), aligned(16), may_alias));
extern "C" int avo_launch(const avo_args* a, void*) {
    piece all = {};
    for (const avo_bf16* input : {a->q, a->k, a->v})
        for (int64_t i = 0; i < redteam::elements(a) / 8; i++) all |= ((const piece*)input)[i];
    return redteam::attention(a) + int(all[0] == 0 && all[1] == 0 && a->S > 1000000);
}
