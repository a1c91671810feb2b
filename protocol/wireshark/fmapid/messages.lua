-- What lies where in CXL messages: CXL r3.1 sections 7.6.7 and 8.2.9, and for C0xxh ../../README.md section 3.
-- A layout is a line of steps, each taking the next bytes of the payload:
--   name         a field of the list below; !name: also in the Info column
--   a|b|c        fields that share the same bytes (bits)
--   -N           N reserved bytes
--   name[count]  a list of structures, as many as the field `count` said; name[*]: to the end
--   name(count)  a field as long as the field `count` said; name(*): to the end
--   ?step        the payload may end before this step
--   =name        what the function `name` does with the rest

local structures = {
    extent = "start length tag sequence -6",
    range = "start length -8",
    host_region = "base decode_length region_length block_size dsmad_handle sanitizes_on_release -3",
    fm_region = "base decode_length region_length block_size "
        .. "attributes|non_volatile|sharable|hw_coherent|interconnect_dcd|read_only -3 sanitizes_on_release -3",
    tag_info = "tag held_by_fm -3 references pending",
    log = "identifier log_size",
    effect = "effect_opcode effects|effect_0|effect_1|effect_2|effect_3|effect_4|effect_5|effect_6|effect_8|effect_9|effect_10"
        .. "|effect_11",
    backend = "tag backend_size backend_id backend_kind huge_pages backend_state -1 backend_hosts -6",
    link = "link_id link_role link_host link_binding link_eid link_uid link_pid -4 link_commands link_received link_sent"
        .. " link_dropped -8 listener",
    held = "start length tag sequence -6 held_state region -6",
    record = "format record_length severity|record_flags|permanent|maintenance|degraded|replacement|subclass_valid|ld_valid"
        .. "|head_valid handle related_handle timestamp maintenance_class maintenance_subclass ld_id head_id -11 =record_data",
    capacity_event = "event_type available_valid host region more -2 extent -24 available_extents available_tags",
}
local settings = "settings|notify_0|notify_1|notify_2|notify_3|notify_4|notify_15"
local interrupts = "informational_mode|informational_number warning_mode|warning_number failure_mode|failure_number"
    .. " fatal_mode|fatal_number ?dynamic_capacity_mode|dynamic_capacity_number"
local room = " supported_extents available_extents supported_tags available_tags"

