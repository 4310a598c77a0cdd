/* The kernel for one instruction set: LANES and FN say which. */
#include "vector.h"
#include "fft.h"
#include "step.h"
#include "sound.h"
#include "search.h"

/* Grow and sound one frame of a voice. */
static void FN(frame)(Hop *hop, Call *call, int64_t voice, int64_t round) {
    const Model *m = &hop->model;
    const int64_t *job = call->jobs + voice * JOB, number = job[SLOT], at = round * call->voices + voice;
    const double *facts = call->facts + voice * FACTS, *controls = call->controls + at * CONTROLS;
    call->alive[at] = FN(grow)(hop, call, voice, round, number);
    if (!call->alive[at]) call->found |= DEAD;
    const float life = call->life ? call->life[at] : (float)m->alive_above;
    const int is_culled = life > (float)m->alive_above;
    if (job[KIND] == UNHEARD) {
        if (is_culled) cull(hop, number, life, 0);
        return;
    }
    Slot *slot = slot_of(hop, number);
    float *level = hop->level, *tonality = hop->tonality;
    FN(read_bins)(hop, number, level, tonality);
    if (!FN(bounded)(level, tonality, (int)m->bins) && call->broken[voice] < 0)
        call->broken[voice] = round, call->found |= BROKEN;
    if (is_culled) cull(hop, number, life, level);

    const double *journey = facts[MORPHS] != 0.0 ? call->journey + at * JOURNEY : 0;
    const double semitones = journey ? journey[J_SEMITONES] : facts[SEMITONES];
    const int pitched = (journey ? journey[J_PITCHED] : facts[PITCHED]) > 0.0;
    const double ratio = semitones == 0.0 ? 1.0 : exp2(semitones / 12.0);
    const double grown_hz = pitched ? pitch_hz(call->planted[at]) : 0.0, hz = call->f0_hz[at];
    look_up(hop, slot, facts, grown_hz, ratio);
    if (m->courses) FN(correct)(hop, slot, call, voice, at, level);
    if (ratio != 1.0) FN(transpose)(hop, slot, level, tonality);
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
    const int is_silent = (double)call->peaks[voice * call->rounds + emitted] < m->silence_peak;
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
        int64_t silent = 0;
        for (int64_t round = call->first; round < call->last && round < call->jobs[voice * JOB + FRAMES]; round++) {
            FN(frame)(hop, call, voice, round);
            if (FN(has_ended)(hop, call, voice, round, &silent)) {
                FN(leave)(hop, call, voice, round);
                break;
            }
        }
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
