-- Wireshark dissector of fmapid's protocol: CXL CCI and FM API messages over MCTP. README.md beside it says how to use it.
--
-- Layouts: CXL r3.1 sections 7.6.7 and 8.2.9, DSP0236 (MCTP), DSP0253 (serial binding), and ../README.md for vendor commands.
-- Needs Wireshark or tshark 4.0 or newer. SPDX-License-Identifier: Apache-2.0

set_plugin_info({ version = "1.0", description = "CXL CCI and FM API over MCTP", repository = "https://github.com/fmapid/fmapid" })

local bit_xor = bit and bit.bxor or load("return function(a, b) return a ~ b end")()
local bit_and = bit and bit.band or load("return function(a, b) return a & b end")()
local shift_right = bit and bit.rshift or load("return function(a, n) return a >> n end")()

-- === Names ===================================================================================================================

local names = {}

names.message_types = { [0x00] = "MCTP control", [0x05] = "NVMe-MI", [0x07] = "CXL FM API", [0x08] = "CXL CCI" }

names.return_codes = {
    [0x00] = "Success", [0x01] = "Background Command Started", [0x02] = "Invalid Input", [0x03] = "Unsupported",
    [0x04] = "Internal Error", [0x05] = "Retry Required", [0x06] = "Busy", [0x07] = "Media Disabled",
    [0x08] = "FW Transfer in Progress", [0x09] = "FW Transfer Out of Order", [0x0A] = "FW Verification Failed",
    [0x0B] = "Invalid Slot", [0x0C] = "Activation Failed, FW Rolled Back", [0x0D] = "Activation Failed, Cold Reset Required",
    [0x0E] = "Invalid Handle", [0x0F] = "Invalid Physical Address", [0x10] = "Inject Poison Limit Reached",
    [0x11] = "Permanent Media Failure", [0x12] = "Aborted", [0x13] = "Invalid Security State", [0x14] = "Incorrect Passphrase",
    [0x15] = "Unsupported Mailbox or CCI", [0x16] = "Invalid Payload Length", [0x17] = "Invalid Log", [0x18] = "Interrupted",
    [0x19] = "Unsupported Feature Version", [0x1A] = "Unsupported Feature Selection Value", [0x1B] = "Feature Transfer in Progress",
    [0x1C] = "Feature Transfer Out of Order", [0x1D] = "Resources Exhausted", [0x1E] = "Invalid Extent List",
    [0x1F] = "Transfer Out of Order", [0x20] = "Request Abort Background Operation Not Supported",
}

-- Why fmapid refused: the vendor specific extended status of a refusal. Section 4 of ../README.md.
names.reasons = {
    [0] = "nothing more to say",
    [1] = "the device has no such host",
    [2] = "the device has no such DC region",
    [3] = "nothing has this tag",
    [4] = "undefined selection or removal policy",
    [5] = "reserved bits are set",
    [6] = "the start index lies past the end of the list",
    [7] = "the length is zero or not a multiple of the block size",
    [8] = "the region does not support this block size",
    [9] = "no such log",
    [10] = "all records can be cleared only while the log is in overflow",
    [11] = "the handles are not those of the oldest records, in order",
    [12] = "the limit must be 8 to 10 (256 to 1024 bytes)",
    [13] = "this command set travels in the other MCTP message type",
    [14] = "this command is not served on links of this role",
    [15] = "the tag is all zero",
    [20] = "capacity of a sharable region, and of a lazy device, needs a tag",
    [21] = "the tag already names capacity",
    [22] = "no backend has this tag",
    [23] = "the backend is in use or quarantined",
    [24] = "the length is not the backend's size",
    [25] = "two extents name the same backend",
    [26] = "the region is not sharable",
    [27] = "the tag is not sharable",
    [28] = "the host already has or is offered this tag",
    [29] = "the host does not have this tag",
    [30] = "shared and backend-backed capacity moves as a whole",
    [40] = "the list is empty",
    [41] = "an extent is not aligned to the block size",
    [42] = "an extent does not lie in one region",
    [43] = "extents of the list overlap",
    [44] = "the host already has or is offered part of an extent",
    [45] = "the host does not have all of an extent",
    [46] = "the capacity is only on offer",
    [47] = "an extent is not part of the oldest offer",
    [48] = "sequence numbers must be 0 to n-1 per tag in a sharable region, else 0",
    [49] = "the extents of a tag lie in different regions",
    [50] = "no offer waits for an answer",
    [51] = "this policy takes no extent list",
    [60] = "not enough capacity is left",
    [61] = "no free run of addresses is large enough",
    [62] = "too many extents",
    [63] = "too many tags",
    [64] = "the host must read its event log or answer its offers first",
    [65] = "the list has too many entries",
    [66] = "the host has less than that",
    [67] = "too many backends",
    [80] = "a host has or is offered an extent of the region",
    [82] = "a static device takes no backends",
    [83] = "the size is not a multiple of 4 KiB and of the block size",
    [84] = "the size is zero or larger than a region",
    [85] = "the tag is taken",
    [86] = "the backend is offered, accepted or referenced",
    [87] = "the file exists with another size",
    [88] = "the path is not a regular file",
    [89] = "the file cannot be opened or made, or another device has it",
    [90] = "no space or memory left",
    [91] = "not enough huge pages",
    [92] = "the path is empty, too long, or leaves the state directory",
    [93] = "the host has accepted nothing at this address",
    [94] = "this link cannot carry descriptors",
    [95] = "the service has no descriptors left",
    [96] = "the memory could not be made or changed",
    [100] = "the change could not be made durable and was undone; the service's log says why",
    [101] = "a change just before could not be made durable and was undone; ask again",
    [102] = "the state on disk can neither be written nor read; the service's log says why",
}

