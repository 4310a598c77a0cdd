/* From what was grown to sound: levels set right, transposed and coloured; partials, and noise between them. */

/* Add what is told (P + F) by the courses (K) of a row of corrections. */
INLINE void FN(tell)(const Model *m, int64_t row, const float *courses, float *told) {
    const int width = (int)(m->partials + m->cells);
    const float *shapes = m->corrections + row * m->courses * width;
    for (int i = 0; i < width; i += 8) {
        v8 sum = *(const v8 *)(told + i);
        for (int k = 0; k < m->courses; k++) sum += courses[k] * *(const v8 *)(shapes + k * width + i);
        *(v8 *)(told + i) = sum;
    }
}

/* The level of all levels together; see `total_level`. */
INLINE float FN(total)(const Model *m, const float *level) {
    const int bins = (int)m->bins;
    const float power = (float)(m->level_scale_db * 0.23025850929940457 /* ln 10 / 10 */);
    vf sum = {0};
    for (int first = 0; first < bins; first += LANES) {
        const int n = first + LANES <= bins ? first : bins - LANES;
        vf own = FN(exp)(FN(load)(level + n) * power) - 1.0f;
        for (int i = 0; i < first - n; i++) own[i] = 0.0f; /* the last ones, some of which have been counted */
        sum += own;
    }
    double total = 0.0;
    for (int i = 0; i < LANES; i++) total += sum[i];
    return (float)log1p(total > 0.0 ? total : 0.0) / power;
}

/* Set levels right where their partials lie. */
INLINE void FN(correct)(Hop *hop, const Slot *slot, const Call *call, int64_t voice, int64_t at, float *level) {
    const Model *m = &hop->model;
    const int bins = (int)m->bins;
    const double *facts = call->facts + voice * FACTS;
    float *told = hop->told_levels;
    memset(told, 0, sizeof(float) * (m->partials + m->cells));
    float courses[MAX_COURSES], totals[2] = {0};
    const double age_s = call->age_s[at];
    if (facts[MORPHS] == 0.0)
        FN(tell)(m, courses_at(m, (int64_t)facts[MOTION], facts[PACE], age_s, 1.0f, courses, totals), courses, told);
    for (int i = 0; facts[MORPHS] != 0.0 && i < CORNERS; i++) {
        const double *motion = call->corners + (voice * CORNERS + i) * 2;
        const float part = (float)call->journey[at * JOURNEY + J_WEIGHTS + i];
        FN(tell)(m, courses_at(m, motion_row(motion[0]), motion[1], age_s, part, courses, totals), courses, told);
    }
    const float *bands = told + m->partials, faint = (float)(1.0 / m->heard_level), known = totals[0];
    const float softer = known > 0.0f ? fminf(known * FN(total)(m, level) - totals[1], 0.0f) : 0.0f, steep = (float)(2.0 / m->faint_level);
    const int32_t *__restrict low = m->bin_low, *__restrict nearest = slot->nearest;
    const float *__restrict part = m->bin_share, *__restrict belongs = slot->belongs;
#pragma GCC ivdep
    for (int n = 0; n < bins; n++) {
        float noise = bands[low[n]] + part[n] * (bands[low[n] + 1] - bands[low[n]]);
        float change = noise + belongs[n] * (told[nearest[n]] - noise);
        float share = level[n] * faint, quiet = share < 1.0f ? 1.0f - share : 0.0f;
        float changed = level[n] + change * (1.0f - quiet * (1.0f - known)) + quiet * softer;
        changed = changed > 0.0f ? changed : 0.0f;
        float clear = changed * steep - 1.0f; /* how far above what is faint */
        clear = clear < 0.0f ? 0.0f : clear < 1.0f ? clear : 1.0f;
        level[n] = changed * (1.0f - known * (1.0f - clear));
    }
}

/* Read levels and tonalities at the places of a transposed sound; partials keep their height. */
INLINE void FN(transpose)(Hop *hop, const Slot *slot, float *level, float *tonality) {
    const Model *m = &hop->model;
    const int bins = (int)m->bins;
    float *pair = hop->pair;
    for (int n = 0; n < bins; n++) pair[2 * n] = level[n], pair[2 * n + 1] = tonality[n];
    const float dip = (float)(m->dip_db / m->level_scale_db);
    for (int n = 0; n < bins; n++) {
        const float *below = pair + 2 * slot->source[n], share = slot->source_share[n];
        tonality[n] = below[1] + share * (below[3] - below[1]);
        level[n] = below[0] + share * (below[2] - below[0]) + dip * share * (1.0f - share) * tonality[n];
    }
}

