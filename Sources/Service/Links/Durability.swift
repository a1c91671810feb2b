import CommandInterface

/// Makes the device's changes durable, and puts the durable state back when that fails.
public protocol Durability: AnyObject {
    /// Called before the commands of a turn; decides whether changes are worth trying.
    func beginTurn(_ processor: inout CommandProcessor)

    /// Makes what the commands of a turn changed durable, in one transaction, with the EIDs that listeners were given.
    ///
    /// - Throws: then nothing of it is durable, and ``restore(_:)`` follows.
    func commit(_ processor: inout CommandProcessor, eids: [(listener: String, eid: UInt8)]) throws(CommitFailure)

    /// Undoes what was not durable: the device is what the last commit left.
    func restore(_ processor: inout CommandProcessor)
}

/// The changes of a turn could not be made durable.
public struct CommitFailure: Error, CustomStringConvertible {
    public let description: String

    public init(_ description: String) { self.description = description }
}
