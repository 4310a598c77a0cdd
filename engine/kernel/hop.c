/* The hop of the default path in one call: a voice grows by a frame, is corrected, transposed and coloured, and sounded
 * by oscillators and noise. State is kept by slot; what a voice sounds like depends on no other voice of the call.
 *
 * It is plain C with the vectors of GCC and Clang, built three times for x86 (as it comes, AVX2 with FMA, AVX-512); the
 * best that the processor has is chosen when a kernel is made. Nothing here knows Python: engine/kernel/library.py
 * loads it, and the interpreter's lock is free meanwhile.
 */
#include "hop.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__) || defined(__i386__)
#define HAS_VARIANTS 1
#include <xmmintrin.h>
#endif

#ifdef _WIN32
#define PUBLIC __declspec(dllexport)
#else
#define PUBLIC __attribute__((visibility("default")))
#endif

enum { MAX_COURSES = 64, MAX_FRAMES = 4, SPARE = 32, TURNS = 4, KEPT_BYTES = 72 << 20 };

static const double PIVOT_HZ = 200.0, VIBRATO_HZ = 5.5, ATTACK_S = 0.1, FADE_FLOOR = 0.003981071705534973;
static const double PITCH_LOW = 0.0, PITCH_HIGH = 135.0, PI = 3.14159265358979323846;
static const float MAX_CUT_DB = 60.0f, MAX_BOOST_DB = 12.0f, RESONANCE_OCTAVES = 0.5f;

#include "kept.h"

/* What one voice has of its own. */
typedef struct Slot {
    Chain chain;                       /* what has led to its last frame */
    double planted;                    /* what it was planted at */
    double hz, cycles;                 /* the last frame's fundamental, and its cycles since the onset */
    double place_hz, near_hz, ratio_of_source, stretch, near_stretch; /* what the following was looked up for */
    int64_t frame, noise_row, reach, mode_row;
    float amplitude[MAX_PARTIALS], place[MAX_PARTIALS], gain[MAX_PARTIALS], modes[MODES];
    int32_t low[MAX_PARTIALS];
    double ratio[MAX_PARTIALS];
    int32_t *nearest, *source;         /* (N) */
    float *belongs, *source_share, *tail; /* (N), (N), (hop) */
    /* Of notes without a pitch: frames in the search, their sound, what went before; and hops that wait. */
    float *wanted[MAX_FRAMES], *spectra[MAX_FRAMES], *pieces[MAX_FRAMES], *left, *onward, *first, *waiting;
    int is_noise;
} Slot;

typedef struct Hop {
    Model model;
    Genes genes;
    Kept kept;
    Slot *slots;
    void *rooms;
    void (*run)(struct Hop *, Call *);
    float *in, *middle, *out, *told, *rows, *rises, *pair, *lives, *told_levels, *level, *tonality;
    float *magnitude, *spectrum_re, *spectrum_im, *spectrum_power, *noise_frame, *room, *other_room, *amplitude;
    float *noise_turns, *turns, *signal, *found, *sped, *windowed;
    int width;                         /* N, in whole vectors */
    int64_t glides;                    /* whether pitches move within a hop */
} Hop;

static Slot *slot_of(Hop *hop, int64_t number) { return hop->slots + number; }

static float largest(float a, float b, float c) {
    float most = a > b ? a : b;
    return most > c ? most : c;
}

static double clipped(double x, double low, double high) { return x < low ? low : x > high ? high : x; }

static double pitch_hz(double pitch) { return 440.0 * exp2((pitch - 69.0) / 12.0); }

static double resonance_hz(double hz) { return hz > 0.0 ? clipped(4.0 * hz, 600.0, 4000.0) : sqrt(600.0 * 4000.0); }

static double fade_in_db(double time_s, double length_s) {
    if (!(length_s > 0.0)) return 0.0;
    return 20.0 * log10(clipped(time_s / (length_s > 1e-9 ? length_s : 1e-9), FADE_FLOOR, 1.0));
}

/* Samples from the onset to the hop that a round grows a frame for. */
static double hop_start(const Model *m, const Call *call, int64_t voice, int64_t round) {
    double frame = call->facts[voice * FACTS + NUM_FRAMES] + (double)(round - call->jobs[voice * JOB + LOOKAHEAD]);
    return (frame > 0.0 ? frame : 0.0) * (double)m->hop;
}

