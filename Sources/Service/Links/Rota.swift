/// Who is served in a turn, when more links are ready than one turn should serve.
///
/// Links are served in rounds. A round begins with the links that are ready at that moment, its members; each has its share once, and when
/// no member is left, the next round begins. A link that becomes ready meanwhile, and was not served in this round, was idle when the round
/// began: it is a newcomer, and newcomers have the next turn for themselves, though never two in a row while members wait. So who asks now
/// and then waits for about one short turn, however many others never stop asking; and among those nobody is served twice before everybody
/// was served once.
///
/// The idea is that of flow queuing in networks (RFC 8290: sparse flows go first).
struct Rota {
    /// What is known of the link in a slot. Rounds are numbered from 1.
    private struct Entry {
        /// The latest round that it was a member of; 0 for none.
        var member: UInt32 = 0
        /// The latest round in which it was served; 0 for none.
        var served: UInt32 = 0
    }

    private var entries: [Entry]
    private var round: UInt32
    private var newcomersHadTheLastTurn = false
    /// Places in the list of ready links, in that order, of those that this turn serves.
    private(set) var chosen: TurnList<Int>

    init(slots: Int, round: UInt32 = 1) {
        self.round = round
        entries = Array(repeating: Entry(), count: slots)
        chosen = TurnList(capacity: slots)
    }

    /// Another link lives in this slot now.
    mutating func forget(_ slot: Int) { entries[slot] = Entry() }

    /// The link in this slot was chosen, but there is no time left for it in this turn.
    mutating func postpone(_ slot: Int) { entries[slot].served = 0 }

    /// Chooses from `count` ready links, at most `most` of them.
    ///
    /// - Parameter slot: the slot of a ready link by its place in the list; nil for what is no link, which is left out.
    mutating func choose(_ count: Int, most: Int, slot: (Int) -> Int?) {
        chosen.removeAll()
        if count == 1, let slot = slot(0) {
            // Nobody else waits, so whatever it was, it is served.
            entries[slot].served = round
            return chosen.append(0)
        }
        if !newcomersHadTheLastTurn {
            pick(count, most, slot) { $0.member != $1 && $0.served != $1 }
            newcomersHadTheLastTurn = !chosen.isEmpty
            if newcomersHadTheLastTurn { return }
        }
        newcomersHadTheLastTurn = false
        pick(count, most, slot) { $0.member == $1 && $0.served != $1 }
        guard chosen.isEmpty else { return }
        round &+= 1
        if round == 0 {
            // The numbers begin anew, so old ones mean nothing.
            for slot in entries.indices { entries[slot] = Entry() }
            round = 1
        }
        for place in 0..<count {
            if let slot = slot(place) { entries[slot].member = round }
        }
        pick(count, most, slot) { $0.member == $1 }
    }

    private mutating func pick(_ count: Int, _ most: Int, _ slot: (Int) -> Int?, where isDue: (Entry, UInt32) -> Bool) {
        for place in 0..<count where chosen.count < most {
            guard let slot = slot(place), isDue(entries[slot], round) else { continue }
            entries[slot].served = round
            chosen.append(place)
        }
    }
}
