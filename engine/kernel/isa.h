/* The kernel for one instruction set: LANES and FN say which. */
#include "vector.h"
#include "fft.h"
#include "step.h"
#include "sound.h"
#include "search.h"

/* Bring the grid of a slot to where it is before a round. */
static void FN(catch_up)(Hop *hop, const Call *call, int64_t voice, int64_t round, Behind *behind) {
    const int64_t number = call->jobs[voice * JOB + SLOT], size = hop->model.cells * hop->model.channels;
    if (behind->grid) memcpy(hop->genes.grid + number * size, behind->grid, sizeof(float) * (size_t)size);
    behind->grid = 0;
    for (; behind->round < round; behind->round++) FN(grow)(hop, call, voice, behind->round, number);
}

/* Have the grid of a slot as it is at the end of a call, and keep it with the last frame. */
static void FN(arrive)(Hop *hop, const Call *call, int64_t voice, int64_t round, Behind *behind) {
    const Slot *slot = slot_of(hop, call->jobs[voice * JOB + SLOT]);
    const int64_t number = call->jobs[voice * JOB + SLOT], size = hop->model.cells * hop->model.channels;
    FN(catch_up)(hop, call, voice, round, behind);
    KeptFrame *frame = slot->chain.key[0] && round > call->first ? find_frame(&hop->kept, slot->chain) : 0;
    if (frame && !grid_after(&hop->kept, frame)) keep_grid(&hop->kept, frame, hop->genes.grid + number * size);
}

/* Take over a frame that was grown before. */
static void FN(take_over)(Hop *hop, const KeptFrame *frame, int64_t round, float *level, float *tonality, Behind *behind) {
    const float *fields = fields_of(&hop->kept, frame), *grid = grid_after(&hop->kept, frame);
    memcpy(level, fields, sizeof(float) * (size_t)hop->kept.width);
    memcpy(tonality, fields + hop->kept.width, sizeof(float) * (size_t)hop->kept.width);
    if (grid) behind->round = round + 1, behind->grid = grid;
    hop->kept.found++;
}

/* Grow and sound one frame of a voice. */
static void FN(frame)(Hop *hop, Call *call, int64_t voice, int64_t round, Behind *behind) {
    const Model *m = &hop->model;
    const int64_t *job = call->jobs + voice * JOB, number = job[SLOT], at = round * call->voices + voice;
    const double *facts = call->facts + voice * FACTS, *controls = call->controls + at * CONTROLS;
    Slot *slot = slot_of(hop, number);
    const int follows = follow(hop, call, voice, round, slot);
    const KeptFrame *known = follows ? find_frame(&hop->kept, slot->chain) : 0;
    if (!known) {
        FN(catch_up)(hop, call, voice, round, behind);
        call->alive[at] = FN(grow)(hop, call, voice, round, number);
        behind->round = round + 1;
    } else {
        call->alive[at] = known->lives;
    }
    if (!call->alive[at]) call->found |= DEAD;
    const float life = call->life ? call->life[at] : (float)m->alive_above;
    const int is_culled = life > (float)m->alive_above;
    if (job[KIND] == UNHEARD) {
        if (is_culled) cull(hop, number, life, 0);
        return;
    }
    float *level = hop->level, *tonality = hop->tonality;
    const double *journey = facts[MORPHS] != 0.0 ? call->journey + at * JOURNEY : 0;
    const double semitones = journey ? journey[J_SEMITONES] : facts[SEMITONES];
    const int pitched = (journey ? journey[J_PITCHED] : facts[PITCHED]) > 0.0;
    const double ratio = semitones == 0.0 ? 1.0 : exp2(semitones / 12.0);
    const double grown_hz = pitched ? pitch_hz(call->planted[at]) : 0.0, hz = call->f0_hz[at];
    look_up(hop, slot, facts, grown_hz, ratio);
    if (known) {
        FN(take_over)(hop, known, round, level, tonality, behind);
    } else {
        FN(read_bins)(hop, number, level, tonality);
        const int is_whole = FN(bounded)(level, tonality, (int)m->bins);
        if (!is_whole && call->broken[voice] < 0) call->broken[voice] = round, call->found |= BROKEN;
        if (is_culled) cull(hop, number, life, level);
        if (m->courses) FN(correct)(hop, slot, call, voice, at, level);
        if (ratio != 1.0) FN(transpose)(hop, slot, level, tonality);
        if (follows && is_whole) keep_frame(&hop->kept, slot->chain, level, tonality, (int)call->alive[at]);
    }
    const double time_s = hop_start(m, call, voice, round) / (double)m->rate;
    const double tilt = controls[C_TILT] + facts[TILT], fade_db = fade_in_db(time_s, controls[C_FADE_IN]);
    if (tilt != 0.0 || controls[C_RESONANCE] != 0.0 || fade_db != 0.0)
        FN(colour)(hop, grown_hz, tilt, controls[C_RESONANCE], fade_db, level);

    const int64_t ahead = job[STARTS] ? job[LOOKAHEAD] : 0, emitted = round - ahead;
    float *audio = emitted < 0 ? 0 : call->audio + (voice * call->rounds + emitted) * m->hop;
    if (job[STARTS] && round == 0) begin(hop, slot, call->seeds[voice], hz);
    if (job[KIND] == PARTIALS) {
        mark_modes(m, slot, grown_hz, tonality);
        FN(sound)(hop, slot, hz, grown_hz, level, tonality, audio);
    } else {
        FN(sound_unpitched)(hop, slot, emitted, ahead, level, tonality, audio);
    }
    if (audio) call->peaks[voice * call->rounds + emitted] = FN(peak_of)(audio, (int)m->hop);
}

