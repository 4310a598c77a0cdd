/* What messages have set that stays: the few messages that bring another engine to the same channels. */
#include "internal.h"

#include <string.h>

enum {
    BANK_MSB = 0, DATA_MSB = 6, BANK_LSB = 32, DATA_LSB = 38, SUSTAIN = 64, SOFT = 67, DATA_UP = 96, DATA_DOWN = 97,
    NRPN_LSB = 98, NRPN_MSB = 99, RPN_LSB = 100, RPN_MSB = 101, SOUND_OFF = 120, RESET = 121, NOTES_OFF = 123,
    MONO = 126, POLY = 127, MPE = 6, KEY_BYTES = 8
};

/* "Reset all controllers" (RP-015), with the growth controllers of ours. */
static const uint8_t RESET_NUMBERS[] = {1, 2, 11, 20, 21, 22, 23, 33, 34, 43, 64, 65, 66, 67, 84, 102, 103};

static void clear_channel(tnca_channel *channel) { memset(channel, TNCA_UNSET, sizeof *channel); }

void tnca_memory_clear(tnca_memory *memory) {
    for (int index = 0; index < TNCA_MIDI_CHANNELS; index++)
        clear_channel(&memory->channels[index]);
    memory->exclusive_used = 0;
}

void tnca_memory_release(tnca_memory *memory) {
    for (int index = 0; index < TNCA_MIDI_CHANNELS; index++) {
        uint8_t *controllers = memory->channels[index].controllers;
        for (int number = SUSTAIN; number <= SOFT; number++)
            if (number != 65)
                controllers[number] = TNCA_UNSET;
    }
}

static void reset_controllers(tnca_channel *channel) {
    for (size_t index = 0; index < sizeof RESET_NUMBERS; index++)
        channel->controllers[RESET_NUMBERS[index]] = TNCA_UNSET;
    memset(channel->bend, TNCA_UNSET, sizeof channel->bend);
    memset(channel->selected, TNCA_UNSET, sizeof channel->selected);
    channel->pressure = TNCA_UNSET;
}

static void set_parameter(tnca_channel *channel, uint8_t number, uint8_t value) {
    if (channel->selected[0] != 0 || channel->selected[1] >= TNCA_RPNS)
        return;
    uint8_t *parameter = channel->parameters[channel->selected[1]];
    if (number == DATA_MSB) {
        parameter[0] = value;
        parameter[1] = TNCA_UNSET; /* a new MSB clears the LSB */
    } else if (number == DATA_LSB)
        parameter[1] = value;
    else if (parameter[0] != TNCA_UNSET) { /* a step */
        if (number == DATA_UP && parameter[0] < 127)
            parameter[0]++;
        else if (number == DATA_DOWN && parameter[0] > 0)
            parameter[0]--;
    }
}

static void follow_control(tnca_channel *channel, uint8_t number, uint8_t value) {
    switch (number) {
    case RESET: reset_controllers(channel); return;
    case MONO: case POLY: channel->mode = number; return;
    case RPN_MSB: channel->selected[0] = value; return;
    case RPN_LSB: channel->selected[1] = value; return;
    case NRPN_MSB: case NRPN_LSB: memset(channel->selected, TNCA_UNSET, sizeof channel->selected); return;
    case DATA_MSB: case DATA_LSB: case DATA_UP: case DATA_DOWN: set_parameter(channel, number, value); return;
    default: break;
    }
    if (number >= SOUND_OFF)
        return;
    channel->controllers[number] = value;
    if (number < 32 && channel->controllers[number + 32] != TNCA_UNSET)
        channel->controllers[number + 32] = 0; /* a new MSB clears its LSB */
}

/* Return whether a system exclusive message brings everything back to how it is at power-up. */
static bool is_system_on(const uint8_t *data, uint32_t size) {
    static const uint8_t GS[] = {0x42, 0x12, 0x40, 0x00, 0x7f, 0x00};
    static const uint8_t SC88[] = {0x42, 0x12, 0x00, 0x00, 0x7f};
    static const uint8_t XG[] = {0x4c, 0x00, 0x00};
    if (size == 6 && data[1] == 0x7e && data[3] == 0x09)
        return data[4] == 0x01 || data[4] == 0x03;
    if (size >= 10 && data[1] == 0x41)
        return !memcmp(data + 3, GS, sizeof GS) || !memcmp(data + 3, SC88, sizeof SC88);
    return size == 9 && data[1] == 0x43 && !memcmp(data + 3, XG, sizeof XG) && (data[6] == 0x7e || data[6] == 0x7f);
}

static uint32_t record_size(const uint8_t *record) { return 2u + record[0] + 256u * record[1]; }

static void remove_record(tnca_memory *memory, uint32_t at) {
    uint32_t size = record_size(memory->exclusive + at);
    memmove(memory->exclusive + at, memory->exclusive + at + size, memory->exclusive_used - at - size);
    memory->exclusive_used -= size;
}

