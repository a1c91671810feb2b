-- MCTP control messages (DSP0236 section 12).

--- Returns the protocol.
local frame = ...
-- Wireshark may load every script of a plugin folder; this one is a part of ../fmapid.lua and does nothing by itself.
if type(frame) ~= "table" then return end

local control_commands = {
    [1] = "Set Endpoint ID", [2] = "Get Endpoint ID", [3] = "Get Endpoint UUID", [4] = "Get MCTP Version Support",
    [5] = "Get Message Type Support", [6] = "Get Vendor Defined Message Support", [7] = "Resolve Endpoint ID",
    [8] = "Allocate Endpoint IDs", [9] = "Routing Information Update", [10] = "Get Routing Table Entries",
}
local completion_codes = {
    [0] = "Success", [1] = "Error", [2] = "Invalid data", [3] = "Invalid length", [4] = "Not ready", [5] = "Unsupported command",
    [0x80] = "Message type not supported",
}

local control = frame.protocol("mctpc", "MCTP Control Protocol")
local control_fields = {
    rq = ProtoField.bool("mctpc.rq", "Rq", 8, { "Request", "Response" }, 0x80),
    d = ProtoField.bool("mctpc.d", "Datagram", 8, nil, 0x40),
    instance = ProtoField.uint8("mctpc.instance", "Instance ID", base.HEX, nil, 0x1F),
    command = ProtoField.uint8("mctpc.command", "Command", base.DEC, control_commands),
    cc = ProtoField.uint8("mctpc.cc", "Completion code", base.HEX, completion_codes),
    data = ProtoField.bytes("mctpc.data", "Data"),
    operation = ProtoField.uint8("mctpc.operation", "Operation", base.DEC,
        { [0] = "set", [1] = "force", [2] = "reset", [3] = "set discovered flag" }, 0x03),
    eid = ProtoField.uint8("mctpc.eid", "Endpoint ID"),
    assignment = ProtoField.uint8("mctpc.assignment", "Assignment", base.DEC, { [0] = "accepted", [1] = "rejected" }, 0x30),
    allocation = ProtoField.uint8("mctpc.allocation", "Allocation", base.DEC, { [0] = "no pool" }, 0x03),
    pool = ProtoField.uint8("mctpc.pool", "EID pool size"),
    endpoint_type = ProtoField.uint8("mctpc.endpoint_type", "Endpoint type", base.DEC,
        { [0] = "simple", [1] = "bus owner" }, 0x30),
    eid_type = ProtoField.uint8("mctpc.eid_type", "Endpoint ID type", base.DEC,
        { [0] = "dynamic", [1] = "static", [2] = "static, as set", [3] = "static, otherwise set" }, 0x03),
    medium = ProtoField.uint8("mctpc.medium", "Medium specific", base.HEX),
    uuid = ProtoField.guid("mctpc.uuid", "UUID"),
    message_type = ProtoField.uint8("mctpc.message_type", "Message type", base.HEX, frame.message_types),
    count = ProtoField.uint8("mctpc.count", "Entries"),
    version = ProtoField.string("mctpc.version", "Version"),
    selector = ProtoField.uint8("mctpc.selector", "Vendor ID set selector", base.HEX),
}
control.fields = control_fields
control.experts = { ProtoExpert.new("mctpc.short", "Shorter than its layout", expert.group.MALFORMED, expert.severity.ERROR) }

-- Steps in order: NAMES:SIZE; NAME*: as many as the byte before said.
local control_layouts = {
    [1] = { "operation:1 eid:1", "assignment|allocation:1 eid:1 pool:1" },
    [2] = { "", "eid:1 endpoint_type|eid_type:1 medium:1" },
    [3] = { "", "uuid:16" },
    [4] = { "message_type:1", "count:1 version*:4" },
    [5] = { "", "count:1 message_type*:1" },
    [6] = { "selector:1", "selector:1" },
}

--- "1.3.1" of F1 F3 F1 00: numbers are BCD, F is a digit left out (DSP0236 section 12.6).
local function version_text(range)
    local major, minor, update, alpha = range:bytes():tohex():match("^(..)(..)(..)(..)$")
    local text = major:gsub("F", "") .. "." .. minor:gsub("F", "")
    if update ~= "FF" then text = text .. "." .. update:gsub("F", "") end
    return alpha == "00" and text or text .. string.char(tonumber(alpha, 16))
end

function control.dissector(tvb, pinfo, tree)
    local branch = tree:add(control, tvb(), "MCTP Control Protocol")
    if tvb:len() < 3 then
        branch:add_proto_expert_info(control.experts[1])
        return tvb:len()
    end
    local is_request, command = frame.bit_and(tvb(1, 1):uint(), 0x80) ~= 0, tvb(2, 1):uint()
    for _, name in ipairs({ "rq", "d", "instance" }) do branch:add(control_fields[name], tvb(1, 1)) end
    branch:add(control_fields.command, tvb(2, 1))
    local text = (control_commands[command] or "command " .. command) .. (is_request and " request" or " response")
    local at, refused = 3, false
    if not is_request and tvb:len() > 3 then
        local code = tvb(3, 1):uint()
        branch:add(control_fields.cc, tvb(3, 1))
        at, refused = 4, code ~= 0
        text = text .. ": " .. (completion_codes[code] or "completion code " .. code)
    end
    local layout = not refused and control_layouts[command] and control_layouts[command][is_request and 1 or 2] or ""
    local count = 1
    for step, many, size in layout:gmatch("([%w_|]+)(%*?):(%d+)") do
        for _ = 1, many == "*" and count or 1 do
            if at + size > tvb:len() then break end
            local range = tvb(at, tonumber(size))
            for name in step:gmatch("[%w_]+") do
                if name == "version" then
                    branch:add(control_fields.version, range, version_text(range))
                else
                    branch:add(control_fields[name], range)
                end
            end
            if step == "count" then count = range:uint() end
            if step == "eid" then text = text .. ", EID " .. range:uint() end
            at = at + size
        end
    end
    if at < tvb:len() then branch:add(control_fields.data, tvb(at)) end
    frame.say(pinfo, "MCTP Control", text)
    return tvb:len()
end

return control
