// TNCA Synth as a VST3 plugin, on the C headers of that interface in DPF ("travesty").
//
// One object is component, processor and controller. In VST3 there is no MIDI: notes are events, and controllers,
// bend, channel pressure and program changes arrive as parameters that this plugin names for each MIDI channel.
#include "instance.hpp"

#include "travesty/audio_processor.h"
#include "travesty/component.h"
#include "travesty/edit_controller.h"
#include "travesty/factory.h"
#include "travesty/unit.h"

#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <new>

namespace {

using tnca::Instance;
using tnca::Message;

constexpr v3_tuid class_id = V3_ID(0x544E4341, 0x53796E74, 0x8C3B6E1F, 0x47D2A905);

// Controllers of a MIDI channel that a host can ask a parameter for: 128, then those that VST3 numbers behind them.
enum : int32_t { channel_pressure = 128, pitch_bend = 129, program_change = 130, controllers_per_channel = 131 };
constexpr v3_param_id first_midi_id = 0x10000;
constexpr int32_t num_midi_parameters = 16 * controllers_per_channel;
constexpr uint32_t endless_tail = 0xFFFFFFFF;
constexpr uint64_t stereo = V3_SPEAKER_L | V3_SPEAKER_R;
constexpr int32_t program_list = 1, num_programs = 128;

void to_utf16(int16_t *target, const char *text, size_t capacity = 128) {
    size_t length = 0;
    while (length + 1 < capacity && *text) {
        const auto lead = static_cast<unsigned char>(*text);
        uint32_t code = lead;
        int following = lead < 0x80 ? 0 : lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
        if (following) code = lead & (0x3F >> following);
        ++text;
        for (; following && (*text & 0xC0) == 0x80; --following) code = code << 6 | (*text++ & 0x3F);
        target[length++] = static_cast<int16_t>(code < 0x10000 ? code : '?');
    }
    target[length] = 0;
}

void from_utf16(char *target, size_t capacity, const int16_t *text) {
    size_t length = 0;
    for (; *text && length + 4 < capacity; ++text) {
        const auto code = static_cast<uint16_t>(*text);
        if (code < 0x80) {
            target[length++] = static_cast<char>(code);
        } else if (code < 0x800) {
            target[length++] = static_cast<char>(0xC0 | code >> 6);
            target[length++] = static_cast<char>(0x80 | (code & 0x3F));
        } else {
            target[length++] = static_cast<char>(0xE0 | code >> 12);
            target[length++] = static_cast<char>(0x80 | (code >> 6 & 0x3F));
            target[length++] = static_cast<char>(0x80 | (code & 0x3F));
        }
    }
    target[length] = 0;
}

int seven_bits(double value) { return static_cast<int>(std::lround(std::fmin(std::fmax(value, 0), 1) * 127)); }

// What a controller is at power-up. Hosts that send changes alone would keep what they take for none: the selection of
// a registered parameter by zeros, for one.
double initial_value(int32_t controller) {
    switch (controller) {
    case 7: return 100.0 / 127;
    case 8: case 10: case 20: case 71: case 72: case 73: case 74: case 75: case 76: case 77: case 78: return 64.0 / 127;
    case 11: case 21: case 98: case 99: case 100: case 101: return 1;
    case 28: return 38.0 / 127;
    case 91: return 40.0 / 127;
    case pitch_bend: return 8192.0 / 16383;
    default: return 0;
    }
}

// Messages of one frame come in this order, because VST3 keeps none between parameters and notes: what resets, what
// selects a sound, what selects a registered parameter, its data, all other controllers, then the notes.
int rank_of(int32_t controller) {
    switch (controller) {
    case 120: case 121: case 123: return 0;
    case 0: case 32: return 1;
    case program_change: return 2;
    case 98: case 99: case 100: case 101: return 3;
    case 6: return 4;
    case 38: return 5;
    default: return 6;
    }
}
constexpr int rank_of_parameters = 7;
constexpr int rank_of_notes = 8;
constexpr int ranks = 16; // how far the ranks of a controller's further points in one frame lie behind its first one

template <class Table> struct Facet {
    const Table *table;
    class Plugin *owner;
};

class Plugin {
  public:
    Plugin();
    static Plugin &of(void *facet) { return *static_cast<Facet<void> *>(facet)->owner; }

