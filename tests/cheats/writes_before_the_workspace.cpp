// expect: OUT_OF_BOUNDS
// because: wrote outside of workspace
// Keeps a note in front of the workspace.
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    a->workspace[-60000] = 0;
    return redteam::attention(a);
}