/* The code of a motion's row that is read at an age, and how far it is from there to the next. */
static int64_t code_at(const Model *m, int64_t row, double pace, double age_s, double *share) {
    const double last = m->last_code[row], loop = m->code_loop[row];
    double at = age_s * (pace * m->code_rate[row]), over = at > last ? at - last : 0.0;
    at = at < last ? at : last;
    if (over > 0.0 && loop > 0.0) at -= loop - fmod(over, loop > 1e-9 ? loop : 1e-9);
    int64_t low = (int64_t)at;
    if (low > (int64_t)last) low = (int64_t)last;
    *share = at - (double)low;
    return m->first_code[row] + low;
}

/* Where the tables hold a motion's row: -1, which stands still, lies first, so that further rows find place behind. */
static int64_t motion_row(double row) { return (int64_t)row + 1; }

/* How far a motion's row sways the pitch at an age, in semitones. */
static double sway_at(const Model *m, int64_t row, double pace, double age_s) {
    double share;
    const int64_t step = 1 + m->swells, code = code_at(m, row, pace, age_s, &share) * step;
    const double sway = m->codes[code], next = m->codes[code + (share > 0.0 ? step : 0)];
    return sway + share * (next - sway);
}

/* The age at which the clock of the growth stops, for what moves as a motion's row. */
static double clock_end(const Model *m, int64_t motion, double pace) {
    return m->clock_ends[m->correction_row[motion]] / pace;
}

/* The age since its release that the growth of a voice is told, -1 while held: what falls by a rate grows on as if it were. */
static float told_release(const double *facts, float release_age_s) {
    return facts[RATE] > 0.0 ? -1.0f : release_age_s;
}

/* The courses (K) of the corrections of a motion's row at an age, in real time once the growth's clock has stopped;
 * add what is known of its total level (2) there, and return their row. */
static int64_t courses_at(
    const Model *m, int64_t motion, double pace, double age_s, float part, float *courses, float *totals) {
    const int64_t row = m->correction_row[motion], last = m->moment_count - 1, count = m->courses;
    const double end_s = clock_end(m, motion, pace), at = fmin(age_s, end_s) * pace + fmax(age_s - end_s, 0.0);
    int64_t low = 0;
    while (low < last && m->moments[low + 1] <= at) low++;
    double share = low < last ? (at - m->moments[low]) / (m->moments[low + 1] - m->moments[low]) : 0.0;
    if (share < 0.0) share = 0.0;
    const float *here = m->correction_courses + (row * m->moment_count + low) * count, *next = here + (low < last ? count : 0);
    for (int64_t k = 0; k < count; k++) courses[k] = part * (here[k] + (float)share * (next[k] - here[k]));
    const float *total = m->correction_totals + (row * m->moment_count + low) * 2, *after = total + (low < last ? 2 : 0);
    for (int i = 0; i < 2; i++) totals[i] += part * (total[i] + (float)share * (after[i] - total[i]));
    return row;
}

/* Where the partials of a slot lie over its fundamental. */
static void find_ratios(Slot *slot, double stretch) {
    double further[MODES];
    int count = 0;
    for (int i = 0; i < MODES; i++)
        if (slot->modes[i] > 0.0f) {
            int k = count++;
            for (; k && further[k - 1] > slot->modes[i]; k--) further[k] = further[k - 1];
            further[k] = slot->modes[i];
        }
    int next = 0;
    for (int h = 1, filled = 0; filled < MAX_PARTIALS; filled++) {
        double own = h * sqrt((1.0 + stretch * h * h) / (1.0 + stretch));
        if (next < count && further[next] < own)
            slot->ratio[filled] = further[next++];
        else
            slot->ratio[filled] = own, h++;
    }
    slot->stretch = stretch;
}

