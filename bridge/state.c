/* What people and projects see of a client: texts, status, list of instruments, state. */
#include "internal.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { STATE_VERSION = 1, STATE_BYTES = 65536, LINE_BYTES = 512 };

static const char HEAD[] = "tnca-synth state ";

static const char *const STATES[] = {"not active", "starting", "running", "overloaded", "the engine does not answer",
                                     "no engine", "engine of another version", "failed"};

/* Numbers in projects have a point, whatever the host's language is. */
static locale_t plain_numbers(void) { return newlocale(LC_ALL_MASK, "C", (locale_t)0); }

static void write_number(char *text, size_t size, const char *format, double value) {
    locale_t plain = plain_numbers(), former = uselocale(plain);
    snprintf(text, size, format, value);
    uselocale(former);
    freelocale(plain);
}

static int read_number(const char *text, char **end, float *value) {
    locale_t plain = plain_numbers();
    *value = strtof_l(text, end, plain);
    freelocale(plain);
    return *end != text && isfinite(*value) ? 0 : -1;
}

/* ---- instruments (under the lock) --------------------------------------------------------------------------------- */

static const tnca_instrument *instrument_of(const tnca_client *client, uint32_t value) {
    for (uint32_t index = 0; index < client->num_instruments; index++)
        if (client->instruments[index].value == value)
            return &client->instruments[index];
    return NULL;
}

uint32_t tnca_client_instruments(tnca_client *client, tnca_instrument *instruments, uint32_t most) {
    pthread_mutex_lock(&client->lock);
    uint32_t count = client->num_instruments;
    if (count && most)
        memcpy(instruments, client->instruments, (count < most ? count : most) * sizeof *instruments);
    pthread_mutex_unlock(&client->lock);
    return count;
}

uint32_t tnca_client_instruments_revision(const tnca_client *client) { return atomic_load(&client->revision); }

/* ---- texts --------------------------------------------------------------------------------------------------------- */

static const char *choice_of(const tnca_parameter *one, uint32_t number) {
    return number >= one->num_choices ? NULL : number ? one->further[number - 1] : one->first;
}

void tnca_client_parameter_text(tnca_client *client, uint32_t index, float value, char *text, size_t size) {
    if (!size)
        return;
    text[0] = 0;
    if (index >= TNCA_NUM_PARAMETERS || !isfinite(value))
        return;
    const tnca_parameter *one = &tnca_parameters[index];
    if (!one->num_choices) {
        char number[32];
        write_number(number, sizeof number, fabsf(value) < 10.0f ? "%.2f" : "%.1f", value);
        snprintf(text, size, one->unit[0] ? "%s %s" : "%s", number, one->unit);
        return;
    }
    uint32_t number = value < 0 ? 0 : (uint32_t)lrintf(value);
    const char *choice = choice_of(one, number);
    pthread_mutex_lock(&client->lock);
    const tnca_instrument *known =
        index == TNCA_PARAMETER_INSTRUMENT ? instrument_of(client, number) : NULL;
    if (known && !(known->flags & TNCA_INSTRUMENT_STANDS_IN))
        snprintf(text, size, "%s", known->name);
    else if (choice)
        snprintf(text, size, "%s", choice);
    else
        snprintf(text, size, "(none %u)", number);
    pthread_mutex_unlock(&client->lock);
}

int tnca_client_parameter_value(tnca_client *client, uint32_t index, const char *text, float *value) {
    if (index >= TNCA_NUM_PARAMETERS)
        return -1;
    const tnca_parameter *one = &tnca_parameters[index];
    char *end;
    int found = read_number(text, &end, value);
    if (found == 0) {
        *value = *value < one->low ? one->low : *value > one->high ? one->high : *value;
        return 0;
    }
    for (uint32_t number = 0; number < one->num_choices; number++)
        if (!strcasecmp(text, choice_of(one, number))) {
            *value = one->low + (float)number;
            return 0;
        }
    pthread_mutex_lock(&client->lock);
    for (uint32_t place = 0; index == TNCA_PARAMETER_INSTRUMENT && place < client->num_instruments; place++)
        if (!strcasecmp(text, client->instruments[place].name)) {
            *value = (float)client->instruments[place].value;
            found = 0;
            break;
        }
    pthread_mutex_unlock(&client->lock);
    return found;
}

void tnca_client_status(tnca_client *client, tnca_status *status) {
    memset(status, 0, sizeof *status);
    status->latency = atomic_load(&client->latency);
    status->late_blocks = atomic_load(&client->late_blocks);
    status->dropped = atomic_load(&client->dropped);
    status->restarts = atomic_load(&client->restarts);
    for (int channel = 0; channel < 2; channel++)
        status->peak[channel] = tnca_bits_to_float(atomic_load(&client->peaks[channel]));
    pthread_mutex_lock(&client->lock);
    status->state = (tnca_state)atomic_load(&client->state);
    status->voices = client->voices;
    status->voice_limit = client->voice_limit;
    status->load = client->load;
    const char *note = client->note, *text = client->text;
    int most = note[0] ? TNCA_TEXT / 2 - 20 : TNCA_TEXT - 40; /* both find room */
    snprintf(status->text, sizeof status->text, "%s%s%.*s%s%.*s", STATES[status->state], text[0] ? ": " : "", most,
             text, note[0] ? " - " : "", most, note);
    tnca_copy_text(status->engine, sizeof status->engine, client->engine);
    pthread_mutex_unlock(&client->lock);
}

/* ---- state --------------------------------------------------------------------------------------------------------- */

typedef struct {
    char *text;
    size_t used;
} writer;

