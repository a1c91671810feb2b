-- The fields of CXL messages, made from their descriptions: how each is read, shown in the tree and told in words.

--- `descriptions` as in messages.lua; returns fields and ProtoFields, by name.
local names, descriptions, bit_and = ...
-- Wireshark may load every script of a plugin folder; this one is a part of ../fmapid.lua and does nothing by itself.
if type(names) ~= "table" then return end

local proto_fields = {
    reason = ProtoField.uint16("cxl.reason", "Reason (fmapid)", base.DEC, names.reasons),
    response_in = ProtoField.framenum("cxl.response_in", "Response in", base.NONE, frametype.RESPONSE),
    response_to = ProtoField.framenum("cxl.response_to", "Request in", base.NONE, frametype.REQUEST),
    time = ProtoField.relative_time("cxl.time", "Time since request"),
}

local constructors = {
    [8] = ProtoField.uint8, [16] = ProtoField.uint16, [24] = ProtoField.uint24, [32] = ProtoField.uint32,
    [64] = ProtoField.uint64,
}

--- "1 GiB", "1.5 GiB", "2050 MiB", "100 B": exact, in the largest unit that it comes to quarters of.
local function size_text(bytes)
    local units = { "EiB", "PiB", "TiB", "GiB", "MiB", "KiB" }
    for index, unit in ipairs(units) do
        local scale = 1024 ^ (#units - index + 1)
        if bytes >= scale and bytes % (scale / 4) == 0 then return string.format("%.15g %s", bytes / scale, unit) end
    end
    return string.format("%.0f B", bytes)
end

local function uuid_text(range)
    local hex = range:bytes():tohex(true)
    return table.concat({ hex:sub(1, 8), hex:sub(9, 12), hex:sub(13, 16), hex:sub(17, 20), hex:sub(21) }, "-")
end

local function utf8_text(range) return (range:string(ENC_UTF_8):gsub("%z.*", "")) end

--- Hosts of a bitmap: "0, 9, 255".
local function hosts_text(range)
    local hosts, bytes = {}, range:bytes()
    for host = 0, 8 * range:len() - 1 do
        if bit_and(bytes:get_index(math.floor(host / 8)), 2 ^ (host % 8)) ~= 0 then hosts[#hosts + 1] = host end
    end
    return table.concat(hosts, ", ")
end

local function time_value(range)
    local nanoseconds = range:le_uint64()
    return NSTime.new((nanoseconds / 1000000000):tonumber(), (nanoseconds % 1000000000):tonumber())
end

-- For each type that is no plain number: how the field is made, added to a tree, and told in words.
local special = {
    size = {
        bits = 64, make = ProtoField.uint64,
        show = function(tree, field, range)
            local text = size_text(range:le_uint64():tonumber())
            tree:add_le(field, range):append_text(" (" .. text .. ")")
            return text
        end,
    },
    units = {
        bits = 64, make = ProtoField.uint64,
        show = function(tree, field, range)
            local text = size_text(range:le_uint64():tonumber() * 2 ^ 28)
            tree:add_le(field, range):append_text(" x 256 MiB (" .. text .. ")")
            return text
        end,
    },
    time = {
        bits = 64, make = function(path, title) return ProtoField.absolute_time(path, title, base.UTC) end,
        show = function(tree, field, range)
            local item = tree:add(field, range, time_value(range))
            if range:le_uint64() == UInt64(0) then item:append_text(" (no clock)") end
        end,
    },
    uuid = {
        bits = 128, make = ProtoField.guid,
        show = function(tree, field, range, values)
            local text = uuid_text(range)
            local item = tree:add(field, range)
            if values and values[text] then item:append_text(" (" .. values[text] .. ")") end
            return values and values[text] or text, text
        end,
    },
    text = {
        make = ProtoField.string,
        show = function(tree, field, range)
            local text = utf8_text(range)
            tree:add(field, range, text)
            return text
        end,
    },
    hosts = {
        bits = 256, make = ProtoField.string,
        show = function(tree, field, range) tree:add(field, range, hosts_text(range)) end,
    },
    bytes = { make = ProtoField.bytes, show = function(tree, field, range) tree:add(field, range) end },
}

--- Adds a number or some of its bits; its text and value.
local function show_number(tree, proto_field, range, field)
    tree:add_le(proto_field, range)
    if field.bits == 64 then
        local value = range:le_uint64()
        return field.hexadecimal and "0x" .. value:tohex():gsub("^0+(.)", "%1") or tostring(value), value:tonumber()
    end
    local value = range:le_uint()
    if field.mask then value = math.floor(bit_and(value, field.mask) / field.lowest) end
    if field.flag then return value ~= 0 and field.title or nil, value end
    local name = field.values and field.values[value]
    return name or string.format(field.hexadecimal and "0x%X" or "%d", value), value
end

-- name = { size = bytes or nil, bits =, title =, values =, ... , show = function(tree, range) returning text, value }
local fields = {}
for line in descriptions:gmatch("[^\n]+") do
    local name, kind, mask, title = line:match("^(%S+) (%w+):?(%x*) (.+)$")
    local described_title, set = title:match("^(.-) = (%S+)$")
    local values = names[set]
    title = described_title or title
    local base_kind, bits = kind:match("^(%a+)(%d*)$")
    local field = { title = title, values = values, hexadecimal = base_kind == "x", flag = base_kind == "flag" }
    local path = "cxl." .. name
    if special[base_kind] then
        local with = special[base_kind]
        proto_fields[name] = with.make(path, title)
        field.size = with.bits and with.bits / 8 or tonumber(bits)
        field.show = function(tree, range) return with.show(tree, proto_fields[name], range, values) end
        field.bare = base_kind == "size"
    else
        field.bits = tonumber(bits)
        field.size = field.bits / 8
        if mask ~= "" then
            field.mask, field.lowest = tonumber(mask, 16), 1
            while bit_and(field.mask, field.lowest) == 0 do field.lowest = field.lowest * 2 end
        end
        if field.flag then
            proto_fields[name] = ProtoField.bool(path, title, field.bits, nil, field.mask)
        else
            local shown_in = field.hexadecimal and base.HEX or base.DEC
            proto_fields[name] = constructors[field.bits](path, title, shown_in, values, field.mask)
        end
        field.show = function(tree, range) return show_number(tree, proto_fields[name], range, field) end
        field.bare = field.flag or values ~= nil
    end
    fields[name] = field
end

return fields, proto_fields