/* Where the partials of a slot lie in grown fields, and what turns power there into amplitude squared. */
static void find_places(const Model *m, Slot *slot, double hz) {
    const double bin_hz = (double)m->rate / (double)m->n_fft;
    const double sounding = hz > 0.0 ? hz : bin_hz * 1e6;
    const float spacing = (float)(sounding / bin_hz), highest = (float)(m->bins - 2);
    const int reach = spacing < m->clear_bins ? 2 : 0;
    slot->reach = 1;
    for (int h = 0; h < MAX_PARTIALS; h++) {
        const float place = (float)(sounding * slot->ratio[h] / bin_hz);
        slot->place[h] = place;
        slot->low[h] = 0, slot->gain[h] = 0.0f;
        if (!(place < highest)) continue;
        float density = 0.0f;
        slot->low[h] = (int32_t)place;
        for (int k = -reach; k <= reach; k++)
            for (int i = 0; i < 2; i++) {
                float offset = fabsf((float)slot->low[h] - place + (float)k * spacing + (float)i);
                int64_t index = (int64_t)(offset * (float)m->lobe_steps + 0.5f);
                density += m->lobe[index < m->lobe_size ? index : m->lobe_size - 1];
            }
        slot->gain[h] = 1.0f / (density > (float)m->least_density ? density : (float)m->least_density);
        slot->reach = h + 1;
    }
    slot->place_hz = hz;
}

/* The partial nearest to each bin, and how much the bin is its own. */
static void find_nearest(const Model *m, Slot *slot, double hz, double stretch) {
    const double scale = hz * (double)m->n_fft / (double)m->rate;
    double at = scale, next = 0.0;
    int h = 1;
    for (int n = 0; n < m->bins; n++) {
        slot->nearest[n] = 0, slot->belongs[n] = 0.0f;
        if (!(hz > 0.0)) continue;
        for (; h < m->partials; h++) {
            next = scale * (h + 1) * sqrt((1.0 + stretch * (h + 1) * (h + 1)) / (1.0 + stretch));
            if (0.5 * (at + next) >= n) break;
            at = next;
        }
        slot->nearest[n] = h - 1;
        slot->belongs[n] = (float)clipped(m->lobe_bins - fabs(n - at), 0.0, 1.0);
    }
    slot->near_hz = hz, slot->near_stretch = stretch;
}

/* Where the bins of a transposed sound come from. */
static void find_sources(const Model *m, Slot *slot, double ratio) {
    const double highest = (double)m->bins - 1.0;
    for (int n = 0; n < m->bins; n++) {
        double at = n / ratio < highest ? n / ratio : highest;
        int32_t low = (int32_t)at;
        if (low > m->bins - 2) low = (int32_t)m->bins - 2;
        slot->source[n] = low;
        slot->source_share[n] = (float)(at - low);
    }
    slot->ratio_of_source = ratio;
}

/* Look up anew what no longer holds of a slot. */
static void look_up(Hop *hop, Slot *slot, const double *facts, double grown_hz, double ratio) {
    const Model *m = &hop->model;
    const int64_t row = motion_row(facts[MODE_ROW]);
    if (slot->mode_row != row || slot->stretch != facts[STRETCH]) {
        memcpy(slot->modes, m->modes + row * MODES, sizeof slot->modes);
        find_ratios(slot, facts[STRETCH]);
        slot->mode_row = row, slot->place_hz = NAN;
    }
    if (slot->place_hz != grown_hz) find_places(m, slot, grown_hz);
    if (m->courses && (slot->near_hz != grown_hz / ratio || slot->near_stretch != facts[STRETCH]))
        find_nearest(m, slot, grown_hz / ratio, facts[STRETCH]);
    if (ratio != 1.0 && slot->ratio_of_source != ratio) find_sources(m, slot, ratio);
}

/* Let the bins of partials beside the series count as tonal: what was grown takes them for noise. */
static void mark_modes(const Model *m, const Slot *slot, double grown_hz, float *tonality) {
    for (int i = 0; i < MODES; i++) {
        if (!(slot->modes[i] > 0.0f)) continue;
        int64_t centre = (int64_t)floor(grown_hz * slot->modes[i] * ((double)m->n_fft / (double)m->rate));
        for (int64_t n = centre - 1; n <= centre + 2; n++) tonality[n < 0 ? 0 : n < m->bins ? n : m->bins - 1] = 1.0f;
    }
}

