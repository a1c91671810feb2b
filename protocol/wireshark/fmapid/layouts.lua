-- Runs layouts (see messages.lua) over bytes.
--
-- A step is a function of (state, tree, index); it adds what lies at state.at to the tree, moves state.at, and returns false if
-- the payload ended before it did. state: tvb; start, at and stop, offsets in it; values and texts of the fields so far; info,
-- what the Info column says.

--- Returns a compiler of layouts, a constructor of the step of a field as long as a count, and the table of steps written =name.
local fields, structures, experts, reserved = ...
-- Wireshark may load every script of a plugin folder; this one is a part of ../fmapid.lua and does nothing by itself.
if type(fields) ~= "table" then return end

-- What of a structure stands on its line in the tree.
local summaries = {
    extent = "start length tag", range = "start length", host_region = "base region_length", fm_region = "base region_length",
    tag_info = "tag", log = "identifier log_size", effect = "effect_opcode", backend = "tag backend_size backend_state",
    link = "link_id link_role listener", held = "start length tag held_state", record = "event_type",
}

local compile
local special_steps = {}

--- True if `size` bytes are left; otherwise says so.
local function has(state, tree, size)
    if state.at + size <= state.stop then return true end
    tree:add_proto_expert_info(experts.short)
    return false
end

local function reserved_step(size)
    return function(state, tree)
        if not has(state, tree, size) then return false end
        if state.tvb(state.at, size):bytes():tohex():find("[^0]") then
            tree:add_proto_expert_info(experts.reserved, "Reserved bytes are set at offset " .. state.at - state.start)
        end
        state.at = state.at + size
        return true
    end
end

--- True if another field of the message says so.
local function is_reserved(state, name)
    for other, values in pairs(reserved[name] or {}) do
        if values[state.values[other] or -1] then return true end
    end
    return false
end

local function note(state, name, shown, text, value)
    local field = fields[name]
    state.values[name], state.texts[name] = value, text
    if shown and text and not is_reserved(state, name) then
        state.info[#state.info + 1] = (field.bare and "" or field.title:lower() .. " ") .. (field.flag and text:lower() or text)
    end
end

local function field_step(token)
    local parts, size = {}, 0
    for shown, name in token:gmatch("(!?)([%w_]+)") do
        local field = assert(fields[name], "no field " .. name)
        parts[#parts + 1], size = { name = name, shown = shown ~= "", field = field }, field.size
    end
    return function(state, tree)
        if not has(state, tree, size) then return false end
        local range = state.tvb(state.at, size)
        for _, part in ipairs(parts) do note(state, part.name, part.shown, part.field.show(tree, range)) end
        state.at = state.at + size
        return true
    end
end

local function sized_field_step(name, counter, shown)
    return function(state, tree)
        local size = counter == "*" and state.stop - state.at or state.values[counter]
        if not has(state, tree, size) then return false end
        if size > 0 then note(state, name, shown, fields[name].show(tree, state.tvb(state.at, size))) end
        state.at = state.at + size
        return true
    end
end

--- One structure in a branch of its own.
local function structure_step(name, title)
    local steps
    return function(state, tree, index)
        steps = steps or compile(structures[name])
        if not has(state, tree, 1) then return false end
        local start = state.at
        local branch = tree:add(state.tvb(start, 1), title .. (index and " " .. index or ""))
        state.texts = {}
        local complete = steps(state, branch)
        branch:set_len(math.max(state.at - start, 1))
        local words = {}
        for word in summaries[name]:gmatch("%S+") do words[#words + 1] = state.texts[word] end
        if #words > 0 then branch:append_text(": " .. table.concat(words, ", ")) end
        return complete
    end
end

local function list_step(name, counter)
    local one = structures[name] and structure_step(name, (name:gsub("^%l", string.upper):gsub("_", " "))) or field_step(name)
    return function(state, tree)
        local index, count = 0, counter == "*" and math.huge or state.values[counter]
        while index < count and not (counter == "*" and state.at == state.stop) do
            if not one(state, tree, index) then return false end
            index = index + 1
        end
        return true
    end
end

--- A function that runs a layout over `state`, adding to `tree`; false if the payload ended before the layout did.
function compile(layout)
    local steps = {}
    for optional, token in layout:gmatch("(%??)(%S+)") do
        local name, open, counter = token:match("^!?([%w_]+)([%[%(])([%w_*]+)[%]%)]$")
        local step
        if token:sub(1, 1) == "-" then
            step = reserved_step(tonumber(token:sub(2)))
        elseif token:sub(1, 1) == "=" then
            local run = token:sub(2)
            step = function(state, tree) return special_steps[run](state, tree) end
        elseif open == "[" then
            step = list_step(name, counter)
        elseif open == "(" then
            step = sized_field_step(name, counter, token:sub(1, 1) == "!")
        elseif structures[token] and not fields[token] then
            step = structure_step(token, (token:gsub("^%l", string.upper):gsub("_", " ")))
        else
            step = field_step(token)
        end
        steps[#steps + 1] = optional == "" and step
            or function(state, tree) return state.at < state.stop and step(state, tree) end
    end
    return function(state, tree)
        for _, step in ipairs(steps) do
            if not step(state, tree) then return false end
        end
        return true
    end
end

return compile, sized_field_step, special_steps