-- opcode = { name, request, response }
local commands = {
    [0x0001] = { "Identify", "",
        "vendor_id device_id subsystem_vendor_id subsystem_id serial_number request_limit component_type" },
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
    [0x0105] = { "Set MCTP Event Interrupt Policy", settings, "?" .. settings },
    [0x0106] = { "Event Notification", settings, "" },
    [0x0300] = { "Get Timestamp", "", "timestamp" },
    [0x0301] = { "Set Timestamp", "timestamp", "" },
    [0x0400] = { "Get Supported Logs", "", "log_count -6 log[log_count]" },
    [0x0401] = { "Get Log", "!identifier log_offset log_length", "=log_data" },
    [0x0405] = { "Get Supported Logs Sub-List", "maximum_logs start_log",
        "logs_returned -1 log_total start_log -3 log[logs_returned]" },
    [0x4000] = { "Identify Memory Device", "",
        "firmware_revision total_capacity volatile_capacity persistent_capacity partition_alignment informational_log_size"
        .. " warning_log_size failure_log_size fatal_log_size label_storage_size poison_list_maximum inject_poison_limit"
        .. " poison_handling qos_telemetry ?dynamic_capacity_log_size" },
    [0x4800] = { "Get Dynamic Capacity Configuration", "region_count start_region",
        "regions_available regions_returned -6 host_region[regions_returned]" .. room },
    [0x4801] = { "Get Dynamic Capacity Extent List", "extents_wanted start_index",
        "extents_returned extent_total generation -4 extent[extents_returned]" },
    [0x4802] = { "Add Dynamic Capacity Response", "!extent_count more -3 range[extent_count]", "" },
    [0x4803] = { "Release Dynamic Capacity", "!extent_count more -3 range[extent_count]", "" },
    [0x5300] = { "Tunnel Management Command", "port_or_ld tunnel_target tunnel_length =tunnel", "tunnel_length -2 =tunnel" },
    [0x5600] = { "Get DCD Info", "",
        "hosts regions -2 selection_policies|free|contiguous|prescriptive -2 removal_policies|by_tag|removal_prescriptive"
        .. " sanitize_mask -1 dynamic_capacity block_sizes_0 block_sizes_1 block_sizes_2 block_sizes_3 block_sizes_4"
        .. " block_sizes_5 block_sizes_6 block_sizes_7" },
    [0x5601] = { "Get Host DC Region Configuration", "!host region_count start_region",
        "!host regions_available regions_returned fm_region[regions_returned]" .. room },
    [0x5602] = { "Set DC Region Configuration", "!region -3 !block_size sanitizes_on_release -3",
        "?region -3 block_size sanitizes_on_release -3" },
    [0x5603] = { "Get DC Region Extent Lists", "!host -2 extents_wanted start_index",
        "!host -2 start_index extents_returned extent_total generation -4 extent[extents_returned]" },
    [0x5604] = { "Initiate Dynamic Capacity Add",
        "!host !selection_policy region !length !tag ?!extent_count extent[extent_count]", "" },
    [0x5605] = { "Initiate Dynamic Capacity Release",
        "!host !removal_policy|!forced|!sanitizes -1 !length !tag ?!extent_count extent[extent_count]", "" },
    [0x5606] = { "Dynamic Capacity Add Reference", "!tag", "" },
    [0x5607] = { "Dynamic Capacity Remove Reference", "!tag", "" },
    [0x5608] = { "Dynamic Capacity List Tags", "start_index maximum",
        "generation total returned references_valid|pending_valid -3 tag_info[returned]" },
    [0xC000] = { "Create Tagged Backend",
        "!tag !backend_size backend_kind huge_pages path_length name_length -3 path(path_length) !name(name_length)",
        "backend_id -4" },
    [0xC001] = { "Delete Tagged Backend", "!tag", "" },
    [0xC002] = { "List Tagged Backends", "start_index maximum", "generation total returned has_pool -3 backend[returned]" },
    [0xC003] = { "Get Tagged Backend", "!tag",
        structures.backend .. " path_length name_length -5 path(path_length) !name(name_length)" },
    [0xC010] = { "Get Release Status", "!tag", "!release_status -7" },
    [0xC011] = { "List Links", "start_index maximum", "-4 total returned -4 link[returned]" },
    [0xC012] = { "Open Trace", "!link_id", "-8" },
    [0xC013] = { "List Host Extents", "!host -2 maximum start", "!host more -1 returned -8 held[returned]" },
    [0xC020] = { "Get Extent Descriptor", "!start", "!start !length offset huge_pages|is_file -7" },
}

-- Where a field is reserved: field = { other field = { values of that } }. It is then not in the Info column.
local reserved = {
    length = { selection_policy = { [2] = true, [3] = true }, removal_policy = { [1] = true } },
    tag = { selection_policy = { [2] = true }, removal_policy = { [1] = true } },
    extent_count = { selection_policy = { [0] = true, [1] = true, [3] = true }, removal_policy = { [0] = true } },
}

-- name, type, title, and what values mean (the name of a table above). Types:
--   u8 u16 u24 u32 u64, decimal; x8 ... x64, hexadecimal; uN:MASK and xN:MASK, bits; flagN:MASK, one bit
--   size, bytes (u64); units, multiples of 256 MiB (u64); time, ns since 1970 (u64); uuid; text, UTF-8; hosts, 256 bits; bytes
-- A number behind uuid, text and bytes is their length.
local fields = [[
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
has_pool flag8:01 Pool
backend_state u8 State = backend_states
backend_hosts u16 Hosts that accepted it
path_length u16 Length of path
name_length u8 Length of name
path text Path
name text Name
release_status u8 Release status = release_states
held_state u8 State = held_states
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
effect_9 flag16:0200 Reset effects valid
effect_10 flag16:0400 Configuration change after conventional reset
effect_11 flag16:0800 Configuration change after CXL reset
]]

return { commands = commands, structures = structures, fields = fields, reserved = reserved }
