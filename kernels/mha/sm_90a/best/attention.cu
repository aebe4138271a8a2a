// Multi-head attention, forward, with Hopper's wgmma and TMA.
//   o[b,i,h,:] = sum_j softmax_j(scale * <q[b,i,h,:], k[b,j,h,:]>) v[b,j,h,:],   j <= i when causal
//   q, k, v, o: bf16 [B,S,H,D], D = 128; every sum in fp32. Any B, S, H from 1 up.
// Schedule: persistent blocks take tiles of ROWS = 128 query rows and walk the keys from right to left, KEYS at a time.
//   Warpgroup 0, one thread each: serve draws tiles, loads Q and stores O, whose place is that of the tile's Q; produce, once
//   for K and once for V, keeps a ring of STAGES tiles filled by TMA.
//   Warpgroups 1 and 2 are the consumers, 64 rows each. A consumer issues S = Q K^T of a block, then O += P V of the block
//   before. Tiles follow each other without a gap: the first Q K^T of a tile is issued with the last P V of the tile before.
//     serve      wait near -> draw -> drawn;   wait o_full of both -> store O of the tile two before -> load Q -> q_full
//     produce    wait drawn;   wait k_empty -> load K -> k_full    (the same for V);   near the end of a tile: near
//     consume    wait q_full;  wait k_full -> S -> k_empty -> softmax; wait v_full -> O -> v_empty; at the end of a tile: O -> o_full
//   Causal tiles are drawn the longest first, from a counter; heads in groups whose K and V fit in L2.
// Numbers that matter: tile 128 x 128, 2 stages, 192 KiB of shared memory, 384 threads, registers 40 / 232 / 232.
// What changed: the change of tiles. No division where anybody waits (serve alone knows what a ticket stands for), Q no longer
//   loaded ahead of K by the same thread, K not held up by V, a template for causal attention, one comparison in its mask, V's slot
//   given back before most of the exponentials; and a ticket is drawn three blocks of keys before the end of the tile at hand,
//   not before its begin. 1.08 times the best before it causal and 1.05 full (4k to 32k, turns in random order,
//   on an H200 at its power limit).
#include "avo_abi.h"
#include "ptx.cuh"
#include <algorithm>
#include <atomic>
#include <climits>
#include <cuda_runtime.h>

