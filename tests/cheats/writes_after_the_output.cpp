// expect: OUT_OF_BOUNDS
// because: wrote outside of o
// Rounds the last row up to a tile.
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    memset(a->o + redteam::elements(a), 0, 4096);
    return redteam::attention(a);
}