    v3_result query(const v3_tuid iid, void **object);
    std::atomic<uint32_t> references{1};

    void process_parameters(v3_param_changes **changes);
    void process_events(v3_event_list **events);
    void report_outputs(v3_param_changes **changes);
    v3_result process(v3_process_data *data);

    Facet<v3_component_cpp> component;
    Facet<v3_audio_processor_cpp> processor;
    Facet<v3_edit_controller_cpp> controller;
    Facet<v3_midi_mapping_cpp> mapping;
    Facet<v3_process_context_requirements_cpp> requirements;
    Facet<v3_unit_information_cpp> units;

    Instance instance;
    v3_component_handler **handler = nullptr;
    double sample_rate = 44100;
    uint32_t max_block = 1024;
    bool offline = false;
    bool active = false;

  private:
    float reported_[tnca::num_all_parameters] = {};
};

// ---- What all facets have ------------------------------------------------------------------------------------------

v3_result V3_API query_interface(void *self, const v3_tuid iid, void **object) {
    return Plugin::of(self).query(iid, object);
}
uint32_t V3_API ref(void *self) { return ++Plugin::of(self).references; }
uint32_t V3_API unref(void *self) {
    Plugin &plugin = Plugin::of(self);
    const uint32_t left = --plugin.references;
    if (!left) delete &plugin;
    return left;
}
v3_result V3_API initialize(void *, v3_funknown **) { return V3_OK; }
v3_result V3_API terminate(void *self) {
    Plugin &plugin = Plugin::of(self);
    if (plugin.handler) v3_cpp_obj_unref(plugin.handler);
    plugin.handler = nullptr;
    return V3_OK;
}
constexpr v3_funknown unknown = {query_interface, ref, unref};
constexpr v3_plugin_base base = {initialize, terminate};

// ---- Streams ----------------------------------------------------------------------------------------------------------

bool write_all(v3_bstream **stream, const std::string &text) {
    size_t done = 0;
    while (done < text.size()) {
        int32_t written = 0;
        auto *from = const_cast<char *>(text.data() + done);
        const auto left = static_cast<int32_t>(text.size() - done);
        if (v3_cpp_obj(stream)->write(stream, from, left, &written) != V3_OK || written <= 0) return false;
        done += static_cast<size_t>(written);
    }
    return true;
}

std::string read_all(v3_bstream **stream) {
    std::string text;
    char buffer[4096];
    int32_t count = 0;
    while (text.size() < tnca::max_state_bytes &&
           v3_cpp_obj(stream)->read(stream, buffer, sizeof buffer, &count) == V3_OK && count > 0)
        text.append(buffer, static_cast<size_t>(count));
    return text;
}

// ---- Component ----------------------------------------------------------------------------------------------------------

v3_result V3_API get_controller_class_id(void *, v3_tuid) { return V3_NOT_IMPLEMENTED; } // it is the same object
v3_result V3_API set_io_mode(void *, int32_t) { return V3_OK; }

int32_t V3_API get_bus_count(void *, int32_t media, int32_t direction) {
    return (media == V3_AUDIO && direction == V3_OUTPUT) || (media == V3_EVENT && direction == V3_INPUT);
}

v3_result V3_API get_bus_info(void *self, int32_t media, int32_t direction, int32_t index, v3_bus_info *info) {
    if (index != 0 || !get_bus_count(self, media, direction)) return V3_INVALID_ARG;
    std::memset(info, 0, sizeof *info);
    info->media_type = media;
    info->direction = direction;
    info->channel_count = media == V3_AUDIO ? 2 : 16;
    info->bus_type = V3_MAIN;
    info->flags = V3_DEFAULT_ACTIVE;
    to_utf16(info->bus_name, media == V3_AUDIO ? "Output" : "MIDI");
    return V3_OK;
}

v3_result V3_API get_routing_info(void *, v3_routing_info *, v3_routing_info *) { return V3_NOT_IMPLEMENTED; }

v3_result V3_API activate_bus(void *self, int32_t media, int32_t direction, int32_t index, v3_bool) {
    return index == 0 && get_bus_count(self, media, direction) ? V3_OK : V3_INVALID_ARG;
}

v3_result V3_API set_active(void *self, v3_bool state) {
    Plugin &plugin = Plugin::of(self);
    if (plugin.active == static_cast<bool>(state)) return V3_OK;
    plugin.active = state;
    if (state)
        plugin.instance.activate(plugin.sample_rate, plugin.max_block, plugin.offline);
    else
        plugin.instance.deactivate();
    return V3_OK;
}

v3_result V3_API set_state(void *self, v3_bstream **stream) {
    Plugin &plugin = Plugin::of(self);
    if (!stream || !plugin.instance.restore(read_all(stream))) return V3_INTERNAL_ERR;
    if (plugin.handler)
        v3_cpp_obj(plugin.handler)->restart_component(plugin.handler, V3_RESTART_PARAM_VALUES_CHANGED);
    return V3_OK;
}

v3_result V3_API get_state(void *self, v3_bstream **stream) {
    return stream && write_all(stream, Plugin::of(self).instance.save()) ? V3_OK : V3_INTERNAL_ERR;
}

constexpr v3_component_cpp component_table = {unknown,
                                              base,
                                              {get_controller_class_id, set_io_mode, get_bus_count, get_bus_info,
                                               get_routing_info, activate_bus, set_active, set_state, get_state}};

// ---- Processor ----------------------------------------------------------------------------------------------------------

v3_result V3_API set_bus_arrangements(void *, v3_speaker_arrangement *, int32_t num_inputs,
                                      v3_speaker_arrangement *outputs, int32_t num_outputs) {
    return num_inputs == 0 && num_outputs == 1 && outputs[0] == stereo ? V3_OK : V3_FALSE;
}

v3_result V3_API get_bus_arrangement(void *, int32_t direction, int32_t index, v3_speaker_arrangement *arrangement) {
    if (direction != V3_OUTPUT || index != 0) return V3_INVALID_ARG;
    *arrangement = stereo;
    return V3_OK;
}

v3_result V3_API can_process_sample_size(void *, int32_t size) { return size == V3_SAMPLE_32 ? V3_OK : V3_FALSE; }
uint32_t V3_API get_latency_samples(void *self) {
    Plugin &plugin = Plugin::of(self);
    return plugin.instance.latency(plugin.sample_rate, plugin.max_block);
}

v3_result V3_API setup_processing(void *self, v3_process_setup *setup) {
    if (setup->symbolic_sample_size != V3_SAMPLE_32 || setup->max_block_size <= 0) return V3_INVALID_ARG;
    Plugin &plugin = Plugin::of(self);
    plugin.sample_rate = setup->sample_rate;
    plugin.max_block = static_cast<uint32_t>(setup->max_block_size);
    plugin.offline = setup->process_mode == V3_OFFLINE;
    if (plugin.active) plugin.instance.activate(plugin.sample_rate, plugin.max_block, plugin.offline);
    return V3_OK;
}

v3_result V3_API set_processing(void *self, v3_bool state) {
    Plugin &plugin = Plugin::of(self);
    if (!state && plugin.active) plugin.instance.restart();
    return V3_OK;
}

v3_result V3_API process(void *self, v3_process_data *data) { return Plugin::of(self).process(data); }
uint32_t V3_API get_tail_samples(void *) { return endless_tail; }

constexpr v3_audio_processor_cpp processor_table = {
    unknown,
    {set_bus_arrangements, get_bus_arrangement, can_process_sample_size, get_latency_samples, setup_processing,
     set_processing, process, get_tail_samples}};

uint32_t V3_API get_process_context_requirements(void *) { return V3_PROCESS_CTX_NEED_TRANSPORT_STATE; }
constexpr v3_process_context_requirements_cpp requirements_table = {unknown, {get_process_context_requirements}};

void midi_of_controller(int32_t channel, int32_t controller, double value, Message &message) {
    message.size = 3;
    switch (controller) {
    case channel_pressure:
        message.set(0xD0 | channel, seven_bits(value));
        break;
    case program_change:
        message.set(0xC0 | channel, seven_bits(value));
        break;
    case pitch_bend: {
        const long bend = std::lround(std::fmin(std::fmax(value, 0), 1) * 16383);
        message.set(0xE0 | channel, bend & 0x7F, bend >> 7);
        break;
    }
    default:
        message.set(0xB0 | channel, controller, seven_bits(value));
    }
}

bool midi_of_legacy(const v3_event_legacy_midi_cc_out &event, Message &message) {
    const int channel = event.channel & 15;
    if (event.cc_number < 128)
        message.set(0xB0 | channel, event.cc_number, event.value);
    else if (event.cc_number == channel_pressure)
        message.set(0xD0 | channel, event.value);
    else if (event.cc_number == pitch_bend)
        message.set(0xE0 | channel, event.value, event.value2);
    else if (event.cc_number == program_change)
        message.set(0xC0 | channel, event.value);
    else
        return false;
    return true;
}

void Plugin::process_parameters(v3_param_changes **changes) {
    const int32_t num_queues = v3_cpp_obj(changes)->get_param_count(changes);
    for (int32_t i = 0; i < num_queues; ++i) {
        v3_param_value_queue **queue = v3_cpp_obj(changes)->get_param_data(changes, i);
        if (!queue) continue;
        const v3_param_id id = v3_cpp_obj(queue)->get_param_id(queue);
        const int32_t num_points = v3_cpp_obj(queue)->get_point_count(queue);
        int32_t offset = 0, before = -1, repeats = 0;
        double value = 0;
        for (int32_t k = 0; k < num_points; ++k) {
            if (v3_cpp_obj(queue)->get_point(queue, k, &offset, &value) != V3_OK) break;
            const auto frame = static_cast<uint32_t>(offset < 0 ? 0 : offset);
            // A selection and its data may come several times in one frame: the second of each after the first of all.
            repeats = offset == before ? repeats + 1 : 0;
            before = offset;
            if (id < tnca::num_parameters()) {
                instance.change(frame, ranks * repeats + rank_of_parameters, id, tnca::plain(id, value));
            } else if (id >= first_midi_id && id < first_midi_id + num_midi_parameters) {
                const auto index = static_cast<int32_t>(id - first_midi_id);
                Message message;
                midi_of_controller(index / controllers_per_channel, index % controllers_per_channel, value, message);
                instance.play(frame, ranks * repeats + rank_of(index % controllers_per_channel), message);
            }
        }
    }
}

void Plugin::process_events(v3_event_list **events) {
    const uint32_t count = v3_cpp_obj(events)->get_event_count(events);
    constexpr int rank = 1 << 20 | rank_of_notes; // behind any number of controllers
    for (uint32_t i = 0; i < count; ++i) {
        v3_event event;
        if (v3_cpp_obj(events)->get_event(events, static_cast<int32_t>(i), &event) != V3_OK) break;
        const auto frame = static_cast<uint32_t>(event.sample_offset < 0 ? 0 : event.sample_offset);
        Message message;
        switch (event.type) {
        case V3_EVENT_NOTE_ON: // a velocity that rounds to 0 would be a note off
            message.set(0x90 | (event.note_on.channel & 15), event.note_on.pitch,
                        std::max(1, seven_bits(event.note_on.velocity)));
            break;
        case V3_EVENT_NOTE_OFF:
            message.set(0x80 | (event.note_off.channel & 15), event.note_off.pitch, seven_bits(event.note_off.velocity));
            break;
        case V3_EVENT_POLY_PRESSURE:
            message.set(0xA0 | (event.poly_pressure.channel & 15), event.poly_pressure.pitch,
                        seven_bits(event.poly_pressure.pressure));
            break;
        case V3_EVENT_DATA:
            if (event.data.type == 0 && event.data.bytes) instance.play_exclusive(frame, 0, event.data.bytes, event.data.size);
            continue;
        case V3_EVENT_LEGACY_MIDI_CC_OUT: // meant for the other direction; some hosts send what they cannot map so
            if (!midi_of_legacy(event.midi_cc_out, message)) continue;
            instance.play(frame, rank_of(event.midi_cc_out.cc_number), message);
            continue;
        default:
            continue;
        }
        instance.play(frame, rank, message);
    }
}

void Plugin::report_outputs(v3_param_changes **changes) {
    for (uint32_t index = 0; index < tnca::num_parameters(); ++index) {
        if (!tnca::parameter(index).is_output) continue;
        const float value = instance.value(index);
        if (value == reported_[index]) continue;
        reported_[index] = value;
        v3_param_id id = index;
        int32_t position = 0;
        v3_param_value_queue **queue = v3_cpp_obj(changes)->add_param_data(changes, &id, &position);
        if (queue) v3_cpp_obj(queue)->add_point(queue, 0, tnca::normalised(index, value), &position);
    }
}

v3_result Plugin::process(v3_process_data *data) {
    if (data->symbolic_sample_size != V3_SAMPLE_32) return V3_INVALID_ARG;
    instance.set_offline(data->process_mode == V3_OFFLINE); // some hosts say so here alone
    if (data->ctx) instance.transport(data->ctx->state & V3_PROCESS_CTX_PLAYING, true, data->ctx->project_time_in_samples);
    if (data->input_params) process_parameters(data->input_params);
    if (data->input_events) process_events(data->input_events);
    float *left = nullptr, *right = nullptr;
    if (data->num_output_buses > 0 && data->outputs && data->outputs[0].channel_buffers_32) {
        if (data->outputs[0].num_channels > 0) left = data->outputs[0].channel_buffers_32[0];
        if (data->outputs[0].num_channels > 1) right = data->outputs[0].channel_buffers_32[1];
    }
    if (data->nframes > 0) {
        instance.process(left, right, static_cast<uint32_t>(data->nframes));
        if (data->num_output_buses > 0 && data->outputs)
            data->outputs[0].channel_silence_bitset = instance.is_silent() ? 3 : 0;
    } else {
        instance.apply_changes(); // a host that only sets parameters
    }
    if (data->output_params) report_outputs(data->output_params);
    return V3_OK;
}

// ---- Controller ---------------------------------------------------------------------------------------------------------

v3_result V3_API set_component_state(void *, v3_bstream **) { return V3_OK; } // component and controller are one
v3_result V3_API set_controller_state(void *, v3_bstream **) { return V3_OK; }
v3_result V3_API get_controller_state(void *, v3_bstream **) { return V3_OK; }
int32_t V3_API get_parameter_count(void *) {
    return static_cast<int32_t>(tnca::num_parameters()) + num_midi_parameters;
}

v3_result V3_API get_parameter_info(void *, int32_t index, v3_param_info *info) {
    if (index < 0 || index >= get_parameter_count(nullptr)) return V3_INVALID_ARG;
    std::memset(info, 0, sizeof *info);
    const auto own = static_cast<int32_t>(tnca::num_parameters());
    if (index >= own) {
        const int32_t midi = index - own;
        info->param_id = first_midi_id + static_cast<v3_param_id>(midi);
        info->flags = V3_PARAM_CAN_AUTOMATE | V3_PARAM_IS_HIDDEN;
        const int32_t controller = midi % controllers_per_channel;
        info->step_count = controller == pitch_bend ? 16383 : 127;
        info->default_normalised_value = initial_value(controller);
        if (midi == program_change) // hosts look for one, of one channel
            info->flags = V3_PARAM_CAN_AUTOMATE | V3_PARAM_PROGRAM_CHANGE | V3_PARAM_IS_LIST;
        char title[32]; // Hosts know parameters that are MIDI by this name, and leave them out of lists.
        std::snprintf(title, sizeof title, "MIDI CC %d|%d", midi / controllers_per_channel, controller);
        to_utf16(info->title, title);
        to_utf16(info->short_title, title + 5);
        return V3_OK;
    }
    const auto id = static_cast<uint32_t>(index);
    const tnca::Parameter &parameter = tnca::parameter(id);
    info->param_id = id;
    info->step_count = parameter.num_steps();
    info->default_normalised_value = tnca::normalised(id, parameter.initial);
    info->flags = parameter.is_output ? V3_PARAM_READ_ONLY : V3_PARAM_CAN_AUTOMATE;
    if (parameter.is_list) info->flags |= V3_PARAM_IS_LIST;
    if (parameter.is_bypass) info->flags |= V3_PARAM_IS_BYPASS;
    to_utf16(info->title, parameter.name);
    to_utf16(info->short_title, parameter.name);
    to_utf16(info->units, parameter.unit);
    return V3_OK;
}

v3_result V3_API get_parameter_string_for_value(void *self, v3_param_id id, double value, v3_str_128 text) {
    char buffer[128];
    if (id < tnca::num_parameters())
        Plugin::of(self).instance.text(id, tnca::plain(id, value), buffer, sizeof buffer);
    else if (id >= first_midi_id && id < first_midi_id + num_midi_parameters)
        std::snprintf(buffer, sizeof buffer, "%d", seven_bits(value));
    else
        return V3_INVALID_ARG;
    to_utf16(text, buffer);
    return V3_OK;
}

v3_result V3_API get_parameter_value_for_string(void *self, v3_param_id id, int16_t *text, double *value) {
    char buffer[512];
    double plain = 0;
    from_utf16(buffer, sizeof buffer, text);
    if (id >= tnca::num_parameters() || !Plugin::of(self).instance.value_of_text(id, buffer, plain)) return V3_INVALID_ARG;
    *value = tnca::normalised(id, plain);
    return V3_OK;
}

double V3_API normalised_parameter_to_plain(void *, v3_param_id id, double value) {
    return id < tnca::num_parameters() ? tnca::plain(id, value) : std::round(value * 127);
}
double V3_API plain_parameter_to_normalised(void *, v3_param_id id, double value) {
    return id < tnca::num_parameters() ? tnca::normalised(id, value) : std::fmin(std::fmax(value / 127, 0), 1);
}
double V3_API get_parameter_normalised(void *self, v3_param_id id) {
    if (id < tnca::num_parameters()) return tnca::normalised(id, Plugin::of(self).instance.value(id));
    return id < first_midi_id ? 0 : initial_value(static_cast<int32_t>(id - first_midi_id) % controllers_per_channel);
}
v3_result V3_API set_parameter_normalised(void *self, v3_param_id id, double value) {
    if (id >= tnca::num_parameters()) return id >= first_midi_id ? V3_OK : V3_INVALID_ARG;
    if (!tnca::parameter(id).is_output) Plugin::of(self).instance.set(id, tnca::plain(id, value));
    return V3_OK;
}
v3_result V3_API set_component_handler(void *self, v3_component_handler **handler) {
    Plugin &plugin = Plugin::of(self);
    if (handler) v3_cpp_obj_ref(handler);
    if (plugin.handler) v3_cpp_obj_unref(plugin.handler);
    plugin.handler = handler;
    return V3_OK;
}
v3_plugin_view **V3_API create_view(void *, const char *) { return nullptr; }

constexpr v3_edit_controller_cpp controller_table = {
    unknown,
    base,
    {set_component_state, set_controller_state, get_controller_state, get_parameter_count, get_parameter_info,
     get_parameter_string_for_value, get_parameter_value_for_string, normalised_parameter_to_plain,
     plain_parameter_to_normalised, get_parameter_normalised, set_parameter_normalised, set_component_handler,
     create_view}};

v3_result V3_API get_midi_controller_assignment(void *, int32_t bus, int16_t channel, int16_t controller,
                                                v3_param_id *id) {
    if (bus != 0 || channel < 0 || channel > 15 || controller < 0 || controller >= controllers_per_channel)
        return V3_FALSE;
    *id = first_midi_id + static_cast<v3_param_id>(channel * controllers_per_channel + controller);
    return V3_OK;
}
constexpr v3_midi_mapping_cpp mapping_table = {unknown, {get_midi_controller_assignment}};

// ---- Units: a list of programs, those of the first MIDI channel ---------------------------------------------------------

int32_t V3_API get_unit_count(void *) { return 1; }
v3_result V3_API get_unit_info(void *, int32_t index, v3_unit_info *info) {
    if (index != 0) return V3_INVALID_ARG;
    std::memset(info, 0, sizeof *info);
    info->parent_unit_id = -1;
    info->program_list_id = program_list;
    to_utf16(info->name, "Root");
    return V3_OK;
}
int32_t V3_API get_program_list_count(void *) { return 1; }
v3_result V3_API get_program_list_info(void *, int32_t index, v3_program_list_info *info) {
    if (index != 0) return V3_INVALID_ARG;
    info->id = program_list;
    info->programCount = num_programs;
    to_utf16(info->name, "Programs");
    return V3_OK;
}
v3_result V3_API get_program_name(void *self, int32_t list, int32_t index, v3_str_128 name) {
    if (list != program_list || index < 0 || index >= num_programs) return V3_INVALID_ARG;
    char buffer[128]; // the instrument 0 is what MIDI chooses, and the programs follow
    Plugin::of(self).instance.text(tnca::instrument_parameter, 1 + index, buffer, sizeof buffer);
    to_utf16(name, buffer);
    return V3_OK;
}
v3_result V3_API get_program_info(void *, int32_t, int32_t, const char *, v3_str_128) { return V3_NOT_IMPLEMENTED; }
v3_result V3_API has_program_pitch_names(void *, int32_t, int32_t) { return V3_FALSE; }
v3_result V3_API get_program_pitch_name(void *, int32_t, int32_t, int16_t, v3_str_128) { return V3_NOT_IMPLEMENTED; }
int32_t V3_API get_selected_unit(void *) { return 0; }
v3_result V3_API select_unit(void *, int32_t) { return V3_OK; }
v3_result V3_API get_unit_by_bus(void *, int32_t, int32_t, int32_t, int32_t, int32_t *unit) {
    *unit = 0;
    return V3_OK;
}
v3_result V3_API set_unit_program_data(void *, int32_t, int32_t, v3_bstream **) { return V3_NOT_IMPLEMENTED; }
constexpr v3_unit_information_cpp units_table = {
    unknown,
    {get_unit_count, get_unit_info, get_program_list_count, get_program_list_info, get_program_name, get_program_info,
     has_program_pitch_names, get_program_pitch_name, get_selected_unit, select_unit, get_unit_by_bus,
     set_unit_program_data}};

Plugin::Plugin()
    : component{&component_table, this}, processor{&processor_table, this}, controller{&controller_table, this},
      mapping{&mapping_table, this}, requirements{&requirements_table, this}, units{&units_table, this} {}

v3_result Plugin::query(const v3_tuid iid, void **object) {
    void *facet = nullptr;
    if (v3_tuid_match(iid, v3_funknown_iid) || v3_tuid_match(iid, v3_plugin_base_iid) ||
        v3_tuid_match(iid, v3_component_iid))
        facet = &component;
    else if (v3_tuid_match(iid, v3_audio_processor_iid))
        facet = &processor;
    else if (v3_tuid_match(iid, v3_edit_controller_iid))
        facet = &controller;
    else if (v3_tuid_match(iid, v3_midi_mapping_iid))
        facet = &mapping;
    else if (v3_tuid_match(iid, v3_process_context_requirements_iid))
        facet = &requirements;
    else if (v3_tuid_match(iid, v3_unit_information_iid))
        facet = &units;
    *object = facet;
    if (!facet) return V3_NO_INTERFACE;
    ++references;
    return V3_OK;
}

// ---- Factory ------------------------------------------------------------------------------------------------------------

v3_result V3_API query_factory(void *self, const v3_tuid iid, void **object) {
    const bool known = v3_tuid_match(iid, v3_funknown_iid) || v3_tuid_match(iid, v3_plugin_factory_iid) ||
                       v3_tuid_match(iid, v3_plugin_factory_2_iid) || v3_tuid_match(iid, v3_plugin_factory_3_iid);
    *object = known ? self : nullptr;
    return known ? V3_OK : V3_NO_INTERFACE;
}
uint32_t V3_API keep(void *) { return 1; } // the factory lives as long as the library

v3_result V3_API get_factory_info(void *, v3_factory_info *info) {
    std::memset(info, 0, sizeof *info);
    std::snprintf(info->vendor, sizeof info->vendor, "%s", tnca::vendor);
    std::snprintf(info->url, sizeof info->url, "%s", tnca::homepage);
    info->flags = 0x10;
    return V3_OK;
}
int32_t V3_API num_classes(void *) { return 1; }

template <class Info> v3_result fill_class(int32_t index, Info *info) {
    if (index != 0) return V3_INVALID_ARG;
    std::memset(info, 0, sizeof *info);
    std::memcpy(info->class_id, class_id, sizeof class_id);
    info->cardinality = 0x7FFFFFFF;
    std::snprintf(info->category, sizeof info->category, "Audio Module Class");
    return V3_OK;
}
v3_result V3_API get_class_info(void *, int32_t index, v3_class_info *info) {
    if (fill_class(index, info) != V3_OK) return V3_INVALID_ARG;
    std::snprintf(info->name, sizeof info->name, "%s", tnca::name);
    return V3_OK;
}
v3_result V3_API get_class_info_2(void *, int32_t index, v3_class_info_2 *info) {
    if (fill_class(index, info) != V3_OK) return V3_INVALID_ARG;
    std::snprintf(info->name, sizeof info->name, "%s", tnca::name);
    std::snprintf(info->sub_categories, sizeof info->sub_categories, "Instrument|Synth|Stereo");
    std::snprintf(info->vendor, sizeof info->vendor, "%s", tnca::vendor);
    std::snprintf(info->version, sizeof info->version, "%s", tnca::version);
    std::snprintf(info->sdk_version, sizeof info->sdk_version, "VST 3.7");
    return V3_OK;
}
v3_result V3_API get_class_info_utf16(void *, int32_t index, v3_class_info_3 *info) {
    if (fill_class(index, info) != V3_OK) return V3_INVALID_ARG;
    to_utf16(info->name, tnca::name, 64);
    std::snprintf(info->sub_categories, sizeof info->sub_categories, "Instrument|Synth|Stereo");
    to_utf16(info->vendor, tnca::vendor, 64);
    to_utf16(info->version, tnca::version, 64);
    to_utf16(info->sdk_version, "VST 3.7", 64);
    return V3_OK;
}
v3_result V3_API set_host_context(void *, v3_funknown **) { return V3_OK; }

v3_result V3_API create_instance(void *, const v3_tuid wanted, const v3_tuid iid, void **object) {
    *object = nullptr;
    if (!v3_tuid_match(wanted, class_id)) return V3_INVALID_ARG;
    auto *plugin = new (std::nothrow) Plugin;
    if (!plugin) return V3_NOMEM;
    const v3_result result = plugin->query(iid, object);
    unref(&plugin->component);
    return result;
}

constexpr v3_plugin_factory_cpp factory_table = {{query_factory, keep, keep},
                                                 {get_factory_info, num_classes, get_class_info, create_instance},
                                                 {get_class_info_2},
                                                 {get_class_info_utf16, set_host_context}};
const v3_plugin_factory_cpp *factory = &factory_table;

} // namespace

#define EXPORTED extern "C" __attribute__((visibility("default")))
EXPORTED const void *GetPluginFactory() { return &factory; }
EXPORTED bool ModuleEntry(void *) { return true; }
EXPORTED bool ModuleExit() { return true; }
EXPORTED bool bundleEntry(void *) { return true; }
EXPORTED bool bundleExit() { return true; }
