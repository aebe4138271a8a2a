// expect: PASSED
// Declares in one file what another in a folder defines, with a name that both use privately.
#include "parts/work.h"
static int done(int code) { return code; }
extern "C" int avo_launch(const avo_args* a, void*) { return done(work(a)); }
