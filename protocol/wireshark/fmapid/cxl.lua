-- CXL CCI and FM API messages: header, payload by its layout, and which request an answer belongs to.

--- Returns the protocol. `load_part` loads another file of this folder.
local frame, load_part = ...
-- Wireshark may load every script of a plugin folder; this one is a part of ../fmapid.lua and does nothing by itself.
if type(frame) ~= "table" then return end

local names, messages = load_part("names"), load_part("messages")
local commands, bit_and = messages.commands, frame.bit_and
names.command_names = {}
for opcode, command in pairs(commands) do names.command_names[opcode] = command[1] end

local cxl = Proto("cxl", "CXL Component Command Interface")
local fields, proto_fields = load_part("fields", names, messages.fields, bit_and)
cxl.fields = proto_fields
--- A note on a message; the name is that of its filter.
local function expert_field(name, text, group, severity) return ProtoExpert.new("cxl.expert." .. name, text, group, severity) end
local groups, severities = expert.group, expert.severity
local experts = {
    short = expert_field("short", "Shorter than its layout", groups.MALFORMED, severities.ERROR),
    long = expert_field("long", "Longer than its layout", groups.UNDECODED, severities.WARN),
    length = expert_field("length", "Payload length is not that of the message", groups.MALFORMED, severities.ERROR),
    reserved = expert_field("reserved", "Reserved bytes are set", groups.PROTOCOL, severities.NOTE),
    refused = expert_field("refused", "The command was refused", groups.RESPONSE_CODE, severities.NOTE),
    unknown = expert_field("unknown", "Command without a layout here", groups.UNDECODED, severities.NOTE),
}
cxl.experts = experts

local compile, sized_field_step, special_steps = load_part("layouts", fields, messages.structures, experts, messages.reserved)
local record_bytes, capacity_event = compile("record_bytes"), compile(messages.structures.capacity_event)
function special_steps.record_data(state, tree)
    if state.values.format == names.dynamic_capacity_record then return capacity_event(state, tree) end
    return record_bytes(state, tree)
end

local log_effects, log_bytes = compile("effect[*]"), sized_field_step("log_bytes", "*")
function special_steps.log_data(state, tree)
    if state.request and state.request.log == names.effects_log then return log_effects(state, tree) end
    return log_bytes(state, tree)
end

local message_header = compile("category message_tag -1 opcode payload_length|background return_code vendor_status")
for _, command in pairs(commands) do
    command.request, command.response = compile(command[2]), compile(command[3])
end

--- Requests that wait for their answer, and of each message that was seen once, by frame and key, the request.
local waiting, seen = {}, {}

--- The request that a message is, or that it answers. Filled when the capture is read for the first time.
local function request_of(pinfo, is_request, message_tag, opcode)
    local requester = is_request and frame.source or frame.destination
    local key = table.concat({ frame.link, requester, message_tag, opcode }, ":")
    local place = pinfo.number .. ":" .. (is_request and "q" or "a") .. key
    if not pinfo.visited then
        if is_request then waiting[key] = { frame = pinfo.number, time = pinfo.abs_ts } end
        seen[place] = waiting[key]
        if not is_request and waiting[key] then
            waiting[key].answer, waiting[key] = pinfo.number, nil
        end
    end
    return seen[place]
end

local function show_request(tree, pinfo, request, is_request)
    if is_request and request.answer then
        tree:add(proto_fields.response_in, request.answer):set_generated()
    elseif not is_request then
        tree:add(proto_fields.response_to, request.frame):set_generated()
        local seconds = math.max(pinfo.abs_ts - request.time, 0)
        local whole = math.floor(seconds)
        tree:add(proto_fields.time, NSTime.new(whole, math.floor((seconds - whole) * 1e9))):set_generated()
    end
end

--- Adds a CCI message that fills `tvb` from `start` on, and returns what to say of it in one line.
local function dissect_message(tvb, start, pinfo, tree)
    local state = { tvb = tvb, start = start, at = start, stop = tvb:len(), values = {}, texts = {}, info = {}, pinfo = pinfo }
    if not message_header(state, tree) then return "cut short" end
    local values = state.values
    local is_request = values.category == 0
    local command = commands[values.opcode]
    local name = command and command[1] or string.format("command %04Xh", values.opcode)
    tree:append_text(string.format(", %s %s", name, is_request and "request" or "response"))
    if values.payload_length ~= state.stop - state.at then tree:add_proto_expert_info(experts.length) end
    local request = request_of(pinfo, is_request, values.message_tag, values.opcode)
    if request then show_request(tree, pinfo, request, is_request) end

    local outcome = ""
    if not is_request then
        local code = values.return_code
        outcome = ": " .. (names.return_codes[code] or "Unknown")
        if code > 1 then
            outcome = string.format("%s (%04Xh)", outcome, code)
            if values.vendor_status ~= 0 then
                tree:add_le(proto_fields.reason, tvb(start + 10, 2))
                outcome = outcome .. ": " .. (names.reasons[values.vendor_status] or "vendor status " .. values.vendor_status)
            end
            tree:add_proto_expert_info(experts.refused, "Refused" .. outcome)
        end
        outcome = outcome .. (values.background == 1 and ", background operation runs" or "")
    end

    state.start, state.info, state.request = state.at, {}, request
    if is_request or values.return_code == 0 or state.at < state.stop then
        if not command then
            tree:add_proto_expert_info(experts.unknown)
            if state.at < state.stop then log_bytes(state, tree) end
        elseif (is_request and command.request or command.response)(state, tree) and state.at < state.stop then
            tree:add_proto_expert_info(experts.long, state.stop - state.at .. " bytes behind the layout")
        end
    end
    if is_request and request and values.identifier then request.log = values.identifier end
    local details = #state.info > 0 and ", " .. table.concat(state.info, ", ") or ""
    return string.format("%s %s%s%s", name, is_request and "request" or "response", outcome, details)
end

function special_steps.tunnel(state, tree)
    local branch = tree:add(cxl, state.tvb(state.at), "Tunneled message")
    local outer = frame.link
    frame.link = outer .. " tunnel"
    state.info[#state.info + 1] = "tunneled " .. dissect_message(state.tvb(state.at):tvb(), 0, state.pinfo, branch)
    frame.link, state.at = outer, state.stop
    return true
end

function cxl.init() waiting, seen = {}, {} end

function cxl.dissector(tvb, pinfo, tree)
    local type = bit_and(tvb(0, 1):uint(), 0x7F)
    local branch = tree:add(cxl, tvb(), type == 0x07 and "CXL FM API" or "CXL CCI")
    frame.say(pinfo, type == 0x07 and "CXL FM API" or "CXL CCI", dissect_message(tvb, 1, pinfo, branch))
    return tvb:len()
end

return cxl
