/// When a watch looks again. A look asks much of a large device, and others who watch see its requests in their traces; so what looks
/// cause must not make looks.
public struct LookPace: Sendable {
    /// The shortest time between two looks.
    private static let shortest = Duration.milliseconds(50)
    /// The times between two looks for lost records: the first, and, while they find nothing, the longest.
    private static let lossPauses = (least: Duration.seconds(1), most: Duration.seconds(16))

    private var lastBegan: ContinuousClock.Instant
    private var lastEnded: ContinuousClock.Instant
    private var changed = false
    private var lost = false
    /// The look that is going on, or was the last, is for lost records only.
    private var isForLoss = false
    private var lossPause = Self.lossPauses.least

    /// The first look was at `now`.
    public init(at now: ContinuousClock.Instant = .now) { (lastBegan, lastEnded) = (now, now) }

    /// Something has changed, or may have.
    public mutating func noteChange() { changed = true }

    /// What told of changes lost some of it.
    public mutating func noteLoss() { lost = true }

    /// When to look next; nil: nothing asks for it. At most half of the time is spent with looking.
    public var due: ContinuousClock.Instant? {
        if changed { return lastEnded + max(Self.shortest, lastEnded - lastBegan) }
        return lost ? lastEnded + max(lossPause, lastEnded - lastBegan) : nil
    }

    /// Begins a look, if it is time for one.
    public mutating func begin(at now: ContinuousClock.Instant) -> Bool {
        guard let due, due <= now else { return false }
        isForLoss = !changed
        (changed, lost) = (false, false)
        lastBegan = now
        return true
    }

    /// The look has ended; whether it found anything new.
    public mutating func end(at now: ContinuousClock.Instant, found: Bool) {
        lastEnded = now
        if found {
            lossPause = Self.lossPauses.least
        } else if isForLoss {
            lossPause = min(lossPause * 2, Self.lossPauses.most)
        }
    }
}
