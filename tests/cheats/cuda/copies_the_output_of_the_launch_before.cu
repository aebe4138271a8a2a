// expect: INCORRECT_NUMERICAL|NON_DETERMINISTIC
// because: elements (is|are) wrong|differs between two launches
// Copies the right answer of an earlier launch on the same shape, which still stands in memory.
#include "honest_attention.cuh"
static const avo_bf16* before;
static int64_t count;
extern "C" int avo_launch(const avo_args* a, void* stream) {
    const bool known = count == redteam::elements(a) && before != a->o;
    const int code = known ? redteam::copy(a->o, before, count, stream) : redteam::attention(a, stream);
    before = a->o, count = redteam::elements(a);
    return code;
}