/* Keep a message in the place of one that sets the same, and of the oldest ones where room is needed. */
static void keep_exclusive(tnca_memory *memory, const uint8_t *data, uint32_t size) {
    if (size + 2u > TNCA_EXCLUSIVE_BYTES / 2)
        return;
    uint32_t key = size < KEY_BYTES ? size : KEY_BYTES;
    for (uint32_t at = 0; at < memory->exclusive_used;) {
        const uint8_t *record = memory->exclusive + at;
        if (record_size(record) >= 2u + key && !memcmp(record + 2, data, key))
            remove_record(memory, at);
        else
            at += record_size(record);
    }
    while (memory->exclusive_used + 2u + size > TNCA_EXCLUSIVE_BYTES)
        remove_record(memory, 0);
    uint8_t *record = memory->exclusive + memory->exclusive_used;
    record[0] = (uint8_t)(size & 0xff);
    record[1] = (uint8_t)(size >> 8);
    memcpy(record + 2, data, size);
    memory->exclusive_used += 2u + size;
}

void tnca_memory_follow(tnca_memory *memory, const uint8_t *data, uint32_t size) {
    if (size == 0)
        return;
    tnca_channel *channel = &memory->channels[data[0] & 0x0f];
    uint8_t first = size > 1 ? data[1] & 0x7f : 0, second = size > 2 ? data[2] & 0x7f : 0;
    if (data[0] == 0xff)
        tnca_memory_clear(memory);
    else if (data[0] == 0xf0) {
        if (is_system_on(data, size))
            tnca_memory_clear(memory);
        keep_exclusive(memory, data, size);
    } else if ((data[0] & 0xf0) == 0xb0 && size == 3)
        follow_control(channel, first, second);
    else if ((data[0] & 0xf0) == 0xc0 && size == 2) {
        channel->program = first;
        channel->bank[0] = channel->controllers[BANK_MSB];
        channel->bank[1] = channel->controllers[BANK_LSB];
    } else if ((data[0] & 0xf0) == 0xd0 && size == 2)
        channel->pressure = first;
    else if ((data[0] & 0xf0) == 0xe0 && size == 3) {
        channel->bend[0] = first;
        channel->bend[1] = second;
    }
}

typedef struct {
    tnca_take take;
    void *context;
    uint8_t channel;
} replay;

static bool give(const replay *to, uint8_t status, uint8_t first, uint8_t second, uint32_t size) {
    uint8_t data[3] = {(uint8_t)(status | to->channel), first, second};
    return to->take(to->context, data, size);
}

static bool control(const replay *to, uint8_t number, uint8_t value) {
    return value == TNCA_UNSET || give(to, 0xb0, number, value, 3);
}

static bool replay_parameter(const replay *to, const tnca_channel *channel, uint8_t number) {
    const uint8_t *value = channel->parameters[number];
    if (value[0] == TNCA_UNSET && value[1] == TNCA_UNSET)
        return true;
    return control(to, RPN_MSB, 0) && control(to, RPN_LSB, number) && control(to, DATA_MSB, value[0]) &&
           control(to, DATA_LSB, value[1]) && control(to, RPN_MSB, 127) && control(to, RPN_LSB, 127);
}

static bool replay_channel(const replay *to, const tnca_channel *channel) {
    if (channel->program != TNCA_UNSET &&
        !(control(to, BANK_MSB, channel->bank[0]) && control(to, BANK_LSB, channel->bank[1]) &&
          give(to, 0xc0, channel->program, 0, 2)))
        return false;
    for (uint8_t number = 0; number < TNCA_RPNS; number++)
        if (number != MPE && !replay_parameter(to, channel, number))
            return false;
    for (uint8_t number = 0; number < SOUND_OFF; number++)
        if (!control(to, number, channel->controllers[number]))
            return false;
    if (channel->selected[0] != TNCA_UNSET && channel->selected[1] != TNCA_UNSET &&
        !(control(to, RPN_MSB, channel->selected[0]) && control(to, RPN_LSB, channel->selected[1])))
        return false;
    if (channel->mode != TNCA_UNSET && !give(to, 0xb0, channel->mode, channel->mode == MONO, 3))
        return false;
    if (channel->pressure != TNCA_UNSET && !give(to, 0xd0, channel->pressure, 0, 2))
        return false;
    return channel->bend[0] == TNCA_UNSET || give(to, 0xe0, channel->bend[0], channel->bend[1], 3);
}

bool tnca_memory_replay(const tnca_memory *memory, tnca_take take, void *context) {
    for (uint32_t at = 0; at < memory->exclusive_used; at += record_size(memory->exclusive + at))
        if (!take(context, memory->exclusive + at + 2, record_size(memory->exclusive + at) - 2))
            return false;
    for (uint8_t index = 0; index < TNCA_MIDI_CHANNELS; index += TNCA_MIDI_CHANNELS - 1) { /* zones, which reset */
        replay to = {take, context, index};
        if (!replay_parameter(&to, &memory->channels[index], MPE))
            return false;
    }
    for (uint8_t index = 0; index < TNCA_MIDI_CHANNELS; index++) {
        replay to = {take, context, index};
        if (!replay_channel(&to, &memory->channels[index]))
            return false;
    }
    return true;
}
