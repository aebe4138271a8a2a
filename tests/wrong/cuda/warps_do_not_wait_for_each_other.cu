// expect: NON_DETERMINISTIC|INCORRECT_NUMERICAL
// because: differs between two launches|is (nan|-?inf)|elements (is|are) wrong
// No barrier between the warps of a block: tiles are read before they are there.
#include "honest_attention.cuh"
struct How : redteam::Honest {
    static constexpr bool WAITS = false;
};
extern "C" int avo_launch(const avo_args* a, void* stream) { return redteam::attention<How>(a, stream); }
