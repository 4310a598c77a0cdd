// TNCA Synth as an LV2 plugin; `turtle.py` writes its description with the same order of ports.
#include "instance.hpp"

#include "lv2/atom-util.h"
#include "lv2/atom.h"
#include "lv2/buf-size.h"
#include "lv2/lv2.h"
#include "lv2/midi.h"
#include "lv2/options.h"
#include "lv2/state.h"
#include "lv2/time.h"
#include "lv2/urid.h"

#include <cmath>
#include <cstring>
#include <new>

namespace {

using tnca::Instance;

constexpr char uri[] = "urn:tnca-synth:synth";
constexpr char state_uri[] = "urn:tnca-synth:synth#state";
constexpr uint32_t usual_block = 1024; // where a host does not say

enum Port : uint32_t { left_port, right_port, events_port, first_parameter_port };
constexpr uint32_t free_wheeling_port = first_parameter_port + tnca::num_all_parameters;

struct Uris {
    LV2_URID chunk, object, blank, midi, position, speed, frame, max_block, nominal_block, state, whole, long_whole, real, double_real;
};

struct Plugin {
    Instance instance;
    Uris uris = {};
    double sample_rate;
    uint32_t block = usual_block;
    float *left = nullptr, *right = nullptr;
    const LV2_Atom_Sequence *events = nullptr;
    const float *free_wheeling = nullptr;
    float *controls[tnca::num_all_parameters] = {};
    float seen[tnca::num_all_parameters]; // values of the ports when they were last looked at
    bool keeps_instrument = false;        // the instrument comes from a restored state, which knows it by name

