// expect: COMPILE_ERROR
// because: depth|nam|memory|limit
// Instantiates templates without end.
template <int N> struct deeper { static constexpr int value = deeper<N + 1>::value + deeper<N + 2>::value; };
int endless = deeper<0>::value;
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) { return redteam::attention(a); }
