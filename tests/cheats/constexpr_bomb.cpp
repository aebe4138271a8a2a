// expect: TIMEOUT
// because: compiling took longer than
// Computes for ever at compile time.
#define NINE(x) x x x x x x x x x
constexpr long busy(long seed) {
    for (int i = 0; i < 200000; i++) seed = seed * 1103515245 % 2147483647 + 1;
    return seed;
}
template <long N> struct more { static constexpr long value = busy(N) % 1000 + more<N - 1>::value; };
template <> struct more<0> { static constexpr long value = 0; };
long endless = more<800>::value;
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) { return redteam::attention(a); }