/* Make cells of a slot silent whose neighbourhood's alpha is not above `life`, and the levels (N) between them. */
static void cull(Hop *hop, int64_t number, float life, float *level) {
    const Model *m = &hop->model;
    float *grid = hop->genes.grid + number * m->cells * m->channels, *lives = hop->lives, most = 0.0f;
    const int64_t last = m->cells - 1;
    for (int64_t f = 0; f <= last; f++) {
        const float *alpha = grid + f * m->channels + m->alpha;
        lives[f] = largest(f ? alpha[-m->channels] : alpha[0], alpha[0], f < last ? alpha[m->channels] : alpha[0]);
        most = lives[f] > most || !f ? lives[f] : most;
    }
    const float threshold = life < (float)m->liveliest * most ? life : (float)m->liveliest * most;
    for (int64_t f = 0; f <= last; f++) {
        lives[f] = lives[f] > threshold ? 1.0f : 0.0f;
        for (int64_t c = 0; c < m->channels; c++) grid[f * m->channels + c] *= lives[f];
    }
    for (int64_t n = 0; level && n < m->bins; n++) {
        const int32_t low = m->bin_low[n];
        level[n] *= lives[low] + m->bin_share[n] * (lives[low + 1] - lives[low]);
    }
}

/* Let a slot begin with a note that is silent so far. */
static void begin(Hop *hop, Slot *slot, uint64_t seed, double hz) {
    slot->hz = hz, slot->cycles = 0.0, slot->frame = 0;
    slot->noise_row = (int64_t)(scrambled(seed) % (uint64_t)hop->model.noise_rows);
    memset(slot->amplitude, 0, sizeof slot->amplitude);
}

/* Follow what leads to a frame of a voice; return whether that says all: nothing but clocks and genes made it grow. */
static int follow(Hop *hop, const Call *call, int64_t voice, int64_t round, Slot *slot) {
    const Model *m = &hop->model;
    const int64_t *job = call->jobs + voice * JOB, at = round * call->voices + voice, number = job[SLOT];
    const double *facts = call->facts + voice * FACTS;
    if (call->mask || call->life || facts[MORPHS] != 0.0 || job[KIND] == UNHEARD) {
        slot->chain = (Chain){{0, 0}};
        return 0;
    }
    if (job[STARTS] && round == 0) {
        const int64_t size = m->cells * m->channels;
        slot->chain = (Chain){{0, 0}}, slot->planted = call->planted[at];
        if (facts[NUM_FRAMES] != 0.0 || call->rounds < LEAST_ROUNDS || !has_room(&hop->kept, m->bins, size)) return 0;
        go_on_over(&slot->chain, hop->genes.grid + number * size, size);
        go_on_over(&slot->chain, hop->genes.cell + number * m->hidden * m->cells, m->hidden * m->cells);
        go_on_over(&slot->chain, hop->genes.rates + number * 4 * m->cells, 4 * m->cells);
        go_on_over(&slot->chain, hop->genes.bin + number * m->bins * m->readout, m->bins * m->readout);
        go_on(&slot->chain, facts[STRETCH], facts[SEMITONES]);
        go_on(&slot->chain, facts[PITCHED], slot->planted);
    }
    if (call->planted[at] != slot->planted) slot->chain = (Chain){{0, 0}};
    if (!slot->chain.key[0]) return 0;
    go_on(&slot->chain, facts[MOTION], facts[PACE]);
    go_on(&slot->chain, (double)call->age_s[at], (double)told_release(facts, call->release_age_s[at]));
    return 1;
}

/* Let a search for phases begin with nothing. */
static void clear_search(Hop *hop, Slot *slot) {
    const Model *m = &hop->model;
    const size_t frames = (size_t)m->search_frames, width = (size_t)hop->width, length = (size_t)m->n_fft;
    for (size_t f = 0; f < frames; f++) {
        memset(slot->wanted[f], 0, sizeof(float) * width);
        memset(slot->spectra[f], 0, sizeof(float) * 2 * width);
        memset(slot->pieces[f], 0, sizeof(float) * length);
    }
    memset(slot->left, 0, sizeof(float) * length);
    memset(slot->onward, 0, sizeof(float) * (size_t)m->hop / 2);
}

#pragma GCC diagnostic ignored "-Wpsabi"
#pragma GCC diagnostic ignored "-Wunknown-pragmas"

#define JOIN_(name, suffix) name##_##suffix
#define JOIN(name, suffix) JOIN_(name, suffix)
#define FN(name) JOIN(name, ISA)