names.categories = { [0] = "request", [1] = "response" }
names.event_logs = { [0] = "Informational", [1] = "Warning", [2] = "Failure", [3] = "Fatal", [4] = "Dynamic Capacity" }
names.event_types = {
    [0] = "Add Capacity", [1] = "Release Capacity", [2] = "Forced Capacity Release", [3] = "Region Configuration Updated",
    [4] = "Add Capacity Response", [5] = "Capacity Released",
}
names.severities = { [0] = "Informational", [1] = "Warning", [2] = "Failure", [3] = "Fatal" }
names.interrupt_modes = { [0] = "none", [1] = "MSI/MSI-X", [2] = "FW interrupt", [3] = "reserved" }
names.component_types = { [0] = "switch", [3] = "Type 3 device", [4] = "GFD" }
names.selection_policies = { [0] = "free", [1] = "contiguous", [2] = "prescriptive", [3] = "enable shared access" }
names.removal_policies = { [0] = "tag-based", [1] = "prescriptive" }
names.backend_kinds = { [0] = "anonymous memory", [1] = "file" }
names.backend_states = { [0] = "free", [1] = "offered", [2] = "accepted", [3] = "held by the FM's reference", [4] = "quarantined" }
names.release_states = { [0] = "not found", [1] = "not released", [2] = "released" }
names.link_roles = { [0] = "fm", [1] = "host", [2] = "control" }
names.link_bindings = { [0] = "serial, stream socket", [1] = "serial, terminal", [2] = "packet" }
names.tunnel_targets = { [0] = "port or LD", [1] = "LD Pool CCI" }

local effects_log = "0da9c0b5-bf41-4b78-8f79-96b1623b3f17"
local dynamic_capacity_record = "ca95afa7-f183-4018-8c2f-95268e101a2a"
names.identifiers = {
    [effects_log] = "Command Effects Log",
    ["5e1819d9-11a9-400c-811f-d60719403d86"] = "Vendor Debug Log",
    ["b3fab4cf-01b6-4332-943e-5e9962f23567"] = "Component State Dump Log",
    [dynamic_capacity_record] = "Dynamic Capacity",
    ["fbcd0a77-c260-417f-85a9-088b1621eba6"] = "General Media",
    ["601dcbb3-9c06-4eab-b8af-4e9bfb5c9624"] = "DRAM",
    ["fe927475-dd59-4339-a586-79bab113b774"] = "Memory Module",
    ["e71f3a40-2d29-4092-8a39-4d1c966c7c65"] = "Memory Sparing",
    ["77cf9271-9c02-470b-9fe4-bc7b75f2da97"] = "Physical Switch",
    ["40d26425-3396-4c4d-a5da-3d47263af425"] = "Virtual CXL Switch",
    ["8dc44363-0c96-4710-b7bf-04bb99534c3f"] = "MLD Port",
}

-- === Commands ================================================================================================================
-- A layout is a line of steps, each taking the next bytes of the payload:
--   name         a field of the list below; !name: also in the Info column
--   a|b|c        fields that share the same bytes (bits)
--   -N           N reserved bytes
--   name[count]  a list of structures, as many as the field `count` said; name[*]: to the end
--   name(count)  a field as long as the field `count` said; name(*): to the end
--   ?            from here on, the payload may end at any step
--   =name        what the function `name` does with the rest

local structures = {
    extent = "start length tag sequence -6",
    range = "start length -8",
    host_region = "base decode_length region_length block_size dsmad_handle sanitizes_on_release -3",
    fm_region = "base decode_length region_length block_size attributes|non_volatile|sharable|hw_coherent|interconnect_dcd|read_only"
        .. " -3 sanitizes_on_release -3",
    tag_info = "tag held_by_fm -3 references pending",
    handle = "handle",
    log = "identifier log_size",
    effect = "effect_opcode effects|effect_0|effect_1|effect_2|effect_3|effect_4|effect_5|effect_6|effect_7|effect_8|effect_10|effect_11",
    backend = "tag backend_size backend_id backend_kind huge_pages backend_state -1 backend_hosts -6",
    link = "link_id link_role link_host link_binding link_eid link_uid link_pid -4 link_commands link_received link_sent link_dropped"
        .. " -8 listener",
    record = "format record_length severity|record_flags|permanent|maintenance|degraded|replacement|subclass_valid|ld_valid|head_valid"
        .. " handle related_handle timestamp maintenance_class maintenance_subclass ld_id head_id -11 =record_data",
    dynamic_capacity = "event_type available_valid host region more -2 extent -24 available_extents available_tags",
}
local settings = "settings|notify_0|notify_1|notify_2|notify_3|notify_4|notify_15"
local interrupts = "informational_mode|informational_number warning_mode|warning_number failure_mode|failure_number"
    .. " fatal_mode|fatal_number ? dynamic_capacity_mode|dynamic_capacity_number"
local room = " supported_extents available_extents supported_tags available_tags"

