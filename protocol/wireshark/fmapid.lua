-- Wireshark dissector of fmapid's protocol: CXL CCI and FM API messages over MCTP. README.md beside it says how to use it.
--
-- Needs Wireshark or tshark 4.0 or newer, and the folder fmapid beside this file. SPDX-License-Identifier: Apache-2.0

set_plugin_info({ version = "1.0", author = "the fmapid authors", description = "CXL CCI and FM API over MCTP" })

local folder = debug.getinfo(1, "S").source:match("^@?(.*[/\\])") or ""
--- Runs a file of the folder with arguments; what it returns.
local function load_part(name, ...) return assert(loadfile(folder .. "fmapid/" .. name .. ".lua"))(...) end

-- What the parts share: the frame that is dissected, and what depends on the versions of Wireshark and Lua.
local frame = {
    -- Where the message at hand came from: link, source and destination EID.
    link = "", source = 0, destination = 0,
    message_types = { [0x00] = "MCTP control", [0x05] = "NVMe-MI", [0x07] = "CXL FM API", [0x08] = "CXL CCI" },
    bit_xor = bit and bit.bxor or load("return function(a, b) return a ~ b end")(),
    bit_and = bit and bit.band or load("return function(a, b) return a & b end")(),
}

--- Starts a frame: its Info column is empty, and this is its link.
function frame.begin(link) frame.link, frame.said = link, false end

--- Adds to the Info column, where messages that share a frame stand side by side.
function frame.say(pinfo, protocol, text)
    pinfo.cols.protocol = protocol
    if frame.said then
        pinfo.cols.info:append(" | " .. text)
    else
        pinfo.cols.info = text
        frame.said = true
    end
end

--- A protocol that Wireshark 4.2 and newer have too. The fields of both have the same names, so filters work with either.
function frame.protocol(name, description)
    local found, made = pcall(Proto, name, description)
    return found and made or Proto(name .. "_fmapid", description .. " (fmapid)")
end

local mctp, message_types, dissect_packet = load_part("mctp", frame)
local control = load_part("control", frame)
local cxl = load_part("cxl", frame, load_part)
local serial = load_part("serial", frame, dissect_packet)

-- A cooked capture says in its header on which link a packet was. Fields cannot be asked for that, for Wireshark does not make
-- them when it reads a file for the first time; so the header's dissector is called from here.
local cooked = Proto("cooked_link", "Link of a cooked capture")
local encapsulations = DissectorTable.get("wtap_encap")
local dissect_cooked = encapsulations:get_dissector(wtap.SLL2)
function cooked.dissector(tvb, pinfo, tree)
    frame.interface = tvb:len() >= 8 and tvb(4, 4):uint() or nil
    return dissect_cooked:call(tvb, pinfo, tree)
end
encapsulations:add(wtap.SLL2, cooked)

message_types:add(0x00, control)
message_types:add(0x07, cxl)
message_types:add(0x08, cxl)

local ETH_P_MCTP = 0x00FA
DissectorTable.get("sll.ltype"):add(ETH_P_MCTP, mctp)
encapsulations:add(wtap.USER0, serial)

local tcp_ports = DissectorTable.get("tcp.port")
tcp_ports:add_for_decode_as(serial)

local current_port = 0
function serial.prefs_changed()
    if current_port ~= 0 then tcp_ports:remove(current_port, serial) end
    current_port = serial.prefs.port
    if current_port ~= 0 then tcp_ports:add(current_port, serial) end
end
