-- MCTP packets and messages (DSP0236 section 8).
--
-- Wireshark has a dissector of its own since 4.2. This one takes its place, also there: it keeps links apart whose endpoints have
-- the same IDs, as all links of fmapid have, and it can be called for several packets of one frame.

--- Returns the protocol, the table of its message types, and a function that dissects one packet: (tvb, pinfo, tree, index), the
--- index being that of the packet in its frame.
local frame = ...
-- Wireshark may load every script of a plugin folder; this one is a part of ../fmapid.lua and does nothing by itself.
if type(frame) ~= "table" then return end

local mctp = frame.protocol("mctp", "Management Component Transport Protocol")
local mctp_fields = {
    version = ProtoField.uint8("mctp.version", "Version", base.DEC, nil, 0x0F),
    dst = ProtoField.uint8("mctp.dst", "Destination"),
    src = ProtoField.uint8("mctp.src", "Source"),
    som = ProtoField.bool("mctp.flags.som", "Start of message", 8, nil, 0x80),
    eom = ProtoField.bool("mctp.flags.eom", "End of message", 8, nil, 0x40),
    seq = ProtoField.uint8("mctp.seq", "Sequence", base.HEX, nil, 0x30),
    tag_owner = ProtoField.bool("mctp.tag.to", "Tag owner", 8, { "Sender", "Receiver" }, 0x08),
    tag = ProtoField.uint8("mctp.tag.value", "Tag value", base.HEX, nil, 0x07),
    integrity_check = ProtoField.bool("mctp.msg.ic", "Integrity check", 8, nil, 0x80),
    type = ProtoField.uint8("mctp.msg.type", "Message type", base.HEX, frame.message_types, 0x7F),
    reassembled_in = ProtoField.framenum("mctp.reassembled.in", "Reassembled in"),
    packets = ProtoField.uint32("mctp.fragment.count", "Message packets"),
}
mctp.fields = mctp_fields
local mctp_bad = ProtoExpert.new("mctp.bad", "Not an MCTP packet", expert.group.MALFORMED, expert.severity.ERROR)
local mctp_gap = ProtoExpert.new("mctp.gap", "Packet does not continue a message", expert.group.SEQUENCE, expert.severity.WARN)
mctp.experts = { mctp_bad, mctp_gap }

-- Since 4.2 Wireshark makes this table, and registers NVMe-MI and others in it. Dissectors get the message type byte as well.
local message_types = DissectorTable.get("mctp.type")
    or DissectorTable.new("mctp.type", "MCTP type", ftypes.UINT8, base.HEX, mctp)

--- Messages that lack their end, by endpoints and tag; and by frame and place what every packet belongs to.
local unfinished, packets = {}, {}

--- What the packet belongs to: { bytes =, count =, done_in = frame } or nil if it continues nothing.
local function message_of(tvb, pinfo, place, key, starts, ends, sequence)
    if pinfo.visited then return packets[place] end
    local message = unfinished[key]
    if starts then
        message = { bytes = ByteArray.new(), count = 0 }
    elseif not message or sequence ~= (message.sequence + 1) % 4 then
        unfinished[key] = nil
        return nil
    end
    message.bytes:append(tvb:bytes(4))
    message.count, message.sequence = message.count + 1, sequence
    packets[place], unfinished[key] = message, not ends and message or nil
    if ends then message.done_in = pinfo.number end
    return message
end

--- One packet: the `index`th of its frame.
local function dissect_packet(tvb, pinfo, tree, index)
    local branch = tree:add(mctp, tvb(0, math.min(4, tvb:len())), "MCTP")
    if tvb:len() < 5 or frame.bit_and(tvb(0, 1):uint(), 0x0F) ~= 1 then
        branch:add_proto_expert_info(mctp_bad)
        frame.say(pinfo, "MCTP", "not an MCTP packet")
        return
    end
    local flags = tvb(3, 1):uint()
    local starts, ends = frame.bit_and(flags, 0x80) ~= 0, frame.bit_and(flags, 0x40) ~= 0
    frame.destination, frame.source = tvb(1, 1):uint(), tvb(2, 1):uint()
    pinfo.cols.dst, pinfo.cols.src = tostring(frame.destination), tostring(frame.source)
    branch:append_text(string.format(", %d to %d, tag %d", frame.source, frame.destination, frame.bit_and(flags, 7)))
    branch:add(mctp_fields.version, tvb(0, 1))
    branch:add(mctp_fields.dst, tvb(1, 1))
    branch:add(mctp_fields.src, tvb(2, 1))
    for _, name in ipairs({ "som", "eom", "seq", "tag_owner", "tag" }) do branch:add(mctp_fields[name], tvb(3, 1)) end

    local message = tvb(4):tvb()
    if not (starts and ends) then
        local key = table.concat({ frame.link, frame.source, frame.destination, frame.bit_and(flags, 0x0F) }, ":")
        local sequence = math.floor(frame.bit_and(flags, 0x30) / 16)
        local whole = message_of(tvb, pinfo, pinfo.number .. ":" .. index, key, starts, ends, sequence)
        if not whole then
            branch:add_proto_expert_info(mctp_gap)
            return frame.say(pinfo, "MCTP", "packet of a message whose beginning is missing")
        elseif not ends then
            if whole.done_in then branch:add(mctp_fields.reassembled_in, whole.done_in):set_generated() end
            return frame.say(pinfo, "MCTP", starts and "first packet of a message" or "packet of a message")
        end
        branch:add(mctp_fields.packets, whole.count):set_generated()
        message = whole.bytes:tvb("Reassembled MCTP message")
    end
    branch:add(mctp_fields.integrity_check, message(0, 1))
    branch:add(mctp_fields.type, message(0, 1))
    local type = frame.bit_and(message(0, 1):uint(), 0x7F)
    if message_types:try(type, message, pinfo, tree) == 0 then
        frame.say(pinfo, "MCTP", "message of type " .. (frame.message_types[type] or type))
    end
end

function mctp.init() unfinished, packets = {}, {} end

function mctp.dissector(tvb, pinfo, tree)
    frame.begin("interface " .. tostring(frame.interface))
    dissect_packet(tvb, pinfo, tree, 1)
    return tvb:len()
end

return mctp, message_types, dissect_packet