/* Add a colour to what is not silent. */
INLINE void FN(colour)(Hop *hop, double hz, double tilt_db, double resonance_db, double gain_db, float *level) {
    const Model *m = &hop->model;
    const float from = (float)log2(hz > PIVOT_HZ ? hz : PIVOT_HZ), top = (float)log2(resonance_hz(hz));
    const float scale = (float)(1.0 / m->level_scale_db), quiet = (float)m->quiet_level;
    const int bins = (int)m->bins;
    for (int first = 0; first < bins; first += LANES) {
        const int n = first + LANES <= bins ? first : bins - LANES;
        vf octave = FN(load)(m->bin_octave + n), was = FN(load)(level + n), change = FN(splat)((float)gain_db);
        vf above = FN(larger)(octave - from, (vf){0}) * (float)tilt_db;
        change += FN(smaller)(FN(larger)(above, FN(splat)(-MAX_CUT_DB)), FN(splat)(MAX_BOOST_DB));
        vf distance = (octave - top) * (1.0f / RESONANCE_OCTAVES);
        change += (float)resonance_db * FN(exp)(-0.5f * distance * distance);
        vf shaped = FN(choose)(was > quiet, FN(larger)(was + change * scale, (vf){0}), was);
        if (n != first) /* the last ones, some of which have been done */
            for (int i = first - n; i < LANES; i++) level[n + i] = shaped[i];
        else
            FN(store)(level + n, shaped);
    }
}

/* The amplitudes of the partials of a frame, (MAX_PARTIALS). */
INLINE void FN(amplitudes)(
    Hop *hop, const Slot *slot, const float *level, const float *tonality, double bend, float divisor, float *amplitude
) {
    const Model *m = &hop->model;
    const float decibel = (float)(log(10.0) / 20.0), quiet = (float)m->quiet_level;
    const float scale = 2.0f * decibel * (float)m->level_scale_db, floor_ = 2.0f * decibel * (float)m->floor_db;
    const float fall = -2.0f * decibel * (float)m->tonality_db;
    float levels[2][MAX_PARTIALS + 16], tonal[2][MAX_PARTIALS + 16];
    const int count = (int)slot->reach, whole = (count + LANES - 1) / LANES * LANES;
    for (int h = 0; h < whole; h++) {
        const int32_t low = slot->low[h];
        levels[0][h] = level[low], levels[1][h] = level[low + 1];
        tonal[0][h] = tonality[low], tonal[1][h] = tonality[low + 1];
    }
    const vf highest = FN(splat)((float)(m->bins - 2));
    for (int h = 0; h < whole; h += LANES) {
        vf sum = {0};
        for (int i = 0; i < 2; i++) {
            vf l = FN(load)(levels[i] + h);
            vf power = FN(exp)(l * scale + floor_) * (1.0f - FN(exp)(FN(load)(tonal[i] + h) * fall));
            sum += FN(choose)(l >= quiet, power, (vf){0});
        }
        sum *= FN(load)(slot->gain + h);
        sum = FN(choose)(FN(load)(slot->place + h) * (float)bend < highest, sum, (vf){0});
        for (int i = 0; i < LANES; i++) amplitude[h + i] = sqrtf(sum[i]) * divisor;
    }
    for (int h = whole; h < MAX_PARTIALS; h++) amplitude[h] = 0.0f;
}

/* Add partials to a hop of sound, (hop): they glide in a line from what they were, in pitch and amplitude. */
INLINE void FN(partials)(Hop *hop, Slot *slot, double hz, const float *amplitude, float *audio) {
    const Model *m = &hop->model;
    enum { BLOCK = 16, PARTS = BLOCK / LANES };
    const int length = (int)m->hop;
    const double from_hz = hop->glides ? slot->hz : 0.5 * (slot->hz + hz), to_hz = hop->glides ? hz : from_hz;
    const double before = from_hz / (double)m->rate, after = to_hz / (double)m->rate;
    const double bend = (after - before) / length; /* of cycles per sample, in a sample */
    const double start = slot->cycles;
    slot->cycles = start + 0.5 * (before + after) * length;
    int last = MAX_PARTIALS;
    while (last && amplitude[last - 1] == 0.0f && slot->amplitude[last - 1] == 0.0f) last--;
    for (int h = 0; h < last; h++) {
        const float from = slot->amplitude[h], to = amplitude[h];
        if (from == 0.0f && to == 0.0f) continue;
        const double ratio = slot->ratio[h], at = ratio * start;
        const float phase = (float)(at - floor(at)), step = (float)(ratio * before), rise = (float)(ratio * bend);
        vf re[PARTS], im[PARTS], turn_re[PARTS], turn_im[PARTS], gain[PARTS];
        const float climb = (to - from) / (float)length;
        for (int i = 0; i < PARTS; i++) {
            vf n = FN(counting)() + (float)(i * LANES);
            FN(turn)(phase + n * (step + 0.5f * rise * n), &re[i], &im[i]);
            gain[i] = from + climb * n;
            if (bend != 0.0 || i == 0)
                FN(turn)((step + rise * (n + 0.5f * BLOCK)) * (float)BLOCK, &turn_re[i], &turn_im[i]);
            else
                turn_re[i] = turn_re[0], turn_im[i] = turn_im[0];
        }
        const float climbs = climb * BLOCK;
        if (bend == 0.0) {
            for (int n = 0; n < length; n += BLOCK)
                for (int i = 0; i < PARTS; i++) {
                    float *to_ = audio + n + i * LANES;
                    FN(store)(to_, FN(load)(to_) + im[i] * gain[i]);
                    vf was = re[i];
                    re[i] = was * turn_re[0] - im[i] * turn_im[0];
                    im[i] = was * turn_im[0] + im[i] * turn_re[0];
                    gain[i] += climbs;
                }
        } else {
            vf more_re, more_im;
            FN(turn)(FN(splat)(rise * (float)(BLOCK * BLOCK)), &more_re, &more_im);
            for (int n = 0; n < length; n += BLOCK)
                for (int i = 0; i < PARTS; i++) {
                    float *to_ = audio + n + i * LANES;
                    FN(store)(to_, FN(load)(to_) + im[i] * gain[i]);
                    vf was = re[i], turned = turn_re[i];
                    re[i] = was * turned - im[i] * turn_im[i];
                    im[i] = was * turn_im[i] + im[i] * turned;
                    turn_re[i] = turned * more_re - turn_im[i] * more_im;
                    turn_im[i] = turned * more_im + turn_im[i] * more_re;
                    gain[i] += climbs;
                }
        }
    }
}