-- opcode = { name, request, response }
local commands = {
    [0x0001] = { "Identify", "", "vendor_id device_id subsystem_vendor_id subsystem_id serial_number request_limit component_type" },
    [0x0002] = { "Background Operation Status", "", "in_progress|percent -1 operation operation_code operation_status" },
    [0x0003] = { "Get Response Message Limit", "", "!response_limit" },
    [0x0004] = { "Set Response Message Limit", "!response_limit", "!response_limit" },
    [0x0005] = { "Request Abort Background Operation", "", "" },
    [0x0100] = { "Get Event Records", "!event_log",
        "overflow|more_records -1 overflow_count first_overflow last_overflow record_count -10 record[record_count]" },
    [0x0101] = { "Clear Event Records", "!event_log clear_all handle_count -3 handle[handle_count]", "" },
    [0x0102] = { "Get Event Interrupt Policy", "", interrupts },
    [0x0103] = { "Set Event Interrupt Policy", interrupts, "" },
    [0x0104] = { "Get MCTP Event Interrupt Policy", "", settings },
    -- The caption of the specification's table gives the answer a payload; fmapid and libcxlmi leave it out.
    [0x0105] = { "Set MCTP Event Interrupt Policy", settings, "? " .. settings },
    [0x0106] = { "Event Notification", settings, "" },
    [0x0300] = { "Get Timestamp", "", "timestamp" },
    [0x0301] = { "Set Timestamp", "timestamp", "" },
    [0x0400] = { "Get Supported Logs", "", "log_count -6 log[log_count]" },
    [0x0401] = { "Get Log", "!identifier log_offset log_length", "=log_data" },
    [0x0405] = { "Get Supported Logs Sub-List", "maximum_logs start_log", "logs_returned -1 log_total start_log -3 log[logs_returned]" },
    [0x4000] = { "Identify Memory Device", "",
        "firmware_revision total_capacity volatile_capacity persistent_capacity partition_alignment informational_log_size"
        .. " warning_log_size failure_log_size fatal_log_size label_storage_size poison_list_maximum inject_poison_limit"
        .. " poison_handling qos_telemetry ? dynamic_capacity_log_size" },
    [0x4800] = { "Get Dynamic Capacity Configuration", "region_count start_region",
        "regions_available regions_returned -6 host_region[regions_returned]" .. room },
    [0x4801] = { "Get Dynamic Capacity Extent List", "extents_wanted start_index",
        "extents_returned extent_total generation -4 extent[extents_returned]" },
    [0x4802] = { "Add Dynamic Capacity Response", "!extent_count more -3 range[extent_count]", "" },
    [0x4803] = { "Release Dynamic Capacity", "!extent_count more -3 range[extent_count]", "" },
    [0x5300] = { "Tunnel Management Command", "port_or_ld tunnel_target tunnel_length =tunnel", "tunnel_length -2 =tunnel" },
    [0x5600] = { "Get DCD Info", "",
        "hosts regions -2 selection_policies|free|contiguous|prescriptive -2 removal_policies|by_tag|removal_prescriptive"
        .. " sanitize_mask -1 dynamic_capacity block_sizes_0 block_sizes_1 block_sizes_2 block_sizes_3 block_sizes_4 block_sizes_5"
        .. " block_sizes_6 block_sizes_7" },
    [0x5601] = { "Get Host DC Region Configuration", "!host region_count start_region",
        "!host regions_available regions_returned fm_region[regions_returned]" .. room },
    [0x5602] = { "Set DC Region Configuration", "!region -3 !block_size sanitizes_on_release -3",
        "? region -3 block_size sanitizes_on_release -3" },
    [0x5603] = { "Get DC Region Extent Lists", "!host -2 extents_wanted start_index",
        "!host -2 start_index extents_returned extent_total generation -4 extent[extents_returned]" },
    [0x5604] = { "Initiate Dynamic Capacity Add", "!host !selection_policy region !length !tag ? extent_count extent[extent_count]", "" },
    [0x5605] = { "Initiate Dynamic Capacity Release",
        "!host !removal_policy|!forced|!sanitizes -1 !length !tag ? extent_count extent[extent_count]", "" },
    [0x5606] = { "Dynamic Capacity Add Reference", "!tag", "" },
    [0x5607] = { "Dynamic Capacity Remove Reference", "!tag", "" },
    [0x5608] = { "Dynamic Capacity List Tags", "start_index maximum",
        "generation total returned references_valid|pending_valid -3 tag_info[returned]" },
    [0xC000] = { "Create Tagged Backend",
        "!tag !backend_size backend_kind huge_pages path_length name_length -3 path(path_length) name(name_length)", "backend_id -4" },
    [0xC001] = { "Delete Tagged Backend", "!tag", "" },
    [0xC002] = { "List Tagged Backends", "start_index maximum", "generation total returned -4 backend[returned]" },
    [0xC003] = { "Get Tagged Backend", "!tag", structures.backend .. " path_length name_length -5 path(path_length) name(name_length)" },
    [0xC010] = { "Get Release Status", "!tag", "!release_status -7" },
    [0xC011] = { "List Links", "start_index maximum", "-4 total returned -4 link[returned]" },
    [0xC012] = { "Open Trace", "!link_id", "-8" },
    [0xC020] = { "Get Extent Descriptor", "!start", "!start !length offset huge_pages|is_file -7" },
}

