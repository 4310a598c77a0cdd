/* Frames that were grown before. What grows depends on nothing but a note's genome, what moves it and the readings of its
 * clocks, hop by hop, and music says the same again and again. So levels and tonalities of the last frames are kept
 * under what led to them, and a note that comes the same way takes them over to the bit. Its grid follows at the end
 * of a call, when others may read it.
 */

enum { WAYS = 4, FRAMES_A_GRID = 8, LEAST_ROUNDS = 16 };

/* What has led to a frame, scrambled; all 0 where nobody follows. */
typedef struct Chain {
    uint64_t key[2];
} Chain;

typedef struct KeptFrame {
    Chain chain;
    uint32_t used;
    int32_t grid, lives;
} KeptFrame;

/* Where frames are kept: in sets of `WAYS`, of which the one that was not used for longest goes. */
typedef struct Kept {
    int64_t bytes, sets, width, grids, grid_size, next_grid, found;
    uint32_t clock;
    KeptFrame *frames;
    float *fields; /* (frames, 2, width): levels, tonalities */
    Chain *owners; /* (grids), the frame that each is of */
    float *cells;  /* (grids, grid_size) */
} Kept;

/* How far the grid of a slot is behind: it is as before a round, or another one is as after it. */
typedef struct Behind {
    int64_t round;
    const float *grid;
} Behind;

/* Scramble a number (the finalizer of SplitMix64, Steele et al., 2014), as engine/hashing.py does. */
static uint64_t scrambled(uint64_t z) {
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

/* Let a chain go on over two numbers. */
static void go_on(Chain *chain, double one, double other) {
    uint64_t a, b;
    memcpy(&a, &one, sizeof a), memcpy(&b, &other, sizeof b);
    const uint64_t key = scrambled(chain->key[0] ^ a) + b;
    chain->key[1] = scrambled(chain->key[1] + scrambled(b ^ UINT64_C(0x9E3779B97F4A7C15)) + 3 * a);
    chain->key[0] = scrambled(key) | 1;
}

/* Let a chain go on over an even number of floats. */
static void go_on_over(Chain *chain, const float *values, int64_t count) {
    uint64_t sums[4] = {1, 2, 3, 4};
    for (int64_t n = 0; n < count / 2; n++) {
        uint64_t word;
        memcpy(&word, values + 2 * n, sizeof word);
        uint64_t sum = (sums[n % 4] ^ word) * UINT64_C(0x9E3779B97F4A7C15);
        sums[n % 4] = sum ^ (sum >> 29);
    }
    for (int i = 0; i < 4; i++) {
        chain->key[0] = scrambled(chain->key[0] ^ sums[i]) | 1;
        chain->key[1] = scrambled(chain->key[1] + sums[i]);
    }
}

static int is_same(Chain one, Chain other) { return one.key[0] == other.key[0] && one.key[1] == other.key[1]; }

/* The frames of the set that a chain leads to. */
static KeptFrame *set_of(const Kept *kept, Chain chain) { return kept->frames + chain.key[1] % (uint64_t)kept->sets * WAYS; }

static float *fields_of(const Kept *kept, const KeptFrame *frame) { return kept->fields + (frame - kept->frames) * 2 * kept->width; }

/* The frame that a chain has led to before, or none. */
static KeptFrame *find_frame(Kept *kept, Chain chain) {
    KeptFrame *set = set_of(kept, chain);
    for (int i = 0; i < WAYS; i++)
        if (is_same(set[i].chain, chain)) {
            set[i].used = ++kept->clock;
            return set + i;
        }
    return 0;
}

/* Keep a frame in the place of the one that was not used for longest. */
static void keep_frame(Kept *kept, Chain chain, const float *level, const float *tonality, int lives) {
    KeptFrame *set = set_of(kept, chain), *frame = set;
    for (int i = 1; i < WAYS; i++)
        if (set[i].used < frame->used) frame = set + i;
    *frame = (KeptFrame){chain, ++kept->clock, -1, lives};
    memcpy(fields_of(kept, frame), level, sizeof(float) * (size_t)kept->width);
    memcpy(fields_of(kept, frame) + kept->width, tonality, sizeof(float) * (size_t)kept->width);
}

/* The grid after a frame, or none if it was not kept. */
static const float *grid_after(const Kept *kept, const KeptFrame *frame) {
    if (frame->grid < 0 || !is_same(kept->owners[frame->grid], frame->chain)) return 0;
    return kept->cells + frame->grid * kept->grid_size;
}

static void keep_grid(Kept *kept, KeptFrame *frame, const float *grid) {
    frame->grid = (int32_t)kept->next_grid;
    kept->owners[frame->grid] = frame->chain;
    memcpy(kept->cells + frame->grid * kept->grid_size, grid, sizeof(float) * (size_t)kept->grid_size);
    kept->next_grid = (kept->next_grid + 1) % kept->grids;
}

static void forget_frames(Kept *kept) {
    free(kept->frames), free(kept->fields), free(kept->owners), free(kept->cells);
    *kept = (Kept){.bytes = kept->bytes, .found = kept->found};
}

/* Make room, if there is none yet; return whether there is. What is never used costs no memory. */
static int has_room(Kept *kept, int64_t width, int64_t grid_size) {
    if (kept->sets || kept->bytes <= 0) return kept->sets > 0;
    const int64_t frame_bytes = (int64_t)sizeof(float) * (2 * width + grid_size / FRAMES_A_GRID) + (int64_t)sizeof(KeptFrame);
    const size_t sets = (size_t)(kept->bytes / (WAYS * frame_bytes)), count = WAYS * sets;
    const size_t grids = count / FRAMES_A_GRID + 1;
    kept->frames = calloc(count, sizeof(KeptFrame)), kept->fields = calloc(count, sizeof(float) * 2 * (size_t)width);
    kept->owners = calloc(grids, sizeof(Chain)), kept->cells = calloc(grids, sizeof(float) * (size_t)grid_size);
    if (!sets || !kept->frames || !kept->fields || !kept->owners || !kept->cells) {
        forget_frames(kept);
        kept->bytes = 0;
        return 0;
    }
    kept->sets = (int64_t)sets, kept->width = width, kept->grids = (int64_t)grids, kept->grid_size = grid_size;
    return 1;
}