namespace {
struct Config {
    static constexpr int D = 128, CONSUMERS = 2, WROWS = 64, ROWS = CONSUMERS * WROWS, KEYS = 128;
    static constexpr int THREADS = 128 * (1 + CONSUMERS);
    // avo:knob STAGES {1, 2}
    static constexpr int STAGES = 2;
    static constexpr int TILES = 2;           // tiles of Q on the way
    // avo:knob L2_MIB {8, 16, 24, 32, 48}
    static constexpr int L2_MIB = 24;         // causal: heads are taken in groups whose K and V are no larger than this
    // avo:knob AHEAD {2, 3, 5, 8}
    static constexpr int AHEAD = 3;           // a tile's ticket is drawn when so many blocks of keys of the tile before are still to be loaded
    // avo:knob BESIDE {8, 16, 32, 48, 64}
    static constexpr int BESIDE = 16;         // of a thread's 64 exponentials, so many run beside P V
    // avo:knob SLACK {0, 4, 8}
    static constexpr int SLACK = 8;           // O is rescaled when a maximum has grown by more than 2^SLACK
    static constexpr int COUNTERS = 64;       // launches that may be in flight at once
};
using C = Config;
constexpr float LOG2E = 1.4426950408889634f;

// A tile lies as two halves of D, each in rows of 64 bf16 with 128-byte swizzle.
struct QTile { uint16_t half[2][C::WROWS][64]; };
struct KTile { uint16_t half[2][C::KEYS][64]; };
struct alignas(16) Task { int row, head, batch, blocks; };  // row: the first of the tile; no blocks: no more tiles
struct SharedPlan {
    QTile q[C::TILES][C::CONSUMERS];  // when a tile is done, its rows of O
    KTile k[C::STAGES], v[C::STAGES];
    uint64_t q_full[C::TILES], drawn[C::TILES], o_full[C::TILES][C::CONSUMERS];
    uint64_t k_full[C::STAGES], k_empty[C::STAGES], v_full[C::STAGES], v_empty[C::STAGES], near;
    Task task[C::TILES];  // of the tile of Q in that place; published by q_full and by drawn
};
constexpr int SHARED_BYTES = sizeof(SharedPlan) + 1024;  // to start at a multiple of 1024
static_assert(SHARED_BYTES <= 227 * 1024);

// Tensor maps: dimensions (64 of D, S, half of D, H, B), rows past S read as zero and are not written.
struct Maps { CUtensorMap q, k, v, o; };

struct Problem {
    int S, H, causal, tiles, heads, group;  // tiles of a head; heads in all batches, and of a group
    float scale;                            // of the logits, times log2(e)
    __device__ int total() const { return tiles * heads; }
};

// What a ticket stands for. Full attention goes head by head; causal takes a group of heads, the longest tiles of all of them first.
__device__ Task task_of(const Problem& p, int ticket) {
    const int first = ticket / (p.group * p.tiles) * p.group, width = min(p.group, p.heads - first);
    const int place = ticket - first * p.tiles, tile = p.tiles - 1 - place / width, head = first + place % width;
    const int row = tile * C::ROWS, keys = p.causal ? min(p.S, row + C::ROWS) : p.S;
    return {row, head % p.H, head / p.H, (keys + C::KEYS - 1) / C::KEYS};
}

// Tickets are drawn from a counter; the last block to find none left sets it back for a later launch.
__device__ unsigned g_drawn[C::COUNTERS], g_finished[C::COUNTERS];

template <int N> struct Ring {  // a place in a ring of N, and the parity of its current round
    int slot = 0;
    uint32_t parity = 0;
    __device__ void next() {
        if (++slot == N) slot = 0, parity ^= 1;
    }
};

// Keeps the ring of K or of V filled; one of the two tells when a tile is near its end.
template <bool TELLS>
__device__ void produce(SharedPlan& s, const CUtensorMap& map, KTile* tiles, uint64_t* full, uint64_t* empty) {
    Ring<C::STAGES> ring;
    for (Ring<C::TILES> q;; q.next()) {
        ptx::wait(s.drawn[q.slot], q.parity);
        const Task t = s.task[q.slot];
        if (t.blocks == 0) return;
#pragma unroll 1
        for (int block = t.blocks - 1; block >= 0; block--, ring.next()) {
            if (TELLS && block == min(t.blocks, C::AHEAD) - 1) ptx::arrive(s.near);
            ptx::wait(empty[ring.slot], ring.parity ^ 1);
            ptx::arrive_expect(full[ring.slot], sizeof(KTile));
            ptx::load(&tiles[ring.slot], map, full[ring.slot], 0, block * C::KEYS, 0, t.head, t.batch);
        }
    }
}

// Draws tiles, each near the end of the one before, and loads their Q when O of the tile two before has left the place.
__device__ void serve(SharedPlan& s, const Maps& maps, const Problem& p, int counter) {
    const auto store = [&](int slot) {
        const Task t = s.task[slot];
        for (int w = 0; w < C::CONSUMERS; w++)
            if (t.row + w * C::WROWS < p.S) ptx::store(maps.o, &s.q[slot][w], 0, t.row + w * C::WROWS, 0, t.head, t.batch);
    };
    const auto written = [&](int slot, uint32_t parity) {
        for (uint64_t& bar : s.o_full[slot]) ptx::wait(bar, parity);
    };
    Ring<C::TILES> q;
    unsigned ticket = blockIdx.x;
    for (int i = 0;; i++, q.next()) {
        if (i > 0) {  // late, so that the blocks end together
            ptx::wait(s.near, (i - 1) % 2);
            ticket = gridDim.x + atomicAdd(&g_drawn[counter], 1);
        }
        if (i >= C::TILES) {
            written(q.slot, q.parity ^ 1);
            store(q.slot);
        }
        const bool over = ticket >= unsigned(p.total());
        const Task t = over ? Task{0, 0, 0, 0} : task_of(p, ticket);
        s.task[q.slot] = t;
        ptx::arrive(s.drawn[q.slot]);
        if (over) break;
        ptx::wait_stores_read();
        ptx::arrive_expect(s.q_full[q.slot], sizeof(s.q[0]));
        for (int w = 0; w < C::CONSUMERS; w++)
            ptx::load(&s.q[q.slot][w], maps.q, s.q_full[q.slot], 0, t.row + w * C::WROWS, 0, t.head, t.batch);
    }
    ptx::arrive(s.q_full[q.slot]);  // no more tiles
    if (atomicAdd(&g_finished[counter], 1) == gridDim.x - 1) g_drawn[counter] = 0, g_finished[counter] = 0;
    q.next();
    written(q.slot, q.parity ^ 1);  // the last tile; there is one
    store(q.slot);
    ptx::wait_stores_read();
}

// What a thread holds of its warpgroup's 64 rows: parts of rows `row` and `row + 8`, columns 8n + 2 * (lane % 4) + {0, 1};
// element 4n + e of a fragment is row + e / 2 * 8, column 8n + 2 * (lane % 4) + e % 2.
struct Rows {
    float o[C::D / 2] = {}, sum[2] = {0.f, 0.f}, base[2] = {-INFINITY, -INFINITY};
    int limit[2] = {INT_MIN, INT_MIN};  // base: the maximum, scaled
};

// s = Q K^T; rows: the descriptor of Q
__device__ __forceinline__ void scores(float (&s)[C::KEYS / 2], uint64_t rows, const KTile& k) {
    const uint64_t b = ptx::descriptor(&k, 0);
#pragma unroll
    for (int i = 0; i < C::D / 16; i++)
        ptx::multiply_ss(s, rows + (i / 4 * sizeof(QTile::half[0]) + i % 4 * 32) / 16, b + (i / 4 * sizeof(k.half[0]) + i % 4 * 32) / 16, i > 0);
}

// o += P V
__device__ __forceinline__ void accumulate(float (&o)[C::D / 2], const uint32_t (&p)[C::KEYS / 4], const KTile& v) {
    const uint64_t b = ptx::descriptor(&v, sizeof(v.half[0]));
#pragma unroll
    for (int i = 0; i < C::KEYS / 16; i++) ptx::multiply_rs(o, p + 4 * i, b + i * 16 * 128 / 16);
}

// In the first block of a tile, keys past S or, when causal, past the row get no weight. ROWS = KEYS: the diagonal is the same in
// every tile. Rows past S may see anything.
template <bool CAUSAL> __device__ __forceinline__ void mask(float (&s)[C::KEYS / 2], const Problem& p, int consumer) {
    const int lane = threadIdx.x % 32, column = lane % 4 * 2, row = consumer * C::WROWS + threadIdx.x % 128 / 32 * 16 + lane / 4;
    if constexpr (CAUSAL) {
#pragma unroll
        for (int i = 0; i < C::KEYS / 2; i++)
            if ((i / 4 - i % 4 / 2) * 8 + i % 2 > row - column) s[i] = -INFINITY;
    } else if (const int keys = p.S % C::KEYS) {
#pragma unroll
        for (int i = 0; i < C::KEYS / 2; i++)
            if (i / 4 * 8 + i % 2 >= keys - column) s[i] = -INFINITY;
    }
}

// The maxima of two rows of scores, scaled.
__device__ __forceinline__ void maxima(float (&top)[2], const float (&s)[C::KEYS / 2], float scale) {
    float part[4] = {s[0], s[1], s[2], s[3]};
#pragma unroll
    for (int i = 4; i < C::KEYS / 2; i++) part[i % 4] = fmaxf(part[i % 4], s[i]);
#pragma unroll
    for (int h = 0; h < 2; h++) {
        top[h] = fmaxf(part[2 * h], part[2 * h + 1]) * scale;
        top[h] = fmaxf(top[h], __shfl_xor_sync(~0u, top[h], 1));
        top[h] = fmaxf(top[h], __shfl_xor_sync(~0u, top[h], 2));
    }
}

__device__ __forceinline__ void rebase(Rows& r, int h, float base, float scale) {
    const float limit = __fdividef(base + C::SLACK, scale);
    r.base[h] = base;
    r.limit[h] = limit < 0.f ? INT_MIN : __float_as_int(limit);
}

// Whether base had to follow the maxima of s for any row of the warp; then shrink is what O has to be multiplied by. Below
// base + SLACK any base will do. Scores are compared with that as integers, three at a time: right for a limit that is not
// negative; a negative one stands as INT_MIN and is always reached. The threads of a row agree only when it is.
__device__ __forceinline__ bool follow(const float (&s)[C::KEYS / 2], Rows& r, float (&shrink)[2], float scale) {
    int high[4] = {INT_MIN, INT_MIN, INT_MIN, INT_MIN};
#pragma unroll
    for (int i = 0; i < C::KEYS / 2; i += 8)
#pragma unroll
        for (int e = 0; e < 4; e++)
            high[e] = __vimax3_s32(high[e], __float_as_int(s[i + e]), __float_as_int(s[i + e + 4]));
    const bool grown = __any_sync(~0u, max(high[0], high[1]) >= r.limit[0] || max(high[2], high[3]) >= r.limit[1]);
    if (grown) {
        float top[2];
        maxima(top, s, scale);
#pragma unroll
        for (int h = 0; h < 2; h++) {
            const float base = fmaxf(r.base[h], top[h]);
            shrink[h] = ptx::exp2(r.base[h] - base);
            rebase(r, h, base, scale);
            r.sum[h] *= shrink[h];
        }
    }
    return grown;
}

// Elements FROM to TO of s become P, unnormalised.
template <int FROM, int TO> __device__ __forceinline__ void exponentials(float (&s)[C::KEYS / 2], Rows& r, float scale) {
#pragma unroll
    for (int i = FROM; i < TO; i++) {
        s[i] = ptx::exp2(fmaf(s[i], scale, -r.base[i % 4 / 2]));
        r.sum[i % 4 / 2] += s[i];
    }
}

__device__ __forceinline__ void rescale(float (&o)[C::D / 2], const float (&shrink)[2]) {
#pragma unroll
    for (int i = 0; i < C::D / 2; i++) o[i] *= shrink[i % 4 / 2];
}

__device__ __forceinline__ void pack(uint32_t (&p)[C::KEYS / 4], const float (&s)[C::KEYS / 2]) {
#pragma unroll
    for (int i = 0; i < C::KEYS / 4; i++) p[i] = ptx::pack(s[2 * i], s[2 * i + 1]);
}

// O / sum to shared memory, to the place of the tile's Q; a thread has its own part of the sums.
__device__ __forceinline__ void write(QTile& to, float (&o)[C::D / 2], const float (&sum)[2]) {
    float inverse[2];
#pragma unroll
    for (int h = 0; h < 2; h++) {
        const float pair = sum[h] + __shfl_xor_sync(~0u, sum[h], 1);
        inverse[h] = ptx::reciprocal(pair + __shfl_xor_sync(~0u, pair, 2));
    }
    rescale(o, inverse);
    const int lane = threadIdx.x % 32, row = threadIdx.x % 128 / 32 * 16 + lane % 16;
#pragma unroll
    for (int n = 0; n < C::D / 8; n += 2)  // 16 columns at a time; this lane addresses a row of 8 of them
        ptx::store_matrices(ptx::address(&to.half[n / 8][row][((n + lane / 16) ^ row) % 8 * 8]),
                            ptx::pack(o[4 * n], o[4 * n + 1]), ptx::pack(o[4 * n + 2], o[4 * n + 3]),
                            ptx::pack(o[4 * n + 4], o[4 * n + 5]), ptx::pack(o[4 * n + 6], o[4 * n + 7]));
    ptx::publish_shared();
    __syncwarp();
}

template <bool CAUSAL> __device__ void consume(SharedPlan& s, const Problem& problem, int consumer) {
    const int lane = threadIdx.x % 32;
    const float scale = problem.scale;
    Ring<C::STAGES> k, v;
    Ring<C::TILES> q;
    Rows r;
    float x[C::KEYS / 2], shrink[2] = {1.f, 1.f};
    uint32_t p[C::KEYS / 4];
    uint64_t rows;  // of Q: their descriptor
    const auto release = [&](uint64_t& empty) {  // every warp of its readers frees a slot
        if (lane == 0) ptx::arrive(empty);
    };
    const auto issue_scores = [&] {
        ptx::wait(s.k_full[k.slot], k.parity);
        ptx::wgmma_begin();
        scores(x, rows, s.k[k.slot]);
        ptx::wgmma_commit();
    };
    const auto scored = [&] {
        release(s.k_empty[k.slot]);
        k.next();
    };
    const auto issue_output = [&] {
        ptx::wait(s.v_full[v.slot], v.parity);
        ptx::wgmma_begin();
        accumulate(r.o, p, s.v[v.slot]);
        ptx::wgmma_commit();
    };
    const auto finish = [&] {
        ptx::wgmma_wait<0>(r.o);
        release(s.v_empty[v.slot]);
        v.next();
    };
    // Mask and base of a tile's first block.
    const auto open = [&] {
        mask<CAUSAL>(x, problem, consumer);
        float top[2];
        maxima(top, x, scale);
        rebase(r, 0, top[0], scale), rebase(r, 1, top[1], scale);
        r.sum[0] = r.sum[1] = 0.f;
    };
    const auto put = [&](int slot, const float (&sum)[2]) {
        write(s.q[slot][consumer], r.o, sum);
        release(s.o_full[slot][consumer]);
    };
    ptx::wait(s.q_full[0], 0);
    int blocks = ptx::read_shared(s.task[0].blocks);
    rows = ptx::descriptor(&s.q[0][consumer], 0);
    issue_scores();
    ptx::wgmma_wait<0>(x);
    scored();
    open();
    exponentials<0, C::KEYS / 2>(x, r, scale);
    pack(p, x);
    while (true) {
        for (int left = blocks - 1; left > 0; left--) {
            issue_scores();
            issue_output();
            ptx::wgmma_wait<1>(x);
            scored();
            const bool grown = follow(x, r, shrink, scale);
            exponentials<0, C::BESIDE>(x, r, scale);
            ptx::hold(r.sum[0] + r.sum[1]);
            finish();
            if (grown) rescale(r.o, shrink);
            exponentials<C::BESIDE, C::KEYS / 2>(x, r, scale);
            pack(p, x);
        }
        // The last P V of this tile runs beside the first Q K^T of the next one.
        const int slot = q.slot;
        q.next();
        ptx::wait(s.q_full[q.slot], q.parity);
        blocks = ptx::read_shared(s.task[q.slot].blocks);
        if (blocks == 0) {
            issue_output();
            finish();
            put(slot, r.sum);
            return;
        }
        rows = ptx::descriptor(&s.q[q.slot][consumer], 0);
        issue_scores();
        issue_output();
        ptx::wgmma_wait<1>(x);
        scored();
        const float sum[2] = {r.sum[0], r.sum[1]};
        open();
        exponentials<0, C::BESIDE>(x, r, scale);
        ptx::hold(r.sum[0] + r.sum[1]);
        finish();
        put(slot, sum);
#pragma unroll
        for (float& o : r.o) o = 0.f;
        exponentials<C::BESIDE, C::KEYS / 2>(x, r, scale);
        pack(p, x);
    }
}

template <bool CAUSAL> __global__ void __launch_bounds__(C::THREADS, 1)
attention(const __grid_constant__ Maps maps, const __grid_constant__ Problem p, int counter) {
    static_assert(C::ROWS == C::KEYS);
    extern __shared__ uint8_t raw[];
    SharedPlan& s = *reinterpret_cast<SharedPlan*>((uintptr_t(raw) + 1023) / 1024 * 1024);
    if (threadIdx.x == 0) {
        ptx::init(s.near, 1);
        for (int i = 0; i < C::TILES; i++) {
            ptx::init(s.q_full[i], 1), ptx::init(s.drawn[i], 1);
            for (uint64_t& bar : s.o_full[i]) ptx::init(bar, 4);
        }
        for (int i = 0; i < C::STAGES; i++) {
            ptx::init(s.k_full[i], 1), ptx::init(s.v_full[i], 1);
            ptx::init(s.k_empty[i], 4 * C::CONSUMERS), ptx::init(s.v_empty[i], 4 * C::CONSUMERS);
        }
        ptx::publish_init();
    }
    __syncthreads();
    const int warpgroup = __shfl_sync(~0u, threadIdx.x / 128, 0);  // known to be uniform
    if (warpgroup == 0) {
        ptx::give_registers<40>();
        if (threadIdx.x == 0) serve(s, maps, p, counter);
        if (threadIdx.x == 32) produce<true>(s, maps.k, s.k, s.k_full, s.k_empty);
        if (threadIdx.x == 64) produce<false>(s, maps.v, s.v, s.v_full, s.v_empty);
    } else {
        ptx::take_registers<232>();
        consume<CAUSAL>(s, p, warpgroup - 1);
    }
}

// A map of one of the tensors, in boxes of `rows` rows.
bool encode(CUtensorMap& map, const avo_bf16* at, const avo_args& a, int rows) {
    const cuuint64_t S = a.S, H = a.H, B = a.B, D = C::D, sizes[5] = {64, S, 2, H, B};
    const cuuint64_t strides[4] = {H * D * 2, 128, D * 2, S * H * D * 2};
    const cuuint32_t box[5] = {64, cuuint32_t(rows), 2, 1, 1}, ones[5] = {1, 1, 1, 1, 1};
    return cuTensorMapEncodeTiled(&map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 5, const_cast<avo_bf16*>(at), sizes, strides, box, ones,
                                  CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B, CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
                                  CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE) == CUDA_SUCCESS;
}
}  // namespace