-- name, type, title, and what values mean (the name of a table above). Types:
--   u8 u16 u24 u32 u64, decimal; x8 ... x64, hexadecimal; uN:MASK and xN:MASK, bits; flagN:MASK, one bit
--   size, bytes (u64); units, multiples of 256 MiB (u64); time, ns since 1970 (u64); uuid; text, UTF-8; hosts, 256 bits; bytes
-- A number behind uuid, text and bytes is their length.
local described = [[
category u8:0F Category = categories
message_tag u8 Message tag
opcode x16 Opcode = command_names
payload_length u24:1FFFFF Payload length
background flag24:800000 Background operation
return_code x16 Return code = return_codes
vendor_status x16 Vendor specific extended status
vendor_id x16 PCI vendor ID
device_id x16 PCI device ID
subsystem_vendor_id x16 PCI subsystem vendor ID
subsystem_id x16 PCI subsystem ID
serial_number x64 Serial number
request_limit u8 Largest request payload, as a power of two
component_type u8 Component type = component_types
in_progress flag8:01 In progress
percent u8:FE Percent complete
operation x16 Command
operation_code x16 Return code = return_codes
operation_status x16 Vendor specific extended status
response_limit u8 Largest response payload, as a power of two
event_log u8 Event log = event_logs
overflow flag8:01 Overflow
more_records flag8:02 More event records
overflow_count u16 Records lost
first_overflow time First overflow
last_overflow time Last overflow
record_count u16 Event records
clear_all flag8:01 Clear all events
handle_count u8 Event record handles
handle u16 Event record handle
settings x16 Notify when a log gets its first record
timestamp time Timestamp
log_count u16 Logs
identifier uuid Log identifier = identifiers
log_size u32 Log size
log_offset u32 Offset
log_length u32 Length
log_bytes bytes Log data
maximum_logs u8 Maximum number of logs
start_log u8 First log
logs_returned u8 Logs returned
log_total u16 Logs in all
effect_opcode x16 Opcode = command_names
effects x16 Effects
firmware_revision text16 Firmware revision
total_capacity units Total capacity
volatile_capacity units Volatile only capacity
persistent_capacity units Persistent only capacity
partition_alignment units Partition alignment
informational_log_size u16 Records of the Informational log
warning_log_size u16 Records of the Warning log
failure_log_size u16 Records of the Failure log
fatal_log_size u16 Records of the Fatal log
label_storage_size u32 Label storage area
poison_list_maximum u24 Poison list maximum
inject_poison_limit u16 Inject poison limit
poison_handling x8 Poison handling capabilities
qos_telemetry x8 QoS telemetry capabilities
dynamic_capacity_log_size u16 Records of the Dynamic Capacity log
region_count u8 Maximum number of regions
start_region u8 First region
regions_available u8 Regions in all
regions_returned u8 Regions returned
base x64 Region base
decode_length units Region decode length
region_length size Region length
block_size size Region block size
dsmad_handle u32 DSMAD handle
sanitizes_on_release flag8:01 Sanitize on release
attributes x8 Attributes
non_volatile flag8:04 Non-volatile
sharable flag8:08 Sharable
hw_coherent flag8:10 Hardware managed coherency
interconnect_dcd flag8:20 Interconnect specific DC management
read_only flag8:40 Read-only
supported_extents u32 Supported extents
available_extents u32 Available extents
supported_tags u32 Supported tags
available_tags u32 Available tags
extents_wanted u32 Maximum number of extents
extents_returned u32 Extents returned
extent_total u32 Extents in all
extent_count u32 Extents
start_index u32 First index
maximum u32 Maximum number
generation u32 Generation
total u32 In all
returned u32 Returned
start x64 Start
length size Length
tag uuid Tag
sequence u16 Shared extent sequence
more flag8:01 More
hosts u8 Hosts
regions u8 DC regions
selection_policies x16 Selection policies
free flag16:0001 Free
contiguous flag16:0002 Contiguous
prescriptive flag16:0004 Prescriptive
removal_policies x16 Removal policies
by_tag flag16:0001 Tag-based
removal_prescriptive flag16:0002 Prescriptive
sanitize_mask x8 Regions whose sanitize on release can be set
dynamic_capacity units Total dynamic capacity
host u16 Host
region u8 Region
selection_policy u8:0F Selection policy = selection_policies
removal_policy u8:0F Removal policy = removal_policies
forced flag8:10 Forced
sanitizes flag8:20 Sanitize
references_valid flag8:01 References valid
pending_valid flag8:02 Pending references valid
held_by_fm flag8:01 Held by the FM's reference
references hosts Hosts that accepted it
pending hosts Hosts that are offered it
format uuid Record format = identifiers
record_length u8 Record length
severity x24:000003 Severity = severities
record_flags x24:0001FC Flags
permanent flag24:000004 Permanent condition
maintenance flag24:000008 Maintenance needed
degraded flag24:000010 Performance degraded
replacement flag24:000020 Hardware replacement needed
subclass_valid flag24:000040 Maintenance subclass valid
ld_valid flag24:000080 LD-ID valid
head_valid flag24:000100 Head ID valid
related_handle u16 Related record
maintenance_class u8 Maintenance operation class
maintenance_subclass u8 Maintenance operation subclass
ld_id u16 LD-ID
head_id u8 Head ID
record_bytes bytes80 Record data
event_type u8 Event = event_types
available_valid flag8:01 Available extents and tags valid
port_or_ld u8 Port or LD-ID
tunnel_target u8:0F Target type = tunnel_targets
tunnel_length u16 Tunneled bytes
backend_size size Size
backend_id u32 Backend id
backend_kind u8 Kind = backend_kinds
huge_pages flag8:01 Huge pages
is_file flag8:02 File
backend_state u8 State = backend_states
backend_hosts u16 Hosts that accepted it
path_length u16 Length of path
name_length u8 Length of name
path text Path
name text Name
release_status u8 Release status = release_states
offset x64 Offset in the descriptor's file
link_id u64 Link
link_role u8 Role = link_roles
link_host u8 Host
link_binding u8 Binding = link_bindings
link_eid u8 Our EID
link_uid u32 User ID of the peer
link_pid u32 Process ID of the peer
link_commands u64 Commands executed
link_received u64 Bytes received
link_sent u64 Bytes sent
link_dropped u64 Packets dropped
listener text32 Listener
block_sizes_0 x64 Block sizes of region 0
block_sizes_1 x64 Block sizes of region 1
block_sizes_2 x64 Block sizes of region 2
block_sizes_3 x64 Block sizes of region 3
block_sizes_4 x64 Block sizes of region 4
block_sizes_5 x64 Block sizes of region 5
block_sizes_6 x64 Block sizes of region 6
block_sizes_7 x64 Block sizes of region 7
informational_mode u8:03 Informational log: mode = interrupt_modes
informational_number u8:F0 Informational log: interrupt number
warning_mode u8:03 Warning log: mode = interrupt_modes
warning_number u8:F0 Warning log: interrupt number
failure_mode u8:03 Failure log: mode = interrupt_modes
failure_number u8:F0 Failure log: interrupt number
fatal_mode u8:03 Fatal log: mode = interrupt_modes
fatal_number u8:F0 Fatal log: interrupt number
dynamic_capacity_mode u8:03 Dynamic Capacity log: mode = interrupt_modes
dynamic_capacity_number u8:F0 Dynamic Capacity log: interrupt number
notify_0 flag16:0001 Informational log
notify_1 flag16:0002 Warning log
notify_2 flag16:0004 Failure log
notify_3 flag16:0008 Fatal log
notify_4 flag16:0010 Dynamic Capacity log
notify_15 flag16:8000 Background operations
effect_0 flag16:0001 Configuration change after cold reset
effect_1 flag16:0002 Immediate configuration change
effect_2 flag16:0004 Immediate data change
effect_3 flag16:0008 Immediate policy change
effect_4 flag16:0010 Immediate log change
effect_5 flag16:0020 Security state change
effect_6 flag16:0040 Background operation
effect_8 flag16:0100 Request abort supported
effect_10 flag16:0400 Configuration change after conventional reset
effect_11 flag16:0800 Configuration change after CXL reset
]]

