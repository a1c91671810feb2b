import CXLWire
import Testing
import TestSupport

@testable import DeviceModel

/// Spoils rows at random, one to three things at a time.
struct RowSpoiler {
    var random: RandomNumbers

    mutating func spoil(_ state: inout DeviceState) {
        for _ in 0...random.below(3) { spoilOne(&state) }
    }

    private mutating func spoilOne(_ state: inout DeviceState) {
        switch random.below(12) {
        case 0: spoilDevice(&state)
        case 1: change(&state.regions, [number(\.index), number(\.blockSize), flag(\.sanitizeOnRelease)])
        case 2: change(&state.hosts, [number(\.host), number(\.generation), number(\.nextOffer), number(\.logFirst)])
        case 3...5:
            change(
                &state.extents,
                [
                    number(\.slot), number(\.host), number(\.region), number(\.start), number(\.length), number(\.offset),
                    number(\.object), number(\.tag), number(\.sequence), number(\.offer), flag(\.isAccepted),
                    flag(\.isReleasing), flag(\.sanitize),
                ])
        case 6: change(&state.objects, [number(\.slot), Self.anotherObject, flag(\.isMaterialised)])
        case 7:
            change(
                &state.tags,
                [
                    number(\.slot), flag(\.isSharable), flag(\.isReferenced), number(\.position), Self.anotherPiece,
                    { row, other, random in row.tag = random.chance(50) ? other.tag : .none },
                ])
        case 8: change(&state.backends, [number(\.slot), number(\.position), Self.anotherBackend])
        case 9: change(&state.offers, [number(\.host), number(\.number), Self.anotherMember])
        case 10: change(&state.events, [number(\.log), number(\.number)])
        default: change(&state.history, [number(\.age), { row, other, _ in row.tag = other.tag }])
        }
    }

    // MARK: Rows

    private typealias Change<Row> = (_ row: inout Row, _ other: Row, _ random: inout RandomNumbers) -> Void

    /// Loses a row, doubles one, swaps two, or changes one, maybe to what another one has.
    private mutating func change<Row>(_ rows: inout [Row], _ changes: [Change<Row>]) {
        guard !rows.isEmpty else { return }
        let place = random.below(rows.count)
        switch random.below(8) {
        case 0: rows.remove(at: place)
        case 1: rows.append(rows[place])
        case 2: rows.swapAt(place, random.below(rows.count))
        default: random.pick(changes)(&rows[place], random.pick(rows), &random)
        }
    }

    private func number<Row, Number: FixedWidthInteger>(_ path: WritableKeyPath<Row, Number>) -> Change<Row> {
        { row, other, random in Self.change(&row[keyPath: path], other[keyPath: path], &random) }
    }

    private func flag<Row>(_ path: WritableKeyPath<Row, Bool>) -> Change<Row> { { row, _, _ in row[keyPath: path].toggle() } }

    private static func change<Number: FixedWidthInteger>(_ number: inout Number, _ other: Number, _ random: inout RandomNumbers)
    {
        switch random.below(6) {
        case 0: number = other
        case 1: number &+= 1
        case 2: number &-= 1
        case 3: number ^= 1 << Number(truncatingIfNeeded: random.below(Number.bitWidth))
        case 4: number = random.pick([0, 1, .max, .min, .max - 1, Number(truncatingIfNeeded: block)])
        default: number = Number(truncatingIfNeeded: random.next())
        }
    }

    // MARK: What is not a plain number

    private mutating func spoilDevice(_ state: inout DeviceState) {
        guard var row = state.device else { return }
        switch random.below(6) {
        case 0: return state.device = nil
        case 1: Self.change(&row.nextBackend, 0, &random)
        case 2: Self.change(&row.nextPool, 0, &random)
        case 3: Self.change(&row.logFirst, 0, &random)
        case 4: row.clockOffset = random.next()
        default: row.overflow = .init(count: UInt16(random.below(3)), first: random.next(), last: random.next())
        }
        state.device = row
    }