/* Whether a voice has been silent for so long since its release that it ends with the hop that a round gave. */
static int FN(has_ended)(const Hop *hop, const Call *call, int64_t voice, int64_t round, int64_t *silent) {
    const Model *m = &hop->model;
    const int64_t *job = call->jobs + voice * JOB, emitted = round - (job[STARTS] ? job[LOOKAHEAD] : 0);
    if (job[KIND] == UNHEARD || emitted < 0 || call->found & TENDED) return 0;
    const double *facts = call->facts + voice * FACTS, held = facts[RELEASE] - facts[ONSET];
    /* What falls by a rate has fallen so far, at least: the engine lets it when all rounds are done. */
    const double age_s = round > call->first ? (double)call->release_age_s[(round - 1) * call->voices + voice] : 0.0;
    const double loud = exp2(fmax(age_s, 0.0) * facts[RATE] * (-0.1660964047443681)); /* log2(10) / 20 */
    const int is_silent = (double)call->peaks[voice * call->rounds + emitted] * loud < m->silence_peak;
    *silent = is_silent && held <= hop_start(m, call, voice, round) ? *silent + 1 : 0;
    return *silent >= m->silent_hops;
}

/* Give a voice that has ended silence for the rounds after one. */
static void FN(leave)(const Hop *hop, Call *call, int64_t voice, int64_t round) {
    const int64_t *job = call->jobs + voice * JOB, ahead = job[STARTS] ? job[LOOKAHEAD] : 0, size = hop->model.hop;
    for (round++; round < job[FRAMES]; round++) {
        const int64_t emitted = voice * call->rounds + round - ahead;
        memset(call->audio + emitted * size, 0, sizeof(float) * (size_t)size);
        call->peaks[emitted] = 0.0f;
        call->alive[round * call->voices + voice] = 1;
    }
}

/* Rounds of a call in which a voice has ended are not grown: engine/voices/endings.py ends it where they begin. */
static void FN(run)(Hop *hop, Call *call) {
    for (int64_t voice = 0; voice < call->voices; voice++) {
        const int64_t frames = call->jobs[voice * JOB + FRAMES], last = frames < call->last ? frames : call->last;
        int64_t silent = 0, round = call->first;
        Behind behind = {round, 0};
        for (; round < last; round++) {
            FN(frame)(hop, call, voice, round, &behind);
            if (FN(has_ended)(hop, call, voice, round, &silent)) {
                FN(leave)(hop, call, voice, round);
                break;
            }
        }
        FN(arrive)(hop, call, voice, round < last ? round + 1 : last, &behind);
    }
}

/* Filter a signal at places that come `stride` phases after each other, by a filter (taps) for each of `count` frames. */
static void FN(resample)(
    const float *signal, const float *filters, int64_t taps, int64_t phase, int64_t stride, int64_t phases, int64_t count, float *out
) {
    for (int64_t n = 0; n < count; n++, phase += stride, filters += taps) {
        const float *from = signal + phase / phases;
        vf sum = {0};
        float rest = 0.0f;
        int64_t k = 0;
        for (; k + LANES <= taps; k += LANES) sum += FN(load)(from + k) * FN(load)(filters + k);
        for (; k < taps; k++) rest += from[k] * filters[k];
        for (int i = 0; i < LANES; i++) rest += sum[i];
        out[n] = rest;
    }
}

/* Take `count` samples of a send into delay lines; see engine/mix/reverb.py. */
static void FN(reverberate)(const Reverb *r, const float *send, int64_t count, float *out) {
    enum { LINES = 16 };
    for (int64_t n = 0; n < count; n += LANES) {
        const int64_t some = count - n < LANES ? count - n : LANES;
        vf damped[LINES], sent = {0}, sides[2] = {{0}, {0}};
        for (int i = 0; i < some; i++) sent[i] = send[n + i];
        for (int l = 0; l < LINES; l++) {
            const float *line = r->lines + l * r->size + r->size - r->delays[l] + n;
            vf now = {0}, before = {0};
            for (int i = 0; i < some; i++) now[i] = line[i], before[i] = n + i ? line[i - 1] : r->before[l];
            damped[l] = (float)r->damping * before + (float)(1.0 - r->damping) * now;
        }
        for (int l = 0; l < LINES; l++) {
            vf entering = r->in[l] * sent;
            for (int k = 0; k < LINES; k++) entering += r->matrix[l * LINES + k] * damped[k];
            for (int i = 0; i < some; i++) r->entering[l * r->size + n + i] = entering[i];
            for (int side = 0; side < 2; side++) sides[side] += r->out[side * LINES + l] * damped[l];
        }
        for (int side = 0; side < 2; side++)
            for (int i = 0; i < some; i++) out[side * count + n + i] = sides[side][i];
    }
    for (int l = 0; l < LINES; l++) {
        float *line = r->lines + l * r->size;
        r->before[l] = line[r->size - r->delays[l] + count - 1];
        memmove(line, line + count, sizeof(float) * (r->size - count));
        memcpy(line + r->size - count, r->entering + l * r->size, sizeof(float) * count);
    }
}

#undef vf
#undef vi
#undef v8
#undef v4
#undef INLINE
#undef SHUFFLE
#undef SHUFFLE4
#undef SHUFFLE_ALL