    explicit Plugin(double rate) : sample_rate(rate) { forget(); }
    void forget() {
        for (float &value : seen) value = NAN;
    }
};

void read_options(Plugin &plugin, const LV2_Options_Option *options) {
    uint32_t most = 0, nominal = 0;
    for (; options && options->key; ++options) {
        if (options->type != plugin.uris.whole) continue;
        const int32_t value = *static_cast<const int32_t *>(options->value);
        if (options->key == plugin.uris.max_block && value > 0) most = static_cast<uint32_t>(value);
        if (options->key == plugin.uris.nominal_block && value > 0) nominal = static_cast<uint32_t>(value);
    }
    // Hosts that run blocks of 256 frames say that up to 8192 may come: that would be the latency.
    if (most || nominal) plugin.block = nominal ? nominal : most;
}

LV2_Handle instantiate(const LV2_Descriptor *, double rate, const char *, const LV2_Feature *const *features) {
    const LV2_URID_Map *map = nullptr;
    const LV2_Options_Option *options = nullptr;
    for (; *features; ++features) {
        if (!std::strcmp((*features)->URI, LV2_URID__map)) map = static_cast<const LV2_URID_Map *>((*features)->data);
        if (!std::strcmp((*features)->URI, LV2_OPTIONS__options))
            options = static_cast<const LV2_Options_Option *>((*features)->data);
    }
    if (!map) return nullptr;
    auto *plugin = new (std::nothrow) Plugin(rate);
    if (!plugin) return nullptr;
    const auto urid = [map](const char *text) { return map->map(map->handle, text); };
    plugin->uris = {urid(LV2_ATOM__Chunk),     urid(LV2_ATOM__Object),           urid(LV2_ATOM__Blank),
                    urid(LV2_MIDI__MidiEvent), urid(LV2_TIME__Position),         urid(LV2_TIME__speed),
                    urid(LV2_TIME__frame),     urid(LV2_BUF_SIZE__maxBlockLength),
                    urid(LV2_BUF_SIZE__nominalBlockLength), urid(state_uri),
                    urid(LV2_ATOM__Int),       urid(LV2_ATOM__Long),             urid(LV2_ATOM__Float),
                    urid(LV2_ATOM__Double)};
    read_options(*plugin, options);
    return plugin;
}

void connect_port(LV2_Handle handle, uint32_t port, void *data) {
    Plugin &plugin = *static_cast<Plugin *>(handle);
    if (port == left_port)
        plugin.left = static_cast<float *>(data);
    else if (port == right_port)
        plugin.right = static_cast<float *>(data);
    else if (port == events_port)
        plugin.events = static_cast<const LV2_Atom_Sequence *>(data);
    else if (port == free_wheeling_port)
        plugin.free_wheeling = static_cast<const float *>(data);
    else if (port < free_wheeling_port)
        plugin.controls[port - first_parameter_port] = static_cast<float *>(data);
}

void read_controls(Plugin &plugin) {
    for (uint32_t index = 0; index < tnca::num_parameters(); ++index) {
        if (tnca::parameter(index).is_output || !plugin.controls[index]) continue;
        const float value = *plugin.controls[index];
        if (value == plugin.seen[index]) continue;
        plugin.seen[index] = value;
        if (index == tnca::instrument_parameter && plugin.keeps_instrument) continue;
        // LV2 asks for "enabled" where other formats ask for "bypass".
        plugin.instance.set(index, index == tnca::bypass_parameter ? 1.0f - value : value);
    }
    plugin.keeps_instrument = false;
}

void write_outputs(Plugin &plugin) {
    for (uint32_t index = 0; index < tnca::num_parameters(); ++index)
        if (tnca::parameter(index).is_output && plugin.controls[index])
            *plugin.controls[index] = index == tnca::latency_parameter // in frames, as LV2 asks
                                          ? static_cast<float>(Instance::latency(plugin.sample_rate, plugin.block))
                                          : plugin.instance.value(index);
}

bool is_free_wheeling(const Plugin &plugin) { return plugin.free_wheeling && *plugin.free_wheeling > 0.5f; }

void activate(LV2_Handle handle) {
    Plugin &plugin = *static_cast<Plugin *>(handle);
    plugin.forget();
    plugin.instance.activate(plugin.sample_rate, plugin.block, is_free_wheeling(plugin));
    write_outputs(plugin); // hosts ask for the latency before the first block
}
void deactivate(LV2_Handle handle) { static_cast<Plugin *>(handle)->instance.deactivate(); }
void cleanup(LV2_Handle handle) { delete static_cast<Plugin *>(handle); }

bool number_of(const Uris &uris, const LV2_Atom *atom, double &value) {
    const void *body = atom + 1;
    if (atom->type == uris.real)
        value = *static_cast<const float *>(body);
    else if (atom->type == uris.double_real)
        value = *static_cast<const double *>(body);
    else if (atom->type == uris.whole)
        value = *static_cast<const int32_t *>(body);
    else if (atom->type == uris.long_whole)
        value = static_cast<double>(*static_cast<const int64_t *>(body));
    else
        return false;
    return true;
}

void read_position(Plugin &plugin, const LV2_Atom_Object *object, int64_t offset) {
    const LV2_Atom *speed = nullptr, *frame = nullptr;
    lv2_atom_object_get(object, plugin.uris.speed, &speed, plugin.uris.frame, &frame, 0);
    double speed_value = 0, frame_value = 0;
    if (!speed || !number_of(plugin.uris, speed, speed_value)) return;
    const bool has_frame = frame && number_of(plugin.uris, frame, frame_value);
    plugin.instance.transport(speed_value != 0, has_frame, static_cast<int64_t>(frame_value) - offset);
}

void read_events(Plugin &plugin) {
    LV2_ATOM_SEQUENCE_FOREACH(plugin.events, event) {
        const auto frame = static_cast<uint32_t>(event->time.frames < 0 ? 0 : event->time.frames);
        if (event->body.type == plugin.uris.midi) {
            plugin.instance.play_long(frame, 0, reinterpret_cast<const uint8_t *>(event + 1), event->body.size);
        } else if (event->body.type == plugin.uris.object || event->body.type == plugin.uris.blank) {
            const auto *object = reinterpret_cast<const LV2_Atom_Object *>(&event->body);
            if (object->body.otype == plugin.uris.position) read_position(plugin, object, frame);
        }
    }
}

void run(LV2_Handle handle, uint32_t num_frames) {
    Plugin &plugin = *static_cast<Plugin *>(handle);
    plugin.instance.set_offline(is_free_wheeling(plugin));
    read_controls(plugin);
    if (plugin.events) read_events(plugin);
    if (num_frames) plugin.instance.process(plugin.left, plugin.right, num_frames);
    write_outputs(plugin);
}

// ---- State and options --------------------------------------------------------------------------------------------------

LV2_State_Status save(LV2_Handle handle, LV2_State_Store_Function store, LV2_State_Handle state, uint32_t,
                      const LV2_Feature *const *) {
    Plugin &plugin = *static_cast<Plugin *>(handle);
    const std::string text = plugin.instance.save();
    return store(state, plugin.uris.state, text.c_str(), text.size() + 1, plugin.uris.chunk,
                 LV2_STATE_IS_POD | LV2_STATE_IS_PORTABLE);
}

LV2_State_Status restore(LV2_Handle handle, LV2_State_Retrieve_Function retrieve, LV2_State_Handle state, uint32_t,
                         const LV2_Feature *const *) {
    Plugin &plugin = *static_cast<Plugin *>(handle);
    size_t size = 0;
    uint32_t type = 0, flags = 0;
    const auto *text = static_cast<const char *>(retrieve(state, plugin.uris.state, &size, &type, &flags));
    if (!text) return LV2_STATE_ERR_NO_PROPERTY;
    if (type != plugin.uris.chunk || size > tnca::max_state_bytes) return LV2_STATE_ERR_BAD_TYPE;
    if (!plugin.instance.restore(std::string(text, strnlen(text, size)))) return LV2_STATE_ERR_UNKNOWN;
    plugin.keeps_instrument = true;
    plugin.seen[tnca::instrument_parameter] = NAN;
    return LV2_STATE_SUCCESS;
}
const LV2_State_Interface state_interface = {save, restore};

uint32_t get_options(LV2_Handle, LV2_Options_Option *) { return LV2_OPTIONS_ERR_UNKNOWN; }
uint32_t set_options(LV2_Handle handle, const LV2_Options_Option *options) {
    Plugin &plugin = *static_cast<Plugin *>(handle);
    const uint32_t before = plugin.block;
    read_options(plugin, options);
    if (plugin.block != before && plugin.instance.is_active()) activate(handle);
    return LV2_OPTIONS_SUCCESS;
}
const LV2_Options_Interface options_interface = {get_options, set_options};

const void *extension_data(const char *wanted) {
    if (!std::strcmp(wanted, LV2_STATE__interface)) return &state_interface;
    if (!std::strcmp(wanted, LV2_OPTIONS__interface)) return &options_interface;
    return nullptr;
}

const LV2_Descriptor descriptor = {uri,        instantiate, connect_port,  activate, run,
                                   deactivate, cleanup,     extension_data};

} // namespace

extern "C" __attribute__((visibility("default"))) const LV2_Descriptor *lv2_descriptor(uint32_t index) {
    return index ? nullptr : &descriptor;
}