names.command_names = {}
for opcode, command in pairs(commands) do names.command_names[opcode] = command[1] end

-- === Fields ==================================================================================================================

local cxl = Proto("cxl", "CXL Component Command Interface")
local proto_fields = {
    reason = ProtoField.uint16("cxl.reason", "Reason (fmapid)", base.DEC, names.reasons),
    response_in = ProtoField.framenum("cxl.response_in", "Response in", base.NONE, frametype.RESPONSE),
    response_to = ProtoField.framenum("cxl.response_to", "Request in", base.NONE, frametype.REQUEST),
    time = ProtoField.relative_time("cxl.time", "Time since request"),
}

local constructors = {
    [8] = ProtoField.uint8, [16] = ProtoField.uint16, [24] = ProtoField.uint24, [32] = ProtoField.uint32, [64] = ProtoField.uint64,
}

--- "1 GiB", "512 MiB", "100 B": exact, in the largest unit that divides it.
local function size_text(bytes)
    local units = { "EiB", "PiB", "TiB", "GiB", "MiB", "KiB" }
    for index, unit in ipairs(units) do
        local scale = 1024 ^ (#units - index + 1)
        if bytes >= scale and bytes % scale == 0 then return string.format("%.0f %s", bytes / scale, unit) end
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
for line in described:gmatch("[^\n]+") do
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
            proto_fields[name] = constructors[field.bits](path, title, field.hexadecimal and base.HEX or base.DEC, values, field.mask)
        end
        field.show = function(tree, range) return show_number(tree, proto_fields[name], range, field) end
        field.bare = field.flag or values ~= nil
    end
    fields[name] = field
end
cxl.fields = proto_fields

local experts = {
    short = ProtoExpert.new("cxl.expert.short", "Shorter than its layout", expert.group.MALFORMED, expert.severity.ERROR),
    long = ProtoExpert.new("cxl.expert.long", "Longer than its layout", expert.group.UNDECODED, expert.severity.WARN),
    length = ProtoExpert.new("cxl.expert.length", "Payload length is not that of the message", expert.group.MALFORMED, expert.severity.ERROR),
    reserved = ProtoExpert.new("cxl.expert.reserved", "Reserved bytes are set", expert.group.PROTOCOL, expert.severity.NOTE),
    refused = ProtoExpert.new("cxl.expert.refused", "The command was refused", expert.group.RESPONSE_CODE, expert.severity.NOTE),
    unknown = ProtoExpert.new("cxl.expert.unknown", "Command without a layout here", expert.group.UNDECODED, expert.severity.NOTE),
}
cxl.experts = experts

-- === Layouts =================================================================================================================

-- What of a structure stands on its line in the tree.
local summaries = {
    extent = "start length tag", range = "start length", host_region = "base region_length", fm_region = "base region_length",
    tag_info = "tag", log = "identifier log_size", effect = "effect_opcode", backend = "tag backend_size backend_state",
    link = "link_id link_role listener", record = "event_type", dynamic_capacity = "",
}

local compile

--- True if `size` bytes are left; otherwise says so, unless the payload may end here.
local function has(state, tree, size)
    if state.at + size <= state.stop then return true end
    if not (state.optional and state.at == state.stop) then tree:add_proto_expert_info(experts.short) end
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

local function note(state, name, shown, text, value)
    local field = fields[name]
    state.values[name], state.texts[name] = value, text
    if shown and text then
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

local function sized_field_step(name, counter)
    return function(state, tree)
        local size = counter == "*" and state.stop - state.at or state.values[counter]
        if not has(state, tree, size) then return false end
        if size > 0 then note(state, name, false, fields[name].show(tree, state.tvb(state.at, size))) end
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
            -- A list that was begun has to be there whole.
            if state.at == state.stop then tree:add_proto_expert_info(experts.short) end
            if state.at == state.stop or not one(state, tree, index) then return false end
            index = index + 1
        end
        return true
    end
end

local special_steps = {}

--- A function that runs a layout over `state`, adding to `tree`; false if the payload ended before the layout did.
function compile(layout)
    local steps = {}
    for token in layout:gmatch("%S+") do
        local name, open, counter = token:match("^([%w_]+)([%[%(])([%w_*]+)[%]%)]$")
        local step
        if token == "?" then
            step = function(state) state.optional = true return true end
        elseif token:sub(1, 1) == "-" then
            step = reserved_step(tonumber(token:sub(2)))
        elseif token:sub(1, 1) == "=" then
            local run = token:sub(2)
            step = function(state, tree) return special_steps[run](state, tree) end
        elseif open == "[" then
            step = list_step(name, counter)
        elseif open == "(" then
            step = sized_field_step(name, counter)
        elseif structures[token] and not fields[token] then
            step = structure_step(token, (token:gsub("^%l", string.upper):gsub("_", " ")))
        else
            step = field_step(token)
        end
        steps[#steps + 1] = step
    end
    return function(state, tree)
        for _, step in ipairs(steps) do
            if not step(state, tree) then return false end
        end
        return true
    end
end

local record_bytes, dynamic_capacity = field_step("record_bytes"), compile("dynamic_capacity")
function special_steps.record_data(state, tree)
    if state.values.format == dynamic_capacity_record then return dynamic_capacity(state, tree) end
    return record_bytes(state, tree)
end

local log_effects, log_bytes = compile("effect[*]"), sized_field_step("log_bytes", "*")
function special_steps.log_data(state, tree)
    if state.request and state.request.log == effects_log then return log_effects(state, tree) end
    return log_bytes(state, tree)
end

local message_header = compile("category message_tag -1 opcode payload_length|background return_code vendor_status")
for _, command in pairs(commands) do
    command.request, command.response = compile(command[2]), compile(command[3])
end

-- === CXL messages ============================================================================================================

--- Where the message at hand came from; set by the MCTP dissector: link (text), source and destination EID.
local context = { link = "", source = 0, destination = 0 }
--- Requests that wait for their answer, and of each message that was seen once, by frame and key, the request.
local waiting, seen = {}, {}

--- The request that a message is, or that it answers. Filled when the capture is read for the first time.
local function request_of(pinfo, is_request, message_tag, opcode)
    local requester = is_request and context.source or context.destination
    local key = table.concat({ context.link, requester, message_tag, opcode }, ":")
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
    local outer = context
    context = { link = outer.link .. " tunnel", source = outer.source, destination = outer.destination }
    state.info[#state.info + 1] = "tunneled " .. dissect_message(state.tvb(state.at):tvb(), 0, state.pinfo, branch)
    context, state.at = outer, state.stop
    return true
end

--- Adds to the Info column, where messages that share a frame stand side by side.
local function say(pinfo, protocol, text)
    pinfo.cols.protocol = protocol
    if context.said then
        pinfo.cols.info:append(" | " .. text)
    else
        pinfo.cols.info = text
        context.said = true
    end
end

function cxl.init() waiting, seen = {}, {} end

function cxl.dissector(tvb, pinfo, tree)
    local type = bit_and(tvb(0, 1):uint(), 0x7F)
    local branch = tree:add(cxl, tvb(), type == 0x07 and "CXL FM API" or "CXL CCI")
    say(pinfo, type == 0x07 and "CXL FM API" or "CXL CCI", dissect_message(tvb, 1, pinfo, branch))
    return tvb:len()
end

-- === MCTP control messages (DSP0236 section 12) ==============================================================================

local control_commands = {
    [1] = "Set Endpoint ID", [2] = "Get Endpoint ID", [3] = "Get Endpoint UUID", [4] = "Get MCTP Version Support",
    [5] = "Get Message Type Support", [6] = "Get Vendor Defined Message Support", [7] = "Resolve Endpoint ID",
    [8] = "Allocate Endpoint IDs", [9] = "Routing Information Update", [10] = "Get Routing Table Entries",
}
local completion_codes = {
    [0] = "Success", [1] = "Error", [2] = "Invalid data", [3] = "Invalid length", [4] = "Not ready", [5] = "Unsupported command",
    [0x80] = "Message type not supported",
}

--- Wireshark 4.2 and newer have protocols of these names; filters work on the fields of both, which are called the same.
local function protocol(name, description)
    local found, made = pcall(Proto, name, description)
    return found and made or Proto(name .. "_fmapid", description .. " (fmapid)")
end

local control = protocol("mctpc", "MCTP Control Protocol")
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
    endpoint_type = ProtoField.uint8("mctpc.endpoint_type", "Endpoint type", base.DEC, { [0] = "simple", [1] = "bus owner" }, 0x30),
    eid_type = ProtoField.uint8("mctpc.eid_type", "Endpoint ID type", base.DEC,
        { [0] = "dynamic", [1] = "static", [2] = "static, as set", [3] = "static, otherwise set" }, 0x03),
    medium = ProtoField.uint8("mctpc.medium", "Medium specific", base.HEX),
    uuid = ProtoField.guid("mctpc.uuid", "UUID"),
    message_type = ProtoField.uint8("mctpc.message_type", "Message type", base.HEX, names.message_types),
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
    local is_request, command = bit_and(tvb(1, 1):uint(), 0x80) ~= 0, tvb(2, 1):uint()
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
    say(pinfo, "MCTP Control", text)
    return tvb:len()
end

-- === MCTP packets (DSP0236 section 8) ========================================================================================
-- Wireshark has a dissector of its own since 4.2. This one takes its place, also there: it keeps links apart whose endpoints have
-- the same IDs, as all links of fmapid have, and it can be called for several packets of one frame.

local mctp = protocol("mctp", "Management Component Transport Protocol")
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
    type = ProtoField.uint8("mctp.msg.type", "Message type", base.HEX, names.message_types, 0x7F),
    reassembled_in = ProtoField.framenum("mctp.reassembled.in", "Reassembled in"),
    packets = ProtoField.uint32("mctp.fragment.count", "Message packets"),
}
mctp.fields = mctp_fields
local mctp_bad = ProtoExpert.new("mctp.bad", "Not an MCTP packet", expert.group.MALFORMED, expert.severity.ERROR)
local mctp_gap = ProtoExpert.new("mctp.gap", "Packet does not continue a message", expert.group.SEQUENCE, expert.severity.WARN)
mctp.experts = { mctp_bad, mctp_gap }

-- Since 4.2 Wireshark makes this table, and registers NVMe-MI and others in it. Dissectors get the message type byte as well.
local message_types = DissectorTable.get("mctp.type") or DissectorTable.new("mctp.type", "MCTP type", ftypes.UINT8, base.HEX, mctp)

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
    if tvb:len() < 5 or bit_and(tvb(0, 1):uint(), 0x0F) ~= 1 then
        branch:add_proto_expert_info(mctp_bad)
        say(pinfo, "MCTP", "not an MCTP packet")
        return
    end
    local flags = tvb(3, 1):uint()
    local starts, ends = bit_and(flags, 0x80) ~= 0, bit_and(flags, 0x40) ~= 0
    context.destination, context.source = tvb(1, 1):uint(), tvb(2, 1):uint()
    pinfo.cols.dst, pinfo.cols.src = tostring(context.destination), tostring(context.source)
    branch:append_text(string.format(", %d to %d, tag %d", context.source, context.destination, bit_and(flags, 7)))
    branch:add(mctp_fields.version, tvb(0, 1))
    branch:add(mctp_fields.dst, tvb(1, 1))
    branch:add(mctp_fields.src, tvb(2, 1))
    for _, name in ipairs({ "som", "eom", "seq", "tag_owner", "tag" }) do branch:add(mctp_fields[name], tvb(3, 1)) end

    local message = tvb(4):tvb()
    if not (starts and ends) then
        local key = table.concat({ context.link, context.source, context.destination, bit_and(flags, 0x0F) }, ":")
        local sequence = math.floor(bit_and(flags, 0x30) / 16)
        local whole = message_of(tvb, pinfo, pinfo.number .. ":" .. index, key, starts, ends, sequence)
        if not whole then
            branch:add_proto_expert_info(mctp_gap)
            return say(pinfo, "MCTP", "packet of a message whose beginning is missing")
        elseif not ends then
            if whole.done_in then branch:add(mctp_fields.reassembled_in, whole.done_in):set_generated() end
            return say(pinfo, "MCTP", starts and "first packet of a message" or "packet of a message")
        end
        branch:add(mctp_fields.packets, whole.count):set_generated()
        message = whole.bytes:tvb("Reassembled MCTP message")
    end
    branch:add(mctp_fields.integrity_check, message(0, 1))
    branch:add(mctp_fields.type, message(0, 1))
    local type = bit_and(message(0, 1):uint(), 0x7F)
    if message_types:try(type, message, pinfo, tree) == 0 then
        say(pinfo, "MCTP", "message of type " .. (names.message_types[type] or type))
    end
end

local interface, stream = Field.new("sll.ifindex"), Field.new("tcp.stream")
--- Starts a frame: nothing is said in its Info column, and this is its link.
local function begin(link)
    local interfaces, streams = { interface() }, { stream() }
    local number = interfaces[#interfaces] or streams[#streams]
    context = { link = link .. (number and tostring(number) or ""), source = 0, destination = 0 }
end

function mctp.init() unfinished, packets = {}, {} end

function mctp.dissector(tvb, pinfo, tree)
    begin("packet ")
    dissect_packet(tvb, pinfo, tree, 1)
    return tvb:len()
end

-- === Serial binding (DSP0253) ================================================================================================

local serial = Proto("mctp_serial", "MCTP serial frame")
local serial_fields = {
    revision = ProtoField.uint8("mctp_serial.revision", "Revision"),
    length = ProtoField.uint8("mctp_serial.length", "Packet length"),
    fcs = ProtoField.uint16("mctp_serial.fcs", "Frame check sequence", base.HEX),
    skipped = ProtoField.bytes("mctp_serial.skipped", "Bytes outside of frames"),
}
serial.fields = serial_fields
local wrong_check = ProtoExpert.new("mctp_serial.check", "Wrong frame check sequence", expert.group.CHECKSUM, expert.severity.ERROR)
local outside = ProtoExpert.new("mctp_serial.outside", "Bytes outside of frames", expert.group.PROTOCOL, expert.severity.WARN)
serial.experts = { wrong_check, outside }
serial.prefs.port = Pref.uint("TCP port", 0, "TCP port of fmapid's serial links, in addition to those that are recognized (0: none)")

local FLAG, ESCAPE, REVISION = 0x7E, 0x7D, 0x01

--- CRC-16/MCRF4XX over revision, length and packet.
local function frame_check(packet)
    local check = 0xFFFF
    for index = -2, packet:len() - 1 do
        local byte = index == -2 and REVISION or index == -1 and packet:len() or packet:get_index(index)
        check = bit_xor(check, byte)
        for _ = 1, 8 do
            check = bit_and(check, 1) == 1 and bit_xor(math.floor(check / 2), 0x8408) or math.floor(check / 2)
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
            byte = bit_xor(bytes:get_index(at), 0x20)
        end
        packet:set_index(index, byte)
        at = at + 1
    end
    if at + 3 > stop then return "more" end
    if bytes:get_index(at + 2) ~= FLAG then return nil end
    local check = bytes:get_index(at) * 256 + bytes:get_index(at + 1)
    -- The closing flag may be the next frame's first one.
    local shared = at + 3 < stop and bytes:get_index(at + 3) == REVISION
    return { packet = packet, check = check, correct = check == frame_check(packet), check_at = at, after = at + (shared and 2 or 3) }
end

local function show_frame(tvb, pinfo, tree, start, frame, index)
    local range = tvb(start, frame.check_at + 3 - start)
    local branch = tree:add(serial, range)
    branch:add(serial_fields.revision, tvb(start + 1, 1))
    branch:add(serial_fields.length, tvb(start + 2, 1))
    local check = branch:add(serial_fields.fcs, tvb(frame.check_at, 2))
    if not frame.correct then
        check:add_proto_expert_info(wrong_check)
        return say(pinfo, "MCTP", "frame with a wrong check sequence")
    end
    local plain = frame.check_at - start - 3 == frame.packet:len()
    local packet = plain and tvb(start + 3, frame.packet:len()):tvb() or frame.packet:tvb("Unescaped MCTP packet")
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
        local frame = is_flag and frame_at(bytes, at)
        if frame == "more" then
            show_skipped()
            return at
        elseif frame then
            show_skipped()
            index = index + 1
            show_frame(tvb, pinfo, tree, at, frame, index)
            at = frame.after
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
    begin("serial ")
    local rest = dissect_frames(tvb, pinfo, tree)
    -- A lone flag at the end closes the frame before it, or begins one whose bytes will bring it again.
    if rest and pinfo.can_desegment > 0 and rest < tvb:len() then
        pinfo.desegment_offset = rest
        pinfo.desegment_len = DESEGMENT_ONE_MORE_SEGMENT
    end
    return tvb:len()
end

-- === Where packets are found =================================================================================================

message_types:set(0x00, control)
message_types:set(0x07, cxl)
message_types:set(0x08, cxl)

local ETH_P_MCTP = 0x00FA
DissectorTable.get("sll.ltype"):set(ETH_P_MCTP, mctp)
DissectorTable.get("wtap_encap"):set(wtap.USER0, serial)

local tcp_ports = DissectorTable.get("tcp.port")
tcp_ports:add_for_decode_as(serial)

local current_port = 0
function serial.prefs_changed()
    if current_port ~= 0 then tcp_ports:remove(current_port, serial) end
    current_port = serial.prefs.port
    if current_port ~= 0 then tcp_ports:add(current_port, serial) end
end

--- A TCP segment that begins with a frame's first bytes, and if the frame is whole, has its check sequence right.
serial:register_heuristic("tcp", function(tvb, pinfo, tree)
    if tvb:len() < 4 or tvb(0, 2):uint() ~= FLAG * 256 + REVISION or tvb(2, 1):uint() < 5 or tvb(3, 1):uint() ~= 1 then return false end
    local frame = frame_at(tvb:bytes(), 0)
    if not frame or frame ~= "more" and not frame.correct then return false end
    pinfo.conversation = serial
    serial.dissector(tvb, pinfo, tree)
    return true
end)
