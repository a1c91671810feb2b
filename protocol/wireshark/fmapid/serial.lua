-- MCTP's serial binding (DSP0253): frames in a TCP stream, or in packets of link type USER0.

--- Returns the protocol. `dissect_packet` dissects the packet of a frame.
local frame, dissect_packet = ...
-- Wireshark may load every script of a plugin folder; this one is a part of ../fmapid.lua and does nothing by itself.
if type(frame) ~= "table" then return end

local serial = Proto("mctp_serial", "MCTP serial frame")
local serial_fields = {
    revision = ProtoField.uint8("mctp_serial.revision", "Revision"),
    length = ProtoField.uint8("mctp_serial.length", "Packet length"),
    fcs = ProtoField.uint16("mctp_serial.fcs", "Frame check sequence", base.HEX),
    skipped = ProtoField.bytes("mctp_serial.skipped", "Bytes outside of frames"),
}
serial.fields = serial_fields
local wrong_check = ProtoExpert.new("mctp_serial.check", "Wrong frame check sequence", expert.group.CHECKSUM,
    expert.severity.ERROR)
local outside = ProtoExpert.new("mctp_serial.outside", "Bytes outside of frames", expert.group.PROTOCOL, expert.severity.WARN)
serial.experts = { wrong_check, outside }
serial.prefs.port = Pref.uint("TCP port", 0, "TCP port of serial links, in addition to those that are recognized (0: none)")

local FLAG, ESCAPE, REVISION = 0x7E, 0x7D, 0x01

--- CRC-16/MCRF4XX over revision, length and packet.
local function frame_check(packet)
    local check = 0xFFFF
    for index = -2, packet:len() - 1 do
        local byte = index == -2 and REVISION or index == -1 and packet:len() or packet:get_index(index)
        check = frame.bit_xor(check, byte)
        for _ = 1, 8 do
            check = frame.bit_and(check, 1) == 1 and frame.bit_xor(math.floor(check / 2), 0x8408) or math.floor(check / 2)
        end
    end
    return check
end

--- The frame whose first flag is at `start`: { packet = ByteArray, check =, correct =, check_at =, after = }, "more", or nil.
local function frame_at(bytes, start)
    local stop = bytes:len()
    if start + 1 < stop and bytes:get_index(start + 1) ~= REVISION then return nil end
    if start + 3 > stop then return "more" end
    local length, at, packet = bytes:get_index(start + 2), start + 3, ByteArray.new()
    packet:set_size(length)
    for index = 0, length - 1 do
        if at >= stop then return "more" end
        local byte = bytes:get_index(at)
        if byte == ESCAPE then
            at = at + 1
            if at >= stop then return "more" end
            byte = frame.bit_xor(bytes:get_index(at), 0x20)
        end
        packet:set_index(index, byte)
        at = at + 1
    end
    if at + 3 > stop then return "more" end
    if bytes:get_index(at + 2) ~= FLAG then return nil end
    local check = bytes:get_index(at) * 256 + bytes:get_index(at + 1)
    -- The closing flag may be the next frame's first one.
    local shared = at + 3 < stop and bytes:get_index(at + 3) == REVISION
    local after = at + (shared and 2 or 3)
    return { packet = packet, check = check, correct = check == frame_check(packet), check_at = at, after = after }
end

local function show_frame(tvb, pinfo, tree, start, found, index)
    local range = tvb(start, found.check_at + 3 - start)
    local branch = tree:add(serial, range)
    branch:add(serial_fields.revision, tvb(start + 1, 1))
    branch:add(serial_fields.length, tvb(start + 2, 1))
    local check = branch:add(serial_fields.fcs, tvb(found.check_at, 2))
    if not found.correct then
        check:add_proto_expert_info(wrong_check)
        return frame.say(pinfo, "MCTP", "frame with a wrong check sequence")
    end
    local plain = found.check_at - start - 3 == found.packet:len()
    local packet = plain and tvb(start + 3, found.packet:len()):tvb() or found.packet:tvb("Unescaped MCTP packet")
    if packet:len() > 0 then dissect_packet(packet, pinfo, tree, index) end
end

--- All frames of `tvb`; where an unfinished one begins, or nil.
local function dissect_frames(tvb, pinfo, tree)
    local bytes, at, index, skipped = tvb:bytes(), 0, 0, nil
    local function show_skipped()
        if not skipped then return end
        local branch = tree:add(serial_fields.skipped, tvb(skipped, at - skipped))
        branch:add_proto_expert_info(outside)
        skipped = nil
    end
    while at < bytes:len() do
        local is_flag = bytes:get_index(at) == FLAG
        local found = is_flag and frame_at(bytes, at)
        if found == "more" then
            show_skipped()
            return at
        elseif found then
            show_skipped()
            index = index + 1
            show_frame(tvb, pinfo, tree, at, found, index)
            at = found.after
        else
            -- Flags between frames are idle time.
            if not is_flag then skipped = skipped or at end
            if is_flag then show_skipped() end
            at = at + 1
        end
    end
    show_skipped()
end

function serial.dissector(tvb, pinfo, tree)
    local ends = { tostring(pinfo.src) .. " " .. pinfo.src_port, tostring(pinfo.dst) .. " " .. pinfo.dst_port }
    table.sort(ends)
    frame.begin(table.concat(ends, " "))
    local rest = dissect_frames(tvb, pinfo, tree)
    -- A lone flag at the end closes the frame before it, or begins one whose bytes will bring it again.
    if rest and pinfo.can_desegment > 0 and rest < tvb:len() then
        pinfo.desegment_offset = rest
        pinfo.desegment_len = DESEGMENT_ONE_MORE_SEGMENT
    end
    return tvb:len()
end

--- A TCP segment that begins with a frame's first bytes, and if the frame is whole, has its check sequence right.
serial:register_heuristic("tcp", function(tvb, pinfo, tree)
    if tvb:len() < 4 or tvb(0, 2):uint() ~= FLAG * 256 + REVISION then return false end
    local packet_length, version = tvb(2, 1):uint(), tvb(3, 1):uint()
    if packet_length < 5 or version ~= 1 then return false end
    local found = frame_at(tvb:bytes(), 0)
    if not found or found ~= "more" and not found.correct then return false end
    pinfo.conversation = serial
    serial.dissector(tvb, pinfo, tree)
    return true
end)

return serial