/* Windowed noise of a frame, (2 hop). */
INLINE void FN(noise)(
    Hop *hop, const Slot *slot, const float *level, const float *tonality, int pitched, float divisor, float *noise
) {
    const Model *m = &hop->model;
    const float decibel = (float)(log(10.0) / 20.0), quiet = (float)m->quiet_level;
    const float scale = decibel * (float)m->level_scale_db, floor_ = decibel * (float)m->floor_db;
    const float fall = pitched ? -decibel * (float)m->tonality_db : 0.0f;
    const int length = 2 * (int)m->hop, count = (int)m->hop + 1, every = (int)m->n_fft / length;
    const float *spectrum = m->noise + (slot->noise_row + slot->frame) % m->noise_rows * count * 2;
    float *magnitude = hop->magnitude, *re = hop->spectrum_re, *im = hop->spectrum_im, *other = hop->spectrum_power;
    for (int k = 0; k < count; k++) magnitude[k] = level[every * k], other[k] = tonality[every * k];
    for (int k = 0; k < count; k += LANES) {
        vf l = FN(load)(magnitude + k);
        vf power = FN(exp)(FN(load)(other + k) * fall + l * scale + floor_) * divisor;
        FN(store)(magnitude + k, FN(choose)(l >= quiet, power, (vf){0}));
    }
    for (int k = 0; k < count; k++) re[k] = spectrum[2 * k] * magnitude[k], im[k] = spectrum[2 * k + 1] * magnitude[k];
    FN(inverse)(re, im, noise, length, hop->noise_turns, hop->room, hop->other_room);
    for (int n = 0; n < length; n += LANES) FN(store)(noise + n, FN(load)(noise + n) * FN(load)(m->noise_window + n));
}

/* The largest absolute value of a hop, not a number if one is not. */
INLINE float FN(peak_of)(const float *audio, int length) {
    vf most = {0}, sum = {0};
    for (int n = 0; n < length; n += LANES) {
        vf x = FN(load)(audio + n);
        sum += x * 0.0f;
        most = FN(larger)(most, FN(larger)(x, -x));
    }
    float peak = 0.0f;
    for (int i = 0; i < LANES; i++) {
        peak = most[i] > peak ? most[i] : peak;
        peak += sum[i]; /* 0, or not a number */
    }
    return peak;
}

/* Sound a hop of a voice with a pitch from a frame of levels (N) and tonalities (N). */
INLINE void FN(sound)(Hop *hop, Slot *slot, double hz, double grown_hz, const float *level, const float *tonality, float *audio) {
    const Model *m = &hop->model;
    const int length = (int)m->hop, early = slot->frame < m->onset_frames;
    float *amplitude = hop->amplitude, *noise = hop->noise_frame;
    const double bend = hz / (grown_hz > 1e-9 ? grown_hz : 1e-9);
    FN(amplitudes)(hop, slot, level, tonality, bend, early ? m->onset_amplitude[slot->frame] : 1.0f, amplitude);
    FN(noise)(hop, slot, level, tonality, hz > 0.0, early ? m->onset_magnitude[slot->frame] : 1.0f, noise);
    if (audio) {
        for (int n = 0; n < length; n++) audio[n] = noise[n] + slot->tail[n];
        FN(partials)(hop, slot, hz, amplitude, audio);
    }
    memcpy(slot->amplitude, amplitude, sizeof(float) * MAX_PARTIALS);
    memcpy(slot->tail, noise + length, sizeof(float) * length);
    slot->hz = hz;
    slot->frame++;
}