#define ISA base
#define LANES 4
#include "isa.h"
#undef ISA
#undef LANES

#ifdef HAS_VARIANTS
#define ISA avx2
#define LANES 8
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma,bmi,bmi2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,bmi,bmi2")
#endif
#include "isa.h"
#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#undef ISA
#undef LANES

#define ISA avx512
#define LANES 16
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,bmi,bmi2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,bmi,bmi2")
#endif
#include "isa.h"
#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#undef ISA
#undef LANES
#endif

/* The best instruction set that the processor has, by number. */
PUBLIC int64_t tnca_best(void) {
#ifdef HAS_VARIANTS
    __builtin_cpu_init();
    if (!(__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2"))) return 0;
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") ? 2 : 1;
#else
    return 0;
#endif
}

/* Use an instruction set by number; return whether the processor has it. */
PUBLIC int64_t tnca_choose(Hop *hop, int64_t wanted) {
    if (wanted < 0 || wanted > tnca_best()) return 0;
    hop->run = run_base;
#ifdef HAS_VARIANTS
    if (wanted == 2 && hop->model.hop < 4 * 16) wanted = 1; /* its transforms take no less */
    if (wanted > 0) hop->run = wanted == 2 ? run_avx512 : run_avx2;
#endif
    return 1;
}

/* Filter a signal at places that come `stride` phases after each other; see engine/mix/resampler.py. */
PUBLIC void tnca_resample(
    const float *signal, const float *filters, int64_t taps, int64_t phase, int64_t stride, int64_t phases, int64_t count, float *out
) {
#ifdef HAS_VARIANTS
    static int64_t best = -1;
    if (best < 0) best = tnca_best();
    if (best) {
        (best == 2 ? resample_avx512 : resample_avx2)(signal, filters, taps, phase, stride, phases, count, out);
        return;
    }
#endif
    resample_base(signal, filters, taps, phase, stride, phases, count, out);
}

/* Take at most as many samples of a send as the shortest line holds; give both sides of what comes back, (2, count). */
PUBLIC void tnca_reverberate(const Reverb *reverb, const float *send, int64_t count, float *out) {
#ifdef HAS_VARIANTS
    static int64_t best = -1;
    if (best < 0) best = tnca_best();
    if (best) {
        (best == 2 ? reverberate_avx512 : reverberate_avx2)(reverb, send, count, out);
        return;
    }
#endif
    reverberate_base(reverb, send, count, out);
}

/* Sizes of the structures and the number of facts, for whoever fills them to check. */
PUBLIC int64_t tnca_size(int64_t which) { return (int64_t)(which == 0 ? sizeof(Model) : which == 1 ? sizeof(Call) : which == 2 ? sizeof(Genes) : which == 3 ? sizeof(Reverb) : FACTS); }

PUBLIC void tnca_free(Hop *hop) {
    if (hop) forget_frames(&hop->kept), free(hop->rooms), free(hop->slots), free(hop);
}

/* Fill cos and then sin of 2 pi k / length, for k below the length; then the turns of the first two steps of fft.h in
 * the order in which they are read, (2, 6, length / 8): TURNS times the length in all.
 */
static void fill_turns(float *turns, size_t length) {
    for (size_t k = 0; k < length; k++) {
        turns[k] = (float)cos(2.0 * PI * (double)k / (double)length);
        turns[length + k] = (float)sin(2.0 * PI * (double)k / (double)length);
    }
    float *narrow = turns + 2 * length;
    for (size_t stride = 1; stride <= 4; stride *= 4)
        for (size_t i = 0; i < 6; i++)
            for (size_t t = 0; t < length / 8; t++)
                *narrow++ = turns[i % 2 * length + (i / 2 + 1) * (t / stride) * 2 * stride];
}

/* Make a kernel; none where memory is short. */
PUBLIC Hop *tnca_make(const Model *model) {
    Hop *hop = calloc(1, sizeof *hop);
    if (!hop) return 0;
    hop->model = *model;
    const Model *m = &hop->model;
    const size_t slots = (size_t)m->slots, cells = (size_t)m->cells, channels = (size_t)m->channels;
    const size_t hidden = (size_t)m->hidden > channels ? (size_t)m->hidden : channels;
    const size_t bins = (size_t)m->bins, hops = (size_t)m->hop, length = 2 * hops;
    const size_t frames = (size_t)m->search_frames, width = (bins + 15) / 16 * 16, n_fft = (size_t)m->n_fft;
    hop->width = (int)width;
    const size_t sizes[] = {
        (3 * channels + 5) * cells, hidden * cells, 2 * channels * cells, (size_t)m->hidden,
        cells * (8 + (size_t)m->readout), cells * (8 + (size_t)m->readout), 2 * bins, cells,
        (size_t)m->partials + cells, bins, bins, hops + 1, hops + 1, hops + 1, hops + 1, length, n_fft, n_fft,
        MAX_PARTIALS, TURNS * length, TURNS * n_fft, n_fft + frames * hops, 4 * frames * width, 2 * width, n_fft,
    };
    float **rooms[] = {
        &hop->in, &hop->middle, &hop->out, &hop->told, &hop->rows, &hop->rises, &hop->pair, &hop->lives,
        &hop->told_levels, &hop->level, &hop->tonality, &hop->magnitude, &hop->spectrum_re, &hop->spectrum_im,
        &hop->spectrum_power, &hop->noise_frame, &hop->room, &hop->other_room, &hop->amplitude, &hop->noise_turns, &hop->turns,
        &hop->signal, &hop->found, &hop->sped, &hop->windowed,
    };
    const size_t count = sizeof sizes / sizeof *sizes;
    size_t total = 0;
    for (size_t i = 0; i < count; i++) total += sizes[i] + SPARE;
    const size_t own = 4 * bins + hops + frames * (3 * width + n_fft) + n_fft + hops / 2 + 2 * bins + hops;
    hop->slots = calloc(slots, sizeof(Slot));
    hop->rooms = calloc(total + slots * own, sizeof(float));
    if (!hop->slots || !hop->rooms) return tnca_free(hop), (Hop *)0;
    float *at = hop->rooms;
    for (size_t i = 0; i < count; i++) *rooms[i] = at, at += sizes[i] + SPARE;
    for (size_t s = 0; s < slots; s++, at += own) {
        Slot *slot = hop->slots + s;
        slot->belongs = at, slot->source_share = at + bins, slot->tail = at + 2 * bins;
        slot->nearest = (int32_t *)(at + 2 * bins + hops), slot->source = (int32_t *)(at + 3 * bins + hops);
        float *place = at + 4 * bins + hops;
        for (size_t f = 0; f < frames; f++, place += 3 * width + n_fft)
            slot->wanted[f] = place, slot->spectra[f] = place + width, slot->pieces[f] = place + 3 * width;
        slot->left = place, slot->onward = place + n_fft, slot->first = slot->onward + hops / 2;
        slot->waiting = slot->first + 2 * bins;
        slot->mode_row = -1;
        slot->place_hz = slot->near_hz = slot->ratio_of_source = slot->stretch = slot->near_stretch = NAN;
    }
    fill_turns(hop->noise_turns, length);
    fill_turns(hop->turns, n_fft);
    hop->glides = 1, hop->kept.bytes = KEPT_BYTES;
    tnca_choose(hop, tnca_best());
    return hop;
}

/* Let pitches move within hops, or keep to their mean as the engine does without a kernel: to compare the two. */
PUBLIC void tnca_glide(Hop *hop, int64_t glides) { hop->glides = glides; }

/* Keep no more than some bytes of frames from here on, none for 0; return how many were taken over so far. */
PUBLIC int64_t tnca_keep(Hop *hop, int64_t bytes) {
    forget_frames(&hop->kept);
    hop->kept.bytes = bytes;
    for (int64_t s = 0; s < hop->model.slots; s++) slot_of(hop, s)->chain = (Chain){{0, 0}};
    return hop->kept.found;
}

/* Say where the genes and grids of all slots lie. */
PUBLIC void tnca_plant(Hop *hop, const Genes *genes) { hop->genes = *genes; }

/* Say where the tables of keys lie: rows may have been added. Rows that voices have already say what they said. */
PUBLIC void tnca_know(Hop *hop, const Model *known) {
    Model *m = &hop->model;
    m->codes = known->codes, m->swell_shapes = known->swell_shapes, m->first_code = known->first_code;
    m->last_code = known->last_code, m->code_loop = known->code_loop, m->code_rate = known->code_rate;
    m->modes = known->modes, m->correction_row = known->correction_row;
    m->correction_courses = known->correction_courses, m->corrections = known->corrections;
    m->correction_totals = known->correction_totals;
    m->clock_ends = known->clock_ends;
}

/* Read the clocks of all rounds and where pitches are; fill what the rounds need of it and say what was found. */
PUBLIC void tnca_prepare(Hop *hop, Call *call) {
    const Model *m = &hop->model;
    const double hop_s = (double)m->hop / (double)m->rate, rate = (double)m->rate, length = (double)m->hop;
    call->found = 0;
    for (int64_t v = 0; v < call->voices; v++) {
        double *facts = call->facts + v * FACTS;
        const int64_t row = motion_row(facts[MOTION]);
        const double held = facts[RELEASE] - facts[ONSET], released = held > length ? held : length;
        double planted = facts[PLANTED];
        facts[MOTION] = (double)row;
        facts[SEMITONES] = 12.0 * log2(facts[PACE]);
        for (int64_t r = 0; r < call->jobs[v * JOB + FRAMES]; r++) {
            const int64_t at = r * call->voices + v;
            const double *controls = call->controls + at * CONTROLS;
            const double start = hop_start(m, call, v, r), frame = facts[NUM_FRAMES] + (double)r;
            const double since = start >= released ? (start - released) / rate : -1.0;
            const double speed = controls[start < ATTACK_S * rate ? C_ATTACK : C_DECAY];
            call->age_s[at] = (float)fmax(frame * hop_s + facts[AGE_LEAD], 0.0);
            facts[AGE_LEAD] += (speed * controls[C_GROWTH] - 1.0) * hop_s;
            facts[RELEASE_LEAD] +=
                (controls[C_RELEASE] * facts[RELEASE_SPEED] - 1.0) * clipped(since, 0.0, hop_s);
            call->release_age_s[at] = (float)(since >= 0.0 ? fmax(since + facts[RELEASE_LEAD], 0.0) : -1.0);

            const double *journey = facts[MORPHS] != 0.0 ? call->journey + at * JOURNEY : 0;
            const double moved = journey ? journey[J_PITCH] : 0.0;
            const double pitch = clipped(facts[PITCH] + controls[C_PITCH] + moved, PITCH_LOW, PITCH_HIGH);
            if (r == 0 && facts[NUM_FRAMES] == 0.0) planted = pitch;
            call->pitch[at] = pitch, call->planted[at] = planted;
            if (fabs(pitch - planted) > m->least_drift) call->found |= DRIFTS;
            if (controls[C_GROWTH] != 1.0 || controls[C_FIRE] != 1.0 || controls[C_LIFE] != m->alive_above ||
                controls[C_DAMAGE] != 0.0)
                call->found |= TENDED;
            double sounding = pitch;
            if (controls[C_VIBRATO] != 0.0) {
                sounding += controls[C_VIBRATO] * sin(2.0 * PI * VIBRATO_HZ * (start / rate));
                sounding = clipped(sounding, PITCH_LOW, PITCH_HIGH);
            }
            const double age_s = call->age_s[at];
            double sway = journey ? 0.0 : sway_at(m, row, facts[PACE], age_s);
            for (int i = 0; journey && i < CORNERS; i++) {
                const double *motion = call->corners + (v * CORNERS + i) * 2;
                sway += journey[J_WEIGHTS + i] * sway_at(m, motion_row(motion[0]), motion[1], age_s);
            }
            const int pitched = (journey ? journey[J_PITCHED] : facts[PITCHED]) > 0.0;
            call->f0_hz[at] = pitched ? pitch_hz(clipped(sounding + sway, PITCH_LOW, PITCH_HIGH)) : 0.0;
        }
    }
}

/* Grow and sound rounds first..last of the voices. */
PUBLIC void tnca_run(Hop *hop, Call *call) {
#ifdef HAS_VARIANTS
    const unsigned before = _mm_getcsr();
    _mm_setcsr(before | 0x8040); /* what is next to nothing is nothing: it would take a hundred times as long */
    hop->run(hop, call);
    _mm_setcsr(before);
#else
    hop->run(hop, call);
#endif
}
