"""Abbreviations in names of GPU and attention code: `smem_ptr` is also found as shared memory and as a pointer.

The table covers classes of names: PTX instructions, parts of a GPU, kinds of attention and of scheduling, and common
parts of names in kernel code.
"""

from __future__ import annotations

_TABLE = """
abs absolute value
acc accumulator
accum accumulator
addr address
alloc allocate
alu arithmetic logic unit
async asynchronous
atom atomic
attn attention
bar barrier
bfe bit field extract
bfi bit field insert
blk block
brev bit reverse
buf buffer
bwd backward
cga cluster thread block
clc cluster launch control
clz count leading zeros
cnt count
col column
coord coordinate
cp copy
cta thread block
cur current
cvt convert
cvta convert address
dealloc deallocate
desc descriptor
dim dimension
div divide
dsmem distributed shared memory
dst destination
dtype data type
elem element
epi epilogue
ex2 exponential
exp exponential
exp2 exponential
expr expression
fma fused multiply add
fmha fused multi head attention
fn function
fns find nth set bit
func function
fwd forward
gemm matrix multiply
gmem global memory
gpc graphics processing cluster
gqa grouped query attention
hbm high bandwidth memory
hdim head dimension
id identifier
idesc instruction descriptor
idx index
info information
init initialize
instr instruction
isspacep is space predicate
iter iteration
kv key value
ld load
ldmatrix load matrix
len length
lg2 logarithm
lop3 logical operation
lpt longest processing time
lse log sum exponential
lsu load store unit
mad multiply add
mapa map address
max maximum
mbar mbarrier barrier
mbarrier barrier
mem memory
membar memory barrier
mha multi head attention
min minimum
mla multi head latent attention
mma matrix multiply accumulate
mov move
mqa multi query attention
mufu multi function unit
mul multiply
neg negate
num number
op operation
param parameter
pdl programmatic dependent launch
popc population count
pred predicate
prmt permute
ptr pointer
rcp reciprocal
red reduce
redux reduce
reg register
rem remainder
rmem register memory
rope rotary position embedding
rsqrt reciprocal square root
sad sum absolute difference
sched scheduler
selp select predicate
sem semantics
seq sequence
seqlen sequence length
setp set predicate
sf scale factor
sfu special function unit
shf funnel shift
shfl shuffle
shl shift left
shr shift right
slct select
smem shared memory
sqrt square root
src source
st store
stmatrix store matrix
sub subtract
swa sliding window attention
sync synchronize
tanh hyperbolic tangent
thr thread
tidx thread index
tma tensor memory accelerator
tmem tensor memory
tpc texture processing cluster
tx transaction
umma matrix multiply accumulate
val value
varlen variable length
wg warpgroup
wgmma warpgroup matrix multiply accumulate
wmma warp matrix multiply accumulate
"""
WORDS = {short: tuple(words) for short, *words in map(str.split, _TABLE.strip().splitlines())}
"""Abbreviation, in lower case -> the words that it abbreviates."""