extern "C" int avo_launch(const avo_args* a, void* stream) {
    if (a->D != C::D) return 1;
    Maps maps;
    if (!encode(maps.q, a->q, *a, C::WROWS) || !encode(maps.k, a->k, *a, C::KEYS) || !encode(maps.v, a->v, *a, C::KEYS) ||
        !encode(maps.o, a->o, *a, C::WROWS))
        return 2;
    const auto kernel = a->causal ? attention<true> : attention<false>;
    if (cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, SHARED_BYTES) != cudaSuccess) return 2;
    int device, processors;
    if (cudaGetDevice(&device) != cudaSuccess ||
        cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device) != cudaSuccess)
        return 2;
    static std::atomic<unsigned> launches;
    const int tiles = int((a->S + C::ROWS - 1) / C::ROWS), heads = int(a->B * a->H);
    const int64_t fit = (int64_t(C::L2_MIB) << 20) / (a->S * C::D * 4);
    const int group = a->causal ? int(std::clamp<int64_t>(fit, 1, heads)) : 1;
    const Problem p{int(a->S), int(a->H), a->causal, tiles, heads, group, a->scale * LOG2E};
    kernel<<<std::min(tiles * heads, processors), C::THREADS, SHARED_BYTES, cudaStream_t(stream)>>>(maps, p, int(launches++ % C::COUNTERS));
    return cudaGetLastError() == cudaSuccess ? 0 : 2;
}