static void put(writer *to, const char *line) {
    size_t length = strlen(line);
    if (to->used + length + 1 < STATE_BYTES) {
        memcpy(to->text + to->used, line, length + 1);
        to->used += length;
    }
}

static void put_instrument(writer *to, const tnca_client *client) {
    uint32_t value = (uint32_t)tnca_client_parameter(client, TNCA_PARAMETER_INSTRUMENT);
    const tnca_instrument *known = instrument_of(client, value);
    if (client->kept.name[0] && client->kept.value == value)
        known = &client->kept; /* perhaps one that is missing here: it stays what the project asks for */
    char line[LINE_BYTES];
    if (known)
        snprintf(line, sizeof line, "instrument %u %d %s %s\n", value, known->program,
                 known->hash[0] ? known->hash : "-", known->name);
    else
        snprintf(line, sizeof line, "instrument %u %d - \n", value, value >= 1 && value <= 128 ? (int)value - 1 : -1);
    put(to, line);
}

char *tnca_client_save(tnca_client *client) {
    writer to = {malloc(STATE_BYTES), 0};
    if (!to.text)
        return NULL;
    char line[LINE_BYTES], number[32];
    snprintf(line, sizeof line, "%s%d\n", HEAD, STATE_VERSION);
    put(&to, line);
    for (uint32_t index = 0; index < TNCA_NUM_PARAMETERS; index++) {
        write_number(number, sizeof number, "%.9g", tnca_client_parameter(client, index));
        snprintf(line, sizeof line, "parameter %s %s\n", tnca_parameters[index].symbol, number);
        if (index != TNCA_PARAMETER_INSTRUMENT)
            put(&to, line);
    }
    pthread_mutex_lock(&client->lock);
    put_instrument(&to, client);
    snprintf(line, sizeof line, "voices %u\nseed %llu\n", client->wishes.max_voices,
             (unsigned long long)client->wishes.seed);
    put(&to, line);
    if (client->unknown)
        put(&to, client->unknown);
    pthread_mutex_unlock(&client->lock);
    return to.text;
}

static bool load_parameter(tnca_client *client, char *rest) {
    char *space = strchr(rest, ' '), *end;
    float value;
    if (!space)
        return false;
    *space = 0;
    for (uint32_t index = 0; index < TNCA_NUM_PARAMETERS; index++)
        if (!strcmp(rest, tnca_parameters[index].symbol) && !read_number(space + 1, &end, &value)) {
            tnca_client_set_parameter(client, index, value);
            return true;
        }
    *space = ' '; /* one of a newer version: the line stays */
    return false;
}

static bool load_instrument(tnca_client *client, const char *rest) {
    tnca_instrument wanted = {0};
    char name[TNCA_NAME + 1] = "", hash[TNCA_HASH + 1] = "";
    if (sscanf(rest, "%u %d %65s %64[^\n]", &wanted.value, &wanted.program, hash, name) < 3)
        return false;
    tnca_copy_text(wanted.name, sizeof wanted.name, name);
    tnca_copy_text(wanted.hash, sizeof wanted.hash, strcmp(hash, "-") ? hash : "");
    tnca_client_set_parameter(client, TNCA_PARAMETER_INSTRUMENT, (float)(wanted.value & 0xffff));
    wanted.value = (uint32_t)tnca_client_parameter(client, TNCA_PARAMETER_INSTRUMENT);
    pthread_mutex_lock(&client->lock);
    client->kept = wanted;
    client->wishes.wants_instrument = wanted.value != 0 && (wanted.name[0] || wanted.hash[0]);
    client->note[0] = 0;
    pthread_mutex_unlock(&client->lock);
    return true;
}

static bool load_line(tnca_client *client, char *line) {
    unsigned long long number;
    if (!strncmp(line, "parameter ", 10))
        return load_parameter(client, line + 10);
    if (!strncmp(line, "instrument ", 11))
        return load_instrument(client, line + 11);
    if (sscanf(line, "voices %llu", &number) == 1 || sscanf(line, "seed %llu", &number) == 1) {
        bool is_seed = line[0] == 's';
        pthread_mutex_lock(&client->lock);
        uint32_t voices = client->wishes.max_voices;
        uint64_t seed = client->wishes.seed;
        pthread_mutex_unlock(&client->lock);
        tnca_client_configure(client, is_seed ? voices : (uint32_t)(number > 1024 ? 1024 : number),
                              is_seed ? number : seed);
        return true;
    }
    return false;
}

int tnca_client_load(tnca_client *client, const char *state) {
    size_t length = strnlen(state, STATE_BYTES);
    if (length == STATE_BYTES || strncmp(state, HEAD, strlen(HEAD)))
        return -1;
    char *copy = malloc(length + 1), *unknown = malloc(length + 2);
    if (!copy || !unknown) {
        free(copy);
        free(unknown);
        return -1;
    }
    memcpy(copy, state, length + 1);
    for (uint32_t index = 0; index < TNCA_NUM_PARAMETERS; index++) /* what an older state does not name */
        tnca_client_set_parameter(client, index, tnca_parameters[index].initial);
    char *rest = NULL, *line = strtok_r(copy, "\n", &rest);
    size_t used = 0;
    while ((line = strtok_r(NULL, "\n", &rest)))
        if (!load_line(client, line)) {
            size_t size = strlen(line);
            memcpy(unknown + used, line, size);
            unknown[used + size] = '\n';
            used += size + 1;
        }
    unknown[used] = 0;
    free(copy);
    pthread_mutex_lock(&client->lock);
    free(client->unknown);
    client->unknown = unknown;
    pthread_mutex_unlock(&client->lock);
    tnca_worker_nudge(client);
    return 0;
}
