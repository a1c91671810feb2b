/// What a journal entry is about. `systemd/fmapid.catalog` explains each to an administrator (`journalctl -x`).
///
/// The value is the entry's MESSAGE_ID, by which `journalctl MESSAGE_ID=...` finds all of its kind. It never changes.
public enum Event: String, Sendable, CaseIterable {
    /// The service is ready; the message says the device's shape.
    case started = "4b66d61fbda9466dbe87b2bdca374e0c"
    /// The service ends on request.
    case stopped = "3a04b13ad2724379b4f8070156c28510"
    /// The service could not start or go on.
    case failed = "2808bb823c6e44de8b0eb9101c8a6464"
    /// The configuration was read again.
    case reloaded = "c5d0fd1b4d2c4b0f9a53f5bb0e2f7a61"
    /// The configuration could not be read again; what was in force stays.
    case reloadFailed = "e0a6a3f2a6d14d52a2f1c62c9b8b4d17"
    /// There is no state directory.
    case forgetful = "d8f49c75eb7144f7b920dfde2ec34865"
    /// A listener is open.
    case listening = "2774bbf94f794e44ad56ba57fd235bda"
    /// Other machines can reach a listener.
    case reachable = "0e81eaa0e7b54d8b9d0983e8c2191051"
    /// A command changed the device.
    case changed = "40e3f974f21749699194434f4acec6f5"
    /// A host was handed the descriptor of memory.
    case handedOut = "8889ffa7ffca4224911ae21d21941051"
    /// A command was refused.
    case refused = "abef2f77bfd349d3828be374c319de0b"
    /// Changes could not be committed.
    case notDurable = "3ebba4fb4f66447795e7ed29a3ae6ae5"
    /// Changes are durable, but wait in the journal of the state, which grows.
    case notFolded = "b3263041ebc44cadbb6254734c6b9aec"
    /// The state can be neither written nor read.
    case unreadable = "9d146b4bae6a4d269d46a10e5e5e183b"
    /// Bytes of a backend or of an extent are gone.
    case memoryLost = "d813257abbf640369589c01afef153bf"
    /// Memory could not be zeroed or dropped.
    case memoryFailed = "ead04dce5ebd49e782f89dbd86111426"
    /// A peer could not get a link.
    case turnedAway = "2308ac9d3c644238b6ad5d484b2af79d"
    /// Connections could not be accepted.
    case acceptFailed = "8cafe669f4964ca68ce93dcbe5061de6"
    /// A terminal can no longer be used.
    case terminalLost = "aa04f96d51d942f1b5faae60108c5f65"

    /// For `Log.write`.
    public var field: (StaticString, String) { ("MESSAGE_ID", rawValue) }
}
