#include "work.h"
#include "honest_attention.h"
static int done(int code) { return code; }
int work(const avo_args* a) { return done(redteam::attention(a)); }
