/* Notes without a pitch: phases found hop by hop, as engine/decoders/griffin_lim.py does, or nothing but noise. */

/* Give values (2, width) magnitudes (width), and keep their phases; where there is none, it is 0. */
INLINE void FN(with_magnitude)(const float *magnitude, const float *from, float *to, int width) {
    for (int k = 0; k < width; k += LANES) {
        vf re = FN(load)(from + k), im = FN(load)(from + width + k), wanted = FN(load)(magnitude + k);
        vf power = re * re + im * im, root;
        for (int i = 0; i < LANES; i++) root[i] = sqrtf(power[i]);
        vi silent = power < 1e-24f;
        vf scale = wanted / FN(choose)(silent, FN(splat)(1.0f), root);
        FN(store)(to + k, FN(choose)(silent, wanted, re * scale));
        FN(store)(to + width + k, FN(choose)(silent, (vf){0}, im * scale));
    }
}

/* Sum what earlier frames left (n_fft) and pieces of frames (n_fft) a hop apart, into (n_fft + (frames - 1) hop). */
INLINE void FN(overlap)(const Model *m, const float *left, float *const *pieces, int frames, float *signal) {
    const int length = (int)m->n_fft, hop = (int)m->hop;
    memcpy(signal, left, sizeof(float) * length);
    memset(signal + length, 0, sizeof(float) * (m->search_frames - 1) * hop);
    for (int f = 0; f < frames; f++)
        for (int n = 0; n < length; n += LANES) {
            float *to = signal + f * hop + n;
            FN(store)(to, FN(load)(to) + FN(load)(pieces[f] + n));
        }
}

/* Turn a spectrum into a windowed piece of sound. */
INLINE void FN(synthesise)(Hop *hop, const float *spectrum, float *piece) {
    const Model *m = &hop->model;
    const int length = (int)m->n_fft;
    FN(inverse)(spectrum, spectrum + hop->width, piece, length, hop->turns, hop->room, hop->other_room);
    for (int n = 0; n < length; n += LANES) FN(store)(piece + n, FN(load)(piece + n) * FN(load)(m->tail_window + n));
}

/* Let the first of some rooms be the last. */
static void FN(turn_over)(float **rooms, int count) {
    float *first = rooms[0];
    for (int i = 1; i < count; i++) rooms[i - 1] = rooms[i];
    rooms[count - 1] = first;
}

/* Turn the window at a place of a signal into a spectrum. */
INLINE void FN(analyse)(Hop *hop, const float *signal, float *spectrum) {
    const Model *m = &hop->model;
    const int length = (int)m->n_fft;
    float *windowed = hop->windowed;
    for (int n = 0; n < length; n += LANES) FN(store)(windowed + n, FN(load)(signal + n) * FN(load)(m->window + n));
    FN(forward)(windowed, spectrum, spectrum + hop->width, length, hop->turns, hop->room, hop->other_room);
}