    private static func anotherObject(_ row: inout ObjectRow, _ other: ObjectRow, _ random: inout RandomNumbers) {
        switch (row.identity, random.below(4)) {
        case (_, 0): row.identity = other.identity
        case (.pool(var id, let size), 1):
            change(&id, 1, &random)
            row.identity = .pool(id: id, size: size)
        case (.pool(let id, var size), 2):
            change(&size, block, &random)
            row.identity = .pool(id: id, size: size)
        case (.backend(var id), 1...2):
            change(&id, 1, &random)
            row.identity = .backend(id)
        case (.pool, _): row.identity = .backend(1)
        case (.backend, _): row.identity = .pool(id: 1, size: block)
        }
    }

    private static func anotherPiece(_ row: inout TagRow, _ other: TagRow, _ random: inout RandomNumbers) {
        guard !row.pieces.isEmpty else { return row.pieces = other.pieces }
        let place = random.below(row.pieces.count)
        switch random.below(4) {
        case 0: row.pieces.remove(at: place)
        case 1: row.pieces.append(row.pieces[place])
        case 2: change(&row.pieces[place].length, block, &random)
        default: change(&row.pieces[place].object, other.pieces.first?.object ?? -1, &random)
        }
    }

    private static func anotherBackend(_ row: inout BackendRow, _ other: BackendRow, _ random: inout RandomNumbers) {
        var (id, size, kind) = (row.backend.id, row.backend.size, row.backend.kind)
        switch random.below(4) {
        case 0: change(&id, other.backend.id, &random)
        case 1: change(&size, other.backend.size, &random)
        case 2: change(&kind, 1, &random)
        default: break
        }
        row.backend = Backend(
            id: id, tag: random.chance(70) ? row.backend.tag : random.chance(70) ? other.backend.tag : .none, size: size,
            kind: kind,
            hugePages: random.chance(10), path: random.chance(10) ? "file" : "")
    }

    private static func anotherMember(_ row: inout OfferRow, _ other: OfferRow, _ random: inout RandomNumbers) {
        guard !row.members.isEmpty else { return }
        let place = random.below(row.members.count)
        switch random.below(5) {
        case 0: row.members.remove(at: place)
        case 1: row.members.append(other.members.first ?? row.members[place])
        case 2: change(&row.members[place].start, other.members[0].start, &random)
        case 3: change(&row.members[place].length, block, &random)
        default: change(&row.members[place].slot, -1, &random)
        }
    }
}

/// Rows of a device in the middle of a random walk, spoiled: the device refuses them, or is sound. It never traps.
@Suite struct RestoreFuzzTests {
    @Test(arguments: RandomWalkTests.shapes)
    func spoiledRowsAreRefusedOrSound(_ shape: RandomWalkTests.Shape) throws {
        let configuration = try shape.configuration
        var walk = RandomWalk(configuration, seed: RandomWalkTests.seed, tagCount: shape.tagCount)
        var spoiler = RowSpoiler(random: RandomNumbers(seed: RandomWalkTests.seed))
        var rows = RowCollector()
        walk.device.trackChanges()
        var refused = 0
        var accepted = 0
        for step in 0..<RandomWalkTests.steps / 8 {
            try walk.advance()
            walk.device.drainChanges(into: &rows)
            var state = rows.state
            spoiler.spoil(&state)
            do throws(StateError) {
                expectSound(try Device(configuration, state: state), walk, step)
                accepted += 1
            } catch {
                refused += 1
                #expect(!error.description.isEmpty)
            }
        }
        // Some things can be spoiled without a contradiction: a generation number, a time, a sanitize flag.
        #expect(refused > accepted && accepted > 0, "\(refused) refused, \(accepted) accepted")
    }

    /// Commands on a device that was restored from spoiled rows leave it sound too.
    private func expectSound(_ restored: Device, _ walk: RandomWalk, _ step: Int) {
        var device = restored
        var source = walk.source
        #expect(device.problems() == [], "seed \(RandomWalkTests.seed), step \(step)")
        device.trackChanges()
        for _ in 0..<5 { _ = source.next(walk.model).run(on: &device) }
        #expect(device.problems() == [], "seed \(RandomWalkTests.seed), step \(step), after commands")
        var rows = RowCollector()
        device.drainChanges(into: &rows)
    }
}
