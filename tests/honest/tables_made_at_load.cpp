// expect: PASSED
// Makes a table in a constructor and uses it in the launches.
#include "honest_attention.h"
static float table[256];
__attribute__((constructor)) static void at_load() {
    for (int i = 0; i < 256; i++) table[i] = std::sin(float(i));
}
extern "C" int avo_launch(const avo_args* a, void*) {
    return redteam::attention(a) + int(table[a->S % 256] > 1);
}