/* Take one more frame of levels (N); give the oldest hop that all windows have been fitted to, if it is wanted. */
INLINE void FN(search)(Hop *hop, Slot *slot, const float *level, float *audio) {
    const Model *m = &hop->model;
    const int frames = (int)m->search_frames, length = (int)m->n_fft, step = (int)m->hop, width = hop->width;
    const int last = frames - 1, bins = (int)m->bins, half = step / 2;
    const float decibel = (float)(log(10.0) / 20.0), quiet = (float)m->quiet_level, scale = (float)m->window_sum;
    float **wanted = slot->wanted, **spectra = slot->spectra, **pieces = slot->pieces, *signal = hop->signal;
    FN(turn_over)(wanted, frames), FN(turn_over)(spectra, frames), FN(turn_over)(pieces, frames);
    float *newest = wanted[last];
    memcpy(newest, level, sizeof(float) * bins);
    for (int k = 0; k < width; k += LANES) {
        vf l = FN(load)(newest + k);
        vf value = FN(exp)(l * (decibel * (float)m->level_scale_db) + decibel * (float)m->floor_db) * scale;
        FN(store)(newest + k, FN(choose)(l >= quiet, value, (vf){0}));
    }
    memset(newest + bins, 0, sizeof(float) * (width - bins));

    FN(overlap)(m, slot->left, pieces, last, signal);
    FN(analyse)(hop, signal + last * step, hop->found);
    FN(with_magnitude)(newest, hop->found, spectra[last], width);
    FN(synthesise)(hop, spectra[last], pieces[last]);
    for (int i = 0; i < m->iterations; i++) {
        float *found = hop->found + (i % 2) * frames * 2 * width, *before = hop->found + (1 - i % 2) * frames * 2 * width;
        FN(overlap)(m, slot->left, pieces, frames, signal);
        for (int f = 0; f < frames; f++) FN(analyse)(hop, signal + f * step, found + f * 2 * width);
        for (int f = 0; f < frames; f++) {
            const float *now = found + f * 2 * width, *then = i ? before + f * 2 * width : spectra[f];
            float *sped = hop->sped;
            for (int k = 0; k < 2 * width; k += LANES)
                FN(store)(sped + k, FN(load)(now + k) * (float)(1.0 + m->momentum) - FN(load)(then + k) * (float)m->momentum);
            FN(with_magnitude)(wanted[f], sped, spectra[f], width);
        }
        for (int f = 0; f < frames; f++) FN(synthesise)(hop, spectra[f], pieces[f]);
    }
    FN(overlap)(m, slot->left, pieces, frames, signal);
    for (int n = 0; n < length - step; n++) slot->left[n] = slot->left[n + step] + pieces[0][n + step];
    memset(slot->left + length - step, 0, sizeof(float) * step);
    const float *due = signal + length / 2;
    for (int n = 0; audio && n < step; n++) audio[n] = due[n];
    for (int n = 0; n < half; n++) {
        /* It begins as the last hop would have gone on, and glides over. */
        if (audio) audio[n] -= (1.0f - (float)n / (float)half) * (audio[n] - slot->onward[n]);
        slot->onward[n] = due[step + n];
    }
}

/* How far loud bins are off the line through their neighbours, twice, in dB. */
INLINE float FN(unevenness)(const Model *m, const float *level) {
    const float scale = (float)m->level_scale_db;
    float most = level[0], total = 0.0f, sum = 0.0f;
    for (int n = 1; n < m->bins; n++) most = level[n] > most ? level[n] : most;
    for (int n = 1; n + 1 < m->bins; n++) {
        float weight = exp2f((level[n] - most) * scale / (float)m->loud_db);
        sum += weight * fabsf(level[n - 1] - 2.0f * level[n] + level[n + 1]) * scale;
        total += weight;
    }
    return sum / total;
}

/* Sound a hop of a voice without a pitch: a frame is the number `emitted` after those it began with. */
INLINE void FN(sound_unpitched)(
    Hop *hop, Slot *slot, int64_t emitted, int64_t ahead, const float *level, const float *tonality, float *audio
) {
    const Model *m = &hop->model;
    const int bins = (int)m->bins, step = (int)m->hop, starts = emitted < 0, index = (int)(emitted + ahead);
    if (starts && index == 0) {
        memcpy(slot->first, level, sizeof(float) * bins);
        memcpy(slot->first + bins, tonality, sizeof(float) * bins);
        return;
    }
    if (starts && index == 1) { /* two frames tell what it is */
        slot->is_noise = 0.5f * (FN(unevenness)(m, slot->first) + FN(unevenness)(m, level)) < (float)m->even_db;
        if (slot->is_noise) {
            FN(sound)(hop, slot, 0.0, 0.0, slot->first, slot->first + bins, 0);
        } else {
            clear_search(hop, slot);
            FN(search)(hop, slot, slot->first, 0);
        }
    }
    if (!slot->is_noise) {
        FN(search)(hop, slot, level, audio);
        return;
    }
    float *newest = hop->windowed; /* noise looks less far ahead: a hop waits until it is due */
    FN(sound)(hop, slot, 0.0, 0.0, level, tonality, newest);
    if (audio) memcpy(audio, slot->waiting, sizeof(float) * step);
    memcpy(slot->waiting, newest, sizeof(float) * step);
}
