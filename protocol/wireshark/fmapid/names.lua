-- What numbers and identifiers mean: CXL r3.1 and, for reasons, links and backends, ../../README.md.

local names = {}

names.return_codes = {
    [0x00] = "Success", [0x01] = "Background Command Started", [0x02] = "Invalid Input", [0x03] = "Unsupported",
    [0x04] = "Internal Error", [0x05] = "Retry Required", [0x06] = "Busy", [0x07] = "Media Disabled",
    [0x08] = "FW Transfer in Progress", [0x09] = "FW Transfer Out of Order", [0x0A] = "FW Verification Failed",
    [0x0B] = "Invalid Slot", [0x0C] = "Activation Failed, FW Rolled Back", [0x0D] = "Activation Failed, Cold Reset Required",
    [0x0E] = "Invalid Handle", [0x0F] = "Invalid Physical Address", [0x10] = "Inject Poison Limit Reached",
    [0x11] = "Permanent Media Failure", [0x12] = "Aborted", [0x13] = "Invalid Security State", [0x14] = "Incorrect Passphrase",
    [0x15] = "Unsupported Mailbox or CCI", [0x16] = "Invalid Payload Length", [0x17] = "Invalid Log", [0x18] = "Interrupted",
    [0x19] = "Unsupported Feature Version", [0x1A] = "Unsupported Feature Selection Value",
    [0x1B] = "Feature Transfer in Progress", [0x1C] = "Feature Transfer Out of Order", [0x1D] = "Resources Exhausted",
    [0x1E] = "Invalid Extent List", [0x1F] = "Transfer Out of Order", [0x20] = "Request Abort Background Operation Not Supported",
}

-- Why fmapid refused: the vendor specific extended status of a refusal. Section 4 of ../README.md.
names.reasons = {
    [0] = "nothing more to say",
    [1] = "the device has no such host",
    [2] = "the device has no such DC region",
    [3] = "nothing has this tag",
    [4] = "undefined selection or removal policy",
    [5] = "reserved bits are set",
    [6] = "the start lies past the end of the list, or the end past that of the log",
    [7] = "the length is zero or not a multiple of the block size",
    [8] = "the region does not support this block size",
    [9] = "no such log",
    [10] = "all records can be cleared only while the log is in overflow",
    [11] = "the handles are not those of the oldest records, in order",
    [12] = "the limit must be 8 to 10 (256 to 1024 bytes)",
    [13] = "this command set travels in the other MCTP message type",
    [14] = "this command is not served on links of this role",
    [15] = "the tag is all zero",
    [16] = "the request's payload is longer than 1024 bytes",
    [17] = "the payload is not as long as the header says",
    [18] = "the command takes a payload of another length",
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
    [68] = "the host's event log can never hold so many records",
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
    [97] = "the name is longer than 63 bytes, has control characters or white space at an end, or does not stand for the tag",
    [98] = "too many traces are open",
    [99] = "there is no such link",
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
names.backend_states = {
    [0] = "free", [1] = "offered", [2] = "accepted", [3] = "held by the FM's reference", [4] = "quarantined",
}
names.held_states = { [1] = "offered", [2] = "accepted", [3] = "accepted and asked back" }
names.release_states = { [0] = "not found", [1] = "not released", [2] = "released" }
names.link_roles = { [0] = "fm", [1] = "host", [2] = "control" }
names.link_bindings = { [0] = "serial, stream socket", [1] = "serial, terminal", [2] = "packet" }
names.tunnel_targets = { [0] = "port or LD", [1] = "LD Pool CCI" }

names.effects_log = "0da9c0b5-bf41-4b78-8f79-96b1623b3f17"
names.dynamic_capacity_record = "ca95afa7-f183-4018-8c2f-95268e101a2a"
names.identifiers = {
    [names.effects_log] = "Command Effects Log",
    ["5e1819d9-11a9-400c-811f-d60719403d86"] = "Vendor Debug Log",
    ["b3fab4cf-01b6-4332-943e-5e9962f23567"] = "Component State Dump Log",
    [names.dynamic_capacity_record] = "Dynamic Capacity",
    ["fbcd0a77-c260-417f-85a9-088b1621eba6"] = "General Media",
    ["601dcbb3-9c06-4eab-b8af-4e9bfb5c9624"] = "DRAM",
    ["fe927475-dd59-4339-a586-79bab113b774"] = "Memory Module",
    ["e71f3a40-2d29-4092-8a39-4d1c966c7c65"] = "Memory Sparing",
    ["77cf9271-9c02-470b-9fe4-bc7b75f2da97"] = "Physical Switch",
    ["40d26425-3396-4c4d-a5da-3d47263af425"] = "Virtual CXL Switch",
    ["8dc44363-0c96-4710-b7bf-04bb99534c3f"] = "MLD Port",
}

return names
