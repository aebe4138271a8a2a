// expect: UNSUPPORTED
// because: exports no extern
// Exports nothing.
static int nothing() { return 0; }
int elsewhere() { return nothing(); }
